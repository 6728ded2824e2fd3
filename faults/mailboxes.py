"""Ways in which mail is taken for names behind which there is nobody: it is bounced later, to a stranger."""

from __future__ import annotations

from faults import Patient, fault
from faults.connection import CONFIGURED, configure

ALIASES = "/etc/aliases"


@fault(
    "relay.every-account-a-mailbox",
    host="mail",
    violates="relay.unknown-recipients",
    entails={"connection.unknown-recipients": CONFIGURED},
)
def every_account_a_mailbox(host: Patient) -> None:
    """Postfix's default came back: each account of the system is a recipient, and each alias."""
    configure(host, local_recipient_maps="proxy:unix:passwd.byname $alias_maps")


@fault(
    "relay.no-list-of-mailboxes",
    host="mail",
    violates="relay.unknown-recipients",
    entails={
        "connection.unknown-recipients": CONFIGURED,
    },
)
def no_list_of_mailboxes(host: Patient) -> None:
    """Somebody who missed a message switched the list of recipients off."""
    configure(host, local_recipient_maps="")


@fault("relay.alias-to-nobody", host="mail", violates="relay.unknown-recipients")
def alias_to_nobody(host: Patient) -> None:
    """An alias leads to an account of the web server, which has no mailbox."""
    host.write(ALIASES, host.read(ALIASES) + "webmaster: www-data\n")
    host.run(["newaliases"])
    assert host.run(["postalias", "-q", "webmaster", f"hash:{ALIASES}"]).stdout.strip("\0\n") == "www-data"


@fault("relay.home-not-there", host="mail", violates="relay.unknown-recipients")
def home_not_there(host: Patient) -> None:
    """An account was made without its home: what arrives for it waits until it is returned."""
    host.run(["useradd", "--no-create-home", "newcomer"])
    assert host.run(["test", "-d", "/home/newcomer"], check=False).returncode
