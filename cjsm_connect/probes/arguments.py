"""What each topic of the collector is told before it looks at a host.

A concern adds its topic here: a function from the organisation and the host to builtin types, or to None for a host
that the topic does not concern. The collector itself is cjsm_connect/remote/observe/TOPIC.py. Nothing secret goes in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.organisation.addresses import address
from cjsm_connect.organisation.hooks import ScannerHook
from cjsm_connect.organisation.routes import SELF_TEST_RECIPIENT, Address, hub_side_address, inner_addresses
from cjsm_connect.probes import hooks, postfix
from cjsm_connect.probes.sessions import SYSTEM_ACCOUNTS
from cjsm_connect.remote.collect import STATE
from cjsm_connect.remote.firewall import BOOT, LOG, TABLE

TLS = "/etc/cjsm/tls"
MAPS = "/etc/cjsm/maps"

# Of these, checks may ask more than whether they run: enabled, masked, since when, with what result. Asking systemd for
# all units costs half a second a host. A test compares the names with those in checks/.
UNITS = [
    *("apt-daily.service", "apt-daily.timer", "apt-daily-upgrade.service", "apt-daily-upgrade.timer"),
    *("auditd.service", "chrony.service", "cjsm-pending-updates.service", "cjsm-pending-updates.timer"),
    *("clamav-daemon.service", "clamav-daemon.socket", "clamav-freshclam.service", "clamav-milter.service"),
    *("cron.service", "logrotate.service", "logrotate.timer", "nftables.service", "postfix.service"),
    *("rsyslog.service", "ssh.service", "ssh.socket", "syslog.socket", "systemd-journald.service"),
    *("systemd-timesyncd.service", "ulogd2.service", "unattended-upgrades.service"),
]

Arguments = Callable[[Organisation, Host], dict[str, Any] | None]


def system(organisation: Organisation, host: Host) -> dict[str, Any]:
    """Which units more is told of; the rest is the same for every host."""
    own = [unit for one in hooks.configured(organisation) if one.host == host for unit in one.hook.units]
    return {"units": [*UNITS, *own]}


def logging(organisation: Organisation, host: Host) -> dict[str, Any]:
    """Where the mail log is."""
    return {"mail_log": "/var/log/cjsm/mail.log"}


def firewall(organisation: Organisation, host: Host) -> dict[str, Any]:
    """Which table is ours, where it is kept for boot, and where dropped packets are recorded."""
    return {"table": TABLE, "boot_path": BOOT, "log_file": LOG, **system(organisation, host)}


def tls(organisation: Organisation, host: Host) -> dict[str, Any] | None:
    """Where the keys and certificates of a host are, and which of its listeners present them."""
    if not _has_inner_hop(organisation, host):
        return None
    inner = _identity("inner", _inner_listeners(organisation, host))
    # with pinned keys there need be no authority
    identities = {"inner": inner if organisation.inner.ca_file else {**inner, "authority": ""}}
    if host.role == "relay":
        hub = [[str(hub_side_address(organisation, host)), organisation.hub.listen_port]]
        identities["hub"] = _identity("hub", hub)
    return {"folder": TLS, "identities": identities}


def _identity(name: str, listeners: list[list[Any]]) -> dict[str, Any]:
    paths = {"key": f"{TLS}/{name}.key", "chain": f"{TLS}/{name}.chain.pem", "authority": f"{TLS}/{name}-ca.pem"}
    return {**paths, "listeners": listeners}


def _inner_listeners(organisation: Organisation, host: Host) -> list[list[Any]]:
    port = organisation.inner.relay_port if host.role == "relay" else organisation.inner.mail_port
    return [[str(address), port] for address in inner_addresses(organisation, host)]


def configuration(organisation: Organisation, host: Host) -> dict[str, Any]:
    """What the evidence shows of the configuration in effect; what a host does not have is left out there."""
    return {
        "generations": f"{STATE}/generations",
        "commands": [
            ["postconf", "-n"],
            ["postconf", "-M"],
            ["nft", "--stateless", "list", "ruleset"],
            ["sshd", "-T"],
            ["systemd-analyze", "cat-config", "systemd/journald.conf"],
        ],
        "files": [
            "/etc/clamav/*.conf",
            "/etc/apt/sources.list",
            "/etc/apt/sources.list.d/*",
            "/etc/apt/apt.conf.d/*",
            "/etc/needrestart/conf.d/*",
            "/etc/rsyslog.conf",
            "/etc/rsyslog.d/*",
            "/etc/logrotate.d/*",
            "/etc/chrony/chrony.conf",
            "/etc/chrony/conf.d/*",
        ],
    }


def antivirus(organisation: Organisation, host: Host) -> dict[str, Any] | None:
    """Where the scanner listens, or how one of the organisation's own is asked; only the relay has one."""
    if host.role != "relay":
        return None
    chosen = organisation.antivirus.hook
    return _scanner_hook(organisation, chosen) if chosen else {"socket": "/run/clamav/clamd.ctl"}


def _scanner_hook(organisation: Organisation, chosen: ScannerHook) -> dict[str, Any]:
    """What is asked of a hook, and whose infected messages its milter is shown: those of nobody may be let by."""
    ours = f"postmaster@{organisation.domains.names[0]}"
    stranger = {"sender": SELF_TEST_RECIPIENT, "recipient": SELF_TEST_RECIPIENT, "user": ""}
    ends: list[tuple[str, Address, dict[str, str]]] = [("the hub", address, {}) for address in organisation.hub.sources]
    ends += [(mail.name, address, {"sender": ours}) for mail in organisation.mail_servers for address in mail.addresses]
    here = address("127.0.0.1")
    ends += [
        ("the relay itself", here, {"sender": ours}),
        ("a user who logged in", here, {"sender": ours, "user": ours}),
    ]
    return {
        "hook": hooks.question(chosen, hooks.SCANNER),
        "milter": chosen.milter,
        "settings": sorted({path for paths in chosen.settings.values() for path in paths}),
        "client": str(organisation.hub.sources[0]),
        **stranger,
        "clients": [{"who": who, "client": str(address), **more} for who, address, more in ends],
    }


def patching(organisation: Organisation, host: Host) -> dict[str, Any]:
    """Where the first sight of each pending update is kept, and what says more where another system patches."""
    told: dict[str, Any] = {"first_seen": "/var/lib/cjsm/patching/first-seen.json"}
    hook = organisation.patching.of(host.name)
    return {**told, "hook": hooks.question(hook, hooks.PATCHING)} if hook else told


def access(organisation: Organisation, host: Host) -> dict[str, Any]:
    """Who logs in by SSH, and from where."""
    addresses = [str(network.network_address) for network in organisation.estate.administered_from]
    return {"user": host.ssh.user, "addresses": addresses}


def forwarding(organisation: Organisation, host: Host) -> dict[str, Any] | None:
    """Whose addresses are our own."""
    if host.role == "firewall" or host.mta != "postfix":
        return None
    names = {one.fqdn for one in organisation.hosts}
    return {"own": [*organisation.domains.names, *sorted(names), "localhost", "localhost.localdomain"]}


def mailboxes(organisation: Organisation, host: Host) -> dict[str, Any] | None:
    """Which names are tried from outside."""
    if host.role != "mail" or host.mta != "postfix":
        return None
    return {"names": SYSTEM_ACCOUNTS}


def _has_inner_hop(organisation: Organisation, host: Host) -> bool:
    """Whether Postfix on this host is one end of the hop between relay and mail server."""
    return host.role != "firewall" and host.mta == "postfix" and bool(organisation.relays and organisation.mail_servers)


def relay(organisation: Organisation, host: Host) -> dict[str, Any] | None:
    """Which settings are told, and what the lookup tables are asked."""
    if not _has_inner_hop(organisation, host):
        return None
    watched = ("/etc/postfix/main.cf", "/etc/postfix/master.cf", MAPS)
    lookups = postfix.relay_lookups if host.role == "relay" else postfix.mail_lookups
    return {"parameters": postfix.PARAMETERS, "lookups": lookups(organisation, host), "watched": watched}


def domains(organisation: Organisation, host: Host) -> dict[str, Any] | None:
    """Which tables are told in full: those that follow from the list of domains, and who is taken for the hub."""
    if not _has_inner_hop(organisation, host):
        return None
    if host.role == "relay":
        names: tuple[str, ...] = ("relay_domains", "transport", "recipients", "tls_policy", "hub_certificates")
        names += ("admitted_certificates",) if organisation.hub.testers else ()
    else:
        names = ("transport", "local_domains") if host.mailboxes == "local" else ("transport",)
    return {"folder": MAPS, "names": names, "domains": organisation.domains.names}


ARGUMENTS: dict[str, Arguments] = {
    "system": system,
    "firewall": firewall,
    "logging": logging,
    "configuration": configuration,
    "tls": tls,
    "antivirus": antivirus,
    "patching": patching,
    "relay": relay,
    "domains": domains,
    "access": access,
    "forwarding": forwarding,
    "mailboxes": mailboxes,
}


def topics(organisation: Organisation, host: Host) -> dict[str, dict[str, Any]]:
    """The topics for a host with their arguments."""
    told = {topic: function(organisation, host) for topic, function in ARGUMENTS.items()}
    return {topic: arguments for topic, arguments in told.items() if arguments is not None}
