"""An estate with something to hide: inner addresses of RFC 1918, host names, people; and a bundle of it."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from itertools import count
from typing import Any

from cjsm_connect.evidence import contents, redaction, statement
from cjsm_connect.organisation import Organisation
from cjsm_connect.results import Run, Status, WaiverEntry
from cjsm_connect.verbs._redaction import own_words
from tests.evidence.samples import HOST_KEY, NOW, observation, result, run
from tests.made_up import lab_file, organisation

MAIL, FIREWALL, CLERK = "10.20.30.10", "10.20.30.1", "clerk@council.example"
INNER = ("10.20.30.1", "10.20.30.10", "10.20.30.100")
NAMES = ("srv-judicial-07.intern.example", "wall-3.intern.example", "hub.cjsm.example")
PEOPLE = ("Robin Signatory", "Chris Technical", "Sam Administrator")
FREE_TEXT = "The files of the Nightjar enquiry lie on vault seven"


@cache
def estate() -> Organisation:
    """The lab's organisation with inner addresses and names as real ones look."""
    known = "".join(f"{address} ssh-ed25519 {HOST_KEY}\n" for address in INNER)
    made = organisation(**_moved(lab_file()))
    return made.model_copy(update={"files": {**made.files, "known_hosts": known}})


MOVED = {"192.0.2.": "10.20.30.", "mail.council.example": NAMES[0], "firewall.council.example": NAMES[1]}


def _moved(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _moved(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_moved(inner) for inner in value]
    for old, new in MOVED.items():
        value = value.replace(old, new) if isinstance(value, str) else value
    return value


def judged() -> Run:
    """Results that name what is inside, in all the ways in which checks do."""
    waiver = WaiverEntry("tls.inner", FREE_TEXT, "Robin Signatory", "low", "2026-11-01", "2026-12-01", "in force", 1)
    return run(
        result("tls.inner", observed=f"{MAIL} offers STARTTLS"),
        result("firewall.deny", Status.FAIL, subject="mail", observed=f"{NAMES[0]} ({MAIL}:25) answers to {FIREWALL}"),
        result("antivirus.fresh", subject="mail", vantage="relay", observed=f"RCPT TO:<{CLERK}> 250"),
        result("patching.current", observed="TOPSECRETHOST has 3 updates", reason="ask Mark"),
        result("logging.forward", observed="relay.council.example (198.51.100.10) forwards"),
        waivers=(waiver,),
        organisation_digest="0e" * 32,
    )


def entropy(start: int = 0) -> Any:
    """What stands for the machine's randomness: the same each time, and different at each call."""
    numbers = count(start)
    return lambda size: sha256(b"made up %d" % next(numbers)).digest()[:size]


@cache
def original(start: int = 0) -> dict[str, bytes]:
    """The payload of the original bundle."""
    material = contents.gather(judged(), observation(), estate())
    return redaction.committed({**material.files, "report.html": MAIL.encode()}, own_words(), entropy(start))


@cache
def redacted(start: int = 0) -> dict[str, bytes]:
    """The payload of the redacted bundle."""
    return redaction.redacted(original(start), own_words(), "ab" * 32)


TERM = statement.validity(NOW, 30, "engineer-4711")
