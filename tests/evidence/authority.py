"""A time authority of our own: ``openssl ts``, with a root that signs its certificate."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from cryptography.x509 import Certificate, load_pem_x509_certificate

CONFIG = """
[ tsa ]
default_tsa = us
[ us ]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
certs = {folder}/tsa.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[ leaf ]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
"""


def openssl(*arguments: str | Path) -> str:
    """Run the real openssl; its output. Raises CalledProcessError."""
    done = subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
    return done.stdout.decode(errors="replace")


@dataclass
class Authority:
    """Answers RFC 3161 requests, as bytes."""

    folder: Path
    asked: int = 0

    @classmethod
    def set_up(cls, folder: Path) -> Authority:
        (folder / "openssl.cnf").write_text(CONFIG.format(folder=folder))
        (folder / "serial").write_text("01\n")
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        root = ["-x509", "-subj", "/CN=Made-up root", "-days", "3650"]
        openssl(
            "req", *key, *root, "-keyout", folder / "root.key", "-out", folder / "root.pem",
            "-addext", "keyUsage=critical,keyCertSign",
        )  # fmt: skip
        openssl(
            "req", *key, "-subj", "/CN=Made-up time authority",
            "-keyout", folder / "tsa.key", "-out", folder / "tsa.csr",
        )  # fmt: skip
        openssl(
            "x509", "-req", "-in", folder / "tsa.csr", "-CA", folder / "root.pem",
            "-CAkey", folder / "root.key", "-days", "3650", "-out", folder / "tsa.pem",
            "-extfile", folder / "openssl.cnf", "-extensions", "leaf",
        )  # fmt: skip
        return cls(folder)

    @property
    def root(self) -> Certificate:
        return load_pem_x509_certificate((self.folder / "root.pem").read_bytes())

    def __call__(self, request: bytes) -> bytes:
        self.asked += 1
        query, reply = self.folder / "query.tsq", self.folder / "reply.tsr"
        query.write_bytes(request)
        config = self.folder / "openssl.cnf"
        openssl("ts", "-reply", "-config", config, "-queryfile", query, "-out", reply)
        return reply.read_bytes()
