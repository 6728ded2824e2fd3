"""domains: every table says the same list, and none of them can send mail by MX."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from checks.framework import check
from checks.postfix import hops, same_route, setting
from cjsm_connect.organisation.routes import CJSM_DOMAINS, SELF_TEST_RECIPIENT, inner_next_hops, relayed_domains
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import CannotTell, Verdict

NOWHERE = ("error:", "retry:", "discard:")


def _table(seen: Seen, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = seen.fact("domains", "tables", name)
    if "unreadable" in found:
        raise CannotTell(f"{seen.host.name}: the table {name} cannot be read: {found['unreadable']}")
    return found


def _rows(seen: Seen, name: str) -> Mapping[str, str]:
    rows: Mapping[str, str] | None = _table(seen, name)["rows"]
    if rows is None:
        raise CannotTell(f"{seen.host.name}: the table {name} is too long to be told")
    return rows


def _same(verdict: Verdict, wanted: Iterable[str], found: Iterable[str], what: str) -> None:
    """Two sets are the same; what is missing and what is too many is said."""
    missing, extra = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    observed = "; ".join(
        f"{word}: {', '.join(names)}" for word, names in (("missing", missing), ("too many", extra)) if names
    )
    verdict(not observed, expected=f"{what}: {', '.join(sorted(wanted))}", observed=observed or "the same")


@check(
    "domains.relay-domains",
    requirement="domains.one-list",
    role="relay",
    title="Mail from the hub is taken for the declared domains, and for no other",
    remedy="cjsm apply, which writes /etc/cjsm/maps/relay_domains from domains.names",
)
def test_relay_domains(seen: Seen, verdict: Verdict) -> None:
    _same(verdict, relayed_domains(seen.organisation), _rows(seen, "relay_domains"), "relay_domains")
    maps = setting(seen, "relay_domains")
    verdict(maps.endswith("/relay_domains") and "," not in maps, expected="that table only", observed=maps)


@check(
    "domains.inner-routes",
    requirement="domains.one-list",
    role="relay",
    title="Each declared domain has its route to the mail server, and nothing else has one",
    remedy="cjsm apply, which writes /etc/cjsm/maps/transport from domains.names",
)
def test_inner_routes(seen: Seen, verdict: Verdict) -> None:
    special = (*CJSM_DOMAINS, SELF_TEST_RECIPIENT)
    routes = {name: route for name, route in _rows(seen, "transport").items() if name not in special}
    _same(verdict, seen.organisation.domains.names, routes, "routes")
    wanted = f"inner:{', '.join(inner_next_hops(seen.organisation, seen.host))}"
    for name, route in routes.items():
        verdict(same_route(route, wanted), expected=f"{name} {wanted}", observed=f"{name} {route}")


@check(
    "domains.recipients",
    requirement="domains.one-list",
    role="relay",
    title="Recipients are judged in each declared domain, and in no other",
    remedy="cjsm apply, which writes /etc/cjsm/maps/recipients from domains.names and [recipients]",
)
def test_recipients(seen: Seen, verdict: Verdict) -> None:
    found = _table(seen, "recipients")
    if seen.organisation.recipients.mode == "file":
        suffix = seen.organisation.domains.accept_suffixed
        wanted = len(seen.organisation.recipients.addresses) * (2 if suffix else 1)
        verdict(found["count"] == wanted, expected=f"{wanted} recipients", observed=f"{found['count']} recipients")
    else:
        _same(verdict, relayed_domains(seen.organisation), found["domains"], "domains that are asked about")


@check(
    "domains.no-mx",
    requirement="domains.no-mx",
    role="relay,mail",
    title="Every route names its next hop in brackets, so that MX is never looked up",
    remedy="cjsm apply, which writes each next hop in /etc/cjsm/maps/transport as [HOST]:PORT",
)
def test_no_mx(seen: Seen, verdict: Verdict) -> None:
    for name, route in _rows(seen, "transport").items():
        bracketed = bool(hops(route)) and all(hop.startswith("[") for hop in hops(route))
        kept = route.startswith(NOWHERE) or bracketed
        verdict(kept, expected=f"{name}: [host]:port", observed=f"{name}: {route}")


@check(
    "domains.policy-for-each-hop",
    requirement="domains.no-mx",
    role="relay",
    title="Each next hop has a TLS policy under its own name, written the same way",
    remedy="cjsm apply, which writes /etc/cjsm/maps/tls_policy with each next hop as transport has it",
)
def test_policy_for_each_hop(seen: Seen, verdict: Verdict) -> None:
    routes = [route for route in _rows(seen, "transport").values() if not route.startswith(NOWHERE)]
    asked = {hop for route in routes for hop in hops(route)}
    missing = sorted(asked - set(_rows(seen, "tls_policy")))
    verdict(not missing, expected=f"a policy for {', '.join(sorted(asked))}", observed=", ".join(missing) or "there")


@check(
    "domains.own-stay-inside",
    requirement="domains.no-loop",
    role="relay",
    title="Mail for the organisation's own domains never goes back to the hub",
    remedy="cjsm apply, which takes the row out of /etc/cjsm/maps/transport",
)
def test_own_stay_inside(seen: Seen, verdict: Verdict) -> None:
    routes = _rows(seen, "transport")
    for name in seen.organisation.domains.names:
        route = routes.get(name, "no route")
        verdict(not route.startswith("cjsm:"), expected=f"{name}: not to the hub", observed=f"{name}: {route}")


@check(
    "domains.no-silent-subdomains",
    requirement="domains.one-list",
    role="relay",
    title="A declared domain does not stand for everything below it",
    remedy="cjsm apply, which sets parent_domain_matches_subdomains = (empty) in main.cf",
)
def test_no_silent_subdomains(seen: Seen, verdict: Verdict) -> None:
    parents = seen.fact("domains", "parents")
    verdict(not parents, expected="parent_domain_matches_subdomains is empty", observed=parents or "empty")


@check(
    "domains.compiled-as-written",
    requirement="domains.one-set",
    role="relay,mail",
    title="The tables that Postfix reads say what their sources say",
    remedy="cjsm apply; by hand: postmap /etc/cjsm/maps/TABLE",
)
def test_compiled_as_written(seen: Seen, verdict: Verdict) -> None:
    for name in seen.fact("domains", "tables"):
        same = _table(seen, name)["as_source"]
        verdict(same, expected=f"{name}: compiled from its source", observed="the same" if same else f"{name} differs")


@check(
    "domains.mailboxes-for-each",
    requirement="domains.mailboxes",
    role="mail",
    title="The mail server takes mail for each declared domain",
    remedy="cjsm apply, which writes /etc/cjsm/maps/local_domains; on a mail server of your own: add the domain "
    "to mydestination in main.cf",
)
def test_mailboxes_for_each(seen: Seen, verdict: Verdict) -> None:
    wanted, taken = seen.organisation.domains.names, seen.fact("domains", "taken")
    missing = [name for name in wanted if name not in taken]
    observed = f"missing: {', '.join(missing)}" if missing else "all are taken"
    verdict(not missing, expected=f"mail is taken for {', '.join(wanted)}", observed=observed)
