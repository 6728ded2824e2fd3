"""What a bundle says that can be seen from outside: whom to ask where, what is shown there, who is let in. Pure but for
`load`.

A signed bundle is still a stranger's text: a value of another form than an organisation file may hold is left out, not
believed (`organisation.strangers`). What it names is asked at public addresses only, or where the engineer named it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from cjsm_connect.engineer.targets import LONGEST_PERMISSION, PORT, Permission, Target, unique
from cjsm_connect.evidence import Refused, keys, read_file
from cjsm_connect.evidence.strict_json import parse
from cjsm_connect.evidence.verification import RESULTS, Reader, verify
from cjsm_connect.organisation import addresses, strangers
from cjsm_connect.organisation.hub import LONGEST_TEST
from cjsm_connect.printable import shown
from cjsm_connect.results import CjsmError, inputs

DECLARATION = "active-probe"
MOST_TARGETS = 20  # relays that a bundle alone may send us to; an organisation has one, or a few


@dataclass(frozen=True, slots=True)
class Look:
    """What the bundle's own check saw of a listener; "" or None is "not known". `certificate` is PEM, `size` bytes."""

    host_name: str = ""
    starttls: bool | None = None
    size: int | None = None
    log_in: bool | None = None
    version: str = ""
    certificate: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A listener that the bundle knows. `size`: the declared limit in bytes. `passed`: the host's checks that did."""

    host: str
    fqdn: str
    addresses: tuple[str, ...]
    port: int
    size: int | None
    look: Look
    passed: frozenset[str]
    hub_only: bool


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who may connect to the listener for the hub, and when."""

    addresses: frozenset[str]
    start: datetime
    expiry: datetime


@dataclass(frozen=True, slots=True)
class Claims:
    """A bundle, verified. `ended`: when its checks ended; what was made later it cannot know."""

    bundle: str
    organisation: str
    ended: datetime
    endpoints: tuple[Endpoint, ...]
    admitted: tuple[Admitted, ...]
    permission: Permission | None

    def endpoint(self, target: Target) -> Endpoint | None:
        """What the bundle knows of a target: the host by its name or address, and the port."""
        names = ((one, {one.fqdn, *one.addresses}) for one in self.endpoints if one.port == target.port)
        return next((one for one, known in names if target.host in known), None)

    def targets(self) -> list[Target]:
        """The listeners for the hub, each by its address: its name may lead elsewhere. They have no leave for more than
        looking: that is given by the organisation, but where to is said by the engineer.

        Raises:
            CjsmError: they are too many, or an address that leads somewhere else from each place.
        """
        found = unique(Target(one.addresses[0], one.port) for one in self.endpoints if one.hub_only)
        if len(found) > MOST_TARGETS:
            raise CjsmError(
                f"{self.bundle} names {len(found)} relays, expected {MOST_TARGETS} at most; name those to ask"
            )
        for target in found:
            if kind := addresses.inner(target.host):
                raise CjsmError(
                    f"{target} is {kind}, and only the bundle names it: what answers there from here may be somebody "
                    f"else's. To ask it all the same, name it: cjsm probe {target} --against {self.bundle} ..."
                )
        return found

    def allowed(self, target: Target) -> Target:
        """The target with the bundle's leave, if the bundle is about it."""
        if self.permission is None or self.endpoint(target) is None:
            return target
        return replace(target, permission=self.permission)


def load(path: Path, key: Path, nonce: str | None, now: datetime) -> Claims:
    """The claims of a bundle that is genuine.

    Raises:
        CjsmError: it is not, or one of the files cannot be read.
    """
    pem = read_file(key, inputs.KEY)
    public = keys.public_key(pem, str(key))
    found = verify(read_file(path, inputs.BUNDLE), public, nonce, now, Reader.of(pem))
    if not found.genuine or found.statement is None:
        raise CjsmError(f"{path} is not relied on: {'; '.join(found.problems[:5])}. cjsm verify says everything")
    said = found.statement.predicate
    ended = strangers.moment(said.ended) or said.not_before
    return claims(found.files, path.name, said.organisation, ended)


def claims(files: Mapping[str, bytes], bundle: str, organisation: str, ended: datetime) -> Claims:
    """What verified files say."""
    said = _object(_json(files, "organisation.json"))
    rows = _list(_object(_json(files, RESULTS)).get("results"))
    tries = _object(_object(_json(files, "observations.json")).get("tries"))
    endpoints = tuple(
        _endpoint(said, host, rows, tries, hub_only=hub_only)
        for host in map(_object, _list(said.get("hosts")))
        for hub_only in (True, False)
        if (host.get("role") == "relay" if hub_only else host.get("internet_mail") is True)
    )
    whole = tuple(one for one in endpoints if one.addresses and one.port)
    return Claims(bundle, shown(organisation), ended, whole, tuple(_admitted(said)), _permission(said, bundle))


def _endpoint(
    said: Mapping[str, Any],
    host: Mapping[str, Any],
    rows: Sequence[Any],
    tries: Mapping[str, Any],
    *,
    hub_only: bool,
) -> Endpoint:
    name = _text(host.get("name"))
    port = _object(said.get("hub")).get("listen_port") if hub_only else PORT
    look = _look(_object(tries.get(f"{'relay.hub' if hub_only else 'public.tls'}:{name}")))
    size = _object(said.get("mail")).get("message_size_limit")
    own = (row for row in map(_object, rows) if row.get("subject") == name and row.get("status") == "pass")
    return Endpoint(
        host=shown(name),
        fqdn=strangers.domain(host.get("fqdn")) or "",
        addresses=tuple(_addresses(said, host)),
        port=strangers.port(port) or 0,
        size=_number(size),
        look=look,
        passed=frozenset(_text(row.get("check")) for row in own),
        hub_only=hub_only,
    )


def _look(session: Mapping[str, Any]) -> Look:
    greetings = (row for row in map(_object, _list(session.get("replies"))) if row.get("command") == "connect")
    greeting = _text(next(greetings, {}).get("text"))
    starttls, log_in = session.get("offers_starttls"), session.get("offers_log_in")
    tls = _object(session.get("tls"))
    return Look(
        host_name=greeting.split(" ")[0],
        starttls=starttls if isinstance(starttls, bool) else None,
        size=_number(session.get("announces_size")),
        log_in=log_in if isinstance(log_in, bool) else None,
        version=_text(tls.get("version")),
        certificate=_text(tls.get("peer_certificate_pem")),
    )


def _addresses(said: Mapping[str, Any], host: Mapping[str, Any]) -> Iterator[str]:
    """The outermost first: that is where the hub, or the internet, comes to."""
    networks = map(_object, _list(_object(said.get("estate")).get("networks")))
    zones = {_text(network.get("name")): network.get("zone") for network in networks}
    interfaces = _object(host.get("interfaces"))
    for wanted in ("wan", "dmz", "lan"):
        given = (strangers.address(one) for name, one in interfaces.items() if zones.get(name) == wanted)
        yield from (address for address in given if address)


def _admitted(said: Mapping[str, Any]) -> Iterator[Admitted]:
    hub = _object(said.get("hub"))
    always = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    yield Admitted(_known(hub.get("sources")), *always)
    for tester in map(_object, _list(hub.get("testers"))):
        start, expiry = strangers.moment(tester.get("start")), strangers.moment(tester.get("expiry"))
        if start and expiry:
            yield Admitted(_known(tester.get("addresses")), start, expiry)


def _known(listed: Any) -> frozenset[str]:
    return frozenset(filter(None, map(strangers.address, _list(listed))))


def _permission(said: Mapping[str, Any], bundle: str) -> Permission | None:
    """The organisation's own leave, with a name and a date: a tester that it admits, or a declaration."""
    domain = strangers.domain(next(iter(_list(_object(said.get("domains")).get("names"))), None))
    given = [*_from_testers(said), *_from_declarations(said)]
    if domain is None or not given:
        return None
    by, first, last = max(given, key=lambda one: one[2])
    return Permission(shown(by), first, last, domain, bundle)


def _from_testers(said: Mapping[str, Any]) -> Iterator[tuple[str, date, date]]:
    for tester in map(_object, _list(_object(said.get("hub")).get("testers"))):
        start, expiry = strangers.moment(tester.get("start")), strangers.moment(tester.get("expiry"))
        approver = strangers.text(tester.get("approver"))
        if approver and start and expiry and start < expiry <= start + LONGEST_TEST:
            yield approver, start.date(), expiry.date()


def _from_declarations(said: Mapping[str, Any]) -> Iterator[tuple[str, date, date]]:
    for made in map(_object, _list(said.get("declarations"))):
        on, owner = strangers.moment(f"{made.get('date')}T00:00:00+00:00"), strangers.text(made.get("owner"))
        if made.get("id") == DECLARATION and on and owner and on.year < date.max.year:
            yield owner, on.date(), on.date() + LONGEST_PERMISSION


def _json(files: Mapping[str, bytes], name: str) -> Any:
    try:
        return parse(files[name], name)
    except (KeyError, Refused):
        return {}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
