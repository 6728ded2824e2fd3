"""The other side, the hop behind the relay, and where logs go. The hub's values come from its operator: no defaults."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from annotated_types import MinLen
from pydantic import AfterValidator, model_validator

from .suites import TlsException
from .values import (
    Address,
    Domain,
    Endpoint,
    Fingerprint,
    Moment,
    Part,
    Port,
    SecretReference,
    Several,
    Text,
    refusal,
)

LONGEST_TEST = timedelta(days=30)


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _log_in(value: str) -> str:
    if ":" in value or any(sign.isspace() for sign in value):
        raise refusal("a log-in without colon and white space: Postfix takes it apart there (SASL_README)")
    return value


class Auth(Part):
    """Log-in at the hub, if its operator asks for one; the password stays where the reference says."""

    user: Annotated[Text, AfterValidator(_log_in)]
    password_ref: SecretReference


class Tester(Part):
    """An engineer who may try our listener for a while: handshake and RCPT, never a message.

    `fingerprints` are SHA-256 of public keys, as the hub's; the certificates are of the operator's CA. From `start` up
    to, not including, `expiry`: the firewall itself compares them with the host's clock, so nothing has to run then.
    """

    name: Text
    approver: Text
    reason: Text
    addresses: Annotated[Several[Address], MinLen(1)]
    fingerprints: Annotated[Several[Fingerprint], MinLen(1), AfterValidator(_each_once)]
    start: Moment
    expiry: Moment

    @model_validator(mode="after")
    def _for_a_while(self) -> Tester:
        if not self.start < self.expiry <= self.start + LONGEST_TEST:
            found = f"{self.start:%Y-%m-%dT%H:%M:%SZ} to {self.expiry:%Y-%m-%dT%H:%M:%SZ}"
            raise refusal(f"an expiry after the start, and at most {LONGEST_TEST.days} days after it", found)
        return self


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
    testers: Several[Tester] = ()
    tls_exceptions: Several[TlsException] = ()


class Inner(Part):
    """Relay <-> mail server: certificates of a declared CA, or public keys pinned for each host."""

    mode: Literal["secure", "pinned"] = "secure"
    ca_file: Path | None = None
    crl_file: Path | None = None
    relay_port: Port = 2525
    mail_port: Port = 2525
    tls_exceptions: Several[TlsException] = ()


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
