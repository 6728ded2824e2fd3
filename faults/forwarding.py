"""Ways in which mail goes on by itself: out to the internet, or into CJSM without a person who sends it."""

from __future__ import annotations

from faults import Patient, fault
from faults.connection import configure

AWAY = "clerk@holiday.example"
ALIASES = "/etc/aliases"


@fault("relay.forwarded-by-alias", host="mail", violates="relay.no-forwarding")
def forwarded_by_alias(host: Patient) -> None:
    """The solicitor's mail goes to a private address while she is away."""
    host.write(ALIASES, host.read(ALIASES) + f"solicitor: {AWAY}\n")
    host.run(["newaliases"])
    assert host.run(["postmap", "-q", "solicitor", f"hash:{ALIASES}"]).stdout.strip() == AWAY


@fault("relay.forwarded-by-user", host="mail", violates="relay.no-forwarding")
def forwarded_by_user(host: Patient) -> None:
    """The solicitor wrote a .forward herself."""
    home = host.run(["getent", "passwd", "solicitor"]).stdout.split(":")[5]
    host.run(["install", "-o", "solicitor", "-m", "0644", "/dev/null", f"{home}/.forward"])
    host.write(f"{home}/.forward", f"\\solicitor, {AWAY}\n")
    assert AWAY in host.read(f"{home}/.forward")


@fault("relay.forwarded-by-rewriting", host="mail", violates="relay.no-forwarding")
def forwarded_by_rewriting(host: Patient) -> None:
    """An address that somebody had at a former employer is written into a canonical table."""
    table = "/etc/postfix/recipient_canonical"
    host.write(table, f"solicitor@council.example {AWAY}\n")
    host.run(["postmap", f"lmdb:{table}"])
    configure(host, recipient_canonical_maps=f"lmdb:{table}")
    assert host.run(["postmap", "-q", "solicitor@council.example", f"lmdb:{table}"]).stdout.strip() == AWAY


@fault(
    "relay.copied-to-an-archive",
    host="relay",
    violates="relay.no-forwarding",
    entails={"connection.mail-both-ways": "the message to the hub goes to somebody else too"},
)
def copied_to_an_archive(host: Patient) -> None:
    """Everything that passes the relay is copied to an archive on the internet."""
    configure(host, always_bcc="everything@archive.example")


@fault("relay.reports-into-cjsm", host="mail", violates="relay.no-automated-mail")
def reports_into_cjsm(host: Patient) -> None:
    """What a nightly job prints is mailed to an advocate's secure address."""
    job = "/etc/cron.d/nightly"
    host.run(["install", "-d", "/etc/cron.d"])
    host.write(job, "MAILTO=advocate@charity.example.cjsm.net\n0 3 * * * root date\n")
    assert "cjsm.net" in host.read(job)


@fault("relay.copied-into-cjsm", host="mail", violates="relay.no-automated-mail")
def copied_into_cjsm(host: Patient) -> None:
    """An alias passes on whatever arrives for it, through CJSM."""
    host.write(ALIASES, host.read(ALIASES) + "reports: advocate@charity.example.cjsm.net\n")
    host.run(["newaliases"])
    assert "cjsm.net" in host.run(["postmap", "-q", "reports", f"hash:{ALIASES}"]).stdout
