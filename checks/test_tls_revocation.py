"""tls: was a certificate that is in use taken back by its issuer? Postfix itself never asks: it reads no list (CRL)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from checks.framework import check
from checks.sessions import each
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import NotTested, Verdict

REPLACE = "rm /etc/cjsm/tls/{0}.key; cjsm apply makes a new key and certificates/HOST{1}.csr, to be signed again"
EXPECTED = "on no list of revoked certificates that is in date"
NO_LIST = (
    "{certificate} names no list of revoked certificates{but}: ask its issuer for the list and name it as crl_file, "
    "or accept this by name in [[scope]]"
)

Row = Mapping[str, Any]


@check(
    "tls.hub-certificate-not-revoked",
    requirement="tls.not-revoked",
    role="relay",
    vantage="controller",
    impact="local-active",
    title="The certificate that the relay presents to the hub was not revoked, nor one of its chain",
    remedy=f"ask the CJSM helpdesk why it was revoked, or why its list is old; {REPLACE.format('hub', '')}",
)
def test_hub_certificate_not_revoked(seen: Seen, verdict: Verdict) -> None:
    not_revoked(seen, verdict, own(seen, "hub"))


@check(
    "tls.inner-certificate-not-revoked",
    requirement="tls.not-revoked",
    role="relay,mail",
    vantage="controller",
    impact="local-active",
    title="The certificate of the inner hop was not revoked, nor one of its chain",
    remedy=f"{REPLACE.format('inner', '-inner')}. If the list is out of date: have your CA publish a new one",
)
def test_inner_certificate_not_revoked(seen: Seen, verdict: Verdict) -> None:
    not_revoked(seen, verdict, own(seen, "inner"))


@check(
    "tls.peer-certificate-not-revoked",
    requirement="tls.not-revoked",
    role="relay",
    vantage="relay",
    impact="hub-handshake",
    title="The certificate that the hub presents was not revoked",
    remedy="tell the CJSM helpdesk, and stop mail meanwhile: postconf -e defer_transports=cjsm && postfix reload",
)
def test_peer_certificate_not_revoked(seen: Seen, verdict: Verdict) -> None:
    addresses = seen.organisation.hub.addresses
    outcomes = each(seen, [f"revocation.peer:{seen.host.name}:{address}" for address in addresses])
    rows, silent = [], None
    try:
        for outcome in outcomes:
            rows += outcome["chain"]
    except NotTested as why:
        silent = why
    not_revoked(seen, verdict, rows)
    if silent:
        raise silent


def own(seen: Seen, identity: str) -> Iterable[Row]:
    """The chain that the host presents; a host that could not be asked presented nothing that we know of."""
    seen.facts  # noqa: B018 - says why it could not be asked
    seen.is_read("tls")
    chain: Iterable[Row] = seen.tried(f"revocation.{identity}:{seen.host.name}")["chain"]
    return chain


def not_revoked(seen: Seen, verdict: Verdict, chain: Iterable[Row]) -> None:
    """Each certificate of a chain. What could not be told of one is said last, so that it hides no revoked one."""
    rows = list(chain)
    for row in rows:
        _is_not_listed(verdict, row)
    for row in rows:
        _is_in_date(seen, verdict, row)
    if unknown := [_unknown(row) for row in rows if row["list"] is None]:
        raise NotTested("; ".join(unknown))


def _is_not_listed(verdict: Verdict, row: Row) -> None:
    found = row["list"]
    entry = found and found["revoked"]
    if entry:
        observed = f"{row['certificate']}, serial {row['serial']}: revoked on {entry['on'][:10]} ({entry['reason']})"
        verdict(False, expected=EXPECTED, observed=f"{observed}, says {found['from']}")


def _is_in_date(seen: Seen, verdict: Verdict, row: Row) -> None:
    """A list that has ended may hide what was revoked since: neither a pass, nor anything revoked."""
    found = row["list"]
    if found is None:
        return
    start, end = (datetime.fromisoformat(found[name]) for name in ("this_update", "next_update"))
    counts = f"{found['from']} counts from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
    verdict(start <= seen.now <= end, expected=EXPECTED, observed=f"{row['certificate']}: {counts}", warn=True)


def _unknown(row: Row) -> str:
    if row["trouble"]:
        return f"{row['certificate']}: {', '.join(row['trouble'])}"
    return NO_LIST.format(certificate=row["certificate"], but=", only OCSP" if row["ocsp"] else "")
