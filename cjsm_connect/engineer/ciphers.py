"""Which cipher suites a server really accepts: it is offered all, then all but the one that it chose, until it refuses.

A suite counts as refused only when the same client has spoken it with a server of our own, and when the asked server
still takes one of the others afterwards. Suites that OpenSSL has no longer (RC4, 3DES) cannot be asked for, which is
said. TLS 1.3: Python's ssl offers all its suites together, so that only the chosen one is known.
"""

from __future__ import annotations

import datetime
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID

from cjsm_connect.engineer.line import SERVER_HELLO
from cjsm_connect.engineer.session import Manner, Shaken, Suites, only, shaken
from cjsm_connect.engineer.targets import Target
from cjsm_connect.remote import handshake
from cjsm_connect.remote.suites import EVERY, FFDHE2048

ASKED = EVERY
LOWEST = ":@SECLEVEL=0"
MOST_SESSIONS = 100
GONE = {"RC4": "RC4", "3DES": "DES-CBC3"}  # the first is what people call them, the second is part of OpenSSL's names


def suites() -> Suites:
    """The positive control: every TLS 1.2 suite tried with a server of our own that takes all of them."""
    names = _known()
    server = _server()
    found = {number: _cannot(name, server) for number, name in names.items()}
    gone = {
        f"{kind} suites": "this OpenSSL has none"
        for kind, part in GONE.items()
        if not any(part in name for name in names.values())
    }
    return Suites(
        {number: names[number] for number, why in found.items() if not why},
        gone | {names[number]: why for number, why in found.items() if why},
    )


def _known() -> dict[int, str]:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.set_ciphers(ASKED + LOWEST)
    return {row["id"] & 0xFFFF: row["name"] for row in client.get_ciphers() if row["protocol"] != "TLSv1.3"}


def _cannot(name: str, server: ssl.SSLContext) -> str:
    try:
        handshake.shake_in_memory(handshake.context(only("TLSv1.2", name + LOWEST)), server)
    except (ssl.SSLError, ValueError) as error:
        return f"this client cannot offer it itself: {error}"
    return ""


def _server() -> ssl.SSLContext:
    """With an RSA and an elliptic-curve certificate and Diffie-Hellman parameters, as each suite needs one of them."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_ciphers(ASKED + LOWEST)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory() as folder:
        parameters = Path(folder, "dh.pem")
        parameters.write_text(FFDHE2048)
        made.load_dh_params(str(parameters))
        for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())):
            made.load_cert_chain(self_signed(key, Path(folder, "control.pem"), "control.invalid"))
    return made


def self_signed(key: CertificateIssuerPrivateKeyTypes, path: Path, name: str) -> Path:
    """A certificate that nobody vouches for, written with its key; for one day."""
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .issuer_name(subject)
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.touch(mode=0o600)
    path.write_bytes(private + made.public_bytes(pem))
    return path


@contextmanager
def wrong(name: str) -> Iterator[str]:
    """The path of a certificate for `name` that nobody can trust, while it is needed."""
    with tempfile.TemporaryDirectory() as folder:
        yield str(self_signed(ec.generate_private_key(ec.SECP256R1()), Path(folder, "wrong.pem"), name))


async def asked(target: Target, address: str, manner: Manner, known: Suites) -> dict[str, Any]:
    """{"TLSv1.2": {accepted, refused, not_tested: {name: why}}, "TLSv1.3": {chosen, said}}."""
    return {
        "TLSv1.2": await _enumerated(target, address, manner, known),
        "TLSv1.3": await _newest(target, address, manner),
    }


async def _enumerated(target: Target, address: str, manner: Manner, known: Suites) -> dict[str, Any]:
    left = dict(known.offered)
    accepted: list[str] = []
    why = ""
    while left and not why:
        found = await _offered(target, address, manner, left.values())
        if found.suite in left and SERVER_HELLO in found.heard:
            accepted.append(left.pop(found.suite))
            why = "more sessions than it takes to ask for all" if len(accepted) > MOST_SESSIONS else ""
        else:
            why = await _doubt(target, address, manner, found, accepted)
            break
    refused = [] if why else list(left.values())
    untold = dict.fromkeys(left.values(), why) if why else {}
    return {"accepted": accepted, "refused": refused, "not_tested": {**known.unoffered, **untold}}


async def _offered(target: Target, address: str, manner: Manner, names: Any) -> Shaken:
    return await shaken(target, address, manner, only("TLSv1.2", ":".join(names) + LOWEST))


async def _doubt(target: Target, address: str, manner: Manner, found: Shaken, accepted: list[str]) -> str:
    """Why a handshake that did not come about is no refusal of all that was offered; "" if it is."""
    if found.trouble is None or found.trouble.kind != "tls_refused" or found.heard:
        return str(found.trouble or "it chose a suite that was not offered")
    again = (
        await _offered(target, address, manner, accepted[:1]) if accepted else await shaken(target, address, manner, {})
    )
    if SERVER_HELLO in again.heard:
        return ""
    return f"afterwards it refused what it had accepted, so its refusals say nothing: {again.trouble}"


async def _newest(target: Target, address: str, manner: Manner) -> dict[str, str]:
    found = await shaken(target, address, manner, only("TLSv1.3"))
    client = handshake.context(only("TLSv1.3"))
    names = {row["id"] & 0xFFFF: row["name"] for row in client.get_ciphers()}
    return {
        "chosen": names.get(found.suite, "") if SERVER_HELLO in found.heard else "",
        "said": "" if found.suite else str(found.trouble or ""),
    }
