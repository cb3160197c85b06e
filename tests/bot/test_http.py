"""HTTP mode: what Slack signed just now, once, and not too large; the rest gets no further."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from slack_sdk.signature import SignatureVerifier
from starlette.applications import Starlette

from bot.http import LARGEST, PATH
from tabletop.sims.slack import FakeSlack
from tests.bot.office import Office, world


@pytest.fixture
def slack() -> FakeSlack:
    return FakeSlack(world(), mode="http")


def signed(slack: FakeSlack, body: bytes, *, at: str = "", secret: str = "") -> dict[str, str]:
    stamp = at or str(int(time.time()))
    verifier = SignatureVerifier(secret or slack.settings()["signing_secret"]["plain"])
    return {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": verifier.generate_signature(timestamp=stamp, body=body) or "",
    }


def slash(slack: FakeSlack, text: str = "help") -> bytes:
    known = slack.settings()
    return urlencode(
        {
            "command": "/agent-kill",
            "text": text,
            "team_id": known["team_id"],
            "api_app_id": known["app_id"],
            "user_id": slack.user("dana"),
            "channel_id": "C1",
            "trigger_id": f"1.2.{time.monotonic_ns()}",
        }
    ).encode()


async def post(office: Office, body: bytes, headers: dict[str, str]) -> httpx.Response:
    assert office.bot is not None
    app = httpx.ASGITransport(Starlette(routes=office.bot.routes))
    async with httpx.AsyncClient(transport=app, base_url="http://localhost") as client:
        return await client.post(PATH, content=body, headers=headers)


async def test_what_slack_signed_is_taken_once(tmp_path: Path, slack: FakeSlack) -> None:
    with slack:
        async with Office.of(tmp_path, slack) as office:
            body = slash(slack)
            headers = signed(slack, body)
            taken = await post(office, body, headers)
            assert taken.status_code == 200
            assert "Stop what" in taken.text
            again = await post(office, body, headers)
            assert (again.status_code, again.text) == (409, "Refused: this was sent before.")


def unsigned() -> list[tuple[dict[str, str], str]]:
    """What is wrong with a request's headers, and what is said to it."""
    stamp, signature = "x-slack-request-timestamp", "x-slack-signature"
    now = int(time.time())
    return [
        ({stamp: str(now - 301)}, "too old or in the future"),
        ({stamp: str(now + 900)}, "too old or in the future"),
        ({stamp: "soon"}, "no number"),
        ({stamp: "-5"}, "no number"),
        ({stamp: "1" * 400}, "no number"),
        ({stamp: ""}, "no number"),
        ({signature: "v0=" + "0" * 64}, "the signature is wrong"),
        ({signature: ""}, "the signature is wrong"),
    ]


async def test_what_is_not_signed_just_now_is_refused_and_logged(
    tmp_path: Path, slack: FakeSlack, capsys: pytest.CaptureFixture[str]
) -> None:
    with slack:
        async with Office.of(tmp_path, slack) as office:
            for change, why in unsigned():
                body = slash(slack, "jo@corp.example")
                refused = await post(office, body, {**signed(slack, body), **change})
                assert refused.status_code == 401, change
                assert why in refused.text
            assert office.drill.api.list() == []
    logged = capsys.readouterr().out
    assert logged.count("a request to slack's address was refused") == len(unsigned())


async def test_old_and_future_timestamps_with_a_right_signature_are_refused(
    tmp_path: Path, slack: FakeSlack
) -> None:
    with slack:
        async with Office.of(tmp_path, slack) as office:
            for shift in (-301, 302):
                body = slash(slack)
                headers = signed(slack, body, at=str(int(time.time()) + shift))
                assert (await post(office, body, headers)).status_code == 401


async def test_a_body_of_five_megabytes_is_refused(tmp_path: Path, slack: FakeSlack) -> None:
    with slack:
        async with Office.of(tmp_path, slack) as office:
            body = slash(slack) + b"&padding=" + b"x" * (5 * LARGEST)
            refused = await post(office, body, signed(slack, body))
            assert refused.status_code == 413


async def test_a_body_of_another_secret_or_another_app_is_refused(
    tmp_path: Path, slack: FakeSlack
) -> None:
    with slack:
        async with Office.of(tmp_path, slack) as office:
            body = slash(slack)
            wrong = await post(office, body, signed(slack, body, secret="fake-other-secret"))
            assert wrong.status_code == 401
            other = body.replace(slack.settings()["app_id"].encode(), b"A0OTHER000")
            foreign = await post(office, other, signed(slack, other))
            assert "not for this app" in foreign.text


async def test_what_is_no_text_at_all_is_refused(tmp_path: Path, slack: FakeSlack) -> None:
    with slack:
        async with Office.of(tmp_path, slack) as office:
            body = b"\xff\xfe\x00payload=%%%"
            answer = await post(office, body, signed(slack, b"another"))
            assert (answer.status_code, answer.text) == (401, "Refused: the body is no text.")
