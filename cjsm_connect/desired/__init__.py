"""Desired: what one host must have, as plain data. The only definition that plan, apply and drift compare with.

A concern builds one `Desired` per host in `deploys/CONCERN.py`; `merge` joins the seven; `cjsm_connect.desired.change`
compares the sum with one snapshot. Nothing here touches a host, a clock or a file.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from cjsm_connect.organisation.references import pem_blocks
from cjsm_connect.results import CjsmError

from .languages import setting, table_row


class DesiredError(CjsmError):
    """Two concerns want different things of the same object."""


@dataclass(frozen=True, slots=True)
class Package:
    """A Debian package that must be installed."""

    name: str

    @property
    def key(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Answer:
    """A debconf answer, given before the package is installed (debconf-set-selections(1))."""

    package: str
    question: str
    kind: str
    value: str

    @property
    def key(self) -> str:
        return f"{self.package} {self.question}"


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory with its owner and mode."""

    path: str
    owner: str = "root"
    group: str = "root"
    mode: int = 0o755

    @property
    def key(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class File:
    """A file with its whole content. `secret` content never appears in a plan, a log or evidence.

    `returns` says what a rollback may do with it: bring it back always, only while the hub is the same (its address,
    names and certificates), or never.
    """

    path: str
    content: str
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644
    secret: bool = False
    reason: str = ""  # shown in the plan
    returns: Literal["always", "same hub", "never"] = "always"

    @property
    def key(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class Absent:
    """A file that must not be there."""

    path: str
    reason: str = ""

    @property
    def key(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class Settings:
    """Named settings inside a Postfix main.cf or master.cf that an administrator also uses; the rest is kept.

    main.cf: name -> value. master.cf: "service/type" -> the whole entry as in master(5), with its `-o` lines.
    A value of None removes the setting.
    """

    path: str
    form: Literal["main.cf", "master.cf"]
    entries: tuple[tuple[str, str | None], ...]
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644

    def __post_init__(self) -> None:
        for name, value in self.entries:
            setting(self.form, name, value)

    @property
    def key(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class Map:
    """A Postfix lookup table: the source text is installed beside its compiled form, both together.

    All maps of a host are one set: compiled in a fresh directory, tried with `postmap -q`, activated by one symlink.
    Refer to one as `lmdb:/etc/cjsm/maps/NAME` (postmap(1), lmdb_table(5)).
    """

    name: str
    rows: tuple[tuple[str, str], ...]
    kind: Literal["lmdb", "cidr", "regexp"] = "lmdb"
    told: str = ""  # what a plan says instead of its rows, where they follow from a published table

    def __post_init__(self) -> None:
        for key, value in self.rows:
            table_row(key, value, self.kind)

    @property
    def key(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Key:
    """A private key that is made on the host, 0600 from creation, and a certificate request for it.

    `certificate` is what the operator returned (PEM, leaf first) or None while it is awaited. `authority` is the CA
    (PEM) that it must chain to, as the organisation's `authority_file` gives it; on the host it is `authority_path`.
    Installed as one chain file `chain_path` (key first), as smtp_tls_chain_files wants it.
    """

    name: str  # "hub" or "inner"
    path: str
    request_path: str
    chain_path: str
    common_name: str
    names: tuple[str, ...]
    organisation: str
    authority: str
    certificate: str | None = None
    algorithm: Literal["rsa-4096", "rsa-3072", "ec-p256"] = "rsa-3072"
    authority_file: str = ""
    authority_path: str = ""

    @property
    def key(self) -> str:
        return self.path

    @property
    def certificate_digest(self) -> str:
        """SHA-256 over the DER of the returned certificates, as the collector computes it for what is installed."""
        bodies = [body for label, body in pem_blocks(self.certificate or "") if label == "CERTIFICATE"]
        return hashlib.sha256(b"".join(base64.b64decode(body) for body in bodies)).hexdigest() if bodies else ""


@dataclass(frozen=True, slots=True)
class Firewall:
    """An nftables ruleset of our own tables only; loaded live first, written for boot after it was confirmed."""

    table: str  # "inet cjsm"
    boot_path: str
    ruleset: str

    @property
    def key(self) -> str:
        return self.table


@dataclass(frozen=True, slots=True)
class Service:
    """A systemd unit. It is current when its process has loaded the files and maps in `watches`.

    `on_change` says how it takes them up; `watches` are absolute paths, or the names of keys and maps. `access`: it
    lets administrators in, so it takes up its files before the change is confirmed over a new connection. `masked`: a
    package brings it and enables it by itself, and nothing may start it, no later version of the package either; such a
    unit need not exist (systemctl(1) mask). `waits_for`: the name of what is `Awaited` and may need minutes; until it
    is there the unit may be starting, and an apply does not wait for it.
    """

    unit: str
    running: bool = True
    enabled: bool = True
    on_change: Literal["restart", "reload", "none"] = "restart"
    watches: tuple[str, ...] = ()
    order: int = 50  # lower starts earlier
    access: bool = False
    masked: bool = False
    waits_for: str = ""

    @property
    def key(self) -> str:
        return self.unit


def masked(unit: str, order: int) -> Service:
    """A unit that must never run on this host, whoever brings it."""
    return Service(unit, running=False, enabled=False, on_change="none", order=order, masked=True)


@dataclass(frozen=True, slots=True)
class Health:
    """A try on the host after activation: the name of a function in remote/health.py and its arguments. `waits_for` as
    for a service: until then it is not tried."""

    name: str
    probe: str
    arguments: tuple[tuple[str, Any], ...] = ()
    waits_for: str = ""

    @property
    def key(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Awaited:
    """What an apply starts and has to have run once before the host is settled: the name of a function in
    remote/settling.py and its arguments."""

    name: str
    probe: str
    arguments: tuple[tuple[str, Any], ...] = ()

    @property
    def key(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory that a host must have in all, bytes. No apply can give it: a plan says when it is too little."""

    amount: int
    reason: str

    @property
    def key(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True)
class Desired:
    """Everything one host must have."""

    packages: tuple[Package, ...] = ()
    answers: tuple[Answer, ...] = ()
    directories: tuple[Directory, ...] = ()
    files: tuple[File, ...] = ()
    absent: tuple[Absent, ...] = ()
    settings: tuple[Settings, ...] = ()
    maps: tuple[Map, ...] = ()
    keys: tuple[Key, ...] = ()
    firewalls: tuple[Firewall, ...] = ()
    services: tuple[Service, ...] = ()
    health: tuple[Health, ...] = ()
    awaited: tuple[Awaited, ...] = ()
    memory: tuple[Memory, ...] = ()
    waiting: tuple[str, ...] = ()  # sentences: what is left closed until somebody answers


def merge(parts: Iterable[Desired]) -> Desired:
    """One Desired from several concerns'. The same object twice is one; two different ones are an error.

    Raises:
        DesiredError: two parts define the same path, unit, package answer or map differently.
    """
    wanted = list(parts)
    return Desired(**{f.name: tuple(_joined(f.name, wanted)) for f in fields(Desired)})


def _joined(name: str, parts: list[Desired]) -> Iterator[Any]:
    everything = [item for part in parts for item in getattr(part, name)]
    if name == "waiting":
        yield from dict.fromkeys(everything)
        return
    if name == "services":
        yield from sorted(_services(everything), key=lambda service: service.order)
        return
    if name == "settings":
        yield from _settings(everything)
        return
    seen: dict[str, Any] = {}
    for item in everything:
        if seen.setdefault(item.key, item) != item:
            raise DesiredError(f"{name}: two concerns want different content for {item.key}")
    yield from seen.values()


def _services(services: list[Service]) -> Iterator[Service]:
    """Concerns may share a unit (Postfix): what they watch is added up, all else must agree."""
    for unit in dict.fromkeys(service.unit for service in services):
        same = [service for service in services if service.unit == unit]
        watches = tuple(dict.fromkeys(path for service in same for path in service.watches))
        first = same[0]
        for other in same[1:]:
            if (other.running, other.enabled, other.masked) != (first.running, first.enabled, first.masked):
                raise DesiredError(f"services: two concerns disagree whether {unit} runs")
        changes = {service.on_change for service in same}
        on_change = next(kind for kind in ("restart", "reload", "none") if kind in changes)
        access = any(service.access for service in same)
        yield replace(first, on_change=on_change, watches=watches, access=access)


def _settings(settings: list[Settings]) -> Iterator[Settings]:
    """Concerns may add settings to the same file; one name has one value."""
    for path in dict.fromkeys(item.path for item in settings):
        same = [item for item in settings if item.path == path]
        entries: dict[str, str | None] = {}
        for name, value in (entry for item in same for entry in item.entries):
            if entries.setdefault(name, value) != value:
                raise DesiredError(f"settings: two concerns want different values for {name} in {path}")
        first = same[0]
        yield Settings(path, first.form, tuple(entries.items()), first.owner, first.group, first.mode)
