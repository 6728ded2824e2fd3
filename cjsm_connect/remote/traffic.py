"""What listens on this host and what it connects to today: what new firewall rules could close.

Asked only where the rules differ from those wanted. Reads only: sockets and tracked connections from the kernel, the
other ends that the host's own configuration names, and the packet filter of today as nft lists it.
"""

from __future__ import annotations

import glob
import json
import os
import re
import threading
from collections.abc import Iterator
from typing import Any, Optional

from cjsm_connect.remote import common, sessions

LISTENING = "0A"  # proc_net_tcp(5); include/net/tcp_states.h
UNCONNECTED = "07"
PATIENCE = 4.0  # seconds for all names together
LARGEST_RULES = 400_000  # characters; the lists of a program that bans addresses can be long
NFT = "/usr/sbin/nft"
DNS, NTP, SMTP, SUBMISSION = 53, 123, 25, 587
PORTS = {"smtp": SMTP, "smtps": 465, "submissions": 465, "submission": SUBMISSION, "lmtp": 24, "http": 80, "https": 443}
RELP = 2514  # omrelp's own
DELIVERY = ("smtp", "relay")  # Debian's transports that go by MX without a next hop
NOWHERE = ("error", "retry", "discard")
# settings, and tables, whose values name a machine; those that name a transport and its next hop
HOSTS = ("relayhost", "smtp_fallback_relay")
HOST_TABLES = ("sender_dependent_relayhost_maps",)
TRANSPORTS = ("default_transport", "relay_transport", "local_transport", "virtual_transport", "mailbox_transport",
              "fallback_transport", "content_filter")  # fmt: skip
TRANSPORT_TABLES = ("transport_maps", "sender_dependent_default_transport_maps")
ASKED = r"\binet:(?:\[([^]]+)\]|([\w.-]+)):(\w+)"
MACHINE = r"(?:\[(?:IPv6:)?([^]]+)\]|([\w-]+(?:\.[\w-]+)+))(?::(\w+))?"
ANY_NAME = MACHINE.replace(")+))", ")*))")  # of one label too, where nothing but a machine can stand
NO_SERVICE = (1, 58, 255)  # ICMP and ICMPv6, which the rules have lines for, and sockets that only send


def observe() -> dict[str, Any]:
    """`listeners`, `incoming` and `outgoing` as the kernel has them, `forwarded` (None where nobody tracks
    connections), `named` (other ends that the configuration names) and `rules` (the packet filter, None if unknown)."""
    listeners = list(listening())
    incoming, outgoing = connected(listeners)
    return {
        "listeners": listeners,
        "incoming": incoming,
        "outgoing": outgoing,
        "forwarded": forwarded(),
        "forwards": common.read("/proc/sys/net/ipv4/ip_forward").strip() == "1",
        "named": resolved(list(named())),
        "rules": rules(),
    }


def table(protocol: str) -> Iterator[tuple[tuple[str, int], tuple[str, int], str, str]]:
    """(local end, other end, state, inode) of every socket of a protocol; proc_net_tcp(5)."""
    for path in ("/proc/net/" + protocol, "/proc/net/" + protocol + "6"):
        for line in common.read(path).splitlines()[1:]:
            words = line.split()
            yield sessions.endpoint(words[1]), sessions.endpoint(words[2]), words[3], words[9]


def listening() -> Iterator[dict[str, Any]]:
    """Sockets that others can reach: bound to no loopback address, and for UDP to a port that somebody chose."""
    owners = programs()
    chosen = chosen_ports()
    for protocol, state in (("tcp", LISTENING), ("udp", UNCONNECTED)):
        seen = set()
        for (address, port), _, found, inode in table(protocol):
            open_ = found == state and not loopback(address) and (protocol == "tcp" or port in chosen)
            if open_ and (address, port) not in seen:
                seen.add((address, port))
                yield {"protocol": protocol, "address": address, "port": port, "program": owners.get(inode, "")}
    for (address, number), _, _, inode in table("raw"):  # VRRP and others without ports: the protocol's number instead
        if number not in NO_SERVICE:
            yield {"protocol": "ip", "address": address, "port": number, "program": owners.get(inode, "")}


def chosen_ports() -> range:
    """Ports below those that the kernel hands out: a UDP socket on one of those waits for an answer, and serves nobody
    (ip(7), ip_local_port_range)."""
    words = common.read("/proc/sys/net/ipv4/ip_local_port_range").split()
    return range(int(words[0]) if words else 32768)


def loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def programs() -> dict[str, str]:
    """The name of the program that holds a socket, by the socket's inode (proc_pid_fd(5))."""
    found: dict[str, str] = {}
    for path in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            target = os.readlink(path)
        except OSError:
            continue  # it has ended in the meantime
        if target.startswith("socket:["):
            found.setdefault(target[8:-1], common.read("/proc/%s/comm" % path.split("/")[2]).strip())
    return found


def connected(listeners: list[dict[str, Any]]) -> tuple[list[list[Any]], list[list[Any]]]:
    """Open connections: [protocol, other address, local port] to a port that listens, [protocol, other address, its
    port] from here."""
    incoming, outgoing = set(), set()
    served = {(one["protocol"], one["port"]) for one in listeners}
    for protocol in ("tcp", "udp"):
        for (_, port), (address, other), state, _ in table(protocol):
            if state != sessions.ESTABLISHED or loopback(address):
                continue
            if (protocol, port) in served:
                incoming.add((protocol, address, port))
            else:
                outgoing.add((protocol, address, other))
    return sorted(map(list, incoming)), sorted(map(list, outgoing))


def forwarded() -> Optional[list[list[Any]]]:
    """Connections between other machines that pass here: [protocol, source, destination, port]; None if unknown.

    The kernel lists them in /proc, or conntrack(8) does; where no rule asks for it, nothing is tracked.
    """
    text = common.read("/proc/net/nf_conntrack") or common.attempt(["conntrack", "-L", "-o", "extended"])[1]
    own = own_addresses()
    found = set()
    for line in text.splitlines():
        told = re.search(r"\b(tcp|udp)\b.*?\bsrc=(\S+) dst=(\S+) sport=\d+ dport=(\d+)", line)
        if told and not {told.group(2), told.group(3)} & own and not loopback(told.group(2)):
            found.add((told.group(1), told.group(2), told.group(3), int(told.group(4))))
    return sorted(map(list, found)) if text else None


def own_addresses() -> set[str]:
    """Every address of this host; ip-address(8)."""
    _, out, _ = common.attempt(["ip", "-j", "address"])
    try:
        return {one["local"] for link in json.loads(out or "[]") for one in link.get("addr_info", []) if "local" in one}
    except ValueError:
        return set()


def rules() -> Optional[list[Any]]:
    """Every rule of the packet filter as nft prints it (libnftables-json(5)); None if it cannot be told."""
    code, out, _ = common.attempt([NFT, "-j", "list", "ruleset"])
    if code == 127:
        return []  # without nft there are none, or those of another program: see desired/closing.py
    if code or len(out) > LARGEST_RULES:
        return None
    try:
        listed: list[Any] = json.loads(out)["nftables"]
    except (ValueError, KeyError):
        return None
    return listed


def named() -> Iterator[dict[str, Any]]:
    """Other ends that the configuration names: `host` (a name or an address), `protocol`, `port`, `why`."""
    yield from name_servers()
    yield from time_servers()
    yield from package_sources()
    yield from collectors()
    yield from mail_hops()


def end(host: str, port: int, why: str, protocol: str = "tcp") -> dict[str, Any]:
    return {"host": host.strip("[]").rstrip(".").lower(), "port": port, "protocol": protocol, "why": why}


def lines(*patterns: str) -> Iterator[str]:
    """The lines of configuration files that are no comment."""
    for pattern in patterns:
        for path in sorted(glob.glob(pattern)):
            for line in common.read(path).splitlines():
                if line.strip() and line.strip()[0] not in "#;!":
                    yield line.strip()


def name_servers() -> Iterator[dict[str, Any]]:
    """resolv.conf(5); behind systemd-resolved, what it asks itself."""
    for path in ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"):
        for line in lines(path):
            words = line.split()
            if words[0] == "nameserver" and len(words) > 1 and not loopback(words[1]):
                yield end(words[1].partition("%")[0], DNS, "names are looked up there (resolv.conf)", "udp")


def time_servers() -> Iterator[dict[str, Any]]:
    """chrony.conf(5), ntp.conf(5), timesyncd.conf(5); of a program that runs, and no other."""
    running = set(programs_running())
    if running & {"chronyd", "ntpd"}:
        for line in lines("/etc/chrony/*.conf", "/etc/chrony/*/*.conf", "/etc/chrony/*/*.sources", "/etc/ntp*/ntp.conf",
                          "/etc/ntp.conf"):  # fmt: skip
            words = line.split()
            if words[0] in ("server", "pool", "peer") and len(words) > 1:
                yield end(words[1], NTP, "the time is taken from there", "udp")
    if "systemd-timesyn" in running:  # comm is cut to 15 characters, proc_pid_comm(5)
        for line in lines("/etc/systemd/timesyncd.conf", "/etc/systemd/timesyncd.conf.d/*.conf"):
            name, _, value = line.partition("=")
            for server in value.split() if name.strip() in ("NTP", "FallbackNTP") else ():
                yield end(server, NTP, "the time is taken from there", "udp")


def programs_running() -> Iterator[str]:
    for path in glob.glob("/proc/[0-9]*/comm"):
        yield common.read(path).strip()


def package_sources() -> Iterator[dict[str, Any]]:
    """apt's proxy (apt.conf(5)); without one the archives themselves (sources.list(5))."""
    _, out, _ = common.attempt(["apt-config", "dump"])
    proxies = re.findall(r'^Acquire::https?::[Pp]roxy "([^"]+)"', out, re.MULTILINE)
    if proxies:
        yield from (at for url in proxies for at in locator(url, "apt's proxy"))
        return
    for line in lines("/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources"):
        for url in re.findall(r"\bhttps?://\S+", line):
            yield from locator(url, "packages come from there (apt)")


def locator(url: str, why: str) -> Iterator[dict[str, Any]]:
    found = re.match(r"(https?)://(?:[^@/\s]*@)?(\[[^]]+\]|[\w.-]+)(?::(\d+))?", url)
    if found:
        yield end(found.group(2), int(found.group(3) or PORTS[found.group(1)]), why)


def collectors() -> Iterator[dict[str, Any]]:
    """Where rsyslog forwards to: `*.* @@host:port`, `:omrelp:host:port` (rsyslog.conf(5)), actions with a target."""
    told = "\n".join(lines("/etc/rsyslog.conf", "/etc/rsyslog.d/*.conf"))
    for tcp, host, port in re.findall(r"^\S+\s+(@@?)(?:\([^)]*\))?(\[[^]]+\]|[\w.-]+)(?::(\d+))?", told, re.MULTILINE):
        yield end(host, int(port or 514), "logs go there (rsyslog)", "tcp" if tcp == "@@" else "udp")
    for host, port in re.findall(r"^\S+\s+:omrelp:(\[[^]]+\]|[\w.-]+)(?::(\d+))?", told, re.MULTILINE):
        yield end(host, int(port or RELP), "logs go there (rsyslog)")
    for action in re.findall(r"action\((?:[^()]|\n)*?omrelp(?:[^()]|\n)*?\)", told):
        given = dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', action.lower()))
        if given.get("target"):
            port = given.get("port", "")
            yield end(given["target"], int(port) if port.isdigit() else RELP, "logs go there (rsyslog)")
    for action in re.findall(r"action\((?:[^()]|\n)*?omfwd(?:[^()]|\n)*?\)", told):
        given = dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', action.lower()))
        if given.get("target"):
            port = given.get("port", "514")
            protocol = given.get("protocol", "udp")
            yield end(given["target"], int(port) if port.isdigit() else 514, "logs go there (rsyslog)", protocol)


def mail_hops() -> Iterator[dict[str, Any]]:
    """What Postfix sends to and asks: relayhost, next hops of transports and their tables, milters, policy servers.

    Without a relayhost it sends to the whole internet, which has the name "*".
    """
    settings = main_cf()
    if not settings:
        return
    for name in HOSTS:
        yield from machines(settings.get(name, ""), name)
    for name in TRANSPORTS:
        yield from next_hops(settings.get(name, ""), name)
    for name in HOST_TABLES:
        yield from (at for value in rows(settings.get(name, "")) for at in machines(value, name))
    for name in TRANSPORT_TABLES:
        yield from (at for value in rows(settings.get(name, "")) for at in next_hops(value, name))
    for name, value in [*settings.items(), ("master.cf", common.attempt(["postconf", "-M", "-P"])[1])]:
        yield from asked(value, name)
    transport, _, target = settings.get("default_transport", "smtp").partition(":")
    if not settings.get("relayhost", "").strip() and transport in DELIVERY and not target:
        yield end("*", SMTP, "Postfix sends to the internet by MX (no relayhost)")


def main_cf() -> dict[str, str]:
    """The settings that stand in main.cf, one line each, with what they refer to; {} where there is no Postfix."""
    _, out, _ = common.attempt(["postconf", "-x", "-n"])
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in out.splitlines())}


def rows(value: str) -> Iterator[str]:
    """The right-hand sides of lookup tables that lie in files (postmap(1), -s)."""
    for name in re.findall(r"\b(?:hash|btree|lmdb|cdb|dbm|texthash):[^\s,]+", value):
        _, out, _ = common.attempt(["postmap", "-s", name])
        yield from (line.partition("\t")[2] for line in out.splitlines())


def machines(value: str, why: str) -> Iterator[dict[str, Any]]:
    """`[host]:port`, `host:port` or `domain`, several with a comma (postconf(5), relayhost)."""
    for part in re.split(r"[,\s]+", value):
        at = re.fullmatch(ANY_NAME, part)
        if at:
            yield from told(at.group(1) or at.group(2), at.group(3) or "smtp", "mail is sent there (Postfix, %s)" % why)


def next_hops(value: str, why: str) -> Iterator[dict[str, Any]]:
    """`transport:[host]:port`, `:host`, `lmtp:inet:host:port` (transport(5)); a transport alone names no machine."""
    transport, colon, target = value.strip().partition(":")
    if colon and transport not in NOWHERE:
        for part in re.split(r"[,\s]+", target):
            form = ANY_NAME if transport.startswith(DELIVERY) else MACHINE
            at = re.fullmatch(form, part[5:] if part.startswith("inet:") else part)
            if at:
                port = at.group(3) or ("lmtp" if transport == "lmtp" else "smtp")
                yield from told(at.group(1) or at.group(2), port, "mail is sent there (Postfix, %s)" % why)


def asked(value: str, why: str) -> Iterator[dict[str, Any]]:
    """Milters, policy servers and tables by TCP: `inet:host:port`."""
    for literal, name, port in re.findall(ASKED, value):
        yield from told(literal or name, port, "asked by Postfix (%s)" % why)


def told(host: str, port: str, why: str) -> Iterator[dict[str, Any]]:
    number = int(port) if port.isdigit() else PORTS.get(port, 0)
    if number and host != "localhost" and not loopback(host) and not host.startswith("/"):
        yield end(host, number, why)


def resolved(ends: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each end once, with its `addresses`; [] where the name leads nowhere or its server says nothing in time."""
    unique = {(one["host"], one["protocol"], one["port"]): one for one in ends}
    answers: dict[str, list[str]] = {}
    seekers = [threading.Thread(target=seek, args=(host, answers), daemon=True) for host in {key[0] for key in unique}]
    for seeker in seekers:
        seeker.start()
    waited = common.Patience(PATIENCE)
    for seeker in seekers:
        seeker.join(max(0.0, PATIENCE - waited.waited))
    return [dict(one, addresses=answers.get(one["host"], [])) for _, one in sorted(unique.items())]


def seek(host: str, answers: dict[str, list[str]]) -> None:
    """Look one name up; an address is its own answer, "*" has none."""
    import socket  # a tenth of a snapshot, and needed only where rules change

    if host == "*":
        return
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    answers[host] = sorted({sessions.plain(str(one[4][0])) for one in found})
