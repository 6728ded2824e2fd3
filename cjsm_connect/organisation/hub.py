"""The other side, the hop behind the relay, and where logs go. The hub's values come from its operator: no defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from annotated_types import MinLen
from pydantic import AfterValidator

from .values import Address, Domain, Endpoint, Fingerprint, Part, Port, SecretReference, Several, Text


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


class Auth(Part):
    """Log-in at the hub, if its operator asks for one; the password stays where the reference says."""

    user: Text
    password_ref: SecretReference


class Hub(Part):
    """The CJSM side. `fingerprints` are SHA-256 of the public keys of the certificates it presents to us; `crl_file`
    has lists of revoked certificates, of a CA that publishes none by http."""

    host: Domain
    port: Port
    mode: Literal["starttls", "implicit"]
    match: Annotated[Several[Domain], MinLen(1)]
    addresses: Annotated[Several[Address], MinLen(1)]
    sources: Annotated[Several[Address], MinLen(1)]
    fingerprints: Annotated[Several[Fingerprint], AfterValidator(_each_once)] = ()
    fingerprints_file: Text | None = None
    ca_file: Path
    crl_file: Path | None = None
    listen_port: Port
    auth: Auth | None = None


class Inner(Part):
    """Relay <-> mail server: certificates of a declared CA, or public keys pinned for each host."""

    mode: Literal["secure", "pinned"] = "secure"
    ca_file: Path | None = None
    crl_file: Path | None = None
    relay_port: Port = 2525
    mail_port: Port = 2525


class Syslog(Part):
    """A log collector reached by TLS (RFC 5425); absent when `target` is not set."""

    target: Endpoint | None = None
    ca_file: Path | None = None
    addresses: Several[Address] = ()

    @property
    def host(self) -> str | None:
        """The collector's name or address."""
        return urlsplit(f"//{self.target}").hostname if self.target else None

    @property
    def port(self) -> int | None:
        """The collector's TCP port."""
        return urlsplit(f"//{self.target}").port if self.target else None
