"""What is in use is read from the kernel and from the host's own configuration."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cjsm_connect.remote import common, traffic

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(local: str, other: str, state: str, inode: int = 1) -> str:
    return f"   0: {local} {other} {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0\n"


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The texts of files, by path; what is not among them does not exist."""
    texts: dict[str, str] = {"/proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n"}
    monkeypatch.setattr(common, "read", lambda path, default="": texts.get(path, default))
    monkeypatch.setattr(traffic, "programs", lambda: {"7": "dovecot"})
    monkeypatch.setattr(common, "attempt", lambda *_, **__: (127, "", ""))
    return texts


def tcp(*rows: str) -> str:
    return HEAD + "".join(rows)


ANY, LOOPBACK, LAN_HOST = "00000000", "0100007F", "320200C0"  # 192.0.2.50


def test_listeners_are_sockets_that_others_can_reach(kernel: dict[str, str]) -> None:
    kernel["/proc/net/tcp"] = tcp(
        row(f"{ANY}:008F", f"{ANY}:0000", "0A", 7),
        row(f"{LOOPBACK}:0019", f"{ANY}:0000", "0A"),
        row(f"{ANY}:03E1", f"{LAN_HOST}:C000", "01"),
    )
    kernel["/proc/net/udp"] = tcp(
        row(f"{ANY}:00A1", f"{ANY}:0000", "07"),
        row(f"{ANY}:9C40", f"{ANY}:0000", "07"),  # 40000: a resolver that waits for its answer
        row(f"{LOOPBACK}:0143", f"{ANY}:0000", "07"),
    )
    kernel["/proc/net/raw"] = tcp(row(f"{ANY}:0070", f"{ANY}:0000", "07"), row(f"{ANY}:0001", f"{ANY}:0000", "07"))
    found = [(one["protocol"], one["port"], one["program"]) for one in traffic.listening()]
    assert found == [("tcp", 143, "dovecot"), ("udp", 161, ""), ("ip", 112, "")]


def test_connections_are_told_apart_by_who_began_them(kernel: dict[str, str]) -> None:
    kernel["/proc/net/tcp"] = tcp(
        row(f"{ANY}:008F", f"{ANY}:0000", "0A"),
        row("0A0200C0:008F", f"{LAN_HOST}:C000", "01"),
        row("0A0200C0:C001", f"{LAN_HOST}:0019", "01"),
        row("0A0200C0:C002", f"{LAN_HOST}:0019", "06"),  # over already
        row(f"{LOOPBACK}:C003", f"{LOOPBACK}:0019", "01"),
    )
    incoming, outgoing = traffic.connected(list(traffic.listening()))
    assert incoming == [["tcp", "192.0.2.50", 143]]
    assert outgoing == [["tcp", "192.0.2.50", 25]]


def test_a_listening_program_of_this_machine_is_found_with_its_name() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        assert [one["program"] for one in traffic.listening() if one["port"] == port] != [""]


def test_tracked_connections_between_others_are_those_that_pass(kernel: dict[str, str], monkeypatch) -> None:
    monkeypatch.setattr(traffic, "own_addresses", lambda: {"192.0.2.1"})
    line = "ipv4     2 tcp      6 431999 ESTABLISHED src={} dst={} sport=40000 dport=443 src=1 dst=2 sport=3 dport=4\n"
    kernel["/proc/net/nf_conntrack"] = line.format("192.0.2.50", "203.0.113.80") + line.format(
        "192.0.2.50", "192.0.2.1"
    )
    assert traffic.forwarded() == [["tcp", "192.0.2.50", "203.0.113.80", 443]]
    del kernel["/proc/net/nf_conntrack"]
    assert traffic.forwarded() is None


@pytest.fixture
def postfix(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """What postconf(1) and postmap(1) print, by command."""
    told: dict[str, str] = {}
    monkeypatch.setattr(common, "attempt", lambda argv, *_, **__: (0, told.get(" ".join(argv), ""), ""))
    yield told


def ends(settings: str, postfix: dict[str, str]) -> list[tuple[str, int]]:
    postfix["postconf -x -n"] = settings
    return [(one["host"], one["port"]) for one in traffic.mail_hops()]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("relayhost = [smarthost.example]:587", ("smarthost.example", 587)),
        ("relayhost = smarthost.example:submission", ("smarthost.example", 587)),
        ("relayhost = [203.0.113.5]", ("203.0.113.5", 25)),
        ("relayhost = [IPv6:2001:db8::5]:26", ("2001:db8::5", 26)),
        ("relayhost = [a.example], [b.example]:465", ("b.example", 465)),
        ("default_transport = smtp:[out.example]:2525", ("out.example", 2525)),
        ("content_filter = scan:[198.51.100.9]:10024", ("198.51.100.9", 10024)),
        ("virtual_transport = lmtp:inet:store.example:24", ("store.example", 24)),
        ("smtpd_milters = unix:/run/x.sock, inet:milter.example:8891", ("milter.example", 8891)),
        ("smtpd_recipient_restrictions = check_policy_service inet:198.51.100.9:10031", ("198.51.100.9", 10031)),
        ("smtp_fallback_relay = [later.example]", ("later.example", 25)),
    ],
)
def test_every_machine_that_postfix_is_told_to_use_is_named(
    settings: str, expected: tuple[str, int], postfix: dict[str, str]
) -> None:
    assert expected in ends(settings, postfix)


@pytest.mark.parametrize(
    "settings",
    [
        "relayhost = [127.0.0.1]:10025",
        "relayhost = [localhost]:25",
        "default_transport = error:5.1.2 mail to other.example is not sent",
        "relayhost = [x.example]\nsmtpd_milters = inet:localhost:8891",
        "virtual_transport = lmtp:unix:private/dovecot-lmtp\ndefault_transport = retry:no",
    ],
)
def test_what_stays_on_the_host_is_not_named(settings: str, postfix: dict[str, str]) -> None:
    assert ends(settings, postfix) in ([], [("x.example", 25)])


def test_the_tables_of_transports_and_smarthosts_are_read(postfix: dict[str, str]) -> None:
    postfix["postmap -s hash:/etc/postfix/transport"] = (
        "a.example\tsmtp:[one.example]:26\n.b.example\tlocal:\nc.example\trelay:[two.example]\nd.example\t:[3.example]\n"
    )
    postfix["postmap -s lmdb:/etc/postfix/senders"] = "user@c.example\t[four.example]:587\n"
    found = ends(
        "relayhost = [x.example]\ntransport_maps = hash:/etc/postfix/transport\n"
        "sender_dependent_relayhost_maps = lmdb:/etc/postfix/senders",
        postfix,
    )
    hops = [("one.example", 26), ("two.example", 25), ("3.example", 25), ("four.example", 587)]
    assert set(hops) <= set(found) and len(found) == 5


def test_postfix_without_a_smarthost_sends_to_the_whole_internet(postfix: dict[str, str]) -> None:
    assert ends("myhostname = mail.council.example\nrelayhost =", postfix) == [("*", 25)]


def test_a_host_without_postfix_names_no_mail(postfix: dict[str, str]) -> None:
    assert ends("", postfix) == []


def files(monkeypatch: pytest.MonkeyPatch, folder: Path, **texts: str) -> None:
    """Configuration files below a folder, in the place of those of this machine."""
    made = []
    for name, text in texts.items():
        (folder / name).write_text(text)
        made.append(str(folder / name))
    monkeypatch.setattr(traffic, "glob", type("glob", (), {"glob": staticmethod(lambda _pattern: made)}))


def test_collectors_of_every_spelling_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = """
# *.* @@comment.example
*.* @@one.example:6514
mail.* @two.example
*.* @@(o)three.example:10514
action(type="omfwd" Target="four.example" Port="6514"
       Protocol="tcp")
*.* :omusrmsg:*
"""
    files(monkeypatch, tmp_path, conf=text)
    found = [(one["host"], one["port"], one["protocol"]) for one in traffic.collectors()]
    assert list(dict.fromkeys(found)) == [
        ("one.example", 6514, "tcp"),
        ("two.example", 514, "udp"),
        ("three.example", 10514, "tcp"),
        ("four.example", 6514, "tcp"),
    ]


def test_packages_come_from_the_proxy_or_else_from_the_archives(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, postfix: dict[str, str]
) -> None:
    deb822 = "Types: deb\nURIs: https://deb.example/debian\n# URIs: http://no.example\n"
    files(monkeypatch, tmp_path, a="deb [arch=amd64] http://old.example:8080/debian trixie main\n", b=deb822)
    found = [(one["host"], one["port"]) for one in traffic.package_sources()]
    assert list(dict.fromkeys(found)) == [("old.example", 8080), ("deb.example", 443)]
    postfix["apt-config dump"] = 'Acquire::http::Proxy "http://user:secret@192.0.2.80:3128/";\n'
    (one,) = traffic.package_sources()
    assert (one["host"], one["port"]) == ("192.0.2.80", 3128)
    assert "secret" not in str(one)


def test_a_name_that_leads_nowhere_has_no_address() -> None:
    ends = [traffic.end("no-such-host.invalid", 25, "x"), traffic.end("192.0.2.7", 25, "x"), traffic.end("*", 25, "x")]
    assert {one["host"]: one["addresses"] for one in traffic.resolved(ends)} == {
        "no-such-host.invalid": [],
        "192.0.2.7": ["192.0.2.7"],
        "*": [],
    }


def test_name_servers_beyond_this_host_are_named(kernel: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "glob", type("glob", (), {"glob": staticmethod(lambda pattern: [pattern])}))
    kernel["/etc/resolv.conf"] = (
        "# nameserver 192.0.2.9\nnameserver 127.0.0.53\nnameserver fe80::1%eth0\nnameserver 192.0.2.53\n"
    )
    assert [one["host"] for one in traffic.name_servers()] == ["fe80::1", "192.0.2.53"]


@pytest.mark.parametrize(
    "value", ["smarthost", "[smarthost]", "smarthost:25", "smtp:smarthost", "relay:[smarthost]:25"]
)
def test_a_smarthost_of_one_label_is_named(value: str) -> None:
    found = traffic.next_hops(value, "x") if value.startswith(("smtp:", "relay:")) else traffic.machines(value, "x")
    assert [(one["host"], one["port"]) for one in found] == [("smarthost", 25)]


@pytest.mark.parametrize("value", ["procmail:user", "local:mailbox", "error:later"])
def test_an_argument_of_another_transport_is_no_machine(value: str) -> None:
    assert not list(traffic.next_hops(value, "x"))


@pytest.mark.parametrize(
    "line",
    [
        "*.* :omrelp:logs.example.org:2514",
        "*.* :omrelp:logs.example.org",
        'action(type="omrelp" target="logs.example.org")',
    ],
)
def test_a_collector_by_relp_is_named(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr(traffic, "lines", lambda *patterns: iter([line]))
    assert [(one["host"], one["port"], one["protocol"]) for one in traffic.collectors()] == [
        ("logs.example.org", 2514, "tcp")
    ]
