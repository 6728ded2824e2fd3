"""Which certificates are in use, as hosts and tries saw them, and whether their issuers have revoked them.

Outcomes look like those of tries, made by the controller: `revocation.hub:HOST` and `revocation.inner:HOST` for what a
host's own listeners present, `revocation.peer:HOST:ADDRESS` for the hub's certificate as the host saw it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cjsm_connect.organisation import Organisation
from cjsm_connect.organisation.routes import text_of
from cjsm_connect.probes.lists import Lists

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

Facts = Mapping[str, Mapping[str, Any]]
"""What each host answered, by its name, as in an observation."""

PEER = "revocation.peer"
SILENT = ("not_tried", "could_not_tell", "error")
PINNED = "the keys of the inner hop are pinned: one is revoked by taking its pin out of the organisation file"
NOTHING_SHOWN = "no certificate was presented"
NO_WAY = "it was not issued by the CA of the organisation file, so no list was asked for"


class InUse(NamedTuple):
    """A certificate in use: for which outcome, what is trusted there, the lists of the organisation's file, and what
    was presented, in PEM. `others` are certificates that may be missing in between."""

    id: str
    subject: str
    trusted: str
    kept: str
    sent: str
    others: str = ""


def own(organisation: Organisation, hosts: Facts) -> Iterator[InUse]:
    """What the listeners of each host present; a host that could not be asked is left out."""
    for name, entry in hosts.items():
        for identity, found in _identities(entry).items():
            side = organisation.hub if identity == "hub" else organisation.inner
            trusted, kept = (_text(organisation, path) for path in (side.ca_file, side.crl_file))
            chains = dict.fromkeys("".join(each.get("chain", ())) for each in found.get("presented", ()))
            for sent in [chain for chain in chains if chain] or [""]:
                yield InUse(f"revocation.{identity}:{name}", name, trusted, kept, sent)


def peers(organisation: Organisation, hosts: Facts, tries: Facts) -> Iterator[InUse]:
    """What the hub presented to each relay. A session tells the first certificate only; who issued it may be among
    those that came with ours."""
    trusted, kept = (_text(organisation, path) for path in (organisation.hub.ca_file, organisation.hub.crl_file))
    known = "".join(one.sent for one in own(organisation, hosts) if one.id.startswith("revocation.hub:"))
    for identifier, outcome in tries.items():
        if identifier.startswith("hub.handshake:") and not any(word in outcome for word in SILENT):
            sent = (outcome.get("tls") or {}).get("peer_certificate_pem", "")
            name = identifier.replace("hub.handshake", PEER)
            yield InUse(name, outcome["subject"], trusted, kept, sent, known)


def ask_ahead(organisation: Organisation, hosts: Facts, lists: Lists) -> None:
    """Fetch what will be wanted for the hosts' own certificates, while tries are being made."""
    _fetch(list(own(organisation, hosts)), lists)


def outcomes(organisation: Organisation, hosts: Facts, tries: Facts, lists: Lists) -> dict[str, dict[str, Any]]:
    """What is known of each certificate in use: `chain`, from the presented one upwards without the trusted root."""
    used = [*own(organisation, hosts), *peers(organisation, hosts, tries)]
    _fetch(used, lists)
    found = _unseen(tries)
    for one in used:
        found[one.id] = _together(found.get(one.id, {}), _outcome(one, lists))
    return {name: {**outcome, "at": "controller"} for name, outcome in found.items()}


def _together(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two listeners of one identity. What is wrong with a chain that leads nowhere is for other checks to say."""
    if "chain" in one and "chain" in other:
        return {**one, "chain": [*one["chain"], *other["chain"]]}
    return one if "chain" in one else other


def _unseen(tries: Facts) -> dict[str, dict[str, Any]]:
    """The hub's certificate where there was no handshake: for the same reason nothing is known of it."""
    silent = {
        name: (outcome, next((word for word in SILENT if word in outcome), ""))
        for name, outcome in tries.items()
        if name.startswith("hub.handshake:")
    }
    return {
        name.replace("hub.handshake", PEER): {word: outcome[word], "subject": outcome.get("subject", "")}
        for name, (outcome, word) in silent.items()
        if word
    }


def _outcome(one: InUse, lists: Lists) -> dict[str, Any]:
    from cjsm_connect.probes import revocation

    where = {"subject": one.subject}
    if not one.trusted:
        return {**where, "not_tried": PINNED}
    if not one.sent:
        return {**where, "could_not_tell": NOTHING_SHOWN}
    path = _path(one)
    if not path:
        return {**where, "could_not_tell": NO_WAY}
    rows = [revocation.described(low, high, lists.got, one.kept) for low, high in pairwise(path)]
    return {**where, "chain": rows}


def _fetch(used: Iterable[InUse], lists: Lists) -> None:
    from cjsm_connect.probes import revocation

    paths = [_path(one) for one in used]
    lists.fetch(address for path in paths for low in path[:-1] for address in revocation.addresses(low))


def _path(one: InUse) -> list[Certificate]:
    from cjsm_connect.probes import revocation

    sent, others, trusted = (revocation.certificates(text) for text in (one.sent, one.others, one.trusted))
    return revocation.path([*sent, *others], trusted)


def _identities(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    found = entry.get("facts", {}).get("tls", {})
    identities: Mapping[str, Any] = found.get("identities", {})
    return identities


def _text(organisation: Organisation, path: Path | None) -> str:
    return text_of(organisation, path) if path else ""
