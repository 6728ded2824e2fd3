"""The estate as a drawing: who may open a connection to whom, through which networks, and how it is protected. Pure.

Every party has a line of its own from top to bottom, grouped by network; every flow is an arrow between two of them.
No arrow crosses a name, however large the estate is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.organisation.flows import OUTSIDE, Flow, flows, network_of

LANE, ROW, HEAD, MARGIN = 210, 46, 118, 30  # pixels: between parties, between flows, above the first flow, around
LETTER = 6  # pixels: what a letter of a label takes, with room for wide ones beside narrow ones
ADMINISTRATORS, HUB, INTERNET, SERVICES = "administrators", "hub", "internet", "services"
ZONES = ("wan", "dmz", "lan")
MAIL_FIRST = ("cjsm", "inner", "internet", "declared", "ssh")


@dataclass(frozen=True)
class Party:
    """Who stands at an end of flows: a managed host, or one of four others. `x` is the middle of its line."""

    key: str
    title: str
    network: str
    x: int = 0


@dataclass(frozen=True)
class Band:
    """The network that neighbouring parties are in."""

    title: str
    x: int
    width: int


@dataclass(frozen=True)
class Arrow:
    """One flow, or several that only differ in what they look up. `kind` is secure, open or upkeep."""

    label: str
    detail: str
    kind: str
    y: int
    start: int
    end: int

    @property
    def middle(self) -> float:
        """Where its label stands."""
        return (self.start + self.end) / 2

    @property
    def letters(self) -> int:
        """How many letters fit beside the next party's line; the table has the whole text."""
        return max(LANE, abs(self.end - self.start)) // LETTER

    @property
    def head(self) -> str:
        """The arrow's head as a path; a marker would need a reference inside the page."""
        back = self.end + (-9 if self.end > self.start else 9)
        return f"M{self.end} {self.y}L{back} {self.y - 5}L{back} {self.y + 5}z"


@dataclass(frozen=True)
class Drawing:
    """Everything that the template needs."""

    parties: tuple[Party, ...]
    bands: tuple[Band, ...]
    arrows: tuple[Arrow, ...]

    @property
    def width(self) -> int:
        """In pixels."""
        return 2 * MARGIN + LANE * len(self.parties)

    @property
    def height(self) -> int:
        """In pixels."""
        return HEAD + ROW * len(self.arrows) + MARGIN

    def title_at(self, x: int) -> str:
        """Whose line stands there, in words: for who reads the drawing as a table."""
        return next(party.title for party in self.parties if party.x == x)


def drawing(organisation: Organisation) -> Drawing:
    """The drawing of an organisation's estate."""
    rows = list(_rows(organisation))
    used = {key for row in rows for key in row[:2]}
    parties = _placed([party for party in _parties(organisation) if party.key in used])
    at = {party.key: party.x for party in parties}
    arrows = (
        Arrow(label, detail, kind, HEAD + ROW * number, at[start], at[end])
        for number, (start, end, label, detail, kind) in enumerate(rows)
    )
    return Drawing(parties, tuple(_bands(parties)), tuple(arrows))


def _parties(organisation: Organisation) -> Iterator[Party]:
    """From the outside to the inside; within a network in the order of the organisation file."""
    yield Party(HUB, "CJSM hub", OUTSIDE)
    yield Party(INTERNET, "Internet", OUTSIDE)
    yield Party(SERVICES, "Names, time, updates", OUTSIDE)
    zones = {network.name: network.zone for network in organisation.estate.networks}
    inner = [Party(host.name, host.fqdn, _network(organisation, host)) for host in organisation.hosts]
    place = network_of(organisation, organisation.estate.administered_from[0])
    inner.append(Party(ADMINISTRATORS, "Administrators", place))
    yield from sorted(inner, key=lambda party: (_depth(zones.get(party.network, "wan")), party.network))


def _depth(zone: str) -> int:
    return ZONES.index(zone) if zone in ZONES else len(ZONES)


def _network(organisation: Organisation, host: Host) -> str:
    """A host's own network; one that joins several stands between them."""
    names = [network.name for network in organisation.estate.networks if network.name in host.interfaces]
    return " | ".join(names) if len(names) > 1 else network_of(organisation, host.address)


def _placed(parties: Sequence[Party]) -> tuple[Party, ...]:
    return tuple(
        Party(party.key, party.title, party.network, MARGIN + LANE * number + LANE // 2)
        for number, party in enumerate(parties)
    )


def _bands(parties: Sequence[Party]) -> Iterator[Band]:
    """One band for neighbours in the same network."""
    start = 0
    for number, party in enumerate(parties):
        last = number + 1 == len(parties)
        if last or parties[number + 1].network != party.network:
            yield Band(party.network, MARGIN + LANE * start, LANE * (number + 1 - start))
            start = number + 1


Row = tuple[str, str, str, str, str]


def _rows(organisation: Organisation) -> Iterator[Row]:
    """Start, end, label, detail and kind of each arrow; look-ups and updates of one host are one arrow."""
    upkeep: dict[str, dict[str, None]] = {}
    seen = set()
    for flow in sorted(flows(organisation), key=_importance):
        start, end = flow.source_host or _from(flow), flow.destination_host or _to(flow)
        if not flow.hosts:  # between machines that are none of ours: drawn up to the firewall that lets it through
            end = organisation.firewalls[0].name
        label, detail, kind = _described(organisation, flow)
        if kind == "upkeep" and end == SERVICES:
            upkeep.setdefault(start, {})[label] = None
        elif (start, end, label) not in seen:
            seen.add((start, end, label))
            yield start, end, label, detail, kind
    for start, labels in upkeep.items():
        yield start, SERVICES, ", ".join(labels), "names, time, updates: none carries mail", "upkeep"


def _importance(flow: Flow) -> int:
    kind = _kind(flow)
    return MAIL_FIRST.index(kind) if kind in MAIL_FIRST else len(MAIL_FIRST)


def _kind(flow: Flow) -> str:
    """The first word of its name, which organisation/flows.py gives."""
    return flow.name.partition("-")[0]


def _from(flow: Flow) -> str:
    if flow.name.startswith("ssh-"):
        return ADMINISTRATORS
    return HUB if flow.name.startswith("cjsm-in-") else INTERNET


def _to(flow: Flow) -> str:
    if flow.name.startswith("cjsm-out-"):
        return HUB
    return INTERNET if flow.name.startswith(("internet-mail-", "declared-")) else SERVICES


def _described(organisation: Organisation, flow: Flow) -> tuple[str, str, str]:
    """Protocol with ports, how it is protected, and of which kind that makes it."""
    ports = f"{flow.protocol.upper()} {', '.join(map(str, flow.ports))}"
    protection = {
        "cjsm": (f"SMTP, {_hub_tls(organisation)}, certificates on both ends", "secure"),
        "inner": (f"SMTP, TLS with {_inner_tls(organisation)} on both ends", "secure"),
        "ssh": ("SSH, pinned host keys", "secure"),
        "internet": ("ordinary SMTP, TLS where the other side offers it", "open"),
        "declared": (flow.reason, "open"),
    }
    detail, kind = protection.get(_kind(flow), (flow.reason, "upkeep"))
    return ports, detail, kind


def _hub_tls(organisation: Organisation) -> str:
    return "STARTTLS demanded" if organisation.hub.mode == "starttls" else "TLS from the first byte"


def _inner_tls(organisation: Organisation) -> str:
    return "certificates" if organisation.inner.mode == "secure" else "pinned keys"
