"""domains: what the DNS says of them. Rules of the ordinary internet domain: advice, never more than a warning."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from checks.framework import Function, check
from cjsm_connect.organisation.addresses import address, network
from cjsm_connect.organisation.destinations import family
from cjsm_connect.probes.seen import Seen
from cjsm_connect.probes.tries.names import PUBLISHED, REVERSE, keys, policies, senders
from cjsm_connect.results.judge import Verdict

NOT_PUBLIC = [network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]
"""Addresses that the internet does not see (RFC 1918, RFC 4193)."""


def texts(seen: Seen, name: str, tag: str) -> list[str]:
    """The TXT records at a name that begin with a tag, such as v=spf1; each its own standard's first word."""
    records: list[str] = seen.tried(PUBLISHED)["records"][f"{name} TXT"]
    return [text for text in records if re.match(rf"{tag}\s*(;|\s|$)", text, re.IGNORECASE)]


def single(name: str, found: Sequence[str]) -> str:
    """What is wrong with the number of records at a name; "" when it is one."""
    return "" if len(found) == 1 else f"{name}: {len(found)} records" if found else f"{name}: no record"


def spf(seen: Seen, domain: str) -> str:
    """RFC 7208: one record, which ends by saying what others are (section 5.1), or asks another one to say it."""
    found = texts(seen, domain, "v=spf1")
    if wrong := single(domain, found):
        return wrong
    # a modifier such as exp= may come behind (section 6)
    closed = re.search(r"\s([-~]all|redirect=\S+)(\s|$)", found[0], re.IGNORECASE)
    return "" if closed else f"{domain}: {found[0]!r} does not say that other senders are wrong"


def dkim(seen: Seen, domain: str) -> str:
    """RFC 6376, 3.6.1: a key; an empty p= is a key that was withdrawn."""
    records = seen.tried(PUBLISHED)["records"]
    for name in keys(seen.organisation, domain):
        if any(re.search(r"\bp\s*=\s*[A-Za-z0-9+/]", text) for text in records[f"{name} TXT"]):
            return ""
    return f"{domain}: no key at {', '.join(keys(seen.organisation, domain)) or 'any declared selector'}"


def dmarc(seen: Seen, domain: str) -> str:
    """RFC 7489: the nearest policy demands something of others' forgeries, and reports are sent to somebody."""
    at = next((name for name in policies(domain) if texts(seen, name, "v=DMARC1")), policies(domain)[0])
    found = texts(seen, at, "v=DMARC1")
    if wrong := single(at, found):
        return wrong
    demands = re.search(r"\bp\s*=\s*(quarantine|reject)\b", found[0], re.IGNORECASE)
    reported = re.search(r"\brua\s*=\s*mailto:", found[0], re.IGNORECASE)
    return "" if demands and reported else f"{at}: {found[0]!r}, expected p=quarantine or p=reject, and rua="


def mta_sts(seen: Seen, domain: str) -> str:
    """RFC 8461, 3.1: a record with the policy's id; the policy itself is on a web server and is not fetched here."""
    found = texts(seen, f"_mta-sts.{domain}", "v=STSv1")
    if wrong := single(f"_mta-sts.{domain}", found):
        return wrong
    return "" if re.search(r"\bid\s*=\s*[A-Za-z0-9]{1,32}\b", found[0]) else f"{domain}: {found[0]!r} has no id"


def tls_rpt(seen: Seen, domain: str) -> str:
    """RFC 8460, 3: somebody gets the reports."""
    found = texts(seen, f"_smtp._tls.{domain}", "v=TLSRPTv1")
    if wrong := single(f"_smtp._tls.{domain}", found):
        return wrong
    named = re.search(r"\brua\s*=\s*(mailto:|https:)", found[0], re.IGNORECASE)
    return "" if named else f"{domain}: {found[0]!r} names nobody who gets the reports"


def published(name: str, title: str, record: str, wrong: Callable[[Seen, str], str]) -> Function:
    """The check that every domain has a record, judged by `wrong`, which says what is wrong with one."""

    def judged(seen: Seen, verdict: Verdict) -> None:
        domains = seen.organisation.domains.names
        problems = [problem for domain in domains if (problem := wrong(seen, domain))]
        observed = "; ".join(problems) or f"{len(domains)} of {len(domains)} domains"
        verdict(not problems, expected=f"for each domain: {record}", observed=observed, warn=True)

    return check(
        f"domains.{name}",
        requirement=f"domains.{name}",
        role="estate",
        vantage="name server",
        impact="local-active",
        title=title,
        remedy=f"add to the DNS zone of the domain, as TXT: {record}",
    )(judged)


test_spf = published("spf", "SPF says who may send for each domain", 'DOMAIN "v=spf1 mx -all"', spf)
test_dkim = published(
    "dkim",
    "A DKIM key is published for each domain",
    'SELECTOR._domainkey.DOMAIN "v=DKIM1; p=KEY", with SELECTOR in domains.dkim_selectors of organisation.toml',
    dkim,
)
test_dmarc = published(
    "dmarc",
    "DMARC asks others to refuse forgeries of each domain, and to report",
    '_dmarc.DOMAIN "v=DMARC1; p=reject; rua=mailto:ADDRESS"',
    dmarc,
)
test_mta_sts = published(
    "mta-sts", "An MTA-STS policy is announced for each domain", '_mta-sts.DOMAIN "v=STSv1; id=DATE"', mta_sts
)
test_tls_rpt = published(
    "tls-rpt",
    "Reports about failed TLS are asked for, for each domain",
    '_smtp._tls.DOMAIN "v=TLSRPTv1; rua=mailto:ADDRESS"',
    tls_rpt,
)


@check(
    "domains.reverse-names",
    requirement="domains.reverse-names",
    role="estate",
    vantage="name server",
    impact="local-active",
    title="The address of each sending host has a name that leads back to it",
    remedy="have the owner of the address block set PTR to the host's name (hosts.fqdn), and add that name's A record",
)
def test_reverse_names(seen: Seen, verdict: Verdict) -> None:
    sending = senders(seen.organisation)
    inside = [text for text in sending if any(_within(text, network) for network in NOT_PUBLIC)]
    if len(inside) == len(sending):
        verdict.not_tested(f"{', '.join(inside)}: translated before the internet sees it; look up the public address")
    confirmed = seen.tried(REVERSE)["confirmed"]
    wrong = [_unnamed(text, confirmed[text]) for text in sending if text not in inside and not _named(text, confirmed)]
    observed = "; ".join(wrong) or f"{len(sending) - len(inside)} addresses, each with such a name"
    verdict(not wrong, expected="a PTR whose name has that address", observed=observed, warn=True)


def _within(text: str, network: object) -> bool:
    return address(text) in network  # type: ignore[operator]


def _named(text: str, confirmed: dict[str, list[tuple[str, list[str]]]]) -> bool:
    return any(text in addresses for _, addresses in confirmed[text])


def _unnamed(text: str, names: Sequence[tuple[str, Sequence[str]]]) -> str:
    return f"{text}: PTR {', '.join(name for name, _ in names) or 'missing'}"


@check(
    "domains.trusted-families",
    requirement="domains.trusted-families",
    role="estate",
    vantage="declaration",
    title="Users are told of live families of domains only",
    remedy="take the family out of destinations.trusted in organisation.toml, or ask the helpdesk whether it still is "
    "one and waive this with the answer",
)
def test_trusted_families(seen: Seen, verdict: Verdict) -> None:
    known = [family(domain) for domain in seen.organisation.destinations.trusted]
    unclear = [f"{one.domain}: {one.status} ({one.source})" for one in known if one.status != "live"]
    observed = "; ".join(unclear) or ", ".join(one.domain for one in known) or "no family beside cjsm.net"
    verdict(not unclear, expected="families known to be live", observed=observed, warn=True)
