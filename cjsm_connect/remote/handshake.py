"""TLS as a client that keeps apart what differs: version, chain, name, refusal. Standard library of Python 3.9.

A negative answer ("TLS 1.0 is refused") says nothing when the asking side cannot speak the version itself, and OpenSSL
3 at its usual security level cannot. So the same client first has to succeed against a server of our own.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import ssl
import tempfile
import threading
from functools import cache
from typing import Any

from cjsm_connect.remote import common

VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
EVERY_CIPHER = "ALL:@SECLEVEL=0"

_ONE = threading.Lock()  # all sessions of a program begin at once, and nearly all of them see the same certificate


class Unprepared(Exception):
    """This side is not ready to shake hands: a certificate or CA of ours cannot be loaded. Nothing was asked."""


def context(options: dict[str, Any]) -> ssl.SSLContext:
    """A client's settings from plain `options`.

    authorities: PEM text, or authorities_file: a path; without either nothing is verified.
    certificate: path of a chain file, key first; key: path of its key, if that is elsewhere.
    minimum, maximum: such as "TLSv1.2". ciphers: an OpenSSL list.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False  # the name is a fact of its own, see name_matches
    made.verify_mode = ssl.CERT_NONE
    if options.get("ciphers"):
        made.set_ciphers(options["ciphers"])
    if options.get("minimum"):
        made.minimum_version = VERSIONS[options["minimum"]]
    if options.get("maximum"):
        made.maximum_version = VERSIONS[options["maximum"]]
    if options.get("certificate"):
        made.load_cert_chain(options["certificate"], options.get("key") or _key_beside(options["certificate"]))
    if verifies(options):
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(cafile=options.get("authorities_file"), cadata=options.get("authorities"))
    return made


def _key_beside(certificate: str) -> str | None:
    """NAME.key beside NAME.pem, if there is one; else the key is in the same file."""
    key = os.path.splitext(certificate)[0] + ".key"
    return key if os.path.exists(key) else None


def verifies(options: dict[str, Any]) -> bool:
    """Is there anything to verify the other side's chain with?"""
    return bool(options.get("authorities") or options.get("authorities_file"))


def blank() -> dict[str, Any]:
    """The facts of a handshake that has not begun; None is "not known"."""
    return {
        "version": None,
        "cipher": None,
        "chain_verified": None,
        "name_matches": None,
        "peer_certificate_pem": "",
        "peer_issuers_pem": "",
        "peer_key_sha256": "",
        "own_certificate": False,
        "error": "",
    }


def secure(plain: socket.socket, options: dict[str, Any], facts: dict[str, Any]) -> ssl.SSLSocket | None:
    """Shake hands and write what was seen into `facts`; None when one of the two sides refused.

    Raises:
        Unprepared: nothing was asked, because `options` name a file that cannot be loaded.
    """
    client = _prepared(options)
    facts["own_certificate"] = bool(options.get("certificate"))
    try:
        wrapped = client.wrap_socket(plain, server_hostname=options.get("server_name") or None)
    except ssl.SSLCertVerificationError as error:
        facts["chain_verified"] = False
        facts["error"] = error.verify_message
        return None
    except ssl.SSLError as error:
        facts["error"] = str(error.reason or error)
        return None
    except ConnectionError:  # an answer too: without a word, but an answer
        facts["error"] = "the other side broke off the handshake"
        return None
    facts.update(_seen(wrapped, options))
    return wrapped


def _prepared(options: dict[str, Any]) -> ssl.SSLContext:
    try:
        return context(options)
    except (OSError, ValueError) as error:
        used = options.get("certificate") or options.get("authorities_file") or "options"
        raise Unprepared("TLS from here could not be prepared with %s: %s" % (used, error)) from error


def _seen(wrapped: ssl.SSLSocket, options: dict[str, Any]) -> dict[str, Any]:
    pem = ssl.DER_cert_to_PEM_cert(wrapped.getpeercert(binary_form=True) or b"")
    return {
        "version": wrapped.version(),
        "cipher": (wrapped.cipher() or ("",))[0],
        "chain_verified": True if verifies(options) else None,
        "name_matches": name_matches(pem, options.get("names", [])),
        "peer_certificate_pem": pem,
        "peer_issuers_pem": issuers(wrapped),
        "peer_key_sha256": key_fingerprint(pem),
    }


def issuers(wrapped: ssl.SSLSocket) -> str:
    """What the other side sent behind its own certificate, PEM; "" where Python cannot tell (before 3.10)."""
    ask = getattr(getattr(wrapped, "_sslobj", None), "get_unverified_chain", None)  # public as of Python 3.13 only
    sent = ask() if ask else None
    return "".join(certificate.public_bytes() for certificate in (sent or [])[1:])


def key_fingerprint(pem: str) -> str:
    """SHA-256 of the public key (SubjectPublicKeyInfo, DER) as organisation.toml writes it; "" without openssl."""
    code, said = asked_of(pem, "-pubkey")
    if code:
        return ""
    body = "".join(line for line in said.splitlines() if not line.startswith("-----"))
    return hashlib.sha256(base64.b64decode(body)).digest().hex(":")


def name_matches(pem: str, names: list[str]) -> bool | None:
    """Does the certificate carry one of `names` (openssl-x509(1), -checkhost)? None without names or without openssl.

    It is asked apart from the chain, so that "wrong name" and "wrong issuer" are never one fact.
    """
    answers = [asked_of(pem, "-checkhost", name)[1] for name in names]
    if not answers or any("match certificate" not in said for said in answers):
        return None
    return any("does match certificate" in said for said in answers)


def asked_of(pem: str, *question: str) -> tuple[int, str]:
    """Exit code and answer of openssl-x509(1) about a certificate; each question costs one process a program.

    What could not be answered is asked again the next time: one busy moment must not speak for all sessions.
    """
    with _ONE:
        return _answer(pem, question)


_ANSWERED: dict[tuple[str, tuple[str, ...]], tuple[int, str]] = {}


def _answer(pem: str, question: tuple[str, ...]) -> tuple[int, str]:
    if (pem, question) in _ANSWERED:
        return _ANSWERED[pem, question]
    code, said, _ = common.attempt(["openssl", "x509", "-noout", *question], pem, 10)
    if code == 0:
        _ANSWERED[pem, question] = (code, said)
    return code, said


def cannot_offer(options: dict[str, Any]) -> str:
    """Empty when a client with these `options` reaches a local server that speaks everything, else why it does not."""
    try:
        with _ONE:
            server = _local_server()
        client = context({**options, "authorities": None, "authorities_file": None, "certificate": None})
        shake_in_memory(client, server)
    except (common.Failed, ssl.SSLError, ValueError) as error:
        return "this client cannot offer %s itself: %s" % (options.get("maximum"), error)
    return ""


@cache
def _local_server() -> ssl.SSLContext:
    """A server for every version and cipher, with a key and certificate that live as long as this program.

    An elliptic curve (RFC 8422 has them for TLS 1.0 too): an RSA key costs a tenth of a second of a core.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.set_ciphers(EVERY_CIPHER)
    server.minimum_version = VERSIONS["TLSv1"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subject = ["-subj", "/CN=control.invalid", "-days", "1"]
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/control.pem"
        common.run(["openssl", "req", "-x509", *curve, *subject, "-keyout", path, "-out", path + ".crt"])
        server.load_cert_chain(path + ".crt", path)
    return server


def shake_in_memory(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """A whole handshake without a socket; ssl.SSLError when the two do not agree."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)]
    for _ in range(4):  # a TLS 1.0 to 1.3 handshake takes at most two rounds
        waiting = [side for side in sides if _still_waits(side)]
        if not waiting:
            return
    raise ssl.SSLError("the handshake with the local server did not end")


def _still_waits(side: ssl.SSLObject) -> bool:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return True
    return False
