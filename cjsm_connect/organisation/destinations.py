"""What is known about families of domains that the CJSM papers call securely reachable. As of November 2026."""

from __future__ import annotations

from typing import Literal, NamedTuple

Status = Literal["live", "retired", "refused", "unknown"]


class Family(NamedTuple):
    """A domain and everything below it."""

    domain: str
    status: Status
    source: str


_FAQ_NHS = 'the CJSM FAQ, "Who can I email securely": .nhs.net, NOT .nhs.uk'
_GSI = "closed on 31 March 2019 (GOV.UK, Securing government email)"
_FORM = "listed on the 2017 application form"

FAMILIES = (
    Family("cjsm.net", "live", 'the CJSM FAQ, "Who can I email securely"'),
    Family("nhs.net", "live", _FAQ_NHS),
    Family("nhs.uk", "refused", _FAQ_NHS),
    Family("gsi.gov.uk", "retired", _GSI),
    Family("gse.gov.uk", "retired", _GSI),
    Family("gsx.gov.uk", "retired", _GSI),
    Family("gcsx.gov.uk", "retired", _GSI),
    Family("pnn.police.uk", "unknown", "in the CJSM FAQ; no date of retirement is published"),
    Family("gcx.gov.uk", "unknown", _FORM),
    Family("justice.gov.uk", "live", _FORM),
    Family("cps.gov.uk", "live", _FORM),
    Family("hmpps.gov.uk", "unknown", _FORM),
    Family("hmcts.gov.uk", "unknown", _FORM),
    Family("yjb.gov.uk", "unknown", _FORM),
    Family("governmentlegal.gov.uk", "unknown", _FORM),
    Family("hscni.net", "unknown", _FORM),
)


def is_within(domain: str, parent: str) -> bool:
    """Whether a domain is `parent` or lies below it."""
    return domain == parent or domain.endswith(f".{parent}")


def family(domain: str) -> Family:
    """What is known about a domain; `unknown` where the papers say nothing."""
    for known in FAMILIES:
        if is_within(domain, known.domain):
            return known
    return Family(domain, "unknown", "not named in the CJSM papers")
