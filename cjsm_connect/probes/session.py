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
from cjsm_connect.results import Check, Impact, Result, Severity, Status
from cjsm_connect.results.acceptance import accept, misplaced
from cjsm_connect.results.catalogue import Catalogue
from cjsm_connect.results.judge import Verdict, judge, readable, result


@dataclass(frozen=True)
class Estate:
    """The subject of a check that is judged once."""

    name: str = ESTATE


@dataclass(frozen=True)
class Nobody:
    """The organisation file has no host with this role; its checks are shown as not tested."""

    name: str


Subject = Host | Estate | Nobody


@dataclass
class CheckSession:
    """The run. `observe` is called once, when the first check wants to see something."""

    organisation: Organisation
    catalogue: Catalogue
    observe: Callable[[], dict[str, Any]]
    only: str = ""  # a concern; empty for all
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
        return self.catalogue[check.requirement].concern == self.only or not self.only

    def subjects(self, roles: Sequence[str]) -> list[Subject]:
        """Who is judged: the estate, or every host with one of the roles."""
        if ESTATE in roles:
            return [Estate()]
        hosts: list[Subject] = [host for role in roles for host in self.organisation.role(role)]
        return hosts or [Nobody(role) for role in roles[:1]]

    def expect(self, check: Check, subjects: Sequence[Subject]) -> None:
        """Remember what must come out, so that a check that never ran is noticed."""
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
            why = f"the organisation file has no host with the role {check.role.replace(',', ' or ')}"
            found = result(check, requirement, subject.name, Status.NOT_TESTED, reason=why)
        else:
            found = judge(check, requirement, subject.name, verdict, function)
        [kept] = accept([found], self.organisation.waivers, self.organisation.scope, self.today)
        self.results[check.id, subject.name] = kept
        return kept

    def collection_failed(self, place: str, why: str) -> None:
        """A file of checks could not be read: none of its checks ran, and that must not look like success."""
        last = (why.strip().splitlines() or ["no reason given"])[-1]
        self.broken.append(_unread(place, readable(re.sub(r"^E?\s*([\w.]+: )?", "", last))))

    def all_results(self) -> tuple[Result, ...]:
        """Everything, in the catalogue's order; what was expected and is missing is an error."""
        found = [self.results.get(key) or self._missing(check, key[1]) for key, check in self.expected.items()]
        order = list(self.catalogue.requirements)
        found.sort(key=lambda one: order.index(one.requirement))
        return (*self.broken, *self._misplaced(), *found)

    def _missing(self, check: Check, subject: str) -> Result:
        return result(check, self.catalogue[check.requirement], subject, Status.ERROR, reason="the check did not run")

    def _misplaced(self) -> tuple[Result, ...]:
        if self.only or self.broken:
            return ()
        known = {check for check, _ in self.expected}
        return misplaced(
            self.organisation.waivers, self.organisation.scope, self.catalogue.requirements, known, self.today
        )


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
        reason=why,
    )
