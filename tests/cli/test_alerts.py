"""``agent-kill alerts``, and alerts against the whole program in a process of its own."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from killswitch.alerts import doors
from tabletop.home import _free_port
from tests.alerts.support import ALERTS, ROLES, SECRET, in_house, splunk
from tests.cli.support import JO, KIM, LEE, Home, a_home


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home that takes alerts, with no engine in it."""
    folder = tmp_path_factory.mktemp("alerts") / "home"
    with a_home(folder, engine=False, alerts=ALERTS, roles=ROLES) as home:
        yield home


def post(url: str, body: bytes, headers: dict[str, str] | None = None) -> int:
    request = urllib.request.Request(url, data=body, headers=headers or {}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def signed(body: bytes) -> dict[str, str]:
    at = str(int(time.time()))
    return {doors.TIMESTAMP: at, doors.SIGNATURE: doors.sign(SECRET, at, body)}


def soon(look: Callable[[], Any], seconds: float = 40) -> Any:
    until = time.monotonic() + seconds
    while True:
        try:
            if found := look():
                return found
        except urllib.error.URLError:
            pass
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.1)


def test_alerts_from_the_wire_to_the_case_and_to_containment(tmp_path: Path) -> None:
    port = _free_port()
    door = f"http://127.0.0.1:{port}"
    with a_home(tmp_path / "home", engine=False, alerts=ALERTS, roles=ROLES) as home:
        serving = home.start("serve", "--port", str(port))

        def health() -> Any:
            with urllib.request.urlopen(f"{door}/healthz", timeout=5) as answer:
                return json.load(answer)

        try:
            assert soon(health)["alerts"] == {"ok": True, "why": "", "undecided": 0}
            body = in_house(user=JO)
            assert post(f"{door}/alerts/in-house", body, signed(body)) == 202
            assert post(f"{door}/alerts/in-house", body, signed(body)) == 200
            assert post(f"{door}/alerts/in-house", body + b" ", signed(body)) == 401
            assert post(f"{door}/alerts/splunk/{SECRET}", splunk(user=JO)) == 202
            assert post(f"{door}/alerts/splunk/{SECRET}", b"no JSON") == 202
            assert post(f"{door}/alerts/splunk/{SECRET}", b"x" * 1_100_000) == 413
            soon(lambda: health()["alerts"]["undecided"] == 0)
            rows = {r["alert"]: r for r in home.run("--json", "alerts", "list").lines}
            assert [rows[f"A-{n}"]["outcome"] for n in (1, 2, 3)] == ["started", "joined", "triage"]
            assert {rows["A-1"]["case"], rows["A-2"]["case"]} == {"K-1"}
            assert rows["A-1"]["deliveries"] == 2

            soon(lambda: home.run("approve", "K-1", "lead", "--as", LEE).code == 0)
            assert home.run("status", "K-1", "--watch").code == 0  # contained
            items = home.run("--json", "evidence", "list", "K-1").lines
            assert "alert" in [i.get("collector") for i in items]
            assert home.run("audit", "verify").code == 0
            shown = home.run("--json", "alerts", "show", "A-1").lines[0]
            assert shown["body"].encode() == body
            assert SECRET not in json.dumps(shown)
        finally:
            serving.terminate()
            log, _ = serving.communicate(timeout=30)
        assert serving.returncode == 0, log
        assert SECRET not in log


def test_serve_with_alerts_and_without_a_port_says_what_is_missing(quiet: Home) -> None:
    done = quiet.run("serve")
    assert done.code == 10
    assert "--port" in done.err


def test_a_wrong_rule_stops_no_kill_by_people(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    (folder / "triggers").mkdir(parents=True)
    (folder / "triggers" / "bad.yaml").write_text("trigger: bad\nlevel: auto\n")
    alerts = {**ALERTS, "triggers": "triggers"}
    with a_home(folder, engine=False, alerts=alerts, roles=ROLES) as home:
        assert home.run(KIM, "--personas").code == 0
        done = home.run("alerts", "lint")
        assert done.code == 10
        assert "bad.yaml:2" in done.out


@pytest.mark.parametrize(
    ("body", "outcome", "why"),
    [
        (splunk(user=KIM), "start", "rule splunk-deny-listed-repo"),
        (splunk(user=["a", "b"]), "triage", "is a list"),
        (b"error rendering mustache template", "triage", "not JSON"),
    ],
)
def test_a_dry_run_tells_what_would_be_and_does_nothing(
    quiet: Home, body: bytes, outcome: str, why: str
) -> None:
    file = quiet.folder / "payload.json"
    file.write_bytes(body)
    done = quiet.run("--json", "alerts", "test", str(file), "--source", "splunk")
    assert done.code == 0, done.err
    (told,) = done.lines
    assert told["outcome"] == outcome
    assert why in told["why"]
    if outcome == "start":
        assert (told["level"], told["playbook"]) == ("propose", "agent-kill")
        assert told["subject"] == f"person:{KIM}"
    assert quiet.run("--json", "alerts", "list").lines == []
    assert quiet.run("--json", "list").lines == []


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["test", "none.json", "--source", "splunk"], 10, "No such file"),
        (["test", "none.json"], 7, "--source"),
        (["test", "none.json", "--source", "spunk"], 7, "no source"),
        (["show", "A-9"], 8, "no alert A-9"),
        (["show", "9"], 8, "is no alert"),
        (["replay", "A-9"], 8, "no alert A-9"),
        (["replay", "A-9", "--as", JO], 7, "does not hold the role"),
        (["list", "--outcome", "lost"], 7, "is no outcome"),
    ],
)
def test_what_cannot_be_done_is_said(quiet: Home, words: list[str], code: int, why: str) -> None:
    done = quiet.run("alerts", *words)
    assert done.code == code, done.err
    assert why in done.err


def test_lint_counts_the_rules_in_force(quiet: Home) -> None:
    done = quiet.run("alerts", "lint")
    assert done.code == 0
    assert "rules in force, 0 wrong" in done.err


def test_an_old_alert_waits_and_is_decided_again_on_request(tmp_path: Path) -> None:
    port = _free_port()
    old = (datetime.now(UTC) - timedelta(hours=3)).isoformat()
    with a_home(tmp_path / "home", engine=False, alerts=ALERTS, roles=ROLES) as home:
        serving = home.start("serve", "--port", str(port))
        try:
            body = in_house(user=JO, occurred_at=old)
            door = f"http://127.0.0.1:{port}/alerts/in-house"
            assert soon(lambda: post(door, body, signed(body))) == 202

            def line() -> Any:
                (row,) = home.run("--json", "alerts", "list").lines
                return row if row["outcome"] != "waiting" else None

            assert "it is old" in soon(line)["why"]
            assert home.run("alerts", "test", "A-1").out.startswith("triage")
            assert home.run("alerts", "replay", "A-1").code == 0
            soon(line)
            history = home.run("--json", "alerts", "show", "A-1").lines[0]["history"]
            assert [e["outcome"] for e in history] == ["triage", "replay", "triage"]
            assert home.run("--json", "list").lines == []
        finally:
            serving.terminate()
            serving.communicate(timeout=30)
