"""tls: certificates that the right authority issued, keys that nobody else has, and listeners that present them."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from checks.framework import check
from checks.modes import within_mode
from cjsm_connect.organisation.routes import text_of
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict

RENEW = "have certificates/HOST.csr signed again, save the answer beside it as HOST.pem; then cjsm apply"
SEND = "send certificates/HOST.csr to the CJSM helpdesk, save the answer as HOST.pem beside it, then: cjsm apply"
BOTH_USES = {"TLS Web Server Authentication", "TLS Web Client Authentication"}
SMALLEST = {"rsaEncryption": 2048, "id-ecPublicKey": 256}  # bits; NCSC, Using TLS to protect data
BROKEN_DIGESTS = re.compile("md5|sha1|sha-1", re.IGNORECASE)


def _identity(seen: Seen, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = seen.fact("tls", "identities", name)
    return found


def _certificate(seen: Seen, verdict: Verdict, name: str) -> Mapping[str, Any]:
    """The certificate of that name; without one the check ends here."""
    found: Mapping[str, Any] | None = _identity(seen, name)["certificate"]
    verdict(found is not None, expected=f"a certificate in {name}.chain.pem", observed="no certificate yet")
    assert found is not None
    return found


@check(
    "tls.hub-certificate-chains",
    requirement="tls.operator-certificate",
    role="relay",
    title="The relay's certificate was issued by the CJSM operator's CA",
    remedy=SEND,
)
def test_hub_certificate_chains(seen: Seen, verdict: Verdict) -> None:
    if not _identity(seen, "hub")["authorities"]:
        verdict.not_tested("there is no CA in hub-ca.pem to follow it to: see tls.trust-anchor")
    _chains(seen, verdict, "hub")


@check(
    "tls.inner-certificate-chains",
    requirement="tls.inner-certificate",
    role="relay,mail",
    title="The certificate of the inner hop was issued by the declared CA",
    remedy=RENEW,
)
def test_inner_certificate_chains(seen: Seen, verdict: Verdict) -> None:
    if seen.organisation.inner.ca_file is None:
        verdict.not_tested("the inner hop has pinned keys and no CA")
    _chains(seen, verdict, "inner")


def _chains(seen: Seen, verdict: Verdict, name: str) -> None:
    certificate = _certificate(seen, verdict, name)
    for use, problem in _identity(seen, name)["chain"].items():
        observed = problem or f"issued by {certificate['issuer']}"
        verdict(not problem, expected=f"chains to {name}-ca.pem as {use}", observed=observed)


@check(
    "tls.hub-certificate-is-for-key",
    requirement="tls.operator-certificate",
    role="relay",
    title="The operator's certificate is for the key on this relay",
    remedy=SEND,
)
def test_hub_certificate_is_for_key(seen: Seen, verdict: Verdict) -> None:
    _is_for_key(seen, verdict, "hub")


@check(
    "tls.inner-certificate-is-for-key",
    requirement="tls.inner-certificate",
    role="relay,mail",
    title="The certificate of the inner hop is for the key on this host",
    remedy=RENEW,
)
def test_inner_certificate_is_for_key(seen: Seen, verdict: Verdict) -> None:
    _is_for_key(seen, verdict, "inner")


def _is_for_key(seen: Seen, verdict: Verdict, name: str) -> None:
    key, certified = _identity(seen, name)["key"], _certificate(seen, verdict, name)["public_key"]
    expected = f"the public key of {name}.key: {key or 'unreadable'}"
    verdict(bool(key) and key == certified, expected=expected, observed=certified or "unreadable")


@check(
    "tls.hub-certificate-names",
    requirement="tls.operator-certificate",
    role="relay",
    title="The relay's certificate carries the relay's name",
    remedy=SEND,
)
def test_hub_certificate_names(seen: Seen, verdict: Verdict) -> None:
    _names(seen, verdict, "hub")


@check(
    "tls.inner-certificate-names",
    requirement="tls.inner-certificate",
    role="relay,mail",
    title="The certificate of the inner hop carries the host's name",
    remedy=RENEW,
)
def test_inner_certificate_names(seen: Seen, verdict: Verdict) -> None:
    # both ends are Postfix, which takes a wildcard for one label (postconf(5), smtp_tls_secure_cert_match)
    _names(seen, verdict, "inner", "*." + seen.host.fqdn.partition(".")[2])


def _names(seen: Seen, verdict: Verdict, name: str, *also: str) -> None:
    names = [found.lower() for found in _certificate(seen, verdict, name)["names"]]
    expected = f"{seen.host.fqdn} among the alternative names"
    named = not {seen.host.fqdn, *also}.isdisjoint(names)
    verdict(named, expected=expected, observed=", ".join(names) or "no alternative names")


@check(
    "tls.hub-certificate-uses",
    requirement="tls.operator-certificate",
    role="relay",
    title="The relay's certificate is for servers and for clients",
    remedy=SEND,
)
def test_hub_certificate_uses(seen: Seen, verdict: Verdict) -> None:
    certificate = _certificate(seen, verdict, "hub")
    uses = set(certificate["usages"])  # none listed: any use (RFC 5280 4.2.1.12)
    observed = ", ".join(sorted(uses)) or "any use"
    verdict(not uses or uses >= BOTH_USES, expected="server and client authentication", observed=observed)
    verdict(not certificate["authority"], expected="not the certificate of a CA", observed="basicConstraints")


@check(
    "tls.hub-certificate-in-date",
    requirement="tls.certificate-in-date",
    role="relay",
    title="The relay's certificate is valid now and for a while",
    remedy=RENEW,
)
def test_hub_certificate_in_date(seen: Seen, verdict: Verdict) -> None:
    _in_date(seen, verdict, _certificate(seen, verdict, "hub"))


@check(
    "tls.inner-certificate-in-date",
    requirement="tls.certificate-in-date",
    role="relay,mail",
    title="The certificate of the inner hop is valid now and for a while",
    remedy=RENEW,
)
def test_inner_certificate_in_date(seen: Seen, verdict: Verdict) -> None:
    _in_date(seen, verdict, _certificate(seen, verdict, "inner"))


@check(
    "tls.authorities-in-date",
    requirement="tls.certificate-in-date",
    role="relay,mail",
    title="The CA certificates that are trusted are valid now and for a while",
    remedy="ask the CA's owner for its new certificate, replace hub.ca_file or inner.ca_file, then: cjsm apply",
)
def test_authorities_in_date(seen: Seen, verdict: Verdict) -> None:
    for identity in seen.fact("tls", "identities").values():
        for authority in identity["authorities"]:
            _in_date(seen, verdict, authority)


def _in_date(seen: Seen, verdict: Verdict, certificate: Mapping[str, Any]) -> None:
    """Fails outside its dates; warns when less than the policy's number of days are left."""
    start, end = _day(certificate["not_before"]), _day(certificate["not_after"])
    observed = f"{certificate['subject']}: {start} to {end}"
    verdict(start <= seen.today <= end, expected=f"valid on {seen.today}", observed=observed)
    days = seen.organisation.policy.certificate_warning_days.value
    enough = end - seen.today >= timedelta(days=days)
    verdict(enough, expected=f"{days} days left on {seen.today}", observed=observed, warn=True)


def _day(text: str) -> date:
    """The day of a date as openssl prints it: 2026-11-21 20:16:46Z."""
    return date.fromisoformat(text[:10])


@check(
    "tls.key-strength",
    requirement="tls.strong-keys",
    role="relay,mail",
    title="Keys and signatures are strong enough",
    remedy="rm /etc/cjsm/tls/NAME.key; cjsm apply makes a new one and certificates/HOST.csr, to be signed again",
)
def test_key_strength(seen: Seen, verdict: Verdict) -> None:
    for name in seen.fact("tls", "identities"):
        certificate = _certificate(seen, verdict, name)
        algorithm, bits = certificate["algorithm"], certificate["bits"]
        smallest = SMALLEST.get(algorithm, 0)
        expected = "RSA of at least 2048 bits, or ECDSA of at least 256; signed with SHA-256 or better"
        observed = f"{name}: {algorithm} {bits} bits, {certificate['signature']}"
        verdict(0 < smallest <= bits, expected=expected, observed=observed)
        verdict(not BROKEN_DIGESTS.search(certificate["signature"]), expected=expected, observed=observed)


@check(
    "tls.keys-private",
    requirement="tls.private-keys",
    role="relay,mail",
    title="Only root can read private keys",
    remedy="chmod 0600 /etc/cjsm/tls/*.key; if others could read it, rm the key: cjsm apply makes a new one",
)
def test_keys_private(seen: Seen, verdict: Verdict) -> None:
    folder = seen.fact("tls", "folder")
    verdict(_only_root(folder, "0700"), expected="/etc/cjsm/tls: root, 0700", observed=_rights(folder))
    for name, identity in seen.fact("tls", "identities").items():
        for kind in ("key", "chain"):  # the chain file begins with the key
            file = identity["files"][kind]
            unsafe = file["exists"] and not _only_root(file, "0600")
            verdict(not unsafe, expected=f"{name} {kind}: root, 0600", observed=_rights(file))


def _only_root(file: Mapping[str, Any], mode: str) -> bool:
    return bool(file["exists"] and file["owner"] == "root" and within_mode(file["mode"], mode))


def _rights(file: Mapping[str, Any]) -> str:
    return f"{file['owner']}:{file['group']} {file['mode']}" if file["exists"] else "not there"


@check(
    "tls.hub-listener-presents-certificate",
    requirement="tls.presented",
    role="relay",
    impact="local-active",
    title="The listener for the hub presents the installed certificate",
    remedy="systemctl reload postfix; then cjsm apply",
)
def test_hub_listener_presents_certificate(seen: Seen, verdict: Verdict) -> None:
    _presents(seen, verdict, "hub")


@check(
    "tls.inner-listener-presents-certificate",
    requirement="tls.presented",
    role="relay,mail",
    impact="local-active",
    title="The listener of the inner hop presents the installed certificate",
    remedy="systemctl reload postfix; then cjsm apply",
)
def test_inner_listener_presents_certificate(seen: Seen, verdict: Verdict) -> None:
    _presents(seen, verdict, "inner")


def _presents(seen: Seen, verdict: Verdict, name: str) -> None:
    installed = _certificate(seen, verdict, name)["sha256"]
    for listener in _identity(seen, name)["presented"]:
        if not listener.get("in_time", True):
            verdict.not_tested(f"port {listener['port']} did not answer in time: {listener['error']}")
        observed = listener["sha256"] or f"no certificate: {listener['error']}"
        expected = f"port {listener['port']} presents {installed}"
        verdict(listener["sha256"] == installed, expected=expected, observed=observed)


@check(
    "tls.trust-anchor-as-declared",
    requirement="tls.trust-anchor",
    role="relay",
    title="The hub is trusted by the operator's CA of the organisation file, and by no other",
    remedy="compare hub.ca_file with what the engineer gave; cjsm apply writes it to /etc/cjsm/tls/hub-ca.pem",
)
def test_trust_anchor_as_declared(seen: Seen, verdict: Verdict) -> None:
    declared = _digests(text_of(seen.organisation, seen.organisation.hub.ca_file))
    trusted = [authority["sha256"] for authority in _identity(seen, "hub")["authorities"]]
    verdict(set(trusted) == set(declared), expected=", ".join(declared), observed=", ".join(trusted) or "no CA at all")


def _digests(text: str) -> list[str]:
    """SHA-256 of each certificate of a PEM file, as the host tells them."""
    bodies = re.findall("-----BEGIN CERTIFICATE-----(.*?)-----END", text, re.DOTALL)
    digests = (hashlib.sha256(base64.b64decode(body)).hexdigest() for body in bodies)
    return [":".join(re.findall("..", digest)) for digest in digests]
