"""Ways in which a firewall stops protecting, most of them without anybody noticing."""

from __future__ import annotations

import re

from cjsm_connect.remote.firewall import BOOT, MAIN, PENDING
from faults import Patient, fault

TABLE = ("inet", "cjsm")
INPUT = "type filter hook input priority filter; policy drop;"
OUTPUT = "type filter hook output priority filter; policy drop;"
BY_HAND = {
    "firewall.never-disabled": "the live rules are no longer those of the boot file",
    "firewall.reasons": "a rule put in by hand says nothing",
}
OPEN = {
    "firewall.only-declared-flows": "what no rule mentions passes",
    "firewall.administration": "SSH from anywhere passes too",
}
NOT_THE_FILE = {"firewall.never-disabled": "the live rules are no longer those of the boot file"}


def chain(host: Patient, name: str) -> str:
    """The rules of one chain as they are now."""
    return host.run(["nft", "--handle", "list", "chain", *TABLE, name]).stdout


def rewritten(host: Patient, old: str, new: str) -> None:
    """Change the boot file and load it: live rules and file agree, as after an editor and a reload."""
    host.replace(BOOT, old, new)
    host.run(["nft", "-f", BOOT])


def remove(host: Patient, name: str, text: str) -> None:
    """Delete the rules of a chain that hold a text."""
    for line in chain(host, name).splitlines():
        if text in line:
            host.run(["nft", "delete", "rule", *TABLE, name, "handle", line.rpartition("# handle ")[2]])
    assert text not in chain(host, name)


@fault("firewall.port-23-open", host="firewall", violates="firewall.only-declared-flows", entails=BY_HAND)
def port_23_open(host: Patient) -> None:
    """Telnet is let in, as after a hurried test."""
    host.run(["nft", "insert", "rule", *TABLE, "input", "tcp", "dport", "23", "accept"])
    assert "tcp dport 23 accept" in chain(host, "input")


@fault("firewall.tester-left", host="relay", violates="firewall.only-declared-flows")
def tester_left(host: Patient) -> None:
    """An engineer who is no longer in the organisation file has a rule that would let it in until 2100."""
    old = "ip saddr 203.0.113.21 ip daddr 198.51.100.10 tcp dport 4545 ct state new"
    line = next(line for line in host.read(BOOT).splitlines() if old in line)
    match = "ip saddr 203.0.113.40 ip daddr 198.51.100.10 tcp dport 4545 meta time < 4102444800 ct state new"
    rewritten(host, line, f"{line}\n{line.replace(old, match)}")
    assert "203.0.113.40" in chain(host, "input")


@fault(
    "firewall.hub-port-open-to-all",
    host="firewall",
    violates="firewall.only-declared-flows",
)
def hub_port_open_to_all(host: Patient) -> None:
    """Whoever reaches the firewall reaches the relay's CJSM port: the source address was taken out of the rule."""
    rewritten(host, "ip saddr 203.0.113.21 ip daddr 198.51.100.10 tcp dport", "ip daddr 198.51.100.10 tcp dport")
    assert "\t\tip daddr 198.51.100.10 tcp dport" in chain(host, "forward")


@fault(
    "firewall.policy-accept",
    host="relay",
    violates="firewall.default-deny",
    entails=NOT_THE_FILE | OPEN | {"firewall.drops-recorded": "what is accepted is not counted as dropped"},
)
def policy_accept(host: Patient) -> None:
    """The input chain lets through what no rule mentions."""
    host.run(["nft", "add chain inet cjsm input { policy accept ; }"])
    remove(host, "input", 'counter name "drop_input"')
    assert "policy accept" in chain(host, "input")


@fault(
    "firewall.flushed",
    host="relay",
    violates="firewall.default-deny",
    entails=NOT_THE_FILE | OPEN | {"firewall.egress": "connections that nobody declared get out"},
)
def flushed(host: Patient) -> None:
    """Somebody stopped the firewall to look for a fault, and forgot it."""
    host.run(["nft", "flush", "ruleset"])
    assert not host.run(["nft", "list", "ruleset"]).stdout.strip()


@fault(
    "firewall.asleep",
    host="mail",
    violates="firewall.default-deny",
    entails=NOT_THE_FILE | OPEN | {"firewall.egress": "rules that sleep drop nothing"},
)
def asleep(host: Patient) -> None:
    """The table is there with all its rules, and dormant: none of them applies."""
    host.run(["nft", "add table inet cjsm { flags dormant ; }"])
    assert "dormant" in host.run(["nft", "list", "table", *TABLE]).stdout


@fault(
    "firewall.ipv6-open",
    host="mail",
    violates="firewall.only-declared-flows",
    entails={"firewall.administration": "SSH by IPv6 passes from anywhere too"},
)
def ipv6_open(host: Patient) -> None:
    """Nobody uses IPv6, so that everything of it may pass."""
    rewritten(host, INPUT, f'{INPUT}\n\t\tmeta nfproto ipv6 accept comment "not used"')
    assert "meta nfproto ipv6 accept" in chain(host, "input")


@fault("firewall.range-in-a-hurry", host="relay", violates="firewall.only-declared-flows")
def range_in_a_hurry(host: Patient) -> None:
    """The inner listener is open to the whole LAN, printers included."""
    rewritten(host, "ip saddr 192.0.2.10 ip daddr 198.51.100.10 tcp dport 2525", "tcp dport 2525")
    assert "\t\ttcp dport 2525 ct state new" in chain(host, "input")


@fault("firewall.file-ahead", host="relay", violates="firewall.never-disabled")
def file_ahead(host: Patient) -> None:
    """A rule was written into the file and never loaded: the next reboot opens what nobody expects then."""
    host.replace(BOOT, INPUT, f'{INPUT}\n\t\ttcp dport 8080 accept comment "for the supplier"')
    assert "8080" not in chain(host, "input")


@fault("firewall.disabled-at-boot", host="relay", violates="firewall.never-disabled")
def disabled_at_boot(host: Patient) -> None:
    """All is well until the next reboot: the unit that loads the rules is not enabled."""
    host.run(["systemctl", "disable", "nftables.service"])
    assert host.run(["systemctl", "is-enabled", "nftables.service"], check=False).stdout.strip() == "disabled"


@fault("firewall.flushed-at-boot", host="mail", violates="firewall.never-disabled")
def flushed_at_boot(host: Patient) -> None:
    """A second tool appends its own rules to nftables.conf, behind the `flush ruleset` it always begins with."""
    host.write(MAIN, host.read(MAIN) + "flush ruleset\n")
    assert host.read(MAIN).endswith("flush ruleset\n")


@fault(
    "firewall.ssh-from-anywhere",
    host="relay",
    violates="firewall.administration",
    entails={"firewall.only-declared-flows": "SSH from anywhere is no declared flow"},
)
def ssh_from_anywhere(host: Patient) -> None:
    """The administration address was taken out of the SSH rule, in the file and live, so that both agree."""
    rewritten(host, "ip saddr 192.0.2.100 ip daddr 198.51.100.10 tcp dport 22", "tcp dport 22")
    assert "\t\ttcp dport 22 ct state new" in chain(host, "input")


@fault(
    "firewall.time-not-let-out",
    host="relay",
    violates="firewall.declared-flows-open",
    entails={"logging.time": "the time servers do not answer a host whose questions are dropped"},
)
def time_not_let_out(host: Patient) -> None:
    """The rule for NTP was lost from file and live rules: the clock will drift, and nothing says so."""
    rule = next(line for line in host.read(BOOT).splitlines(keepends=True) if "udp dport 123 " in line)
    rewritten(host, rule, "")
    assert "udp dport 123 " not in chain(host, "output")


@fault("firewall.mail-may-leave-anywhere", host="relay", violates="firewall.only-declared-flows")
def mail_may_leave_anywhere(host: Patient) -> None:
    """The relay may connect to anybody's port 25: with a lost route, mail would go to the MX in the clear."""
    rewritten(host, OUTPUT, f'{OUTPUT}\n\t\ttcp dport 25 accept comment "mail"')
    assert "tcp dport 25 accept" in chain(host, "output")


@fault(
    "firewall.anything-may-leave",
    host="mail",
    violates="firewall.egress",
    entails={"firewall.only-declared-flows": "everything to anywhere is no declared flow"},
)
def anything_may_leave(host: Patient) -> None:
    """Somebody who wanted an update to come through let everything out; the policy still says drop."""
    rewritten(host, OUTPUT, f'{OUTPUT}\n\t\tct state new accept comment "for the update"')
    assert "ct state new accept" in chain(host, "output")


@fault("firewall.large-packets-hang", host="firewall", violates="firewall.path-mtu-discovery", entails=NOT_THE_FILE)
def large_packets_hang(host: Patient) -> None:
    """All ICMP is dropped on its way through, "for security": small messages arrive, large ones hang."""
    remove(host, "forward", "icmp type destination-unreachable")


@fault("firewall.forged-sources-pass", host="firewall", violates="firewall.anti-spoofing", entails=NOT_THE_FILE)
def forged_sources_pass(host: Patient) -> None:
    """Reverse path filtering was taken out while a second line was tried."""
    remove(host, "prerouting", "fib saddr")


@fault("firewall.nothing-recorded", host="firewall", violates="firewall.drops-recorded")
def nothing_recorded(host: Patient) -> None:
    """ulogd2 does not run: packets are dropped and nobody will ever know."""
    host.run(["systemctl", "disable", "--now", "ulogd2.service"])
    assert host.run(["systemctl", "is-active", "ulogd2.service"], check=False).stdout.strip() == "inactive"


@fault("firewall.translated", host="relay", violates="firewall.foreign-tables")
def translated(host: Patient) -> None:
    """Another program sends what comes for port 8025 to the inner listener."""
    chain = "chain arriving { type nat hook prerouting priority dstnat; tcp dport 8025 redirect to :2525; }"
    host.run(["nft", "-f", "-"], input=f"table ip portmap {{ {chain}; }}\n")
    assert "redirect to :2525" in host.run(["nft", "list", "table", "ip", "portmap"]).stdout


@fault("firewall.behind-translation", host="firewall", violates="firewall.foreign-tables")
def behind_translation(host: Patient) -> None:
    """A port of the firewall leads by address translation to the mail server, past the flow that was declared."""
    chain = "chain arriving { type nat hook prerouting priority dstnat; tcp dport 8025 dnat to 192.0.2.10:25; }"
    host.run(["nft", "-f", "-"], input=f"table ip portmap {{ {chain}; }}\n")
    assert "dnat to 192.0.2.10:25" in host.run(["nft", "list", "table", "ip", "portmap"]).stdout


@fault("firewall.extra-port", host="mail", violates="firewall.only-needed-services")
def extra_port(host: Patient) -> None:
    """A service for a test listens on every address; only the firewall still keeps it from the world."""
    host.run(["systemd-run", "--unit=supplier", "--socket-property=ListenStream=0.0.0.0:8080", "cat"])
    assert "0.0.0.0:8080" in host.run(["ss", "-Hltn"]).stdout


@fault("firewall.extra-udp-port", host="relay", violates="firewall.only-needed-services")
def extra_udp_port(host: Patient) -> None:
    """A monitoring agent waits for questions that the firewall lets nobody ask: it is silent, and nobody knows why."""
    host.run(["systemd-run", "--unit=agent", "--socket-property=ListenDatagram=0.0.0.0:161", "cat"])
    assert "0.0.0.0:161" in host.run(["ss", "-Hlun"]).stdout


@fault("firewall.passwords-taken", host="firewall", violates="firewall.log-in")
def passwords_taken(host: Patient) -> None:
    """SSH takes a password from whoever has no key, for a supplier's visit."""
    host.write("/etc/ssh/sshd_config.d/00-supplier.conf", "PasswordAuthentication yes\n")
    host.run(["systemctl", "reload", "ssh.service"])
    assert "passwordauthentication yes" in host.run(["sshd", "-T"]).stdout


@fault("firewall.unconfirmed", host="mail", violates="firewall.never-disabled")
def unconfirmed(host: Patient) -> None:
    """An apply died between loading new rules and confirming them, and the host's timer with it."""
    host.run(["install", "-d", "-m", "0700", "/var/lib/cjsm/undo"])
    host.run(["tee", PENDING], input='{"tables": ["inet cjsm"]}\n')
    assert host.run(["stat", "-c", "%F", PENDING]).stdout == "regular file\n"


@fault("firewall.unexplained-rule", host="mail", violates="firewall.reasons")
def unexplained_rule(host: Patient) -> None:
    """Somebody tidied the rules and took out the comment that says why one is there."""
    explained = next(line for line in host.read(BOOT).splitlines() if "tcp dport 22 " in line and " comment " in line)
    before = chain(host, "input").count(" comment ")
    rewritten(host, explained, re.sub(r' comment "[^"]*"', "", explained))
    assert chain(host, "input").count(" comment ") < before
