"""One run of the checks: what is judged, what was expected to be judged, and what came out. pytest drives it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

import pytest

from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.probes.seen import ESTATE, Seen
from cjsm_connect.results import Check, Impact, Requirement, Result, Severity, Status, WaiverEntry
from cjsm_connect.results.acceptance import accept, entries, misplaced_scope, misplaced_waivers
from cjsm_connect.results.catalogue import Catalogue
from cjsm_connect.results.judge import Verdict, judge, readable, result


@dataclass(frozen=True)
class Estate:
    """The subject of a check that is judged once."""

    name: str = ESTATE


@dataclass(frozen=True)
class Nobody:
    """The organisation file has no host with this role: its checks run on no host, an error unless accepted."""

    name: str


Subject = Host | Estate | Nobody


@dataclass
class CheckSession:
    """The run. `observe` is called once, when the first check wants to see something."""

    organisation: Organisation
    catalogue: Catalogue
    observe: Callable[[], dict[str, Any]]
    narrowed: tuple[str, ...] = ()  # the requirements that were asked for; empty for all
    known: set[str] = field(default_factory=set)  # every check, asked for or not
    files: dict[str, bool] = field(default_factory=dict)  # path of each file that pytest saw: was it read?
    expected: dict[tuple[str, str], Check] = field(default_factory=dict)
    results: dict[tuple[str, str], Result] = field(default_factory=dict)
    broken: list[Result] = field(default_factory=list)

    @cached_property
    def observation(self) -> dict[str, Any]:
        """What the hosts answered and the tries found."""
        return self.observe()

    @property
    def today(self) -> date:
        """The day of the observation, in UTC: a recorded one is judged as on that day."""
        return datetime.fromisoformat(self.observation["ended"]).astimezone(UTC).date()

    def wants(self, check: Check) -> bool:
        """Is this check part of the run? A requirement that does not exist is a mistake in the check."""
        return self.asked(self.catalogue[check.requirement])

    def asked(self, requirement: Requirement) -> bool:
        """Is this requirement part of the run?"""
        return not self.narrowed or requirement.id in self.narrowed

    def subjects(self, roles: Sequence[str]) -> list[Subject]:
        """Who is judged: the estate, or every host with one of the roles."""
        if ESTATE in roles:
            return [Estate()]
        hosts: list[Subject] = [host for role in roles for host in self.organisation.role(role)]
        return hosts or [Nobody(role) for role in roles[:1]]

    def expect(self, check: Check, subjects: Sequence[Subject]) -> None:
        """Remember what must come out, so that a check that never ran is noticed."""
        self.known.add(check.id)
        if self.wants(check):
            self.expected.update({(check.id, subject.name): check for subject in subjects})

    def seen(self, subject: Subject) -> Seen:
        """The observation from the subject's point of view."""
        host = None if isinstance(subject, Estate | Nobody) else subject
        return Seen(self.organisation, self.observation, self.today, host)

    def judge(self, check: Check, subject: Subject, verdict: Verdict, function: Callable[[], Any]) -> Result:
        """Judge one check on one subject, with waivers and scope applied, and keep the result."""
        requirement = self.catalogue[check.requirement]
        if isinstance(subject, Nobody):
            found = self._on_nobody(check, requirement, subject)
        else:
            found = judge(check, requirement, subject.name, verdict, function)
        [kept] = accept([found], self.organisation.waivers, self.organisation.scope, self.today)
        self.results[check.id, subject.name] = kept
        return kept

    def _on_nobody(self, check: Check, requirement: Requirement, subject: Nobody) -> Result:
        """What was judged on no host is an error, until somebody accepts by name that it is not judged."""
        role = check.role.replace(",", " or ")
        accepted = check.id in {entry.check for entry in self.organisation.scope}
        why = f"it ran on no host: the organisation file has no host with the role {role}"
        advice = "" if accepted else f'; if that is as it should be, accept it: [[scope]] check = "{check.id}"'
        status = Status.NOT_TESTED if accepted else Status.ERROR
        return result(check, requirement, subject.name, status, reason=why + advice)

    def collection_failed(self, place: str, why: str) -> None:
        """A file of checks could not be read: none of its checks ran, and that must not look like success."""
        last = (why.strip().splitlines() or ["no reason given"])[-1]
        self.broken.append(_unread(place, readable(re.sub(r"^E?\s*([\w.]+: )?", "", last))))

    def all_results(self) -> tuple[Result, ...]:
        """Everything, in the catalogue's order; what was expected and is missing is an error."""
        found = [self.results.get(key) or self._missing(check, key[1]) for key, check in self.expected.items()]
        found += self._unchecked()
        order = list(self.catalogue.requirements)
        found.sort(key=lambda one: order.index(one.requirement))
        return (*self.broken, *self._misplaced(), *found)

    def waivers(self, results: Sequence[Result]) -> tuple[WaiverEntry, ...]:
        """Every waiver of the organisation file, with its state on the day of the observation."""
        return entries(self.organisation.waivers, self.catalogue.requirements, results, self.today)

    def _missing(self, check: Check, subject: str) -> Result:
        return result(check, self.catalogue[check.requirement], subject, Status.ERROR, reason="the check did not run")

    def _unchecked(self) -> list[Result]:
        """The totals add up to the catalogue: a requirement that no check was found for is an error, not a silence."""
        checked = {check.requirement for check in self.expected.values()}
        requirements = self.catalogue.requirements.values()
        return [_unchecked(one) for one in requirements if self.asked(one) and one.id not in checked]

    def _misplaced(self) -> tuple[Result, ...]:
        """What is wrong with the acceptances themselves. While checks are missing, nobody knows which ones exist."""
        known = self.catalogue.requirements
        elsewhere = {one.id for one in known.values() if not self.asked(one)}
        waivers = [one for one in self.organisation.waivers if one.requirement not in elsewhere]
        scope = () if self.broken else misplaced_scope(self.organisation.scope, self.known)
        return (*misplaced_waivers(waivers, known, self.today), *scope)


SESSION = pytest.StashKey[CheckSession]()
"""Where pytest's configuration keeps the run."""


def _unread(place: str, why: str) -> Result:
    return Result(
        check=f"collection.{place}",
        requirement="collection",
        title=f"{place} can be read",
        status=Status.ERROR,
        severity=Severity.HIGH,
        subject=ESTATE,
        vantage="controller",
        impact=Impact.PASSIVE,
        expected="a file of checks",
        observed=why,
        remedy="correct the file; none of its checks was run",
        why="what was not run must not look like a success",
        reason=why,
    )


def _unchecked(requirement: Requirement) -> Result:
    nothing = Check(f"no-check.{requirement.id}", requirement.id, requirement.title, ESTATE, "none", Impact.PASSIVE, "")
    return result(nothing, requirement, ESTATE, Status.ERROR, reason="no check of this requirement was found")
