"""Which way into CJSM fits, before any host exists: the decision of the application form, with its reasons. Pure.

Sources: "CJSM - The Application Process", November 2009 (premises, staff, minimum prerequisites, checklist);
"How to Join the Service", December 2017 (where the mail server is); "What is CJSM?", December 2017 (the ways in).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum


class MailServer(StrEnum):
    """Where the mail server is; the choices of the 2017 form, "hosted" being elsewhere at a provider."""

    ON_PREMISES = "on-premises"
    UK_DATACENTRE = "uk-datacentre"
    HOSTED = "hosted"
    CLOUD = "cloud"
    NONE = "none"
    UNKNOWN = "unknown"


class Extent(StrEnum):
    """How much of the organisation's mail Microsoft 365 (or another cloud tenant) holds."""

    NONE = "none"
    PART = "part"
    ALL = "all"
    UNKNOWN = "unknown"


class State(StrEnum):
    """Of one minimum prerequisite. `unknown` is never taken for `met`."""

    MET = "met"
    GAP = "gap"
    UNKNOWN = "unknown"


class Route(StrEnum):
    """What to apply for."""

    SERVER = "server connection"
    GATEWAY = "cloud gateway"
    MAILBOX = "mailbox"
    HELPDESK = "call the helpdesk"


PREREQUISITES = {
    "firewall": "a maintained firewall",
    "antivirus": "an automatically updating anti-virus policy",
    "patching": "a policy of regular service packs, patches and security fixes for hardware and software",
}
FEW = 20  # staff, below which the 2009 paper says that an organisation "will normally use Mailboxes"


@dataclass(frozen=True, slots=True)
class Answers:
    """What is known of an organisation. `prerequisites` has each name of PREREQUISITES; `staff` None: not known.

    `described`: an organisation file exists already, finished or not.
    """

    mail_server: MailServer
    microsoft_365: Extent
    staff: int | None
    prerequisites: Mapping[str, State]
    described: bool = False


@dataclass(frozen=True, slots=True)
class Assessment:
    """The route, why, and what to do next, in that order."""

    route: Route
    reasons: tuple[str, ...]
    next_steps: tuple[str, ...]


def assess(answers: Answers) -> Assessment:
    """The way through the form that these answers lead to."""
    route, reasons = _routed(answers)
    return Assessment(route, tuple(reasons), tuple(_next_steps(answers, route)))


def _routed(answers: Answers) -> tuple[Route, list[str]]:
    """The first that applies: what is not a server of one's own, what nobody can tell, then size and prerequisites."""
    return _elsewhere(answers) or _in_part(answers) or _at_home(answers)


def _elsewhere(answers: Answers) -> tuple[Route, list[str]] | None:
    match answers.mail_server, answers.microsoft_365:
        case (MailServer.NONE, Extent.NONE | Extent.UNKNOWN):
            return Route.MAILBOX, ["There is no mail server to connect: a mailbox is read by webmail or a mail program"]
        case (MailServer.CLOUD, _) | (_, Extent.ALL):
            return Route.GATEWAY, [
                "The mail is held by a cloud provider: such tenants come in by the cloud gateway, which has an "
                "approval process of its own (terms v10.2, clause 6)"
            ]
        case (MailServer.UNKNOWN, _):
            return Route.HELPDESK, ["Nobody can tell where the mail server is; the form offers a callback for that"]
        case (MailServer.HOSTED | MailServer.UK_DATACENTRE, _):
            return Route.HELPDESK, [
                "The mail server is not on the organisation's premises. The papers name outsourced mail servers among "
                "server connections, and ask that moves to shared infrastructure are approved (terms v10.2, clause 6): "
                "whether yours may connect is the service's decision"
            ]
    return None


def _in_part(answers: Answers) -> tuple[Route, list[str]] | None:
    match answers.microsoft_365:
        case Extent.PART:
            return Route.HELPDESK, [
                "Part of the mail is in Microsoft 365: mail for those users would leave the organisation's own systems "
                "(terms v10.2, clauses 6 and 17). Server connection and cloud gateway both cover one part only"
            ]
        case Extent.UNKNOWN:
            return Route.HELPDESK, [
                "Nobody can tell whether Microsoft 365 holds part of the mail, and the route follows from it"
            ]
    return None


def _at_home(answers: Answers) -> tuple[Route, list[str]]:
    """On the premises: the three minimum prerequisites decide, then the size."""
    gaps, unknown = (_named(answers, state) for state in (State.GAP, State.UNKNOWN))
    if gaps:
        return Route.MAILBOX, [
            f"Without {_joined(gaps)} a server connection is not possible. A mailbox is, now; a server connection can "
            "be asked for later"
        ]
    if unknown:
        return Route.HELPDESK, [
            f"It is not known whether there is {_joined(unknown)}; a server connection needs all three"
        ]
    if answers.staff is not None and answers.staff < FEW:
        return Route.MAILBOX, [
            f"With {answers.staff} staff: organisations of fewer than {FEW} normally use mailboxes (2009 paper). A "
            "server connection is possible all the same"
        ]
    return Route.SERVER, [
        "The mail server is on the organisation's premises, and all three minimum prerequisites are met",
        *(
            ["How many staff there are was not said: fewer than 20 normally use mailboxes"]
            if answers.staff is None
            else []
        ),
    ]


def _named(answers: Answers, state: State) -> list[str]:
    return [text for name, text in PREREQUISITES.items() if answers.prerequisites.get(name, State.UNKNOWN) is state]


def _joined(texts: list[str]) -> str:
    return " or ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def _next_steps(answers: Answers, route: Route) -> Iterator[str]:
    yield ASK_FIRST
    yield "Ask in the same call whether your organisation, or one it belongs to, is registered already"
    for name, text in PREREQUISITES.items():
        state = answers.prerequisites.get(name, State.UNKNOWN)
        if state is State.GAP:
            yield f"Bring about {text}; {_help(name)}"
        elif state is State.UNKNOWN:
            yield f"Find out whether there is {text}; {_help(name)}"
    if answers.mail_server is MailServer.UNKNOWN:
        yield "Find out where the mail server is: ask whoever renews the domain, or who receives the provider's bills"
    if answers.microsoft_365 is Extent.UNKNOWN:
        yield "Find out whether Microsoft 365 holds some of the mailboxes: ask who administers the accounts"
    if route is Route.SERVER:
        yield GO_ON if answers.described else WRITE_DOWN
        yield from SERVER_STEPS


ASK_FIRST = (
    "Ask the CJSM helpdesk whether new server connections are accepted: the service is being replaced in 2026, and no "
    "public paper says. Use the contact that the service publishes today, not one from an older paper"
)
WRITE_DOWN = "Write down the organisation: copy inventories/example and fill in organisation.toml, as far as you can"
GO_ON = "Go on with organisation.toml, as far as you can: cjsm application names what is missing in it"
SERVER_STEPS = (
    "Have a static public address that reaches the relay and from which it connects (Technical overview 2005, App. A)",
    "Name a sponsor (police, central government or NHS), an administrator, and who signs the terms by hand",
    "Collect every e-mail domain of the organisation, and who will use CJSM; then: cjsm application, which fills in "
    "the forms and says what is missing",
    "Afterwards: cjsm check, then cjsm evidence, for the engineer who judges whether the system is compatible",
)


def _help(name: str) -> str:
    return f"later, cjsm apply configures it on the managed hosts, and cjsm check --only {name} shows how it is"
