"""Ways in which the lookup tables stop saying what the list of domains says."""

from __future__ import annotations

from faults import Patient, fault
from faults.connection import configure

MAPS = "/etc/cjsm/maps"
HUB = "cjsm:[hub.cjsm.example]:4545"
SECOND = "licensing.council.example"


def edit(host: Patient, table: str, old: str, new: str) -> None:
    """Change a table's source and compile it, as an administrator in a hurry would, and prove that Postfix sees it."""
    host.replace(f"{MAPS}/{table}", old, new)
    host.run(["postmap", f"lmdb:{MAPS}/{table}"])
    host.reload_postfix()
    rows = host.run(["postmap", "-s", f"lmdb:{MAPS}/{table}"]).stdout.replace("\t", " ")
    assert all(row in rows for row in new.split("\n")) if new else old.strip() not in rows


@fault(
    "domains.forgotten-route",
    host="relay",
    violates="domains.one-list",
    entails={"connection.every-domain": "mail for the domain cannot be delivered"},
)
def forgotten_route(host: Patient) -> None:
    """A new domain was added to one table and forgotten in another."""
    edit(host, "transport", f"{SECOND} inner:[192.0.2.10]:2525\n", "")


@fault(
    "domains.forgotten-domain",
    host="relay",
    violates="domains.one-list",
    entails={"connection.every-domain": "mail for the domain is refused"},
)
def forgotten_domain(host: Patient) -> None:
    """One of the organisation's domains is missing in relay_domains."""
    edit(host, "relay_domains", f"{SECOND} OK\n", "")


@fault(
    "domains.forgotten-recipients",
    host="relay",
    violates="domains.one-list",
    entails={"connection.every-domain": "no recipient of the domain is accepted"},
)
def forgotten_recipients(host: Patient) -> None:
    """One of the organisation's domains is missing in the table of recipients only."""
    edit(host, "recipients", f"{SECOND} reject_unverified_recipient, permit\n", "")


@fault("domains.strangers-domain", host="relay", violates="domains.one-list")
def strangers_domain(host: Patient) -> None:
    """Mail is taken for a domain that nobody declared."""
    edit(host, "relay_domains", f"{SECOND} OK", f"elsewhere.example OK\n{SECOND} OK")


@fault("domains.subdomains-too", host="relay", violates="domains.one-list")
def subdomains_too(host: Patient) -> None:
    """Each declared domain stands for everything below it, as is Postfix's default."""
    configure(host, parent_domain_matches_subdomains="relay_domains")


@fault("domains.not-compiled", host="relay", violates="domains.one-set")
def not_compiled(host: Patient) -> None:
    """A table was edited and never compiled."""
    host.replace(f"{MAPS}/relay_domains", "council.example OK", "new.council.example OK\ncouncil.example OK")
    rows = host.run(["postmap", "-s", f"lmdb:{MAPS}/relay_domains"]).stdout
    assert "new.council.example" not in rows


@fault(
    "domains.hubs-mail-to-the-hub",
    host="relay",
    violates="connection.no-open-relay",
    entails={
        "domains.one-list": "cjsm.net is none of the organisation's domains",
        "connection.addresses-as-agreed": "the organisation's own domain with the suffix is below cjsm.net too",
    },
)
def hubs_mail_to_the_hub(host: Patient) -> None:
    """The relay takes mail for cjsm.net from the hub, and sends it back: a loop."""
    edit(host, "relay_domains", f"{SECOND} OK", f".cjsm.net OK\n{SECOND} OK")
    edit(host, "recipients", f"{SECOND} reject", f".cjsm.net permit\n{SECOND} reject")


@fault(
    "domains.own-mail-to-the-hub",
    host="relay",
    violates="domains.no-loop",
    entails={
        "domains.one-list": "the domain has no route to the mail server any more",
        "connection.mail-both-ways": "the hub sends the mail back, until one of both gives up",
        "connection.unknown-recipients": "the relay asks the hub who exists, and the hub says yes to everybody",
    },
)
def own_mail_to_the_hub(host: Patient) -> None:
    """Mail for the organisation's own domain is sent to the hub, which sends it back."""
    edit(host, "transport", "\ncouncil.example inner:[192.0.2.10]:2525", f"\ncouncil.example {HUB}")


@fault(
    "domains.route-without-brackets",
    host="relay",
    violates="domains.no-mx",
    entails={"relay.route": "that is no longer the route to the hub"},
)
def route_without_brackets(host: Patient) -> None:
    """The brackets around the hub's name were taken for decoration."""
    edit(host, "transport", f".cjsm.net {HUB}", ".cjsm.net cjsm:hub.cjsm.example:4545")


@fault(
    "domains.no-mailboxes",
    host="mail",
    violates="domains.mailboxes",
    entails={"connection.every-domain": "the mail server refuses what the relay brings"},
)
def no_mailboxes(host: Patient) -> None:
    """The mail server was not told of a new domain."""
    edit(host, "local_domains", f"{SECOND} OK\n", "")
