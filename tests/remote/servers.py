"""Small servers on loopback, and throw-away certificates, for the tests of the live tries."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Handler = Callable[[socket.socket], None]
GREETING = {
    "connect": b"220 test\r\n",
    "EHLO": b"250-test\r\n250-SIZE 1000\r\n250 8BITMIME\r\n",
    "QUIT": b"221 bye\r\n",
}


@contextmanager
def serving(handler: Handler) -> Iterator[int]:
    """Hand each connection to `handler` in a thread of its own; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=_serve, args=(handler, connection), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _serve(handler: Handler, connection: socket.socket) -> None:
    with connection, suppress(OSError):
        handler(connection)


def scripted(replies: dict[str, bytes], seen: list[str] | None = None) -> Handler:
    """A server that answers each verb from `replies`; an empty answer hangs up, a verb without one gets silence."""
    answers = {**GREETING, **replies}

    def handle(connection: socket.socket) -> None:
        connection.sendall(answers["connect"])
        for line in connection.makefile("rb"):
            command = line.decode("utf-8", "replace").strip()
            if seen is not None:
                seen.append(command)
            answer = answers.get(command.split(" ")[0])
            if answer == b"":
                return
            if answer is not None:
                connection.sendall(answer)

    return handle


def starttls(context: ssl.SSLContext, after: dict[str, bytes]) -> Handler:
    """A server that offers STARTTLS, shakes hands by `context` and then answers from `after`."""

    def handle(connection: socket.socket) -> None:
        connection.sendall(b"220 test\r\n")
        connection.recv(1000)
        connection.sendall(b"250-test\r\n250 STARTTLS\r\n")
        connection.recv(1000)
        connection.sendall(b"220 go\r\n")
        with context.wrap_socket(connection, server_side=True) as secured:
            answers = {**GREETING, **after}
            for line in secured.makefile("rb"):
                secured.sendall(answers.get(line.decode().split(" ")[0].strip(), b"500 what\r\n"))

    return handle


def conversing(answer: Callable[[str, bool], bytes], context: ssl.SSLContext | None = None) -> Handler:
    """A server that gives `answer(command, over TLS)`, and shakes hands by `context` after STARTTLS."""

    def handle(connection: socket.socket) -> None:
        connection.sendall(b"220 test\r\n")
        if not _answered(connection, answer, over_tls=False) or context is None:
            return
        connection.sendall(b"220 go\r\n")
        with context.wrap_socket(connection, server_side=True) as secured:
            _answered(secured, answer, over_tls=True)

    return handle


def _answered(connection: socket.socket, answer: Callable[[str, bool], bytes], *, over_tls: bool) -> bool:
    """Command by command, whether it ended with STARTTLS; unbuffered, as TLS begins right behind that."""
    for line in connection.makefile("rb", buffering=0):
        command = line.decode("utf-8", "replace").strip()
        reply = answer(command, over_tls)
        if command == "STARTTLS" and not over_tls:
            return True
        connection.sendall(reply)
    return False


class Authority:
    """A certificate authority for one test."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._signed(self.name, self.key, x509.BasicConstraints(ca=True, path_length=None))

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def chain_file(self, name: str) -> Path:
        """A new key and certificate for `name` in one file, key first."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._signed(subject, key, x509.SubjectAlternativeName([x509.DNSName(name)]))
        path = self.folder / f"{name}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
        return path

    def server(self, name: str, *, clients: bool = False) -> ssl.SSLContext:
        """A server's context; with `clients` it demands a certificate of this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain_file(name))
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=self.pem)
        return context

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder(
            issuer_name=self.name,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - datetime.timedelta(hours=1),
            not_valid_after=now + datetime.timedelta(days=1),
        )
        return builder.add_extension(extension, critical=False).sign(self.key, hashes.SHA256())
