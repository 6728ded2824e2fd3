"""Where the hosts stand: networks, services around them, the way out, and flows that the organisation adds."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from annotated_types import MinLen
from pydantic import AfterValidator, model_validator

from .values import Address, Name, Network, Part, Port, Several, Text, Url, refusal

DEFAULT_PORTS = {"http": 80, "https": 443}


def port_of(url: str) -> int:
    """The TCP port that an address of ours leads to."""
    parts = urlsplit(url)
    return parts.port or DEFAULT_PORTS[parts.scheme]


class Zone(Part):
    """A network of the estate. `zone` says on which side it lies: inside, perimeter, or towards the internet."""

    name: Name
    cidr: Network
    zone: Literal["lan", "dmz", "wan"]


def _signature_file(value: str) -> str:
    if not SIGNATURE_FILE.fullmatch(value):
        raise refusal("the name of a ClamAV database, such as own.ndb (letters, digits, -, _ and a known ending)")
    return value


SIGNATURE_FILE = re.compile(r"[A-Za-z0-9_-]+\.(cvd|cld|hdb|hsb|ndb|ldb|mdb|msb|fp|sfp)")


class Mirrors(Part):
    """Where packages and virus signatures come from, and the addresses behind those names for the firewall.

    `signatures` is a mirror of ClamAV's public databases; with `signature_files` only those files of it are fetched,
    in place of the public ones.
    """

    packages: Url | None = None
    security: Url | None = None
    signatures: Url | None = None
    signature_files: Several[Annotated[str, AfterValidator(_signature_file)]] = ()
    addresses: Several[Address] = ()

    @model_validator(mode="after")
    def _files_lie_somewhere(self) -> Mirrors:
        if self.signature_files and self.signatures is None:
            raise refusal('signatures = "http://..." beside signature_files: the folder they lie in', "no address")
        return self


class Egress(Part):
    """Leave to reach any host by HTTPS, where there is neither proxy nor mirror; shown in the evidence."""

    to: Literal["any:443"]
    approver: Text
    reason: Text


class Estate(Part):
    """The hosts' surroundings. Terms v10.2, clause 18: where data is kept and from where it is administered."""

    topology: Literal["separated", "co-located"]
    data_location: Text
    administered_from: Annotated[Several[Network], MinLen(1)]
    administration_location: Text
    dns: Annotated[Several[Address], MinLen(1)]
    ntp: Annotated[Several[Address], MinLen(1)]
    proxy: Url | None = None
    egress: Egress | None = None
    mirrors: Mirrors = Mirrors()
    networks: Annotated[Several[Zone], MinLen(1)]


class DeclaredFlow(Part):
    """A flow of the organisation's own that has to go on: `in` to a managed host, such as IMAP for its users, `out`
    from one, such as its smarthost, or `through` a firewall, between other machines.

    `source` says from where, `destination` to where; the end that is the host itself is not named. Cyber Essentials
    wants each inbound rule approved and its business need written down.
    """

    name: Name
    direction: Literal["in", "out", "through"] = "in"
    source: Several[Network] = ()
    destination: Several[Network] = ()
    host: Name
    protocol: Literal["tcp", "udp"] = "tcp"
    ports: Annotated[Several[Port], MinLen(1)]
    reason: Text
    approver: Text

    @model_validator(mode="after")
    def _has_the_ends_of_its_direction(self) -> DeclaredFlow:
        wanted = {"in": ("source",), "out": ("destination",), "through": ("source", "destination")}[self.direction]
        found = tuple(name for name in ("source", "destination") if getattr(self, name))
        if found != wanted:
            ends = " and ".join(f"{name} = [...]" for name in wanted)
            other = "" if len(wanted) > 1 else ", and no other end: that is the host itself"
            raise refusal(f'{ends} where direction = "{self.direction}"{other}', " and ".join(found) or "neither")
        return self
