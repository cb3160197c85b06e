"""``agent-kill alerts``, and alerts against the whole program in a process of its own."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from killswitch.alerts import doors
from tabletop.home import _free_port
from tests.alerts.support import ALERTS, ROLES, SECRET, in_house, splunk
from tests.cli.support import DANA, JO, KIM, LEE, Home, a_home


@dataclass
class Served:
    """A home whose engine listens."""

    home: Home
    door: str

    def health(self) -> Any:
        with urllib.request.urlopen(f"{self.door}/healthz", timeout=5) as answer:
            return json.load(answer)["alerts"]

    def deliver(self, body: bytes) -> str:
        """A signed alert; its number when it is decided."""
        status, told = post(f"{self.door}/alerts/in-house", body, signed(body))
        assert status == 202
        soon(lambda: self.row(told["alert"])["outcome"] != "waiting")
        return str(told["alert"])

    def row(self, alert: str) -> Any:
        return self.home.run("--json", "alerts", "show", alert).lines[0]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One for all tests here; each uses people and alerts of its own."""
    folder, port = tmp_path_factory.mktemp("served") / "home", _free_port()
    with a_home(folder, engine=False, alerts=ALERTS, roles=ROLES) as home:
        serving = home.start("serve", "--port", str(port))
        made = Served(home, f"http://127.0.0.1:{port}")
        try:
            soon(made.health)
            yield made
        finally:
            serving.terminate()
            log, _ = serving.communicate(timeout=30)
        assert serving.returncode == 0, log
        assert SECRET not in log


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home that takes alerts, with no engine in it."""
    folder = tmp_path_factory.mktemp("alerts") / "home"
    with a_home(folder, engine=False, alerts=ALERTS, roles=ROLES) as home:
        yield home


def post(url: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    request = urllib.request.Request(url, data=body, headers=headers or {}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status), json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


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


def test_alerts_from_the_wire_to_the_case_and_to_containment(served: Served) -> None:
    home, door = served.home, served.door
    body, its = in_house(11, user=JO), splunk(12, user=JO)
    first = served.deliver(body)
    assert post(f"{door}/alerts/in-house", body, signed(body)) == (
        200,
        {"alert": first, "duplicate": True},
    )
    assert post(f"{door}/alerts/in-house", body + b" ", signed(body))[0] == 401
    assert post(f"{door}/alerts/splunk/{SECRET}", b"x" * 1_100_000)[0] == 413
    _, second = post(f"{door}/alerts/splunk/{SECRET}", its)
    _, third = post(f"{door}/alerts/splunk/{SECRET}", b"no JSON")
    soon(lambda: served.health()["undecided"] == 0)
    assert served.health() == {"ok": True, "why": "", "undecided": 0, "polls": {}}
    rows = {r["alert"]: r for r in home.run("--json", "alerts", "list").lines}
    told = [rows[name]["outcome"] for name in (first, second["alert"], third["alert"])]
    assert told == ["started", "joined", "triage"]
    case = rows[first]["case"]
    assert rows[second["alert"]]["case"] == case
    assert (rows[first]["deliveries"], rows[first]["confirmed"]) == (2, "hmac")

    soon(lambda: home.run("approve", case, "lead", "--as", LEE).code == 0)
    assert home.run("status", case, "--watch").code == 0  # contained
    items = home.run("--json", "evidence", "list", case).lines
    assert "alert" in [i.get("collector") for i in items]
    assert home.run("audit", "verify").code == 0
    journal = home.run("audit", "show").out
    assert "alerts.decided" in journal
    assert f"{first}: started" in journal
    shown = served.row(first)
    assert shown["body"].encode() == body
    assert SECRET not in json.dumps(shown)


def test_people_see_what_waits_open_a_case_for_one_and_dismiss_another(served: Served) -> None:
    home = served.home
    old = (datetime.now(UTC) - timedelta(hours=3)).isoformat()
    one = served.deliver(in_house(21, user=KIM, occurred_at=old))
    other = served.deliver(in_house(22, user="agents-pilot"))

    def queue() -> list[Any]:
        lines = home.run("--json", "alerts", "list", "--waiting", "--limit", "100").lines
        return [line["alert"] for line in lines]

    assert {one, other} <= set(queue())
    assert home.run("alerts", "dismiss", other, "--reason", "x", "--as", LEE).code == 7
    assert home.run("alerts", "start", other).code == 7  # it names nobody
    done = home.run("--json", "alerts", "start", one, "--reason", "seen in the log")
    assert done.code == 0, done.err
    case = done.lines[0]["case"]
    assert home.run("--json", "alerts", "start", one).lines[0]["case"] == case
    assert home.run("alerts", "dismiss", other, "--reason", "a rehearsal").code == 0
    assert not {one, other} & set(queue())
    shown = home.run("alerts", "show", other).out
    assert "dismissed by dana@corp.example  a rehearsal" in shown
    assert f"{other}: dismissed by {DANA} a rehearsal" in home.run("audit", "show").out
    assert served.row(one)["case"] == case
    assert home.run("abort", case, "--reason", "enough").code == 0


def test_serve_with_alerts_and_without_a_port_says_what_is_missing(quiet: Home) -> None:
    done = quiet.run("serve")
    assert done.code == 10
    assert "--port" in done.err


def test_a_wrong_rule_is_told_by_file_and_line(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    (folder / "triggers").mkdir(parents=True)
    (folder / "triggers" / "bad.yaml").write_text("trigger: bad\nlevel: auto\n")
    alerts = {**ALERTS, "triggers": "triggers"}
    with a_home(folder, engine=False, alerts=alerts, roles=ROLES) as home:
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
        (["start", "A-9"], 8, "no alert A-9"),
        (["dismiss", "A-9", "--reason", "x"], 8, "no alert A-9"),
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


def test_an_old_alert_waits_and_is_decided_again_on_request(served: Served) -> None:
    old = (datetime.now(UTC) - timedelta(hours=3)).isoformat()
    home = served.home
    name = served.deliver(in_house(31, user=JO, occurred_at=old))
    assert "it is old" in served.row(name)["why"]
    assert home.run("alerts", "test", name).out.startswith("triage")
    assert home.run("alerts", "replay", name).code == 0
    soon(lambda: served.row(name)["outcome"] != "waiting")
    history = served.row(name)["history"]
    assert [e["outcome"] for e in history] == ["triage", "replay", "triage"]
