"""Drill and live share nothing: no state, no key, no witness; and no approval crosses over."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import insert

from killswitch import apart, signatures, wiring
from killswitch.api import Killswitch, Person
from killswitch.audit.tables import cases
from killswitch.config import Config, load
from killswitch.engine.gate import APPROVED, OPEN, judge
from killswitch.engine.house import House
from killswitch.evidence import keys
from killswitch.model.errors import NotAllowed, Refused
from killswitch.model.event import Event, What
from killswitch.model.plan import Mode, Plan
from killswitch.model.playbook import Assurance
from tests.cli.support import run
from tests.model.examples import gate, plan, request

LEE, RIA, DANA = "lee@corp.example", "ria@corp.example", "dana@corp.example"
MODES = [("drill", "live"), ("live", "drill")]


def configured(folder: Path, mode: str, **more: Any) -> Config:
    """A configuration without connections: what this is about lies on the disk."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "killswitch.yaml"
    roles = {"secops": [DANA], "eng-leads": [LEE, RIA]}
    file.write_text(yaml.safe_dump({"mode": mode, "roles": roles, **more}))
    return load(file)


def used(config: Config) -> House:
    """The configuration, used for the first time; a head was signed and witnessed."""
    house = wiring.build(config)
    house.journal.append(Event(What.REQUESTED, "K-1", "K-1:requested", {"request": request()}))
    return house


async def left(config: Config) -> None:
    house = used(config)
    await house.sign_head()
    house.store.close()


@pytest.mark.parametrize(("first", "second"), MODES)
@pytest.mark.parametrize("inside", ["", "vault", "deeper/still"])
async def test_a_state_directory_of_the_other_mode_is_refused(
    tmp_path: Path, first: str, second: str, inside: str
) -> None:
    one = configured(tmp_path / "one", first)
    await left(one)
    assert (one.state / "mode").read_text() == f"{first}\n"
    other = configured(tmp_path / "other", second, state=str(one.state / inside))
    with pytest.raises(Refused, match=r"`state:` .* was used") as caught:
        wiring.build(other)
    assert f"this is mode: {second}" in caught.value.why
    assert not (one.state / "deeper").exists(), "nothing was made there"
    wiring.build(one).store.close()  # whose it is, goes on


@pytest.mark.parametrize(("first", "second"), MODES)
@pytest.mark.parametrize("key", ["signing_key", "witness"])
async def test_a_key_or_witness_inside_the_others_state_is_refused(
    tmp_path: Path, first: str, second: str, key: str
) -> None:
    one = configured(tmp_path / "one", first)
    await left(one)
    there = str(one.state / "signing-key.pem")
    more: Any = {"signing_key": there} if key == "signing_key" else {"witness": {"file": there}}
    with pytest.raises(Refused, match=f"`{key}:`"):
        wiring.build(configured(tmp_path / "other", second, **more))


async def test_a_drills_key_and_witness_elsewhere_say_whose_they_are(tmp_path: Path) -> None:
    outside: dict[str, Any] = {
        "signing_key": str(tmp_path / "keys" / "key.pem"),
        "witness": {"file": str(tmp_path / "witness" / "heads.jsonl")},
    }
    await left(configured(tmp_path / "drill", "drill", **outside))
    keys.load(tmp_path / "keys" / "key.pem")  # the note disturbs nobody
    for key, value in outside.items():
        live = configured(tmp_path / f"live-{key}", "live", **{key: value})
        assert [clash.key for clash in apart.clashes(live)] == [key]
        with pytest.raises(Refused, match="was used in a drill"):
            wiring.build(live)


async def test_links_do_not_hide_whose_a_state_is(tmp_path: Path) -> None:
    drill = configured(tmp_path / "drill", "drill")
    await left(drill)
    (tmp_path / "link").symlink_to(drill.state)
    live = configured(tmp_path / "live", "live", state=str(tmp_path / "link"))
    assert [clash.key for clash in apart.clashes(live)] == ["state"]
    vault = configured(tmp_path / "vault", "live")
    vault.state.mkdir()
    (vault.state / "vault").symlink_to(drill.state / "vault")
    with pytest.raises(Refused, match="vault was used in a drill"):
        wiring.build(vault)


@pytest.mark.parametrize(("first", "second"), MODES)
def test_a_state_without_a_mark_is_known_by_its_cases(
    tmp_path: Path, first: str, second: str
) -> None:
    one = configured(tmp_path / "one", first)
    house = used(one)
    with house.store.begin() as tx:
        row = {"subject": "person:jo@corp.example", "state": "", "open": True, "opened_at": ""}
        tx.execute(insert(cases).values(id="K-1", mode=first, **row))
    house.store.close()
    (one.state / "mode").unlink()
    with pytest.raises(Refused, match=f"was used {'in a drill' if first == 'drill' else 'live'}"):
        wiring.build(configured(tmp_path / "other", second, state=str(one.state)))
    wiring.build(one).store.close()
    assert (one.state / "mode").read_text() == f"{first}\n", "and the mark is there again"


async def test_the_engine_refuses_to_start_and_doctor_says_why(tmp_path: Path) -> None:
    drill = configured(tmp_path / "drill", "drill")
    await left(drill)
    before = {p.name for p in drill.state.iterdir()}
    live = configured(tmp_path / "live", "live", state=str(drill.state))
    done = run("--config", str(live.file), "serve")
    assert done.code == 7
    assert "was used in a drill, and this is mode: live" in done.err
    told = run("--config", str(live.file), "doctor")
    assert told.code == 12
    (line,) = [line for line in told.out.splitlines() if "drill and live apart" in line]
    assert line.startswith("✗ ")
    assert "drill and live share nothing" in line
    assert {p.name for p in drill.state.iterdir()} == before, "nothing was touched"


# -- approvals -----------------------------------------------------------------------------------


def planned(mode: Mode) -> Plan:
    """The same plan of the same case, but for the mode."""
    return plan(mode=mode, gates=(gate(assurance="ssh-signature"),))


def asking(config: Config) -> Killswitch:
    """A house in which the case K-1 waits at its gate."""
    house = wiring.build(config)
    with house.store.begin() as tx:
        row = {"subject": "person:jo@corp.example", "state": "", "open": True, "opened_at": ""}
        tx.execute(insert(cases).values(id="K-1", mode=config.mode, **row))
    made = planned(config.mode)
    opened = {
        "gate": "lead", "name": "lead", "purpose": "contain", "digest": made.digest, "quorum": 1,
        "approvers": [LEE, RIA], "assurance": "ssh-signature",
        "expires_at": (datetime.now(UTC) + timedelta(minutes=10)).isoformat(),
    }  # fmt: skip
    told = [
        (What.REQUESTED, {"request": request(mode=config.mode)}),
        (What.RESOLVED, {"accounts": []}),
        (
            What.PLANNED,
            {"plan": made.model_dump(mode="json", by_alias=True), "digest": made.digest},
        ),
        (What.OPENED, opened),
    ]
    for what, data in told:
        house.journal.append(Event(what, "K-1", f"K-1:{what}", data))
    return Killswitch(house)


def comes_to(api: Killswitch) -> str:
    """What the engine makes of the decisions so far, signatures checked."""
    view = api.show("K-1")
    assert view.plan is not None
    asked = view.gates["lead"]

    def proven(decision: dict[str, Any]) -> bool:
        text = signatures.message("K-1", "lead", decision["digest"], decision["decision"])
        try:
            return api.house.signed_by(text, decision["proof"]) == decision["person"]
        except NotAllowed:
            return False

    now = datetime.now(UTC)
    return judge(view, asked, view.plan.gate("lead"), asked.digest, now, proven)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """Lee's SSH key."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    made = tmp_path / "lee"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(made)], check=True)
    return made


async def test_an_approval_of_a_drill_opens_no_live_gate(tmp_path: Path, key: Path) -> None:
    """The signature, the press and the very row of a drill, taken to the live case of that name."""
    public = key.with_suffix(".pub").read_text().split()
    signers = tmp_path / "signers"
    signers.write_text(f'{LEE} namespaces="killswitch" {public[0]} {public[1]}\n')
    people = {"allowed_signers": str(signers)}
    drill = asking(configured(tmp_path / "drill", "drill", people=people))
    live = asking(configured(tmp_path / "live", "live", people=people))
    shown = drill.show("K-1").gates["lead"].digest
    assert shown != live.show("K-1").gates["lead"].digest

    proof = signatures.sign(key, signatures.message("K-1", "lead", shown, "approve"))
    lee = Person(LEE, Assurance.SSH_SIGNATURE, "cli", proof)
    await drill.answer("K-1", "lead", "approve", lee, digest=shown)
    assert comes_to(drill) == APPROVED, "in the drill it counts"

    with pytest.raises(NotAllowed, match="no signature of yours over this decision"):
        await live.answer("K-1", "lead", "approve", lee)
    with pytest.raises(NotAllowed, match="the plan is another one than you were shown"):
        await live.answer("K-1", "lead", "approve", lee, digest=shown[:12])

    (row,) = [e for e in drill.house.journal.entries(case="K-1") if e.what is What.DECIDED]
    live.house.journal.append(Event(row.what, row.case, row.key, row.data))
    assert comes_to(live) == OPEN, "the row is about another plan"
    forged = {**row.data, "digest": live.show("K-1").gates["lead"].digest}
    live.house.journal.append(Event(row.what, row.case, f"{row.key}:again", forged))
    assert comes_to(live) == OPEN, "and the signature is over another digest"
    for api in (drill, live):
        api.house.store.close()
