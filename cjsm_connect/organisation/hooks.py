"""Antivirus and patching by somebody else's programs: what must run, and the command that says how it is.

A hook's status command prints one JSON object (docs/hooks.md); it is run as root, without a shell, and only reads.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import AfterValidator, Field, model_validator

from .addresses import address
from .values import Name, Part, RemotePath, Several, Text, is_port, refusal, remote_path

UNIT = re.compile(r"[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]*\.(service|socket|timer)")
LONGEST_ARGUMENT = 200


def _unit(value: str) -> str:
    if not UNIT.fullmatch(value):
        raise refusal("the name of a systemd unit with its ending, such as vendor-milter.service")
    return value


def _status(value: tuple[str, ...]) -> tuple[str, ...]:
    remote_path(value[0])
    for argument in value[1:]:
        if not argument.isprintable() or len(argument) > LONGEST_ARGUMENT:
            raise refusal(f"arguments of printable characters, at most {LONGEST_ARGUMENT} each; no shell reads them")
    return value


def _milter(value: str) -> str:
    kind, _, place = value.partition(":")
    if kind == "unix":
        remote_path(place)
        return value
    host, colon, port = place.rpartition(":")
    if kind != "inet" or not colon or not is_port(port) or not _is_loopback(host):
        raise refusal("unix:/PATH, or inet:127.0.0.1:PORT on the relay itself: mail must not leave it unscanned")
    return value


def _is_loopback(host: str) -> bool:
    try:
        return address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


Unit = Annotated[str, AfterValidator(_unit)]
Status = Annotated[Several[str], MinLen(1), MaxLen(20), AfterValidator(_status)]
Milter = Annotated[str, AfterValidator(_milter)]


class Hook(Part):
    """`units` must be active and enabled. `status` is the program by its absolute path, with its arguments."""

    units: Annotated[Several[Unit], MinLen(1), MaxLen(20)]
    status: Status


class ScannerHook(Hook):
    """A scanner of the organisation's own, behind a milter on the relay.

    `settings`: the files that each unit reads when it starts. `memory`: bytes the scanner needs, by its maker's word,
    also while it loads new signatures.
    """

    milter: Milter
    settings: dict[Unit, Several[RemotePath]] = Field(default_factory=dict)
    memory: Annotated[int, Ge(1), Le(1 << 40)]

    @model_validator(mode="after")
    def _settings_of_units(self) -> ScannerHook:
        for unit in self.settings:
            if unit not in self.units:
                raise refusal(f"settings of the units only: {', '.join(self.units)}", f"settings of {unit}")
        return self


class PatchingHook(Hook):
    """Another system that patches: all hosts, or those of `hosts`."""

    hosts: Several[Name] = ()


class Antivirus(Part):
    """What scans mail on the relays: ClamAV, which is installed and configured, or a scanner that is only asked.

    What becomes of an encrypted archive or document, in which no scanner can look, the organisation decides. It is
    asked for each direction, without a default (rules/connection.py); `encrypted_reason` says why.
    """

    scanner: Literal["clamav", "hook"] = "clamav"
    encrypted_from_hub: Literal["refuse", "deliver"] | None = None
    encrypted_to_hub: Literal["refuse", "deliver"] | None = None
    encrypted_reason: Text | None = None
    hook: ScannerHook | None = None

    @property
    def encrypted_is_refused(self) -> bool:
        """Whether what is encrypted is refused, in both directions: ClamAV has one setting for all mail."""
        return self.encrypted_from_hub != "deliver"

    @model_validator(mode="after")
    def _complete(self) -> Antivirus:
        _agree("scanner", self.scanner, self.hook)
        return self


class Patching(Part):
    """What patches the hosts: apt's own timers, which are configured, or a system that is only asked."""

    system: Literal["apt", "hook"] = "apt"
    hook: PatchingHook | None = None

    @model_validator(mode="after")
    def _complete(self) -> Patching:
        _agree("system", self.system, self.hook)
        return self

    def of(self, host: str) -> PatchingHook | None:
        """The hook of a host, by the host's name; None where apt's own timers patch."""
        return self.hook if self.hook and (not self.hook.hosts or host in self.hook.hosts) else None


def _agree(key: str, chosen: str, hook: Hook | None) -> None:
    if (chosen == "hook") != (hook is not None):
        found = f'{key} = "{chosen}" {"with" if hook else "without"} a hook table'
        raise refusal(f'{key} = "hook" and a table named hook (docs/hooks.md), or neither', found)
