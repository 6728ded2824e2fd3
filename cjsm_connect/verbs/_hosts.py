"""What plan, apply and status share: Desired and Change of every host, in one SSH command a host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cjsm_connect.desired import Desired
from cjsm_connect.desired.certificate import problems
from cjsm_connect.desired.change import Change, change
from cjsm_connect.operations import programs, ssh
from cjsm_connect.organisation.problems import did_you_mean
from cjsm_connect.results import CjsmError

if TYPE_CHECKING:
    from cjsm_connect.desired.closing import Closing
    from cjsm_connect.operations import DesiredOf
    from cjsm_connect.organisation import Organisation


@dataclass(frozen=True, slots=True)
class Subject:
    """One host: what it must have, what it has, what differs; or why nothing can be said."""

    name: str
    desired: Desired
    snapshot: dict[str, Any]
    change: Change
    problem: str = ""  # why it could not be looked at
    refused: tuple[str, ...] = ()  # why this change must not be made
    warnings: tuple[str, ...] = ()  # what to think about before it is made
    closing: tuple[Closing, ...] = ()  # what is in use and would be closed by it


def subjects(
    organisation: Organisation,
    desired_of: DesiredOf,
    limit: tuple[str, ...] = (),
    look: Callable[[Desired], ssh.Program] = programs.collect,
) -> list[Subject]:
    """Compare Desired with a snapshot, taken by `look`, on every managed host at once.

    Raises:
        CjsmError: `limit` names a host that the organisation file does not have.
    """
    names = limited(organisation, limit)
    desired: dict[str, Desired] = {}

    def program(name: str) -> ssh.Program:
        desired[name] = desired_of(organisation, organisation.host(name))
        return look(desired[name])

    found = ssh.run_everywhere(organisation, names, program)
    compared = [subject(name, desired.get(name, Desired()), found[name]) for name in names]
    return _without_placeholders(organisation, judged(organisation, compared))


def _without_placeholders(organisation: Organisation, found: list[Subject]) -> list[Subject]:
    """The relays, refused while the files about the hub are the example's."""
    if not any(item.change for item in found):
        return found
    from cjsm_connect.verbs import _example

    why = _example.refusals(_example.left_over(organisation.folder))
    relays = {host.name for host in organisation.relays}
    return [replace(item, refused=(*item.refused, *why)) if item.name in relays else item for item in found]


def limited(organisation: Organisation, limit: tuple[str, ...]) -> list[str]:
    """Names of the managed hosts, or of those asked for."""
    known = [host.name for host in organisation.hosts if host.managed]
    unknown = set(limit) - set(known)
    if unknown:
        wrong = sorted(unknown)
        near = did_you_mean(wrong[0], known)
        raise CjsmError(f"--limit {', '.join(wrong)}: no such managed host{near}; there are: {', '.join(known)}")
    return [name for name in known if not limit or name in limit]


def subject(name: str, desired: Desired, found: Any) -> Subject:
    """One host's comparison, or the problem that came instead of a snapshot."""
    if isinstance(found, ssh.HostError):
        return Subject(name, desired, {}, Change(), str(found))
    differs = change(desired, found)
    written = {item.file.path for item in differs.files}
    return Subject(name, desired, found, differs, refused=tuple(problems(desired, found, written)))


def judged(organisation: Organisation, found: list[Subject]) -> list[Subject]:
    """The subjects, with what speaks against their firewall changes: one host's rules can cut off another."""
    if not any(item.change.firewalls for item in found):
        return found
    from cjsm_connect.desired import access
    from cjsm_connect.desired.closing import closing, traffic_of, unseen

    ways = [access.way(organisation.host(item.name), item.change, item.snapshot) for item in found]
    refused, warned = (list(judge(organisation, ways)) for judge in (access.refusals, access.warnings))
    return [
        replace(
            item,
            refused=(*item.refused, *(text for name, text in refused if name == item.name)),
            warnings=(*(text for name, text in warned if name == item.name), *unseen(host, traffic)),
            closing=closing(organisation, host, traffic),
        )
        for item in found
        for host, traffic in [(organisation.host(item.name), traffic_of(item.change, item.snapshot))]
    ]
