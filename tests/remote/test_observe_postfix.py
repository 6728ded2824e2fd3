"""What is read of Postfix and of certificates is what their programs print, on hosts that lack some of it too."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cjsm_connect.remote import common, postconf
from cjsm_connect.remote.observe import antivirus, domains, forwarding, logging, relay, tls

pytestmark = pytest.mark.slow

ENTRIES = """\
198.51.100.10:4545 inet n -      n       -       -       smtpd -o smtpd_tls_req_ccert=yes
cjsm       unix  -       -       n       -       -       smtp
postlog    unix-dgram n  -       n       -       1       postlogd
"""
OPTIONS = """\
198.51.100.10:4545/inet/smtpd_tls_req_ccert = yes
198.51.100.10:4545/inet/mynetworks =
cjsm/unix/smtp_tls_mandatory_protocols = >=TLSv1.2
"""
WAITING = [
    {"arrival_time": 1000, "recipients": [{"address": "a@x.example", "delay_reason": "connection refused"}]},
    {"arrival_time": 900, "recipients": [{"address": "b@x.example", "delay_reason": "connection refused"}, {}]},
]


def programs(monkeypatch: pytest.MonkeyPatch, module: Any, answers: dict[str, tuple[int, str, str]]) -> None:
    """Programs that answer by their first words."""

    def attempt(argv: list[str], text: str = "", seconds: float = 30) -> tuple[int, str, str]:
        line = " ".join(argv)
        return next((answer for start, answer in answers.items() if line.startswith(start)), (127, "", "not installed"))

    monkeypatch.setattr(module, "attempt", attempt)


def test_a_service_has_its_program_and_its_own_settings() -> None:
    found = relay.services(ENTRIES, OPTIONS)
    assert found["198.51.100.10:4545/inet"] == {
        "chroot": "n",
        "command": "smtpd",
        "options": {"smtpd_tls_req_ccert": "yes", "mynetworks": ""},
    }
    assert found["cjsm/unix"]["options"] == {"smtp_tls_mandatory_protocols": ">=TLSv1.2"}
    assert "postlog/unix-dgram" in found


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("25/inet", "smtp/inet"),
        ("smtp/inet", "smtp/inet"),
        ("[198.51.100.10]:4545/inet", "198.51.100.10:4545/inet"),
        ("[2001:db8::1]:4545/inet", "[2001:db8::1]:4545/inet"),
        ("25/unix", "25/unix"),
    ],
)
def test_services_that_are_the_same_have_one_spelling(written: str, spelled: str) -> None:
    kind = written.rpartition("/")[2]
    entry = f"{written.rpartition('/')[0]} {kind} n - n - - smtpd\n"
    found = relay.services(entry, f"{written}/smtpd_tls_req_ccert = yes\n")
    assert {name: service["options"] for name, service in found.items()} == {spelled: {"smtpd_tls_req_ccert": "yes"}}


def test_tables_are_asked_in_the_order_of_the_effective_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = "cidr:/maps/first", "lmdb:/maps/second"
    programs(
        monkeypatch,
        relay,
        {f"postmap -q - {first}": (0, "192.0.2.1\tDUNNO\n", ""), f"postmap -q - {second}": (0, "192.0.2.1\tOK\n", "")},
    )
    services = {"x/inet": {"options": {"p": f"check_client_access {first}, check_ccert_access {second}, reject"}}}
    wanted = {"service": "x/inet", "parameter": "p", "keys": ["192.0.2.1", "192.0.2.2"]}
    found = relay.looked_up({"p": "lmdb:/maps/of-main-cf"}, services, wanted)
    assert found == {"tables": [first, second], "answers": {"192.0.2.1": "DUNNO", "192.0.2.2": None}}


def test_a_service_without_the_setting_has_main_cfs(monkeypatch: pytest.MonkeyPatch) -> None:
    programs(monkeypatch, relay, {"postmap": (0, "a\tb\n", "")})
    wanted = {"service": "gone/unix", "parameter": "p", "keys": ["a"]}
    assert relay.looked_up({"p": "hash:/maps/main"}, {}, wanted)["answers"] == {"a": "b"}


def test_the_queue_is_told_in_numbers_and_reasons_without_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    programs(monkeypatch, relay, {"postqueue": (0, "".join(json.dumps(row) + "\n" for row in WAITING), "")})
    found = relay.queue()
    assert found == {"messages": 2, "oldest": 900, "reasons": [["connection refused", 2]]}
    assert "x.example" not in json.dumps(found)


def test_an_unreadable_queue_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    programs(monkeypatch, relay, {"postqueue": (69, "", "postqueue: fatal: mail system is down\n")})
    assert relay.queue() == {"unreadable": "postqueue: fatal: mail system is down"}


def test_warnings_of_every_program_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    warning = "postconf: warning: /etc/postfix/main.cf: unused parameter: smtp_tls_securty_level=secure"
    programs(monkeypatch, relay, {"postconf": (0, "a = b\n", warning + "\n")})
    complaints: list[str] = []
    assert relay.said(complaints, "postconf", "-n") == "a = b\n"
    assert complaints == [warning]


def test_a_table_that_was_not_compiled_again_is_not_as_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(monkeypatch, domains, {"postmap -s": (0, "council.example\tOK\n", "")})
    (tmp_path / "table").write_text("Council.example  OK\n")
    assert domains.table(str(tmp_path / "table"))["as_source"]
    (tmp_path / "table").write_text("council.example OK\nnew.example OK\n")
    assert not domains.table(str(tmp_path / "table"))["as_source"]


def test_a_domain_is_taken_by_name_by_file_or_by_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "names").write_text("file.example\n")
    main = f"mydestination = Name.example, localhost, {tmp_path}/names\nrelay_domains = mysql:/etc/postfix/domains.cf\n"
    programs(monkeypatch, postconf, {"postconf -x": (0, main, "")})
    programs(monkeypatch, domains, {"postmap -q - mysql:/etc/postfix/domains.cf": (0, "table.example\tOK\n", "")})
    asked = ["name.example", "file.example", "table.example", "forgotten.example"]
    assert domains.taken(asked) == asked[:3]


def test_all_topics_together_ask_postfix_for_its_settings_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def attempt(argv: list[str], _text: str = "", _seconds: float = 30) -> tuple[int, str, str]:
        asked.append(" ".join(argv))
        return 0, "smtpd_milters = x\n" if argv[0] == "postconf" else "", ""

    monkeypatch.setattr(common, "attempt", attempt)
    relay.observe({"parameters": ["smtpd_milters"], "lookups": {}, "watched": []})
    domains.observe({"folder": "/none", "names": [], "domains": []})
    forwarding.observe({"own": []})
    assert antivirus.postconf.by_name(antivirus.POSTFIX)["smtpd_milters"] == ["x", "x"]
    assert logging.postconf.by_name(("smtp_tls_loglevel",)) == {}
    assert sorted(one for one in asked if one.startswith("postconf")) == [
        "postconf -M",
        "postconf -Px",
        "postconf -n",
        "postconf -x",
    ]


def test_the_keys_of_a_listed_table_are_found_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    programs(monkeypatch, relay, {"postmap -s lmdb:/maps/x": (0, "council.example\tOK\nb.example\tNO\n", "")})
    assert relay.answered("lmdb:/maps/x", ["Council.example", "gone.example"]) == {"Council.example": "OK"}


def test_recipients_are_counted_by_domain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(monkeypatch, domains, {"postmap -s": (0, "a@x.example\tOK\nb@x.example\tOK\n", "")})
    assert domains.table(str(tmp_path / "none"))["domains"] == {"x.example": 2}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a key, a certificate for it by a CA, and that CA, made by openssl."""
    folder = tmp_path_factory.mktemp("tls")
    new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    run(folder, *new, "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Made-up CA")
    uses = ["-addext", "subjectAltName=DNS:relay.example", "-addext", "extendedKeyUsage=serverAuth,clientAuth"]
    run(folder, *new, "-keyout", "hub.key", "-out", "hub.csr", "-subj", "/CN=relay.example", *uses)
    signed = [
        "openssl",
        "x509",
        "-req",
        "-in",
        "hub.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-copy_extensions",
        "copy",
    ]
    run(folder, *signed, "-out", "hub.pem")
    (folder / "hub.chain.pem").write_text((folder / "hub.key").read_text() + (folder / "hub.pem").read_text())
    return folder


def run(folder: Path, *argv: str) -> None:
    subprocess.run(argv, cwd=folder, check=True, capture_output=True)


def identity(folder: Path, **other: str) -> dict[str, Any]:
    paths = {"key": "hub.key", "chain": "hub.chain.pem", "authority": "ca.pem", **other}
    wanted = {name: str(folder / path) for name, path in paths.items()}
    return tls.identity({**wanted, "listeners": []})


def test_a_certificate_is_told_with_what_a_check_asks_for(made: Path) -> None:
    found = identity(made)
    certificate = found["certificate"]
    assert certificate["names"] == ["relay.example"]
    assert certificate["usages"] == ["TLS Web Server Authentication", "TLS Web Client Authentication"]
    assert certificate["public_key"] == found["key"] and len(found["key"]) == 95
    assert (certificate["algorithm"], certificate["bits"]) == ("id-ecPublicKey", 256)
    assert not certificate["authority"] and found["authorities"][0]["authority"]


def test_nothing_of_a_private_key_is_told(made: Path) -> None:
    told = json.dumps(identity(made))
    secret = (made / "hub.key").read_text().splitlines()[1]
    assert "PRIVATE" not in told and secret not in told


def test_a_chain_is_tried_for_both_uses(made: Path) -> None:
    assert identity(made)["chain"] == {"sslserver": "", "sslclient": ""}


def test_an_expired_certificate_still_chains_its_dates_are_a_fact_of_their_own(made: Path) -> None:
    signed = ["openssl", "x509", "-req", "-in", "hub.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "-1"]
    run(made, *signed, "-copy_extensions", "copy", "-out", "expired.pem")
    found = identity(made, chain="expired.pem")
    assert found["certificate"]["not_after"] < datetime.now(UTC).isoformat(" ")
    assert found["chain"] == {"sslserver": "", "sslclient": ""}


def test_a_certificate_of_another_ca_does_not_chain(made: Path) -> None:
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    run(made, *new, "-keyout", "other.key", "-out", "other.pem", "-subj", "/CN=Another CA")
    assert "unable to get local issuer" in identity(made, authority="other.pem")["chain"]["sslclient"]


def test_a_host_without_a_certificate_yet_says_so(made: Path) -> None:
    found = identity(made, chain="awaited.pem")
    assert found["certificate"] is None and found["chain"] is None
    assert found["files"]["chain"] == {"exists": False}


def test_a_listener_that_lets_us_wait_presents_neither_the_right_nor_a_wrong_certificate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    programs(monkeypatch, tls, {"openssl s_client": (124, "", "openssl: no end within 12 seconds")})
    assert tls.presented({"chain": "x"}, "192.0.2.1", 2525)["in_time"] is False
    programs(monkeypatch, tls, {"openssl s_client": (1, "", "connect: Connection refused")})
    assert tls.presented({"chain": "x"}, "192.0.2.1", 2525)["in_time"] is True
