"""What each field of a form is answered with, where that comes from, and what proves it. Pure.

Observed counts more than declared, and where both differ both are shown. What is neither is missing, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any

from cjsm_connect.application.forms import Field, Form
from cjsm_connect.application.prerequisites import Stated, counted
from cjsm_connect.organisation import Host, Organisation, Problem
from cjsm_connect.organisation.destinations import family
from cjsm_connect.organisation.example import Forgotten, own
from cjsm_connect.organisation.identity import Contacts, Identity
from cjsm_connect.organisation.model import Sections
from cjsm_connect.organisation.policy import Policy
from cjsm_connect.organisation.statements import Declaration
from cjsm_connect.results import Requirement, Result, Status

Packages = Mapping[str, Mapping[str, Any]]  # versions by host, as evidence has them: release, kernel, packages
Lines = tuple[str, ...]

MAIL_PACKAGES = {"postfix": ("Postfix", "postfix"), "exim": ("Exim", "exim4-base")}
PREMISES = {
    "on-premises": "Yes, on the organisation's premises",
    "uk-datacentre": "No, in a data centre in the United Kingdom",
    "hosted": "No, at a hosting provider",
    "cloud": "No, at a cloud provider",
    "none": "The organisation has no mail server",
}
SET_UP = {
    "on-premises": "On premise",
    "uk-datacentre": "Hosted in a UK datacentre",
    "hosted": "Hosted at a provider, not in a UK datacentre: the list of 2017 has no such choice; ask the helpdesk",
    "cloud": "Cloud provider",
    "none": "None",
    "unknown": "Don't know",
}
RELEASES = {"trixie": "13", "bookworm": "12", "bullseye": "11"}
LIMITS = {Status.WARN: "warnings", Status.WAIVED: "waivers"}
FEW_SHOWN = 5


class Origin(StrEnum):
    """Where an answer comes from."""

    OBSERVED = "observed"
    DECLARED = "declared"
    MISSING = "missing"


class Lacking(Exception):
    """The section of the organisation file that an answer needs is not there, or has mistakes."""


@dataclass(frozen=True)
class Known:
    """What answers are made from. `sections` are those of organisation.toml, None where a mistake makes one useless.

    `listed`: how many users are on the list, None where there is none.
    """

    sections: Mapping[str, Any]
    today: date
    results: Sequence[Result] = ()
    requirements: Mapping[str, Requirement] = field(default_factory=dict)
    versions: Packages = field(default_factory=dict)
    problems: Sequence[Problem] = ()
    listed: int | None = None
    copied: Sequence[Forgotten] = ()  # what nobody has replaced since the example was copied

    def section(self, name: str) -> Any:
        """A section; Lacking where it cannot be used."""
        found = self.sections[name]
        if found is None:
            raise Lacking(name)
        return found

    @property
    def identity(self) -> Identity:
        """The table [organisation]."""
        found: Identity = self.section("organisation")
        return found

    @property
    def contacts(self) -> Contacts:
        """The tables [contacts]."""
        found: Contacts = self.section("contacts")
        return found

    @property
    def stated(self) -> Stated:
        """The declarations, and how long one counts."""
        policy = self.sections["policy"] or Policy()
        made = own(self.sections["declarations"], self.copied)
        return Stated(made, self.today, policy.declaration_days.value)

    def mistakes(self, section: str) -> str:
        """What is wrong with a section, in words; "" where it is merely not there."""
        return "; ".join(f"{one.key}: found {one.found}" for one in self.problems if top(one) == section)


def top(problem: Problem) -> str:
    """The section that a problem is in."""
    return problem.key.partition(".")[0].partition("[")[0]


def sections_of(organisation: Organisation) -> dict[str, Any]:
    """The sections of a file without mistakes."""
    return {name: getattr(organisation, name) for name in Sections.model_fields}


@dataclass(frozen=True)
class Answer:
    """A field with its answer, a line each. `todo` says what is still to be done, "" when it can be sent like that."""

    field: Field
    lines: Lines
    origin: Origin
    proofs: tuple[Result, ...] = ()
    declaration: Declaration | None = None
    contradictions: Lines = ()
    todo: str = ""

    @property
    def question(self) -> str:
        """What is asked."""
        return self.field.question

    @property
    def stops(self) -> bool:
        """Whether the form cannot be sent before something was done."""
        return bool(self.todo) and not self.field.optional

    @property
    def basis(self) -> str:
        """What the answer rests on, beside its proofs."""
        if self.origin is Origin.MISSING:
            return "Missing"
        if self.origin is Origin.OBSERVED:
            return "Seen by the checks"
        made = self.declaration
        return f"Declared by {made.owner} on {made.date}" if made else "Declared in organisation.toml"


def answers(form: Form, known: Known) -> tuple[Answer, ...]:
    """Every field of a form, in its order."""
    return tuple(_own(_answered(form, one, known), known.copied) for one in form.field)


def _own(one: Answer, copied: Sequence[Forgotten]) -> Answer:
    """The answer, missing if it says what the example says: nobody has answered."""
    values = [each for each in copied if any(each.value.strip('"') in line for line in one.lines)]
    if one.origin is not Origin.DECLARED or not values:
        return one
    todo = f"replace what was copied from the example: {'; '.join(f'{each.key} = {each.value}' for each in values)}"
    return replace(one, origin=Origin.MISSING, todo=todo)


def _answered(form: Form, asked: Field, known: Known) -> Answer:
    proving = {one.id for one in known.requirements.values() if form.proves(one, asked)}
    proofs = tuple(one for one in known.results if one.requirement in proving)
    if asked.answer == "practice":
        return _practice(asked, known, proofs, proving)
    try:
        lines = FACTS[asked.answer](known, proofs)
    except Lacking as lacking:
        wrong = known.mistakes(str(lacking))
        return _missing(asked, proofs, f"{wrong}. Needed: {asked.missing}" if wrong else asked.missing)
    return _fact(asked, lines, known, proofs) if lines else _missing(asked, proofs, asked.missing)


def _missing(asked: Field, proofs: tuple[Result, ...], todo: str) -> Answer:
    return Answer(asked, (), Origin.MISSING, proofs, todo=todo)


def _fact(asked: Field, lines: Lines, known: Known, proofs: tuple[Result, ...]) -> Answer:
    """An answer that the organisation file holds; observed when checks of the hosts say the same."""
    seen = [one for one in proofs if _looked(one)]
    shown = bool(seen) and all(one.status in (Status.PASS, *LIMITS) for one in seen)
    against = (*_against(proofs), *_disagreeing(asked, known))
    todo = "correct organisation.toml or the host, so that both say the same" if against else _remedies(proofs)
    return Answer(asked, lines, Origin.OBSERVED if shown else Origin.DECLARED, proofs, None, against, todo)


def _looked(one: Result) -> bool:
    """Whether a result comes from looking at something, not from reading what the organisation declares."""
    return one.vantage != "declaration"


def _against(proofs: Sequence[Result]) -> Lines:
    """What was seen, where it is not what was declared."""
    failed = [one for one in proofs if one.status is Status.FAIL and _looked(one)]
    more = (f"and {len(failed) - FEW_SHOWN} more",) if len(failed) > FEW_SHOWN else ()
    return (*(_told(one) for one in failed[:FEW_SHOWN]), *more)


def _told(one: Result) -> str:
    return f"{one.subject}: {one.title}: expected {one.expected}; observed {one.observed}"


def _disagreeing(asked: Field, known: Known) -> Iterator[str]:
    """What is declared, and known otherwise without looking at a host."""
    if asked.answer == "users" and known.listed is not None and known.listed != known.identity.users:
        yield f"organisation.users says {known.identity.users}; the list of users has {known.listed}"
    for one in known.identity.sponsors if asked.answer == "sponsors" else ():
        if (about := family(one.domain)).status == "retired":
            yield f"{one.name}: {one.domain} was {about.source}"


def _remedies(proofs: Sequence[Result]) -> str:
    """What the checks of declarations ask for: a signature that is too old, an administrator without an address."""
    return "; ".join(dict.fromkeys(one.remedy for one in proofs if one.status is Status.FAIL))


def _practice(asked: Field, known: Known, proofs: tuple[Result, ...], proving: set[str]) -> Answer:
    """Whether something is done: shown by results, else stated by somebody, else missing."""
    made = known.stated.find(asked.declared_by) if asked.declared_by else None
    if any(_looked(one) for one in proofs):
        return _shown(asked, proofs, proving, made)
    if made and not known.stated.stale(made):
        return Answer(asked, ("Yes", made.statement), Origin.DECLARED, proofs, made)
    stale = f"the declaration of {made.owner} is of {made.date}: too old. " if made else ""
    return _missing(asked, proofs, f"{stale}{asked.missing}")


def _shown(asked: Field, proofs: tuple[Result, ...], proving: set[str], made: Declaration | None) -> Answer:
    """Yes only when everything that proves it was tried and passed; what lessens that is said.

    A requirement without a result was not looked at: the run was narrowed, or made by an older catalogue.
    """
    failed = _against(proofs)
    against = (f"{made.owner} declared on {made.date}: {made.statement}", *failed) if made and failed else failed
    statuses = {one.status for one in proofs}
    unseen = proving - {one.requirement for one in proofs}
    if not statuses - {Status.PASS, *LIMITS} and not unseen:
        limits = [word for status, word in LIMITS.items() if status in statuses]
        return Answer(asked, (", with ".join(["Yes", *limits]),), Origin.OBSERVED, proofs, made)
    what = f"{counted(proofs)}{f', {len(unseen)} not looked at' if unseen else ''}"
    todo = f"cjsm check names each, and cjsm plan what puts it right ({what})"
    return Answer(asked, (f"Not shown in full: {what}",), Origin.OBSERVED, proofs, made, against, todo)


# --- the facts: what the organisation file says, and what was seen of it ---


def _name(known: Known, _proofs: Sequence[Result]) -> Lines:
    return (known.identity.name,)


def _parent(known: Known, _proofs: Sequence[Result]) -> Lines:
    parent = known.section("application").parent
    return (parent,) if parent else ()


def _helpdesk_address(known: Known, _proofs: Sequence[Result]) -> Lines:
    return (known.contacts.helpdesk.email,)


def _premises(known: Known, _proofs: Sequence[Result]) -> Lines:
    place = known.identity.mail_server
    return (PREMISES[place],) if place in PREMISES else ()  # "unknown" is no answer to this question


def _set_up(known: Known, _proofs: Sequence[Result]) -> Lines:
    return (SET_UP[known.identity.mail_server],)


def _signers(known: Known, _proofs: Sequence[Result]) -> Lines:
    return tuple(f"{one.name}, {one.position}" for one in known.sections["signatories"])


def _signatories(known: Known, proofs: Sequence[Result]) -> Lines:
    signers = _signers(known, proofs)
    return (*signers, "Signed by hand on the printed terms; no electronic signature is accepted") if signers else ()


def _administrator(known: Known, _proofs: Sequence[Result]) -> Lines:
    return (person(known.contacts.administrator),)


def _applicant(known: Known, _proofs: Sequence[Result]) -> Lines:
    return (person(known.contacts.applicant),)


def _business(known: Known, _proofs: Sequence[Result]) -> Lines:
    return tuple(map(person, known.contacts.business))


def _technical(known: Known, _proofs: Sequence[Result]) -> Lines:
    return tuple(map(person, (known.contacts.helpdesk, *known.contacts.technical)))


def person(one: Any) -> str:
    """A contact in one line."""
    return f"{one.name}, {one.email}, {one.telephone}"


def _address(known: Known, _proofs: Sequence[Result]) -> Lines:
    identity = known.identity
    return (*identity.address, identity.town, identity.postcode)


def _administrator_address(known: Known, proofs: Sequence[Result]) -> Lines:
    own: Lines = known.section("application").administrator_address
    return own or _address(known, proofs)


def _switchboard(known: Known, _proofs: Sequence[Result]) -> Lines:
    return (known.identity.telephone,)


def _organisation_details(known: Known, proofs: Sequence[Result]) -> Lines:
    return (known.identity.name, *_address(known, proofs), known.identity.telephone)


def _single_or_multi(known: Known, _proofs: Sequence[Result]) -> Lines:
    if known.identity.users == 1:
        return ("Single user",)
    return ("Multi user: the terms to sign are the Multiple User version",)


def _reason(known: Known, _proofs: Sequence[Result]) -> Lines:
    return (known.identity.reason,)


def _users(known: Known, _proofs: Sequence[Result]) -> Lines:
    return (f"{known.identity.users} of {known.identity.staff} staff",)


def _sponsors(known: Known, _proofs: Sequence[Result]) -> Lines:
    return tuple(f"{one.name}, {one.organisation} ({one.email})" for one in known.identity.sponsors)


def _other_networks(known: Known, _proofs: Sequence[Result]) -> Lines:
    return known.identity.other_networks or ("None",)


def _webmail(known: Known, _proofs: Sequence[Result]) -> Lines:
    return ("Yes" if known.identity.webmail_wanted else "No",)


def _mail_hosts(known: Known) -> tuple[Host, ...]:
    """The mail servers; the relay itself where both are one host."""
    return _role(known, "mail") or _role(known, "relay")


def _role(known: Known, role: str) -> tuple[Host, ...]:
    return tuple(one for one in known.sections["hosts"] if one.role == role)


def _own_hosts(known: Known) -> tuple[Host, ...]:
    return tuple(dict.fromkeys((*_mail_hosts(known), *_role(known, "relay"))))


def _mail_server(known: Known, proofs: Sequence[Result]) -> Lines:
    return tuple(_mail_software(host, known.versions.get(host.name, {}), proofs) for host in _mail_hosts(known))


def _mail_software(host: Host, seen: Mapping[str, Any], proofs: Sequence[Result]) -> str:
    title, package = MAIL_PACKAGES[host.mta]
    version = seen.get("packages", {}).get(package) or _observed(host, proofs).removeprefix(f"{package} ")
    return f"{title} {version or '(version not seen)'} on {host.fqdn}"


def _operating_system(known: Known, proofs: Sequence[Result]) -> Lines:
    return tuple(_system(host, known.versions.get(host.name, {}), proofs) for host in _own_hosts(known))


def _system(host: Host, seen: Mapping[str, Any], proofs: Sequence[Result]) -> str:
    release = seen.get("release", {})
    if release:
        return f"{host.fqdn}: {release.get('pretty_name')}, release {release.get('debian_version', 'not seen')}"
    known = "as seen by the checks" if _observed(host, proofs) else "declared, not seen"
    return f"{host.fqdn}: Debian {RELEASES.get(host.release, '')} ({host.release}), {known}"


def _observed(host: Host, proofs: Sequence[Result]) -> str:
    """What a check that answers the question saw on a host; "" where none looked, or did not find what was declared."""
    return next((one.observed for one in proofs if one.subject == host.name and one.status is Status.PASS), "")


def _perimeter(known: Known, _proofs: Sequence[Result]) -> Lines:
    zones = [zone for zone in known.section("estate").networks if zone.zone == "dmz"]
    return tuple(f"Yes: {zone.name}, {zone.cidr}" for zone in zones) or ("No",)


def _in_perimeter(known: Known, _proofs: Sequence[Result]) -> Lines:
    inside = {zone.name for zone in known.section("estate").networks if zone.zone == "dmz"}
    return tuple(_placed(host, inside) for host in _own_hosts(known))


def _placed(host: Host, perimeter: set[str]) -> str:
    inside = sorted(perimeter & set(host.interfaces))
    kind = "relay" if host.role == "relay" else "mail server"
    where = f"Yes, in {', '.join(inside)}" if inside else f"No, in {', '.join(sorted(host.interfaces))}"
    return f"{host.fqdn} ({kind}): {where}"


def _domains(known: Known, _proofs: Sequence[Result]) -> Lines:
    names: Lines = known.section("domains").names
    return names


FACTS: Mapping[str, Callable[[Known, Sequence[Result]], Lines]] = {
    "address": _address,
    "administrator": _administrator,
    "administrator_address": _administrator_address,
    "applicant": _applicant,
    "business": _business,
    "domains": _domains,
    "helpdesk_address": _helpdesk_address,
    "in_perimeter": _in_perimeter,
    "mail_server": _mail_server,
    "name": _name,
    "operating_system": _operating_system,
    "organisation_details": _organisation_details,
    "other_networks": _other_networks,
    "parent": _parent,
    "perimeter": _perimeter,
    "premises": _premises,
    "reason": _reason,
    "set_up": _set_up,
    "signatories": _signatories,
    "signers": _signers,
    "single_or_multi": _single_or_multi,
    "sponsors": _sponsors,
    "switchboard": _switchboard,
    "technical": _technical,
    "users": _users,
    "webmail": _webmail,
}
