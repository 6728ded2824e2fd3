"""What an organisation did not declare is not tested, with what to declare; it is never an error that nobody can mend.

Every check is given a recording of its own, judged against organisation files of which one optional part each is left
out, and the tries that such an organisation would really be asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from checks.framework import REGISTRY
from cjsm_connect.organisation import Organisation, OrganisationError, parse
from cjsm_connect.probes import attempts
from cjsm_connect.probes.seen import Seen
from cjsm_connect.probes.tries import all_tries
from cjsm_connect.results import Impact, Result, Status
from cjsm_connect.results.judge import Verdict, judge
from tests.checks.recordings import Recording, dated, recordings, seen
from tests.checks.test_recordings import CATALOGUE
from tests.made_up import FINGERPRINT, TODAY, authority, lab_file, merged

File = dict[str, Any]
FILES = {"hub/ca.pem": authority(), "hub/inner-ca.pem": authority(), "hub/fingerprints.txt": FINGERPRINT}


def without_role(role: str) -> Callable[[File], File]:
    return lambda file: {**file, "hosts": [host for host in file["hosts"] if host["role"] != role]}


def each_host(**changes: Any) -> Callable[[File], File]:
    return lambda file: {**file, "hosts": [{**host, **changes} for host in file["hosts"]]}


def without(*path: str) -> Callable[[File], File]:
    patch: Any = None
    for key in reversed(path):
        patch = {key: patch}
    return lambda file: merged(file, patch)


LEFT_OUT: dict[str, Callable[[File], File]] = {
    "tests": without("tests"),
    "tests.internal": without("tests", "internal"),
    "tests.external": without("tests", "external"),
    "vantage": without("vantage"),
    "vantage hub": lambda file: {**file, "vantage": [one for one in file["vantage"] if one["name"] != "hub"]},
    "vantage outside": lambda file: {**file, "vantage": [one for one in file["vantage"] if one["name"] != "outside"]},
    "internet_mail": each_host(internet_mail=False),
    "firewall host": without_role("firewall"),
    "mail host": lambda file: merged(without_role("mail")(file), {"estate": {"topology": "co-located"}}),
    "dkim": without("domains", "dkim_selectors"),
    "flows": without("flows"),
    "syslog": without("syslog"),
    "destinations": without("destinations"),
    "declarations": without("declarations"),
    "policy": without("policy"),
    "revocation lists": lambda file: merged(file, {"hub": {"crl_file": None}, "inner": {"crl_file": None}}),
    "application": without("application"),
}
"""Every table and key of organisation.toml that may be left out, and that a try could depend on."""


RECORDED = [one for one in recordings() if one.expected is Status.PASS]


@pytest.mark.parametrize("part", LEFT_OUT)
def test_no_check_waits_for_a_try_that_is_never_made(part: str) -> None:
    judged = [(one, _judged(one, part)) for one in RECORDED]
    missing = [(one.path.name, found.reason) for one, found in judged if found and "has no try" in found.reason]
    assert missing == []
    assert len([found for _, found in judged if found]) > 60


def _judged(recording: Recording, part: str) -> Result | None:
    """The result, or None where such an organisation has no such subject, or may not be described at all."""
    recorded = seen(recording.path)
    changed = _changed(json.dumps(json.loads(recording.path.read_text()).get("organisation", {})), part)
    if changed is None or (recorded.subject and recorded.subject.name not in {host.name for host in changed.hosts}):
        return None
    known = recorded.observation["tries"]
    observed = {
        **{name: outcome for name, outcome in known.items() if name.startswith("revocation.")},
        **{name: known.get(name, {"could_not_tell": "made up"}) for name in _asked(changed)[0]},
        **_asked(changed)[1],
    }
    subject = recorded.subject and changed.host(recorded.subject.name)
    what = Seen(changed, {**recorded.observation, "tries": observed}, recorded.today, subject)
    check, function, verdict = REGISTRY[recording.check].check, REGISTRY[recording.check].function, Verdict()
    return judge(check, CATALOGUE[check.requirement], what.name, verdict, lambda: function(what, verdict))


@cache
def _changed(patch: str, part: str) -> Organisation | None:
    """The organisation of a recording with one part left out."""
    whole = LEFT_OUT[part](merged(lab_file(), dated(json.loads(patch))))
    try:
        return parse(whole, {**FILES, "known_hosts": ""}, TODAY, folder=Path("/organisation"))
    except OrganisationError:
        return None


@cache
def _asked(where: Organisation) -> tuple[list[str], attempts.Outcomes]:
    """Which tries such an organisation is asked, all being permitted, and what is noted of those that are not made."""
    safe = {host.name: {"discards": True} for host in where.hosts}
    wanted, refused = attempts.sort(all_tries(where), safe, dict.fromkeys(Impact, ""))
    return [one.id for one in wanted], refused


@pytest.mark.parametrize("key", ["tests", "tests.internal", "tests.external"])
@pytest.mark.parametrize("check", ["connection.message-out-relayed", "connection.same-address-out"])
def test_what_was_not_tried_for_want_of_two_mailboxes_says_what_to_declare(key: str, check: str) -> None:
    [recording] = [one for one in recordings() if one.path.name == f"{check}.pass.json"]
    found = _judged(recording, key)
    assert found and found.status is Status.NOT_TESTED
    assert "tests.internal and tests.external" in found.reason and "organisation.toml" in found.reason
