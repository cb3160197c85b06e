"""``approve``, ``deny``, ``abort``, ``attest``: who counts, who is turned away, and signatures."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.support import ADA, DANA, JO, KIM, LEE, MAX, RIA, SOL, Home, a_home


def gate_digest(home: Home, case: str) -> str:
    """What people are shown."""
    entries = home.run("audit", "show", case, "--json").lines
    return str(next(e["data"]["digest"] for e in entries if e["what"] == "gate.opened"))


def turned_away(home: Home, case: str) -> list[str]:
    entries = home.run("audit", "show", case, "--json").lines
    return [e["data"]["why"] for e in entries if e["what"] == "gate.turned_away"]


def test_an_approval_starts_the_work_and_a_second_answer_is_refused(home: Home) -> None:
    case = home.open(JO)
    digest = gate_digest(home, case)
    done = home.run("approve", case, "lead", "--as", LEE, "--digest", digest[:12], "--json")
    assert done.code == 0
    assert done.lines == [{"schema": "killswitch/done/1", "case": case}]
    assert home.run("status", case, "--watch").code == 0
    again = home.run("deny", case, "lead", "--as", LEE)
    assert again.code == 7


def test_who_asks_does_not_approve(home: Home) -> None:
    case = home.open(KIM, "--as", RIA)
    done = home.run("approve", case, "lead", "--as", RIA)
    assert done.code == 7
    assert "does not approve" in done.err
    assert turned_away(home, case) == ["who asked for a kill does not approve it"]


def test_the_subject_does_not_decide(home: Home) -> None:
    case = home.open(LEE)
    done = home.run("deny", case, "lead", "--as", LEE)
    assert done.code == 7
    assert "the subject of a case" in done.err


def test_who_does_not_hold_the_role_is_turned_away(home: Home) -> None:
    case = home.open(SOL)
    done = home.run("approve", case, "lead", "--as", MAX)
    assert done.code == 7
    assert "does not hold the role eng-leads" in done.err
    assert home.run("approve", case, "lead").code == 7  # Dana, at the keyboard, asked for it


def test_a_digest_of_another_plan_is_refused(home: Home) -> None:
    case = home.open(MAX)
    done = home.run("approve", case, "lead", "--as", LEE, "--digest", "0" * 64)
    assert done.code == 7
    assert "another one than you were shown" in done.err


def test_a_gate_that_does_not_exist_names_those_that_do(home: Home) -> None:
    case = home.open(DANA)
    done = home.run("approve", case, "leed", "--as", LEE)
    assert done.code == 7
    assert "open gates: lead" in done.err


def test_abort_is_for_operators_and_says_that_nothing_is_given_back(home: Home) -> None:
    case = home.open(RIA)
    assert home.run("abort", case, "--as", LEE).code == 7
    done = home.run("abort", case, "-r", "false alarm")
    assert done.code == 0
    assert f"agent-kill restore {case}" in done.out
    assert home.run("status", case, "--watch").code == 6
    again = home.run("abort", case)
    assert again.code == 7


def test_only_a_manual_step_can_be_attested(home: Home) -> None:
    case = home.run("--json", "plan", ADA).lines[0]["case"]
    done = home.run("attest", case, "okta/okta.user.suspend/1", "-r", "done by hand")
    assert done.code == 7
    assert "no open manual step" in done.err


# -- signatures ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lee's key and a stranger's, made by OpenSSH."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    folder = tmp_path_factory.mktemp("keys")
    for name in ("lee", "stranger"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)],
            check=True,
        )
    public = (folder / "lee.pub").read_text().split()
    line = f'{LEE} namespaces="killswitch" {public[0]} {public[1]}\n'
    (folder / "allowed_signers").write_text(line)
    return folder


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory, keys: Path) -> Iterator[Home]:
    """A home with an allowed-signers file."""
    people = {"allowed_signers": str(keys / "allowed_signers")}
    with a_home(tmp_path_factory.mktemp("signing") / "home", people=people) as made:
        yield made


def test_a_signed_approval_counts_and_can_be_checked_by_openssh(
    signing: Home, keys: Path, tmp_path: Path
) -> None:
    case = signing.open(JO, "-p", "signed")
    weak = signing.run("approve", case, "lead", "--as", LEE)
    assert weak.code == 7
    assert "asks for ssh-signature" in weak.err

    done = signing.run("approve", case, "lead", "--as", LEE, "--sign", str(keys / "lee"))
    assert done.code == 0, done
    assert signing.run("status", case, "--watch").code == 0

    entries = signing.run("audit", "show", case, "--json").lines
    decision = next(e["data"] for e in entries if e["what"] == "gate.decided")
    assert decision["assurance"] == "ssh-signature"
    signature = tmp_path / "signature"
    signature.write_text(decision["proof"])
    signed = "\n".join([case, "lead", decision["digest"], "approve", ""])
    files = ["-f", str(keys / "allowed_signers"), "-s", str(signature)]
    checked = subprocess.run(
        ["ssh-keygen", "-Y", "verify", "-n", "killswitch", "-I", LEE, *files],
        input=signed.encode(),
        capture_output=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert signing.run("audit", "verify").code == 0


@pytest.mark.parametrize(("who", "key"), [(LEE, "stranger"), (RIA, "lee")])
def test_a_key_that_is_not_theirs_is_refused(signing: Home, keys: Path, who: str, key: str) -> None:
    case = signing.run("--json", "plan", KIM).lines[0]["case"]
    done = signing.run("approve", case, "lead", "--as", who, "--sign", str(keys / key))
    assert done.code == 7
    assert "could not verify" in done.err


def test_without_an_allowed_signers_file_nothing_can_be_signed(home: Home, keys: Path) -> None:
    case = home.run("--json", "plan", ADA).lines[0]["case"]
    done = home.run("approve", case, "lead", "--as", LEE, "--sign", str(keys / "lee"))
    assert done.code == 7
    assert "people.allowed_signers" in done.err
