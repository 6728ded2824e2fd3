"""`Seen`: what a check may look at. One observation, from the point of view of one subject; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from cjsm_connect.results.judge import CannotTell, NotTested

if TYPE_CHECKING:
    from cjsm_connect.organisation import Host, Organisation

ESTATE = "estate"
OF_POSTFIX = frozenset({"domains", "forwarding", "mailboxes", "relay", "tls"})
"""Topics that no other mail server program is asked."""


@dataclass(frozen=True)
class Seen:
    """The observation of one host (or of the estate as a whole), with the organisation it is judged against."""

    organisation: Organisation
    observation: Mapping[str, Any]
    today: date
    subject: Host | None = None

    @property
    def host(self) -> Host:
        """The host that is judged."""
        if self.subject is None:
            raise CannotTell("this check judges the estate: it has no single host; name one with seen.on(NAME)")
        return self.subject

    @property
    def name(self) -> str:
        """The subject's name: the host's, or "estate"."""
        return self.subject.name if self.subject else ESTATE

    @property
    def laboratory(self) -> str:
        """The lab's name, empty on a real estate."""
        return str(self.observation.get("lab", ""))

    def is_unmade(self, declaration: str) -> bool:
        """Is this declaration still the example's, so that nobody has made it?"""
        return declaration in self.observation.get("unmade", ())

    def on(self, name: str) -> Seen:
        """The same observation from the point of view of another host."""
        return Seen(self.organisation, self.observation, self.today, self.organisation.host(name))

    @property
    def now(self) -> datetime:
        """When the observation ended, in UTC: a recorded one is judged as at that moment."""
        return datetime.fromisoformat(self.observation["ended"]).astimezone(UTC)

    @property
    def clock_bounds(self) -> tuple[float, float]:
        """The controller's clock when the host was asked and when it answered, in seconds since 1970."""
        entry = self._entry
        return entry["asked"], entry["answered"]

    @property
    def facts(self) -> Mapping[str, Any]:
        """Everything that the host answered, by topic.

        Raises:
            NotTested: it was still starting.
            CannotTell: it could not be asked.
        """
        facts: Mapping[str, Any] = self._entry["facts"]
        return facts

    @property
    def _entry(self) -> Mapping[str, Any]:
        entry: Mapping[str, Any] | None = self.observation.get("hosts", {}).get(self.host.name)
        if entry is None:
            raise CannotTell(f"{self.host.name} is not in the observation")
        _must_have_started(entry)
        if why := entry.get("unreachable"):
            raise CannotTell(f"{self.host.name} could not be asked: {why}")
        return entry

    def fact(self, topic: str, *path: str | int) -> Any:
        """One fact by its path: `seen.fact("firewall", "chains", "input", "policy")`.

        Raises:
            NotTested: the topic is about Postfix, and the host is declared to run another mail server program.
            CannotTell: the host could not be asked, the topic broke there, or the fact is missing.
        """
        facts = self.facts
        if topic not in facts:
            self.is_read(topic)
            raise CannotTell(f"{self.host.name} was not asked about {topic}")
        if isinstance(facts[topic], dict) and "error" in facts[topic]:
            raise CannotTell(f"{self.host.name} could not tell about {topic}: {facts[topic]['error']}")
        return self._walk(facts[topic], topic, path)

    def is_read(self, topic: str) -> None:
        """Is a host with this mail server program asked about the topic at all?

        Raises:
            NotTested: the topic is about Postfix, and another program is declared.
        """
        if topic in OF_POSTFIX and self.host.mta != "postfix":
            raise NotTested(f"{self.host.name} runs {self.host.mta} by the organisation file: only Postfix is read")

    def _walk(self, value: Any, topic: str, path: tuple[str | int, ...]) -> Any:
        walked: list[str | int] = [topic]
        for step in path:
            walked.append(step)
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                place = " > ".join(map(str, walked))
                raise CannotTell(f"{self.host.name} told nothing about {place}") from None
        return value

    def tried(self, identifier: str) -> Mapping[str, Any]:
        """The outcome of a live try.

        Raises:
            NotTested: it was not tried, or could not tell (a timeout is never a pass and never a fail).
            CannotTell: there is no such try, or it broke.
        """
        outcome = self.observation.get("tries", {}).get(identifier)
        if outcome is None:
            if self.subject:
                _must_have_started(self.observation.get("hosts", {}).get(self.subject.name, {}))
            raise CannotTell(f"the observation has no try {identifier}")
        if why := outcome.get("not_tried"):
            raise NotTested(str(why))
        if why := outcome.get("could_not_tell"):
            raise NotTested(f"tried, but could not tell: {why}")
        if why := outcome.get("error"):
            raise CannotTell(f"the try {identifier} broke: {why}")
        found: Mapping[str, Any] = outcome
        return found


def _must_have_started(entry: Mapping[str, Any]) -> None:
    """Nobody is accused of being young.

    Raises:
        NotTested: the host was still starting when it was looked at.
    """
    if why := entry.get("starting"):
        raise NotTested(str(why))
