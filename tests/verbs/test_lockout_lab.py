"""plan on real hosts: rules that would cut off an administrator are refused; what others set is shown or left alone."""

import json
import subprocess
import sys
from contextlib import contextmanager

import pytest

from cjsm_connect.lab.entry import controller

pytestmark = pytest.mark.lab
HOSTS = ("firewall", "relay", "mail")
OTHER = "192.0.2.77"
CONNECT = "import socket, sys, time; s = socket.create_connection((sys.argv[1], 22), 5, (sys.argv[2], 0)); s.recv(9); \
print('in', flush=True); time.sleep(60)"


@contextmanager
def organisation_with(lab, old, new):
    path = lab.organisation_folder / "organisation.toml"
    kept = path.read_text()
    assert old in kept
    path.write_text(kept.replace(old, new))
    try:
        yield
    finally:
        path.write_text(kept)


def rules(lab):
    return {host: lab.exec(host, ["nft", "-s", "list", "ruleset"]).stdout for host in HOSTS}


def test_an_administrator_who_takes_away_his_own_address_is_refused_and_nothing_changes(lab, cjsm):
    before = rules(lab)
    with organisation_with(lab, 'administered_from = ["192.0.2.100"]', 'administered_from = ["192.0.2.200"]'):
        plan = cjsm("plan")
        told = json.loads(cjsm("plan", "--json").stdout)["hosts"]
        applied = cjsm("apply", "--yes")
        status = cjsm("status")
    assert plan.returncode == applied.returncode == 2
    sentence = "expected SSH from estate.administered_from (192.0.2.200), found you at 192.0.2.100. Add that address"
    for host in HOSTS:
        assert sentence in told[host]["refused"][0]
        assert f"{host}: the new firewall rules would cut you off" in applied.stderr
    assert plan.stdout.count(sentence) >= 3
    assert any(text.startswith("relay lies behind it") for text in told["firewall"]["refused"])
    assert "nothing was changed" in applied.stderr
    assert status.returncode == 1  # a difference, not a host that could not be looked at
    assert rules(lab) == before
    assert cjsm("plan").returncode == 0


@pytest.mark.touches("mail")
def test_an_open_session_from_elsewhere_is_a_warning(lab, cjsm):
    """Somebody at another address is connected, and the host's rules are to be loaded again."""
    inside = ["nsenter", f"--net={controller(lab.name)}"]
    leg = json.loads(subprocess.check_output([*inside, "ip", "-j", "route", "get", "192.0.2.10"]))[0]["dev"]
    subprocess.run([*inside, "ip", "address", "add", f"{OTHER}/24", "dev", leg], check=True)
    try:
        lab.exec("mail", ["nft", "delete", "table", "inet", "cjsm"])
        argv = [*inside, sys.executable, "-c", CONNECT, "192.0.2.10", OTHER]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as session:
            assert session.stdout.readline() == "in\n"
            told = json.loads(cjsm("plan", "--json").stdout)["hosts"]["mail"]
            session.kill()
    finally:
        subprocess.run([*inside, "ip", "address", "del", f"{OTHER}/24", "dev", leg], check=True)
    assert told["refused"] == []
    assert told["warnings"][0].startswith(f"an SSH session from {OTHER} is open")


@pytest.mark.touches("relay")
def test_what_an_administrator_set_is_shown_before_it_is_replaced_and_kept(lab, cjsm):
    lab.exec("relay", ["postconf", "-e", "smtp_tls_security_level=may"])
    lab.exec("relay", ["nft", "insert", "rule", "inet", "cjsm", "input", "tcp", "dport", "23", "accept"])
    lab.exec("relay", ["nft", "add", "table", "ip", "monitoring"])
    before = lab.exec("relay", ["cat", "/etc/postfix/main.cf"]).stdout
    plan = cjsm("plan")
    assert plan.returncode == 1
    assert "setting main.cf: smtp_tls_security_level, now `may`, becomes `" in plan.stdout
    assert "-smtp_tls_security_level = may" in plan.stdout
    assert "live rules of table inet cjsm were changed by hand and are replaced" in plan.stdout
    assert "tcp dport 23 accept" in plan.stdout
    assert "firewall tables of others are left alone: ip monitoring" in plan.stdout
    assert cjsm("apply", "--yes").returncode == 0
    kept = lab.exec("relay", ["sh", "-c", "cat $(ls -d /var/lib/cjsm/generations/* | sort -V | tail -1)/[0-9]*"]).stdout
    assert before in kept
    live = lab.exec("relay", ["nft", "list", "ruleset"]).stdout
    assert "dport 23" not in live and "table ip monitoring" in live
