"""DSSE, the Dead Simple Signing Envelope, over a statement (https://github.com/secure-systems-lab/dsse, v1)."""

from __future__ import annotations

import base64
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from cjsm_connect.printable import shown

from . import DSSE, Refused
from .keys import key_identifier
from .strict_json import parse_object, readable

PAYLOAD_TYPE = "application/vnd.in-toto+json"
ALGORITHM = ec.ECDSA(hashes.SHA256())


def sign(payload: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """The envelope, as JSON."""
    signature = key.sign(_pre_authentication_encoding(payload), ALGORITHM)
    return _written(payload, key_identifier(key.public_key()), signature)


def _written(payload: bytes, keyid: str, signature: bytes) -> bytes:
    signatures = [{"keyid": keyid, "sig": _encode(signature)}]
    return readable({"payloadType": PAYLOAD_TYPE, "payload": _encode(payload), "signatures": signatures})


def verify(envelope: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    """The payload that `key` signed.

    Raises:
        Refused: not an envelope of a statement, or no signature in it is by this key over this payload.
    """
    document = parse_object(envelope, DSSE)
    if document.get("payloadType") != PAYLOAD_TYPE:
        raise Refused(f"{DSSE}: expected payloadType {PAYLOAD_TYPE}, found {shown(document.get('payloadType'))}")
    payload = _decode(document.get("payload"), "payload")
    keyid, signature = _signature(document.get("signatures"))
    if keyid != key_identifier(key):
        raise Refused(f"{DSSE}: signed by another key: expected {key_identifier(key)}, found {shown(keyid, 64)}")
    if not _is_by(key, signature, payload):
        raise Refused(f"{DSSE}: the signature does not match: statement or signature was changed after signing")
    if _written(payload, keyid, signature) != envelope:
        raise Refused(f"{DSSE}: not in the one form in which evidence is signed: other spaces, order or members")
    return payload


def keyid(envelope: bytes) -> str:
    """Which key the envelope says it is by. Only chooses among keys; the signature decides.

    Raises:
        Refused: not an envelope with one signature.
    """
    return _signature(parse_object(envelope, DSSE).get("signatures"))[0]


def _signature(entries: Any) -> tuple[str, bytes]:
    """The one signature. DSSE knows several; another's could be the one that somebody else's program looks at."""
    if not isinstance(entries, list) or len(entries) != 1:
        raise Refused(f"{DSSE}: expected a list of 1 signature")
    entry = entries[0]
    if not isinstance(entry, dict) or not isinstance(entry.get("keyid"), str):
        raise Refused(f"{DSSE}: expected each signature to be an object with keyid and sig")
    return entry["keyid"], _decode(entry.get("sig"), "sig")


def _is_by(key: ec.EllipticCurvePublicKey, signature: bytes, payload: bytes) -> bool:
    try:
        key.verify(signature, _pre_authentication_encoding(payload), ALGORITHM)
    except InvalidSignature:
        return False
    return True


def _pre_authentication_encoding(payload: bytes) -> bytes:
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decode(value: Any, field: str) -> bytes:
    try:
        data = base64.b64decode(value, validate=True)
    except (TypeError, ValueError) as error:
        raise Refused(f"{DSSE}: expected base64 in {field!r}") from error
    if _encode(data) != value:  # the last character has bits that mean nothing; they must not vary
        raise Refused(f"{DSSE}: expected canonical base64 in {field!r}")
    return data
