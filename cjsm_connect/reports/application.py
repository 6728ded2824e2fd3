"""The questions of the application for a server connection, each with its answer and with what proves it. Pure.

Questions: "CJSM - The Application Process", November 2009, checklist for a server application; and the form of 2017.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.results import Requirement, Result, Status

Packages = Mapping[str, Mapping[str, Any]]  # versions by host, as evidence has them: release, kernel, packages

MAIL_PACKAGES = {"postfix": ("Postfix", "postfix"), "exim": ("Exim", "exim4-base")}
WHERE = {
    "on-premises": "Yes, on the organisation's premises",
    "uk-datacentre": "No, in a data centre in the United Kingdom",
    "hosted": "No, at a hosting provider",
    "cloud": "No, at a cloud provider",
    "none": "The organisation has no mail server",
    "unknown": "Not known",
}


@dataclass(frozen=True)
class Known:
    """What answers are made from."""

    organisation: Organisation
    versions: Packages
    results: Sequence[Result]
    requirements: Mapping[str, Requirement]


@dataclass(frozen=True)
class Question:
    """A question of the form. Requirements that name it (`words`, in their `question`) prove its answer."""

    text: str
    words: tuple[str, ...]
    answer: Callable[[Known, Sequence[Result]], tuple[str, ...]]
    basis: str = "Declared by the organisation"


@dataclass(frozen=True)
class Answer:
    """A question with its answer, a line each, and what it rests on beside the `proofs`."""

    question: str
    lines: tuple[str, ...]
    proofs: tuple[Result, ...] = ()
    basis: str = "Declared by the organisation"


def answers(known: Known) -> tuple[Answer, ...]:
    """Every question of the 2009 checklist, in its order."""
    return tuple(_answered(question, known) for question in CHECKLIST)


def _answered(question: Question, known: Known) -> Answer:
    proofs = tuple(result for result in known.results if proves(question, known.requirements.get(result.requirement)))
    return Answer(question.text, question.answer(known, proofs), proofs, question.basis)


def proves(question: Question, requirement: Requirement | None) -> bool:
    """Whether a requirement says that it answers this question, and this one first."""
    if requirement is None or not requirement.question:
        return False
    asked = requirement.question.lower()
    return next((q for q in CHECKLIST if any(word in asked for word in q.words)), None) == question


def form_of_2017(organisation: Organisation) -> tuple[Answer, ...]:
    """What the later form also asked; declarations all of them."""
    identity, contacts = organisation.organisation, organisation.contacts
    sponsors = tuple(f"{s.name}, {s.organisation} ({s.email})" for s in identity.sponsors)
    people = {
        "Who applies?": (contacts.applicant,),
        "Business contacts": contacts.business,
        "Technical contacts": (contacts.helpdesk, *contacts.technical),
    }
    return (
        Answer(
            "Organisation", (identity.name, *identity.address, identity.town, identity.postcode, identity.telephone)
        ),
        *(Answer(text, tuple(_person(one) for one in several)) for text, several in people.items()),
        Answer("Why is access needed?", (identity.reason,)),
        Answer("How many users?", (f"{identity.users} of {identity.staff} staff",)),
        Answer("Who sponsors the application?", sponsors or ("No sponsor named",)),
        Answer("Access to other government, police or NHS networks?", identity.other_networks or ("None",)),
        Answer("Is webmail wanted as well?", ("Yes" if identity.webmail_wanted else "No",)),
    )


def _premises(known: Known, _proofs: Sequence[Result]) -> tuple[str, ...]:
    return (WHERE[known.organisation.organisation.mail_server],)


def _signatories(known: Known, _proofs: Sequence[Result]) -> tuple[str, ...]:
    signers = tuple(f"{one.name}, {one.position}" for one in known.organisation.signatories)
    return (*signers, "Signed by hand on the printed terms; no electronic signature is accepted")


def _administrator(known: Known, _proofs: Sequence[Result]) -> tuple[str, ...]:
    return (_person(known.organisation.contacts.administrator),)


def _person(person: Any) -> str:
    return f"{person.name}, {person.email}, {person.telephone}"


def _mail_hosts(organisation: Organisation) -> tuple[Host, ...]:
    """The mail servers; the relay itself where both are one host."""
    return organisation.mail_servers or organisation.relays


def _mail_server(known: Known, _proofs: Sequence[Result]) -> tuple[str, ...]:
    return tuple(_mail_software(host, known.versions.get(host.name, {})) for host in _mail_hosts(known.organisation))


def _mail_software(host: Host, seen: Mapping[str, Any]) -> str:
    title, package = MAIL_PACKAGES[host.mta]
    version = seen.get("packages", {}).get(package, "version not seen")
    return f"{title} {version} on {host.fqdn}"


def _operating_system(known: Known, _proofs: Sequence[Result]) -> tuple[str, ...]:
    hosts = (*_mail_hosts(known.organisation), *known.organisation.relays)
    return tuple(dict.fromkeys(_system(host, known.versions.get(host.name, {})) for host in hosts))


def _system(host: Host, seen: Mapping[str, Any]) -> str:
    release = seen.get("release", {})
    name = release.get("pretty_name", f"Debian {host.release} (declared, not seen)")
    return f"{host.fqdn}: {name}, release {release.get('debian_version', 'not seen')}"


def _perimeter(known: Known, _proofs: Sequence[Result]) -> tuple[str, ...]:
    zones = [zone for zone in known.organisation.estate.networks if zone.zone == "dmz"]
    return tuple(f"Yes: {zone.name}, {zone.cidr}" for zone in zones) or ("No",)


def _in_perimeter(known: Known, _proofs: Sequence[Result]) -> tuple[str, ...]:
    perimeter = {zone.name for zone in known.organisation.estate.networks if zone.zone == "dmz"}
    hosts = dict.fromkeys((*_mail_hosts(known.organisation), *known.organisation.relays))
    return tuple(_placed(host, perimeter) for host in hosts)


def _placed(host: Host, perimeter: set[str]) -> str:
    inside = sorted(perimeter & set(host.interfaces))
    kind = "relay" if host.role == "relay" else "mail server"
    where = f"Yes, in {', '.join(inside)}" if inside else f"No, in {', '.join(sorted(host.interfaces))}"
    return f"{host.fqdn} ({kind}): {where}"


def _domains(known: Known, _proofs: Sequence[Result]) -> tuple[str, ...]:
    return known.organisation.domains.names


def _by_results(_known: Known, proofs: Sequence[Result]) -> tuple[str, ...]:
    """Yes only when everything that proves it was tried and passed; what lessens that is said."""
    statuses = {result.status for result in proofs}
    if not proofs:
        return ("Not shown: no check answers this question",)
    if statuses - {Status.PASS, Status.WARN, Status.WAIVED}:
        return ("Not shown in full: see what failed or was not tested",)
    limits = [word for status, word in LIMITS.items() if status in statuses]
    return (", with ".join(["Yes", *limits]),)


LIMITS = {Status.WARN: "warnings", Status.WAIVED: "waivers"}

RESULTS = "Results of the checks"
SEEN = "Release and version as seen on the hosts"
CHECKLIST = (
    Question("Is your mail server located on your organisation's premises?", ("premises",), _premises),
    Question(
        "Do you have the authority to sign contracts, or who has?", ("authority to sign", "signator"), _signatories
    ),
    Question("Who will be the administrator of the CJSM account?", ("administrator",), _administrator),
    Question("Which mail server does your organisation use?", ("which mail server",), _mail_server, SEEN),
    Question("What operating system does your mail server use?", ("operating system",), _operating_system, SEEN),
    Question("Is SSL currently installed on your mail server?", ("ssl", "tls"), _by_results, RESULTS),
    Question("Do you operate a DMZ?", ("operate a dmz",), _perimeter),
    Question("If so, does your mail server reside in the DMZ?", ("dmz",), _in_perimeter),
    Question("All e-mail domain names that are used in your organisation", ("domain",), _domains),
    Question("Do you operate a maintained firewall?", ("firewall",), _by_results, RESULTS),
    Question("Do you maintain an automatically updating anti-virus policy?", ("virus",), _by_results, RESULTS),
    Question(
        "Do you operate a policy where hardware and software is regularly updated with the latest service packs, "
        "patches and security fixes?",
        ("patch", "security fixes", "updated", "service pack"),
        _by_results,
        RESULTS,
    ),
)
