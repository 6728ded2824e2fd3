"""A timestamp authority on loopback: `openssl ts` behind a small HTTP server, and hostile ones like it."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Answer = Callable[[bytes], bytes]
KIND = "application/timestamp-reply"
CONFIGURATION = """\
[ tsa ]
default_tsa = here
[ here ]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.13762.3
digests = sha256
accuracy = secs:1
ordering = no
ess_cert_id_alg = sha256
"""


class Tsa:
    """A root, a certificate for timestamping, and `openssl ts -reply` with them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.root = folder, folder / "root.pem"
        self._root_key = rsa.generate_private_key(65537, 2048)
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Made-up timestamp root")])
        self.root.write_bytes(self._certificate(self._name, self._root_key, authority=True))
        key = rsa.generate_private_key(65537, 2048)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Made-up timestamps")])
        (folder / "tsa.pem").write_bytes(self._certificate(subject, key, authority=False))
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / "tsa.key").write_bytes(key.private_bytes(*form))
        (folder / "serial").write_text("01\n")
        (folder / "ts.conf").write_text(CONFIGURATION.format(folder=folder))

    def answer(self, query: bytes) -> bytes:
        """The reply to a query, by openssl-ts(1)."""
        (self.folder / "query").write_bytes(query)
        command = ["openssl", "ts", "-reply", "-config", "ts.conf", "-section", "here", "-queryfile", "query"]
        done = subprocess.run([*command, "-out", "reply"], cwd=self.folder, capture_output=True, text=True, check=False)
        assert (self.folder / "reply").exists(), done.stderr
        return (self.folder / "reply").read_bytes()

    def _certificate(self, subject: x509.Name, key: rsa.RSAPrivateKey, *, authority: bool) -> bytes:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - timedelta(days=1),
            not_valid_after=now + timedelta(days=30),
        ).add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        ours = x509.SubjectKeyIdentifier.from_public_key(self._root_key.public_key())
        if authority:
            builder = builder.add_extension(ours, critical=False)
        else:
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
            builder = builder.add_extension(usage, critical=True).add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ours), critical=False
            )
        return builder.sign(self._root_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@contextmanager
def served(answer: Answer, kind: str = KIND, status: int = 200) -> Iterator[str]:
    """The address of a server on loopback that answers each POST so."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Location", "http://192.0.2.1/")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsa"
    finally:
        server.shutdown()
        server.server_close()
