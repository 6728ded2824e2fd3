"""Testers of the listener: in for their time, as far as RCPT. What the kernel makes of its rules is tried here."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from cjsm_connect.organisation import OrganisationError
from cjsm_connect.organisation.flows import for_host
from deploys.firewall import ruleset
from deploys.relay import MASTER
from tests.deploys.mail import answered, content, services, table, wanted
from tests.made_up import FINGERPRINT, lab_file, organisation

KEY = ":".join(["5e"] * 32)
TESTER = {
    "name": "Jo Engineer",
    "approver": "Sam Administrator",
    "reason": "acceptance test",
    "addresses": ["203.0.113.40", "2001:db8::40"],
    "fingerprints": [KEY],
    "start": datetime(2026, 11, 20, 9, tzinfo=UTC),
    "expiry": datetime(2026, 11, 25, 17, tzinfo=UTC),
}
START, END = 1795165200, 1795626000  # the same, by `date -d ... +%s`
MAPS = "/etc/cjsm/maps"
HUB = f"check_client_access cidr:{MAPS}/hub_sources, check_ccert_access lmdb:{MAPS}/hub_certificates"
RENEWED = f"check_client_access cidr:{MAPS}/hub_unknown_keys"


@pytest.fixture(scope="module")
def where():
    return answered(hub={"testers": [TESTER]})


def rules(where, host):
    return [line.strip() for line in ruleset(where.host(host), for_host(where, where.host(host))).splitlines()]


@pytest.mark.parametrize("host", ["relay", "firewall"])
def test_the_firewall_knows_until_when_and_ends_what_is_open_then(where, host):
    about = [line for line in rules(where, host) if "203.0.113.40" in line]
    over, opened = about
    flow = "ip saddr 203.0.113.40 ip daddr 198.51.100.10 tcp dport 4545 meta time"
    assert opened.startswith(f"{flow} >= {START} meta time < {END} ct state new ")
    assert over.startswith(f"{flow} >= {END} counter name drop_")
    lines = rules(where, host)
    established = next(number for number, line in enumerate(lines) if line.startswith("ct state established"))
    chain = max(number for number in range(lines.index(over)) if lines[number].startswith("chain "))
    later = [number for number, line in enumerate(lines) if line.startswith("ct state established") and number > chain]
    assert established and lines.index(over) < later[0], "before what lets open connections go on"


def test_nobody_else_of_the_estate_hears_of_a_tester(where):
    assert not [line for line in rules(where, "mail") if "203.0.113.40" in line]


def test_an_address_of_the_other_ip_version_leads_nowhere(where):
    assert not [line for line in rules(where, "relay") if "2001:db8::40" in line]


@pytest.mark.skipif(not shutil.which("nft") or os.geteuid() != 0, reason="needs nft and root")
def test_nft_reads_the_times_as_they_are_meant(where):
    text = "\n".join(rules(where, "relay"))
    script = "nft -f - && nft list table inet cjsm"
    for zone, start in (("UTC0", "2026-11-20 09:00:00"), ("Europe/Berlin", "2026-11-20 10:00:00")):
        argv = ["unshare", "-n", "env", f"TZ={zone}", "sh", "-c", script]
        listed = subprocess.run(argv, input=text, capture_output=True, text=True, check=True).stdout
        assert f'meta time >= "{start}"' in listed


# two network namespaces: the relay with its rules and something that answers, and the engineer on the other end
KERNEL = r"""
import json, socket, subprocess, sys, threading, time
def run(*argv, text=None):
    subprocess.run(argv, input=text, text=True, check=True, capture_output=True)
rules, told = json.load(sys.stdin), []
engineer = subprocess.Popen(["unshare", "-n", sys.executable, "-c", sys.argv[1]], stdin=-1, stdout=-1, text=True)
engineer.stdout.readline()
run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(engineer.pid))
run("ip", "address", "add", "198.51.100.10/32", "dev", "near")
run("ip", "link", "set", "near", "up")
run("ip", "route", "add", "203.0.113.0/24", "dev", "near")
now = int(time.time())
rules = rules.replace(START, str(now - 5)).replace(END, str(now + 4))
run("nft", "-f", "-", text=rules)
def answering(connection):
    while data := connection.recv(100):
        connection.sendall(data)
server = socket.create_server(("198.51.100.10", 4545))
def accepting():
    while True:
        threading.Thread(target=answering, args=(server.accept()[0],), daemon=True).start()
threading.Thread(target=accepting, daemon=True).start()
print(engineer.communicate("go")[0])
"""
ENGINEER = r"""
import json, socket, subprocess, sys
print("ready", flush=True)
sys.stdin.read()
for words in ("address add 203.0.113.40/32 dev far", "address add 203.0.113.41/32 dev far", "link set far up",
              "route add 198.51.100.0/24 dev far"):
    subprocess.run(["ip", *words.split()], check=True)
def opened(source):
    return socket.create_connection(("198.51.100.10", 4545), 2, (source, 0))
def outcome(source):
    try:
        return opened(source) and "open"
    except OSError as error:
        return type(error).__name__
said = {"another": outcome("203.0.113.41"), "in time": 0}
held = opened("203.0.113.40")
try:
    while said["in time"] < 100:
        held.sendall(b"x")
        held.recv(1)
        said["in time"] += 1
        subprocess.run(["sleep", "0.1"])
except OSError as error:
    said["held"] = type(error).__name__
print(json.dumps(said | {"over": outcome("203.0.113.40")}))
"""


@pytest.mark.skipif(not shutil.which("nft") or os.geteuid() != 0, reason="needs nft and root")
def test_the_kernel_lets_a_tester_in_and_shuts_it_out_when_its_time_is_over(where):
    """With the relay's own rules, and a clock that goes on by itself: nothing of ours runs at the end."""
    script = KERNEL.replace("START", repr(str(START))).replace("END", repr(str(END)))
    argv = ["unshare", "-n", sys.executable, "-c", script, ENGINEER]
    told = json.dumps("\n".join(rules(where, "relay")))
    done = subprocess.run(argv, input=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said.pop("in time") > 1
    assert said == {"another": "TimeoutError", "held": "TimeoutError", "over": "TimeoutError"}


def listener(where):
    return services(content(wanted(where, "relay"), MASTER))["198.51.100.10:4545"]


def test_testers_are_let_in_and_a_message_is_the_hubs_alone(where):
    assert f"smtpd_client_restrictions = {HUB.replace('hub_', 'admitted_')}, {RENEWED}, reject " in listener(where)
    assert f"smtpd_data_restrictions = reject_unauth_pipelining, {HUB}, reject " in listener(where)
    assert f"smtpd_end_of_data_restrictions = {HUB}, reject " in listener(where)


def test_the_tables_of_the_hub_know_no_tester(where):
    tables = wanted(where, "relay")
    assert set(table(tables, "hub_certificates")) == {FINGERPRINT}
    assert set(table(tables, "admitted_certificates")) == {FINGERPRINT, KEY}
    known = {name: {key for key, said in table(tables, name).items() if said == "DUNNO"} for name in SOURCES}
    assert known == {
        "hub_sources": {"203.0.113.21"},
        "admitted_sources": {"203.0.113.21", "203.0.113.40", "2001:db8::40"},
    }


SOURCES = ("hub_sources", "admitted_sources")


def test_without_testers_nothing_of_them_is_on_a_host():
    plain = wanted(answered(), "relay")
    assert not [one.name for one in plain.maps if one.name.startswith("admitted")]
    assert "admitted" not in content(plain, MASTER)
    assert "smtpd_data_restrictions=reject_unauth_pipelining" in listener(answered())
    assert "meta time" not in "\n".join(rules(answered(), "relay"))


def test_a_co_located_relay_has_no_testers():
    [relay] = [one for one in lab_file()["hosts"] if one["role"] == "relay"]
    changes = {"estate": {"topology": "co-located"}, "hosts": [relay], "inner": None, "hub": {"testers": [TESTER]}}
    with pytest.raises(OrganisationError, match="only a separated relay can refuse their mail"):
        organisation(**changes)
