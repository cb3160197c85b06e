"""Decisions signed with a person's SSH key, checked against an allowed-signers file.

OpenSSH's own tool signs and verifies (ssh-keygen(1), ``-Y sign`` and ``-Y verify``); an auditor
can verify every such decision in the journal with the same command.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

from killswitch.api import Person
from killswitch.config import Config
from killswitch.model.errors import NotAllowed
from killswitch.model.playbook import Assurance

NAMESPACE = "killswitch"


def message(case: str, gate: str, digest: str, decision: str, person: str) -> bytes:
    """The bytes that are signed: one line each, in this order."""
    return f"{case}\n{gate}\n{digest}\n{decision}\n{person}\n".encode()


def signed(
    config: Config, person: Person, key: Path, case: str, gate: str, digest: str, decision: str
) -> Person:
    """The person, known by the signature that was just made and verified.

    Raises NotAllowed when no allowed-signers file is configured, or the key is not theirs in it.
    """
    allowed = config.written.people.allowed_signers
    if allowed is None:
        raise NotAllowed("no allowed-signers file is configured", hint="set people.allowed_signers")
    text = message(case, gate, digest, decision, person.email)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "decision"
        file.write_bytes(text)
        _run("sign", "-f", str(key.expanduser()), "-n", NAMESPACE, str(file))
        signature = file.with_name("decision.sig").read_text()
    verify(config.path(allowed), person.email, text, signature)
    return replace(person, assurance=Assurance.SSH_SIGNATURE, proof=signature)


def verify(allowed: Path, email: str, text: bytes, signature: str) -> None:
    """Raise NotAllowed unless the signature is that person's over these bytes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "signature"
        file.write_text(signature)
        _run("verify", "-f", str(allowed), "-I", email, "-n", NAMESPACE, "-s", str(file), text=text)


def _run(verb: str, *words: str, text: bytes = b"") -> None:
    done = subprocess.run(  # a fixed tool, no shell
        ["ssh-keygen", "-Y", verb, *words],  # OpenSSH's, from the PATH
        input=text,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise NotAllowed(f"ssh-keygen could not {verb} the decision: {said[:200]}")
