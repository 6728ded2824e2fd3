"""estate and firewall: who logs in, and whether a password could be read or guessed on the way."""

from __future__ import annotations

from checks.framework import check
from checks.postfix import inet_services, option
from checks.sessions import answers, outside_is_online
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict

EVERY_HOST = "relay,mail,firewall"
PASSWORDS = {"password", "keyboard-interactive"}
KEYS_ONLY = 'set policy.ssh_passwords = "forbid" in organisation.toml, then cjsm apply'


@check(
    "firewall.log-in-offered",
    requirement="firewall.log-in",
    role=EVERY_HOST,
    impact="local-active",
    title="SSH offers the ways to log in that the policy permits",
    remedy=f"{KEYS_ONLY}; it writes PasswordAuthentication no to /etc/ssh/sshd_config.d/10-cjsm.conf",
)
def test_log_in_offered(seen: Seen, verdict: Verdict) -> None:
    methods = set(seen.tried(f"access.ssh:{seen.host.name}")["methods"])
    observed = ", ".join(sorted(methods)) or "no way at all"
    verdict("none" not in methods, expected="somebody to prove who it is", observed="nothing is asked")
    forbidden = seen.organisation.policy.ssh_passwords == "forbid"
    expected = "keys only" if forbidden else "keys only (the policy leaves it to the host)"
    verdict(not methods & PASSWORDS, expected=expected, observed=observed, warn=not forbidden)


@check(
    "firewall.log-in-settings",
    requirement="firewall.log-in",
    role=EVERY_HOST,
    title="sshd's whole configuration permits what the policy permits, from every administration address",
    remedy=f"{KEYS_ONLY}; sshd -T | grep -i -E 'password|empty|kbd' shows what another file or a Match block sets",
)
def test_log_in_settings(seen: Seen, verdict: Verdict) -> None:
    forbidden = seen.organisation.policy.ssh_passwords == "forbid"
    wanted = {"permitemptypasswords": "no"}
    wanted |= {"passwordauthentication": "no", "kbdinteractiveauthentication": "no"} if forbidden else {}
    expected = ", ".join(f"{name} {value}" for name, value in wanted.items())
    for address, found in seen.fact("access", "sshd").items():
        wrong = [f"{name} {found.get(name, 'unknown')}" for name, value in wanted.items() if found.get(name) != value]
        verdict(not wrong, expected=expected, observed=f"from {address}: {', '.join(wrong)}")
    verdict(True, expected=expected, observed="so")


@check(
    "estate.no-log-in-in-clear",
    requirement="estate.secure-access",
    role="mail",
    title="Users' mail programs cannot log in without TLS",
    remedy="Postfix: postconf -e smtpd_tls_auth_only=yes && systemctl reload postfix; Dovecot: ssl = required in "
    "/etc/dovecot/conf.d/10-ssl.conf",
)
def test_no_log_in_in_clear(seen: Seen, verdict: Verdict) -> None:
    expected = "no password without TLS"
    for name in inet_services(seen):
        offered = option(seen, name, "smtpd_sasl_auth_enable") == "yes"
        protected = option(seen, name, "smtpd_tls_auth_only") == "yes" or _always_tls(seen, name)
        verdict(not offered or protected, expected=expected, observed=f"{name} takes one in clear text")
    dovecot = seen.fact("access", "dovecot")
    cleartext = dovecot.get("disable_plaintext_auth") == "no" or dovecot.get("auth_allow_cleartext") == "yes"
    protected = not cleartext or dovecot.get("ssl") == "required"
    verdict(protected, expected=expected, observed="Dovecot takes one in clear text")
    verdict(True, expected=expected, observed="none is taken")


def _always_tls(seen: Seen, name: str) -> bool:
    wrapped = option(seen, name, "smtpd_tls_wrappermode") == "yes"
    return wrapped or option(seen, name, "smtpd_tls_security_level") == "encrypt"


@check(
    "estate.no-log-in-offered-in-clear",
    requirement="estate.secure-access",
    role="mail",
    vantage="outside",
    impact="local-active",
    title="The public port offers no log-in before TLS",
    remedy="postconf -e smtpd_tls_auth_only=yes && systemctl reload postfix on the mail server",
)
def test_no_log_in_offered_in_clear(seen: Seen, verdict: Verdict) -> None:
    if not seen.host.internet_mail:
        verdict.not_tested(f"{seen.host.name} exchanges no mail with the internet (internet_mail = false)")
    outside_is_online(seen)
    outcome = seen.tried(f"public.own:{seen.host.name}")
    if not answers(outcome, "EHLO"):
        verdict.not_tested("it did not come to EHLO")
    offered = outcome["offers_log_in"]
    verdict(not offered, expected="no AUTH before STARTTLS", observed="AUTH is offered" if offered else "none")
