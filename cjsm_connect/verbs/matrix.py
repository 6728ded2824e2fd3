"""lab matrix: every fault against the checks. A fault that no check notices means that a check is blind."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import click

from cjsm_connect.lab import entry
from cjsm_connect.results import CjsmError, Status
from cjsm_connect.verbs import _repeated
from cjsm_connect.verbs.fault import patient

if TYPE_CHECKING:
    from cjsm_connect.lab import Lab
    from faults import Fault

ACCUSED = (Status.FAIL, Status.WARN, Status.ERROR)
NAMED = (Status.FAIL, Status.WARN)  # a check that could not tell has named nothing
MAIL = (
    "connection.every-domain",
    "connection.hub-can-deliver",
    "connection.mail-both-ways",
    "domains.mailboxes",
)
# they keep for a time who did not take mail (qmgr(8)), and who is no recipient (verify(8))
MAIL_HOSTS = {"hub", "mail", "relay"}
GREEN_AFTER = 10  # faults: a lab that is not healthy any more makes every later row worthless
ALL_WELL, FINDINGS, COULD_NOT_RUN = 0, 1, 2


@dataclass(frozen=True)
class Accusation:
    """A result that says that something is wrong, or that it could not tell."""

    check: str
    subject: str
    status: Status
    requirement: str
    observed: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.check} on {self.subject} ({self.status.value}): {self.observed}"


Accusations = frozenset[Accusation]


@dataclass(frozen=True)
class Row:
    """What the checks made of one fault. `also_accused`: requirements that the fault gives no reason for."""

    fault: str
    host: str
    requirement: str
    found: bool
    also_accused: tuple[str, ...]
    seconds: float
    problem: str = ""  # why the fault could not be made, or the checks not run
    others: tuple[str, ...] = ()  # what the checks said that accused `also_accused`

    @property
    def right(self) -> bool:
        """The right requirement was named, and no other."""
        return self.found and not self.also_accused and not self.problem

    def plain(self) -> dict[str, Any]:
        """The row as --json shows it; the rest is told on standard error, a problem by the exit code too."""
        return {key: value for key, value in asdict(self).items() if key not in ("problem", "others")}


Tell = Callable[[Row, str], None]
"""What to do with a row as soon as there is one: the row, and its lab's name."""


@click.command("matrix")
@click.argument("only", nargs=-1, metavar="[FAULT...]")
@click.option(
    "--lab", "names", multiple=True, default=(entry.DEFAULT,), show_default=True, help="Several: side by side."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON array on standard output.")
def matrix_command(only: tuple[str, ...], names: tuple[str, ...], as_json: bool) -> None:
    """Make every fault (or those whose names begin with FAULT) and see whether the checks name it.

    Each fault is made on a host fresh from `lab reset`, then the whole of the checks runs. The lab must be healthy at
    the start, at the end and after every tenth fault. What warns on the healthy lab too is said, and left out.

    Exit code: 0 each fault was named and nothing else accused, 1 otherwise, 2 something could not run.
    """
    from cjsm_connect.lab import Lab

    faults = chosen(only)
    labs = [Lab(name) for name in dict.fromkeys(names)]
    rows: list[Row] = []

    def tell(row: Row, lab: str) -> None:
        rows.append(row)
        click.echo(described(row, lab if len(labs) > 1 else ""), err=as_json)

    started, stopped = time.monotonic(), ""
    try:
        matrix(labs, faults, tell)
    except CjsmError as error:
        stopped = str(error)
    if as_json:
        click.echo(json.dumps([row.plain() for row in sorted(rows, key=lambda row: row.fault)], indent=1))
    click.echo(summed_up(rows, len(faults), time.monotonic() - started, stopped), err=True)
    sys.exit(exit_code(rows, stopped))


def chosen(only: Collection[str]) -> list[Fault]:
    """The faults of these names, or whose names begin so; all for none. Those of one host are beside each other.

    Raises:
        CjsmError: there are none.
    """
    from faults import every_fault

    known = every_fault()
    beginnings = tuple(word for word in only if word not in known)
    found = [one for one in known.values() if not only or one.id in only or one.id.startswith(beginnings)]
    found, virtual = [one for one in found if one.tier == "lab"], [one.id for one in found if one.tier == "vm"]
    if virtual and not found:
        raise CjsmError(f"{', '.join(virtual)} can only be made in a virtual machine. Next: ./cjsm test vm")
    if virtual:
        click.echo(f"{len(virtual)} more need a virtual machine (./cjsm test vm): {', '.join(virtual)}", err=True)
    if not found:
        raise CjsmError(
            f"expected the beginning of a fault's name, found {', '.join(only)}; see: cjsm lab fault --list"
        )
    return sorted(found, key=lambda one: one.host)


def matrix(labs: Sequence[Lab], faults: Iterable[Fault], tell: Tell) -> None:
    """Each fault on one of the labs, the next on whichever is free.

    Raises:
        CjsmError: a lab is not healthy. Nothing more is started then; rows told before are good.
    """
    from cjsm_connect.lab import healthy

    for lab in labs:  # one after the other: the first builds what the others start from
        click.echo(f"having the lab '{lab.name}' healthy", err=True)
        healthy.ensure(lab)
    waiting: SimpleQueue[Fault] = SimpleQueue()
    for fault in faults:
        waiting.put(fault)
    with ThreadPoolExecutor(max_workers=len(labs)) as pool:
        working = [pool.submit(_work, Ward(lab), waiting, tell) for lab in labs]
        try:
            for one in working:
                one.result()
        finally:
            list(_taken(waiting))


def _work(ward: Ward, waiting: SimpleQueue[Fault], tell: Tell) -> None:
    try:
        ward.admit()
        for number, fault in enumerate(_taken(waiting), 1):
            tell(ward.row(fault), ward.lab.name)
            if number % GREEN_AFTER == 0:
                ward.must_be_healthy(f"after {fault.id}")
        ward.must_be_healthy("at the end")
    finally:
        list(_taken(waiting))  # who works in another lab ends with the fault that it has
        ward.restore()


def _taken(waiting: SimpleQueue[Fault]) -> Iterator[Fault]:
    """What is left of the queue, until there is nothing more."""
    while True:
        try:
            yield waiting.get_nowait()
        except Empty:
            return


@dataclass
class Ward:
    """A lab in which faults are made. `known` warns without any; `broken` hosts, or those that remember what these did,
    have to be reset before the next fault, `fresh` ones were, and nothing but a check has happened since."""

    lab: Lab
    known: Accusations = frozenset()
    broken: set[str] = field(default_factory=set)
    fresh: set[str] = field(default_factory=set)

    def admit(self) -> None:
        """Start from the healthy state, and see what warns in it.

        Raises:
            CjsmError: the checks do not let it pass.
        """
        self.lab.reset()
        self.known, code = accused(self.lab)
        if code:
            raise CjsmError(f"the healthy lab '{self.lab.name}' is accused at the start: {_named(self.known)}")
        if self.known:
            click.echo(f"accused in '{self.lab.name}' without any fault: {_named(self.known)}", err=True)

    def row(self, fault: Fault) -> Row:
        """Reset, break, check: what came of one fault."""
        started = time.monotonic()
        try:
            new, problem = self._noticed(fault), ""
        except CjsmError as error:
            new, problem = frozenset(), str(error)
        return judged(fault, new, time.monotonic() - started, problem)

    def _noticed(self, fault: Fault) -> Accusations:
        from faults import ORGANISATION, inflict

        if fault.host == ORGANISATION:  # no host is broken: a copy of what describes them is
            self.restore()
            inflict(fault, patient(self.lab, fault.host))
            return accused(self.lab, entry.mistaken_folder(self.lab.name))[0] - self.known
        self.restore(fault.host)
        self.broken, self.fresh = {fault.host}, set()
        inflict(fault, patient(self.lab, fault.host))
        new = accused(self.lab)[0] - self.known
        if any(one.requirement in MAIL for one in new):
            self.broken |= MAIL_HOSTS
        return new

    def must_be_healthy(self, when: str) -> None:
        """Put everything back; the checks must find what they found at the start.

        Raises:
            CjsmError: they find something else.
        """
        self.restore()
        found, code = accused(self.lab)
        if code or found - self.known:
            raise CjsmError(f"the healthy lab '{self.lab.name}' is accused {when}: {_named(found - self.known)}")

    def restore(self, *also: str) -> None:
        """Put back the hosts that were broken, and these."""
        if wanted := sorted(self.broken.union(also) - self.fresh):
            self.lab.reset(wanted)
        self.broken, self.fresh = set(), set(wanted)


def judged(fault: Fault, new: Accusations, seconds: float, problem: str = "") -> Row:
    """The row for a fault when this was accused that is not accused without it."""
    found = any(one.requirement == fault.violates and one.status in NAMED for one in new)
    others = sorted((one for one in new if one.requirement not in {fault.violates, *fault.entails}), key=str)
    names = tuple(sorted({one.requirement for one in others}))
    told = tuple(map(str, others))
    return Row(fault.id, fault.host, fault.violates, found, names, round(seconds, 1), problem, told)


def accused(lab: Lab, organisation: Path | None = None) -> tuple[Accusations, int]:
    """Every result that accuses, and the exit code of the checks; of a copy of the lab's organisation, if it is named.

    Raises:
        CjsmError: the checks did not run.
    """
    results, code = _repeated.checked(lab.name, organisation or lab.organisation_folder)
    return frozenset(_accusation(one) for one in results if one["status"] in ACCUSED), code


def _accusation(result: Mapping[str, Any]) -> Accusation:
    observed = result.get("observed") or result.get("reason") or ""
    return Accusation(result["check"], result["subject"], Status(result["status"]), result["requirement"], observed)


def _named(accusations: Accusations) -> str:
    return "; ".join(sorted(map(str, accusations))) or "nothing"


def described(row: Row, lab: str = "") -> str:
    """One line for people."""
    word = click.style("named ", fg="green") if row.found else click.style("MISSED", fg="red", bold=True)
    place = f"{row.host} of {lab}" if lab else row.host
    others = f"  also accused: {', '.join(row.also_accused)}" if row.also_accused else ""
    problem = f"  {row.problem}" if row.problem else ""
    line = f"{word}  {row.seconds:5.1f} s  {row.fault} on {place}: {row.requirement}{others}{problem}"
    return "\n".join([line, *(f"          {other}" for other in row.others)])


def summed_up(rows: Sequence[Row], wanted: int, seconds: float, stopped: str = "") -> str:
    """The last lines: how many were named, how long it took, and what stopped it."""
    right = sum(row.right for row in rows)
    each = sum(row.seconds for row in rows) / len(rows) if rows else 0
    took = f"{seconds / 60:.1f} minutes, {each:.1f} s a fault"
    told = f"{right} of {wanted} faults were named, and nothing else was accused ({took})"
    return f"{told}\nstopped: {stopped}" if stopped else told


def exit_code(rows: Sequence[Row], stopped: str = "") -> int:
    """What could not run is worse than what was not named: nothing is known about it."""
    if stopped or any(row.problem for row in rows):
        return COULD_NOT_RUN
    return ALL_WELL if all(row.right for row in rows) else FINDINGS
