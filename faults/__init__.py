"""What must be noticed. A fault breaks a lab host in one way, and names the requirement that must then fail.

    @fault("firewall.port-23-open", host="firewall", violates="firewall.only-declared-flows")
    def port_23_open(host):
        "Telnet is let in, as after a hurried test."
        host.run(["nft", "insert", "rule", "inet", "cjsm", "input", "tcp", "dport", "23", "accept"])
        assert "dport 23" in host.run(["nft", "list", "chain", "inet", "cjsm", "input"]).stdout

Mostly HOST is a managed host. On `outside` it breaks what the DNS says, on `hub` what the other side does, and on
`organisation` what the organisation file says, in a copy of its own.

A fault proves its own effect and raises if there is none: a fault that did nothing makes every check look blind.
`entails` names further requirements that must fail too, each with the reason why that is right.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from cjsm_connect.results import CjsmError

MARKER = "/etc/cjsm-lab"
"""Only the lab's hosts have it; without it nothing is broken."""

FIRMWARE = "/sys/class/dmi/id/product_name"
VIRTUAL = "cjsm-connect vm"
"""What the firmware of the project's own virtual machine says that it is; no other machine says so."""

TIERS = ("lab", "vm")
"""Where a fault can be made: on the lab's hosts, or in a virtual machine that has a kernel of its own."""

ORGANISATION = "organisation"
"""Stands for a host where the organisation file is wrong: paths are then relative to a copy of its folder."""

Execute = Callable[[Sequence[str], str | None], subprocess.CompletedProcess[str]]
Certify = Callable[..., str]
"""By whom ("hub": the operator, "inner": the organisation), for which request, and what is wrong; gives a chain."""


class FaultError(CjsmError):
    """A fault could not be made, or had no effect."""


def nobody_certifies(authority: str, request: str, **wrong: Any) -> str:
    """For hosts without a certificate authority at hand."""
    raise FaultError(f"expected an authority that certifies as {authority}; only the lab has one")


@dataclass(frozen=True)
class Patient:
    """The host that is broken. `execute` runs a command on it as root, `certify` is the lab's authority, `marker` the
    file by which it is known that this may be done."""

    name: str
    execute: Execute
    certify: Certify = nobody_certifies
    marker: str = MARKER

    def run(
        self, argv: Sequence[str], input: str | None = None, *, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the host, without a shell, and return what it said.

        Raises:
            FaultError: it failed, and `check` was not switched off.
        """
        done = self.execute(argv, input)
        if check and done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise FaultError(f"{self.name}: {' '.join(argv)} ended with {done.returncode}: {said}")
        return done

    def read(self, path: str) -> str:
        """The text of a file of the host."""
        return self.run(["cat", path]).stdout

    def write(self, path: str, text: str) -> None:
        """Replace the text of a file of the host; its owner and mode stay."""
        self.run(["tee", path], input=text)

    def replace(self, path: str, old: str, new: str) -> None:
        """Replace a text inside a file; one that is not there would make a fault without an effect."""
        text = self.read(path)
        if old not in text:
            raise FaultError(f"{self.name}: expected {old!r} in {path}; the fault no longer fits what is configured")
        self.write(path, text.replace(old, new))

    def reload_postfix(self) -> None:
        """Let Postfix take up its settings at once; for a main.cf that is not two seconds old it would wait."""
        self.run(["touch", "--date=1 minute ago", "/etc/postfix/main.cf"])
        self.run(["postfix", "reload"])


Breaking = Callable[[Patient], None]


@dataclass(frozen=True)
class Fault:
    """One way to break a host: the role it is for, the requirement that must fail, and those that fail with it."""

    id: str
    host: str
    violates: str
    function: Breaking
    entails: Mapping[str, str] = field(default_factory=dict)
    tier: str = "lab"

    @property
    def story(self) -> str:
        """What happened, in a sentence."""
        return " ".join((self.function.__doc__ or "").split())


FAULTS: dict[str, Fault] = {}


def fault(
    identifier: str, *, host: str, violates: str, entails: Mapping[str, str] | None = None, tier: str = "lab"
) -> Callable[[Breaking], Breaking]:
    """Register a fault; its docstring tells what happened."""

    def register(function: Breaking) -> Breaking:
        known = FAULTS.get(identifier)
        if known is not None and known.function.__qualname__ != function.__qualname__:
            raise FaultError(f"two faults are called {identifier!r}; ids must be unique")
        FAULTS[identifier] = Fault(identifier, host, violates, function, dict(entails or {}), tier)
        return function

    return register


def every_fault() -> dict[str, Fault]:
    """All faults of all concerns, by id."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return dict(sorted(FAULTS.items()))


def inflict(chosen: Fault, patient: Patient) -> None:
    """Break a host.

    Raises:
        FaultError: the host is not the lab's, or the fault had no effect.
    """
    marker = patient.run(["cat", patient.marker], check=False).stdout.strip()
    if not marker:
        raise FaultError(f"{patient.name} has no {patient.marker}: it is no host of a lab, and nothing was done to it")
    if chosen.tier == "vm" and patient.run(["cat", FIRMWARE], check=False).stdout.strip() != VIRTUAL:
        raise FaultError(
            f"{chosen.id} needs a kernel of its own, and {patient.name} has none; nothing was done to it. "
            "Next: ./cjsm test vm"
        )
    try:
        chosen.function(patient)
    except AssertionError as error:
        raise FaultError(f"{chosen.id} had no effect on {patient.name}: {error or 'its own proof failed'}") from error
    except CjsmError:
        raise
    except Exception as error:  # one broken fault is a problem of its row, and not the end of the matrix
        raise FaultError(f"{chosen.id} itself broke: {type(error).__name__}: {error}") from error
