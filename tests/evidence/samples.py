"""A made-up run with its observation, keys and bundles, for the tests of evidence and reports."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cjsm_connect.evidence import archive, bundle, contents, keys, statement
from cjsm_connect.results import Impact, Requirement, Result, Run, Severity, Status
from tests.made_up import authority, organisation

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KEY_MADE = NOW  # whatever a test puts in the place of NOW
PASSPHRASE = "correct horse battery staple"
HOST_KEY = base64.b64encode(b"a made-up host key").decode()

REQUIREMENTS = {
    identifier: Requirement(
        identifier,
        identifier.split(".")[0],
        title,
        "because",
        "Terms v10.2 clause 21",
        severity,
        prerequisite,
        question,
    )
    for identifier, title, severity, prerequisite, question in (
        ("tls.inner", "The inner hop is encrypted", Severity.HIGH, "", "Is SSL installed on your mail server?"),
        (
            "firewall.deny",
            "Only declared flows pass",
            Severity.HIGH,
            "firewall",
            "Do you operate a maintained firewall?",
        ),
        (
            "antivirus.fresh",
            "Signatures are fresh",
            Severity.HIGH,
            "antivirus",
            "Do you maintain an anti-virus policy?",
        ),
        ("patching.current", "Security updates are installed", Severity.HIGH, "patching", "service packs, patches?"),
        ("logging.forward", "Logs are forwarded", Severity.LOW, "", ""),
    )
}


def result(requirement: str, status: Status = Status.PASS, **changes: Any) -> Result:
    """A result of a made-up check."""
    given: dict[str, Any] = {
        "check": f"{requirement}-check",
        "requirement": requirement,
        "title": REQUIREMENTS[requirement].title if requirement in REQUIREMENTS else requirement,
        "status": status,
        "severity": Severity.HIGH,
        "subject": "relay",
        "vantage": "host",
        "impact": Impact.PASSIVE,
        "expected": "what should be",
        "observed": "what is",
        "remedy": "cjsm apply",
    }
    return Result(**given | changes)


ALL_PASS = tuple(result(identifier) for identifier in REQUIREMENTS)


def run(*results: Result, **changes: Any) -> Run:
    """A run with these results; all requirements passed by default."""
    given: dict[str, Any] = {
        "results": results or ALL_PASS,
        "started": "2026-11-21T11:59:45+00:00",
        "ended": "2026-11-21T11:59:58+00:00",
        "organisation": "Exampleshire Council",
        "organisation_digest": "ab" * 32,
        "tool_version": "0.1.0",
        "catalogue_version": "1.0123456789ab",
    }
    return Run(**given | changes)


def observation(**facts: Any) -> dict[str, Any]:
    """What was seen: one relay, with its system, a certificate and its configuration."""
    seen = {
        "system": {
            "release": {"pretty_name": "Debian GNU/Linux 13 (trixie)", "debian_version": "13.2"},
            "kernel": {"release": "6.12.1", "container": "none"},
            "packages": {"postfix": "3.10.5-1"},
        },
        "tls": {"served": {"chain": authority()}},
        "configuration": {
            "configuration": {
                "postconf -n": "relayhost =\nmyhostname = relay.council.example",
                "nft --stateless list ruleset": "table inet cjsm { }",
            },
            "generation": {"number": 3, "state": "kept", "manifest_sha256": "cd" * 32},
        },
    }
    return {"version": 1, "lab": "", "hosts": {"relay": {"facts": seen | facts}}, "tries": tries(), "notes": []}


def tries() -> dict[str, Any]:
    """One conversation in each direction with the hub, and one that was not held."""
    shaken = {
        "version": "TLSv1.3",
        "cipher": "TLS_AES_256_GCM_SHA384",
        "chain_verified": True,
        "name_matches": None,
        "peer_certificate_pem": authority(),
        "peer_issuers_pem": "",
        "own_certificate": True,
        "error": "",
    }
    replies = [
        {"command": "connect", "code": 220, "text": "hub.cjsm.example ESMTP"},
        {"command": "EHLO relay.council.example", "code": 250, "text": "hub.cjsm.example / STARTTLS"},
        {"command": "STARTTLS", "code": 220, "text": "2.0.0 Ready to start TLS"},
        {"command": "EHLO relay.council.example", "code": 250, "text": "hub.cjsm.example / SIZE 52428800"},
        {"command": "QUIT", "code": 221, "text": "2.0.0 Bye"},
    ]
    held = {"kind": "smtp", "subject": "relay", "connection": "open", "seconds": 0.5, "replies": replies, "tls": shaken}
    return {
        "hub.handshake:relay:203.0.113.20": {**held, "at": "relay", "to": ["203.0.113.20", 4545]},
        "relay.hub:relay": {**held, "at": "hub", "to": ["198.51.100.10", 4545]},
        "relay.clean:relay": {
            "kind": "smtp",
            "at": "hub",
            "subject": "relay",
            "to": ["198.51.100.10", 4545],
            "not_tried": "the organisation file declares no vantage host 'hub'",
        },
    }


@cache
def key() -> keys.EvidenceKey:
    """An evidence key."""
    return _new_key()


@cache
def other_key() -> keys.EvidenceKey:
    """Somebody else's."""
    return _new_key()


def _new_key() -> keys.EvidenceKey:
    with TemporaryDirectory() as folder:
        return keys.create(Path(folder), "Exampleshire Council", PASSPHRASE, KEY_MADE)


def material(made: Run | None = None, seen: Mapping[str, Any] | None = None) -> contents.Material:
    """What a bundle is about."""
    return contents.gather(made or run(), seen or observation(), organisation())


def signed(
    made: Run | None = None,
    *,
    nonce: str | None = None,
    extra: Mapping[str, bytes] | None = None,
    by: keys.EvidenceKey | None = None,
) -> dict[str, bytes]:
    """The files of a bundle."""
    made = made or run()
    files = material(made).files | (extra or {})
    said = statement.state(made, files, statement.validity(NOW, 30, nonce))
    return bundle.sign(files, said, by or key())


def packed(files: Mapping[str, bytes]) -> bytes:
    """The bytes of a bundle."""
    return archive.pack(files, NOW)


@cache
def genuine() -> bytes:
    """A bundle as it should be."""
    return packed(signed())
