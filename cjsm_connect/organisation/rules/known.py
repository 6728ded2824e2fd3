"""What the rules may look at: the valid sections of a file that may have mistakes elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from ..application import Application
from ..estate import DeclaredFlow, Estate
from ..hooks import Antivirus, Patching
from ..hosts import Host, Vantage
from ..hub import Hub, Inner, Syslog
from ..identity import Contacts, Identity, Signatory
from ..mail import Destinations, Domains, Mail, Recipients, Tests
from ..policy import Policy
from ..problems import Problem, shown
from ..statements import Declaration, Scope, Waiver


@dataclass(frozen=True)
class Known:
    """The sections; None (or without the entry) where a mistake was found. `broken` names those sections."""

    today: date
    broken: frozenset[str]
    file: str
    organisation: Identity | None
    contacts: Contacts | None
    signatories: tuple[Signatory, ...]
    application: Application | None
    domains: Domains | None
    recipients: Recipients | None
    mail: Mail | None
    destinations: Destinations | None
    estate: Estate | None
    hosts: tuple[Host, ...]
    vantage: tuple[Vantage, ...]
    flows: tuple[DeclaredFlow, ...]
    hub: Hub | None
    inner: Inner | None
    syslog: Syslog | None
    tests: Tests | None
    policy: Policy | None
    antivirus: Antivirus | None
    patching: Patching | None
    declarations: tuple[Declaration, ...]
    waivers: tuple[Waiver, ...]
    scope: tuple[Scope, ...]

    def problem(self, key: str, found: Any, expected: str) -> Problem:
        """A problem at a key of the organisation file; text in `found` is shown as a value in quotes."""
        return Problem(self.file, key, shown(found), expected)

    def said(self, key: str, found: str, expected: str) -> Problem:
        """The same where `found` is a phrase, not a value."""
        return Problem(self.file, key, found, expected)

    def whole(self, *sections: str) -> bool:
        """Whether sections have no mistake, so that what they do not say is really missing."""
        return self.broken.isdisjoint(sections)

    def of_role(self, role: str) -> tuple[Host, ...]:
        """The valid hosts of a role."""
        return tuple(host for host in self.hosts if host.role == role)

    @property
    def co_located(self) -> bool:
        """Whether the relay is the mail gateway itself."""
        return self.estate is not None and self.estate.topology == "co-located"


def at(host: Host | Vantage, key: str, section: str = "hosts") -> str:
    """The key of a host's setting."""
    return f'{section}["{host.name}"].{key}'
