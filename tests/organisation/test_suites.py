"""A suite beyond those that are used is declared for one side, with a reason and whoever answers for it."""

from __future__ import annotations

import re

import pytest

from cjsm_connect.organisation import OrganisationError
from cjsm_connect.organisation.suites import DECLARABLE, MODERN, permitted
from tests.made_up import organisation

GIVEN = {"suite": "AES256-SHA256", "approver": "Sam Administrator", "reason": "the hub has nothing better until June"}


def test_what_is_used_has_forward_secrecy_and_authenticated_encryption() -> None:
    assert all(re.fullmatch("ECDHE-(RSA|ECDSA)-.*(GCM-SHA...|POLY1305)", suite) for suite in MODERN)
    assert not set(MODERN) & set(DECLARABLE)


@pytest.mark.parametrize("side", ["hub", "inner"])
def test_a_declared_suite_is_used_last_and_on_that_side_only(side: str) -> None:
    where = organisation(**{side: {"tls_exceptions": [GIVEN, GIVEN]}})
    other = {"hub": where.inner, "inner": where.hub}[side]
    assert permitted(getattr(where, side).tls_exceptions) == (*MODERN, "AES256-SHA256")
    assert permitted(other.tls_exceptions) == MODERN


@pytest.mark.parametrize(
    "suite",
    ["NULL-SHA256", "ADH-AES256-SHA", "RC4-SHA", "DES-CBC3-SHA", "ALL", "AES128-SHA:ALL", "@SECLEVEL=0", MODERN[0]],
)
def test_what_protects_nothing_or_is_used_anyway_is_refused(suite: str) -> None:
    with pytest.raises(OrganisationError, match=r"hub\.tls_exceptions"):
        organisation(hub={"tls_exceptions": [{**GIVEN, "suite": suite}]})


@pytest.mark.parametrize("missing", ["approver", "reason"])
def test_nobody_declares_one_without_a_reason(missing: str) -> None:
    with pytest.raises(OrganisationError, match=missing):
        organisation(hub={"tls_exceptions": [{key: text for key, text in GIVEN.items() if key != missing}]})
