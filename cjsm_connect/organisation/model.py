"""The organisation as everything else sees it: valid, frozen, with what follows from it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import SkipValidation

from .application import Application
from .estate import DeclaredFlow, Estate
from .hooks import Antivirus, Patching
from .hosts import Host, Vantage
from .hub import Hub, Inner, Syslog
from .identity import Contacts, Identity, Signatory
from .mail import Destinations, Domains, Mail, Recipients, Tests
from .policy import Policy
from .statements import Declaration, Scope, Waiver
from .values import Part, Several

Named = TypeVar("Named", Host, Vantage)


class Sections(Part):
    """The tables of organisation.toml; attribute names are the keys of the file."""

    organisation: Identity
    contacts: Contacts
    signatories: Several[Signatory]
    application: Application = Application()
    domains: Domains
    recipients: Recipients
    mail: Mail
    destinations: Destinations = Destinations()
    estate: Estate
    hosts: Several[Host]
    vantage: Several[Vantage] = ()
    flows: Several[DeclaredFlow] = ()
    hub: Hub
    inner: Inner = Inner()
    syslog: Syslog = Syslog()
    tests: Tests = Tests()
    policy: Policy = Policy()
    antivirus: Antivirus = Antivirus()
    patching: Patching = Patching()
    declarations: Several[Declaration] = ()
    waivers: Several[Waiver] = ()
    scope: Several[Scope] = ()


class Organisation(Sections):
    """An organisation file without mistakes, with the files it refers to. `digest` changes when any of them does."""

    folder: Path
    files: Annotated[Mapping[str, str], SkipValidation]
    digest: str

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def slug(self) -> str:
        """The organisation's name, safe in a file name."""
        plain = unicodedata.normalize("NFKD", self.organisation.name).encode("ascii", "ignore").decode()
        return re.sub("[^a-z0-9]+", "-", plain.lower()).strip("-") or "organisation"

    def host(self, name: str) -> Host:
        """The managed host of that name; KeyError with the known names otherwise."""
        return _named(name, self.hosts)

    def vantage_host(self, name: str) -> Vantage:
        """The vantage host of that name; KeyError with the known names otherwise."""
        return _named(name, self.vantage)

    def role(self, role: str) -> tuple[Host, ...]:
        """All hosts of a role, in the order of the file."""
        return tuple(host for host in self.hosts if host.role == role)

    @property
    def relays(self) -> tuple[Host, ...]:
        """The hosts that speak mutual TLS with the hub."""
        return self.role("relay")

    @property
    def mail_servers(self) -> tuple[Host, ...]:
        """The organisation's own mail servers; none when relay and mail server are one host."""
        return self.role("mail")

    @property
    def firewalls(self) -> tuple[Host, ...]:
        """The hosts that forward between the networks."""
        return self.role("firewall")

    @property
    def ssh_config(self) -> Path | None:
        """OpenSSH client configuration beside the organisation file (jump hosts), if there is one."""
        return self._beside("ssh_config")

    @property
    def known_hosts(self) -> Path | None:
        """The pinned host keys beside the organisation file, if there are any."""
        return self._beside("known_hosts")

    def _beside(self, name: str) -> Path | None:
        return self.folder / name if name in self.files else None

    def certificate(self, host: str, kind: Literal["hub", "inner"] = "hub") -> str | None:
        """The certificate handed back for a host (PEM, leaf first), or None while it is awaited."""
        suffix = "" if kind == "hub" else "-inner"
        return self.files.get(f"certificates/{host}{suffix}.pem")

    def declaration(self, identifier: str) -> Declaration | None:
        """The declaration of that id, if it was made."""
        return next((made for made in self.declarations if made.id == identifier), None)


def _named(name: str, parts: tuple[Named, ...]) -> Named:
    for part in parts:
        if part.name == name:
            return part
    raise KeyError(f"no host {name!r}; there are: {', '.join(part.name for part in parts)}")
