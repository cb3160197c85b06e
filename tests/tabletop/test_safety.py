"""Everything that a drill writes says DRILL, wherever somebody may come across it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from killswitch.audit.witness import kept_heads
from killswitch.evidence import bundle, keys
from killswitch.evidence.bundle import verify_bundle
from killswitch.model.event import What
from killswitch.report import files
from tabletop.sims.slack import FakeSlack
from tabletop.sims.world import World
from tests.bot.office import Office
from tests.cli.support import JO, KIM, LEE, Home, a_home
from tests.drill import DANA, Drill

SENT = ("chat.postMessage", "chat.postEphemeral", "chat.update", "views.open", "views.update",
        "views.publish", "files.getUploadURLExternal", "files.completeUploadExternal")  # fmt: skip


# -- reports, evidence, journal ------------------------------------------------------------------


async def test_reports_evidence_keys_and_heads_say_it(tmp_path: Path) -> None:
    async with Drill.of(tmp_path / "home") as drill:
        case = (await drill.closed((await drill.kill()).id)).id
        heads = kept_heads(drill.house.journal)
        made = bundle.export(
            drill.house.journal.entries(case=case),
            heads,
            vault=drill.house.vault,
            signer=keys.load(drill.config.signing_key),
            to=tmp_path / "bag",
        )
    assert made.problems == ()
    assert verify_bundle(tmp_path / "bag") == []

    reports = sorted((drill.config.state / "reports" / case).iterdir())
    assert {p.name for p in reports} >= {"containment.html", "containment.md", "containment.json"}
    for report in reports:
        assert "DRILL" in report.read_text(), report.name
    told = json.loads((drill.config.state / "reports" / case / "containment.json").read_text())
    assert told["drill"] is True
    assert told["verdict"]["sentence"].startswith("DRILL: ")

    data = tmp_path / "bag" / "data"
    info = (tmp_path / "bag" / "bag-info.txt").read_text()
    assert "External-Description: DRILL: " in info
    assert f"External-Identifier: DRILL-{case}\n" in info
    assert (data / "README.txt").read_text().startswith("DRILL: ")
    assert (data / "public-key.pem").read_text().startswith("DRILL: ")
    for listed in [data / "statement.json", *(data / "manifest").glob("*.json")]:
        if not listed.name.endswith(".dsse.json"):
            assert json.loads(listed.read_text())["mode"] == "drill", listed.name

    witnessed = (tmp_path / "home" / "witness" / "heads.jsonl").read_text().split()
    assert witnessed
    assert heads
    assert all("DRILL" in head for head in [*witnessed, *heads])
    assert drill.config.signing_key.read_text().startswith("DRILL: ")
    assert (drill.config.state / "mode").read_text() == "drill\n"


async def test_a_plan_that_is_made_in_a_drill_says_it(tmp_path: Path) -> None:
    async with Drill.of(tmp_path / "home") as drill:
        view = await drill.settled(await drill.start(mode="plan"))
    assert not drill.entries(view.id, What.OPENED)
    for form in files.FORMATS:
        assert "DRILL" in files.render(view, form), form


# -- Slack ---------------------------------------------------------------------------------------


async def test_every_message_form_answer_and_file_in_slack_says_it(tmp_path: Path) -> None:
    with FakeSlack(World.named("small")) as slack:
        async with Office.of(tmp_path / "home", slack) as office:
            case = await office.killed(await office.ask())
            await office.wait(slack.files)
            answered = [
                await slack.slash(DANA, text)
                for text in ("help", "drill", "nonsense !", "status K-99", f"status {case}")
            ]
            await slack.home(DANA)
        sent = [c for c in slack.calls() if c.method in SENT]
        assert {c.method for c in sent} >= set(SENT) - {"chat.postEphemeral"}
        for call in sent:
            assert "DRILL" in json.dumps(call.args), (call.method, call.args)
        for answer in answered:
            assert not answer.ack or "DRILL" in json.dumps(answer.ack), answer.ack


# -- the terminal --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with a_home(tmp_path_factory.mktemp("home") / "home") as made:
        assert made.run("kill", JO, "--personas").code == 0
        yield made


def test_every_line_of_a_case_at_a_terminal_says_it(home: Home) -> None:
    done = home.run("status", "K-1", "--watch")
    lines = [line for line in done.out.splitlines() if line.lstrip().startswith("T+")]
    assert len(lines) > 5
    assert all("DRILL  " in line for line in lines)
    assert "DRILL: every vendor is simulated." in done.err
    status = home.run("status", "K-1")
    assert status.out.startswith("DRILL  K-1")
    listed = home.run("list").out.splitlines()[1:]
    assert listed
    assert all("DRILL" in line for line in listed)


@pytest.mark.parametrize(
    "words",
    [
        ("plan", KIM),
        ("status", "--plan"),
        ("report", "--format", "md"),
        ("report", "--format", "json"),
        ("report",),
        ("evidence", "list", "K-1"),
        ("evidence", "verify", "K-1"),
        ("audit", "show"),
        ("audit", "verify"),
        ("approve", "K-1", "lead", "--as", LEE),
    ],
    ids=" ".join,
)
def test_every_command_says_it(home: Home, words: tuple[str, ...]) -> None:
    done = home.run(*words)
    assert "DRILL" in done.out + done.err, done


def test_an_exported_bag_says_it_in_its_name(home: Home, tmp_path: Path) -> None:
    started = home.start("evidence", "export", "K-1")
    out, _ = started.communicate(timeout=60)
    assert "DRILL-K-1-evidence" in out
    assert (home.folder / "DRILL-K-1-evidence").is_dir()


def test_every_line_of_the_engines_log_says_it(tmp_path: Path) -> None:
    with a_home(tmp_path / "home", engine=False) as home:
        serving = home.start("serve", "--until-idle")
        out, _ = serving.communicate(timeout=60)
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines
    assert {line["mode"] for line in lines} == {"drill"}
