"""The lab's organisation without a lab: the file from inventories/lab with made-up keys and certificates."""

from __future__ import annotations

import tomllib
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import NameOID

from cjsm_connect.organisation import Organisation, parse

ROOT = Path(__file__).resolve().parents[1]
TODAY = date(2026, 11, 21)
FINGERPRINT = ":".join(["ab"] * 32)


def organisation(**changes: Any) -> Organisation:
    """The lab's organisation, with tables merged over it (arrays are replaced)."""
    return _with(changes) if changes else _unchanged()


def with_relays(number: int) -> Organisation:
    """The lab's organisation with so many relays, each like the first."""
    hosts = lab_file()["hosts"]
    [first] = [host for host in hosts if host["role"] == "relay"]
    others = [_like(first, at) for at in range(2, number + 1)]
    return organisation(hosts=[*hosts, *others])


def _like(first: dict[str, Any], at: int) -> dict[str, Any]:
    name, address = f"relay{at}", f"198.51.100.{9 + at}"
    own = {"name": name, "fqdn": f"{name}.council.example", "reboot_time": f"05:{at:02}"}
    return {**first, **own, "address": address, "interfaces": {"dmz": address}}


@cache
def _unchanged() -> Organisation:
    return _with({})


def _with(changes: dict[str, Any]) -> Organisation:
    files = {"hub/ca.pem": authority(), "hub/inner-ca.pem": authority(), "hub/fingerprints.txt": FINGERPRINT}
    return parse(merged(lab_file(), changes), {**files, "known_hosts": ""}, TODAY, folder=Path("/organisation"))


def merged(base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """A merge patch (RFC 7396) on a copy: tables are merged, everything else is replaced, None removes."""
    result = deepcopy(base)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


@cache
def _lab_text() -> str:
    return (ROOT / "inventories/lab/organisation.toml").read_text()


def lab_file() -> dict[str, Any]:
    """The lab's organisation.toml as a mapping."""
    return tomllib.loads(_lab_text())


@cache
def authority() -> str:
    """A self-signed certificate in PEM."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))  # always the same, so that recordings can name it
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Made-up CA")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=3650))
    certificate = builder.add_extension(x509.BasicConstraints(True, None), True).sign(key, None)
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
