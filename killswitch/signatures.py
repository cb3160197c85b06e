"""Decisions signed with a person's SSH key, checked against an allowed-signers file.

OpenSSH's own tool signs and verifies (ssh-keygen(1), ``-Y sign``, ``find-principals`` and
``verify``); an auditor can check every such decision in the journal with the same command. Who
signed is whom the file names for that key, whatever login the command ran under.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from killswitch.model.errors import NotAllowed

NAMESPACE = "killswitch"


def message(case: str, gate: str, digest: str, decision: str) -> bytes:
    """The bytes that are signed: one line each, in this order."""
    return f"{case}\n{gate}\n{digest}\n{decision}\n".encode()


def sign(key: Path, text: bytes) -> str:
    """The signature by a private key, or by the agent that holds it where ``key`` is public."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "decision"
        file.write_bytes(text)
        _run("sign", "-f", str(key.expanduser()), "-n", NAMESPACE, str(file))
        return file.with_name("decision.sig").read_text()


def signer(allowed: Path, text: bytes, signature: str) -> str:
    """The e-mail address of whoever signed these bytes.

    Raises NotAllowed when the key is nobody's in the file, or the signature is of other bytes.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "signature"
        file.write_text(signature)
        where = ("-f", str(allowed), "-s", str(file))
        found = _run("find-principals", *where).decode().split()
        if len(found) != 1:
            raise NotAllowed(f"that key belongs to {len(found)} people in {allowed}")
        _run("verify", *where, "-I", found[0], "-n", NAMESPACE, text=text)
        return found[0].lower()


def _run(verb: str, *words: str, text: bytes = b"") -> bytes:
    done = subprocess.run(  # noqa: S603  # a fixed tool, no shell
        ["ssh-keygen", "-Y", verb, *words],  # noqa: S607  # OpenSSH's, from the PATH
        input=text,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        does = "sign" if verb == "sign" else "verify"
        raise NotAllowed(f"ssh-keygen could not {does} the decision: {said[:200]}")
    return done.stdout
