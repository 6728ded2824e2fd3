"""What plan printed is what apply does: compared with what is seen on the host by other ways.

Every file below the places that we write to, dpkg's own marks, systemd's journal and nft's listing, before and after.
"""

import base64
import json
import os
import re
from contextlib import contextmanager

import pytest

from cjsm_connect import organisation as model
from deploys.connection import desired

pytestmark = pytest.mark.lab

INVENTORY = r"""
import hashlib, json, os, stat
found = {}
def note(path):
    status = os.lstat(path)
    row = [status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)]
    if stat.S_ISLNK(status.st_mode):
        row = ["link", os.readlink(path)]
    elif stat.S_ISREG(status.st_mode):
        row.append(hashlib.sha256(open(path, "rb").read()).hexdigest())
    found[path] = row
for top in ("/etc", "/usr/local", "/var/log/cjsm"):
    for folder, names, files in os.walk(top):
        note(folder)
        for name in files + [name for name in names if os.path.islink(folder + "/" + name)]:
            note(folder + "/" + name)
print(json.dumps(found))
"""
LOG = re.compile("^/var/log/cjsm/.")  # programs write there all the time; the folder itself is ours


def inventory(lab, host):
    return json.loads(lab.exec(host, ["python3", "-I", "-"], input=INVENTORY).stdout)


def differing(before, after):
    paths = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    return {path for path in paths if not LOG.match(path)}


def written(plan):
    """The paths that a plan says apply will write, make or remove."""
    paths = {item["path"] for name in ("directories", "files") for item in plan[name]} | set(plan["removed"])
    paths |= {path for key in plan["keys"] for path in key["writes"]}
    paths |= {wall["path"] for wall in plan["firewall"] if wall["boot_diff"]}
    paths |= {"/etc/nftables.conf"} if any(wall["load_at_boot"] for wall in plan["firewall"]) else set()
    return paths | ({"/etc/cjsm/maps"} if plan["maps"] else set())


def manual(lab, host):
    return set(lab.exec(host, ["apt-mark", "showmanual"]).stdout.split())


def rules(lab, host):
    return lab.exec(host, ["nft", "-s", "list", "table", "inet", "cjsm"]).stdout


def cursor(lab, host):
    rows = lab.exec(host, ["journalctl", "-q", "-n", "1", "-o", "json"]).stdout
    return json.loads(rows)["__CURSOR"]


def acted_on(lab, host, since, units):
    """{unit: systemd's jobs on it} since a cursor, of our units only (systemd.journal-fields(7), JOB_TYPE)."""
    rows = lab.exec(host, ["journalctl", "-q", "-o", "json", f"--after-cursor={since}", "_PID=1"]).stdout
    found = {}
    for row in map(json.loads, rows.splitlines()):
        if "JOB_TYPE" in row and row.get("UNIT") in units:
            found.setdefault(row["UNIT"], set()).add(row["JOB_TYPE"])
    return found


def units_of(lab, host):
    where = model.load(lab.organisation_folder)
    return {service.unit for service in desired(where, where.host(host)).services}


def told(cjsm, *hosts):
    limits = [word for host in hosts for word in ("--limit", host)]
    done = cjsm("plan", "--json", *limits)
    assert done.returncode == 1, done.stdout + done.stderr
    return json.loads(done.stdout)["hosts"]


def applied_and_compared(lab, cjsm, *hosts):
    """Plan, apply, and compare on each host; returns the plans."""
    plans = told(cjsm, *hosts)
    before = {host: (inventory(lab, host), manual(lab, host), rules(lab, host), cursor(lab, host)) for host in hosts}
    done = cjsm("apply", "--json", "--yes", *[word for host in hosts for word in ("--limit", host)])
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["changed"]) == {host for host in hosts if plans[host]["changes"]}
    for host in hosts:
        files, packages, live, since = before[host]
        plan = plans[host]
        assert differing(files, inventory(lab, host)) == written(plan), host
        assert manual(lab, host) - packages == set(plan["packages"]), host
        assert (rules(lab, host) != live) == any(wall["boot_diff"] or wall["live_diff"] for wall in plan["firewall"])
        jobs = acted_on(lab, host, since, units_of(lab, host))
        assert set(jobs) == {item["unit"] for item in plan["services"]}, (host, jobs)
        for item in plan["services"]:
            assert set(item["actions"]) & {"start", "reload", "restart"} <= jobs[item["unit"]] | {"start"}, host
    return plans


@contextmanager
def edited(lab, old, new):
    """The organisation file with one text replaced."""
    path = lab.organisation_folder / "organisation.toml"
    kept = path.read_text()
    assert kept.count(old) == 1
    path.write_text(kept.replace(old, new))
    try:
        yield
    finally:
        path.write_text(kept)


@pytest.mark.touches("relay", "mail")
def test_a_changed_domain_list(lab, cjsm):
    names = 'names = ["council.example", "licensing.council.example"]'
    with edited(lab, names, names.replace("]", ', "legal.council.example"]')):
        plans = applied_and_compared(lab, cjsm, "relay", "mail")
    rows = {table["name"]: table for table in plans["relay"]["maps"]}
    found = lab.exec("relay", ["cat", "/etc/cjsm/maps/relay_domains"]).stdout
    assert rows["relay_domains"]["added"] == ["legal.council.example OK"]
    assert rows["relay_domains"]["removed"] == []
    assert "legal.council.example OK\n" in found


@pytest.mark.touches("relay")
def test_a_renewed_certificate(lab, cjsm):
    answer, other = (lab.organisation_folder / f"certificates/relay{end}.pem" for end in ("", "-inner"))
    kept, unchanged = answer.read_text(), other.read_text()
    lab.sign(["relay"])
    other.write_text(unchanged)
    assert answer.read_text() != kept
    try:
        plan = applied_and_compared(lab, cjsm, "relay")["relay"]
    finally:
        answer.write_text(kept)
    assert [(key["name"], key["needs"]) for key in plan["keys"]] == [("hub", ["certificate"])]
    assert plan["services"] == [{"unit": "postfix.service", "actions": ["reload"]}]
    assert not plan["files"] and not plan["maps"] and not plan["packages"]


@pytest.mark.touches("relay")
def test_drifted_files_rules_and_services(lab, cjsm):
    for command in (
        "echo '# by hand' >> /etc/logrotate.d/cjsm-mail",
        "rm /etc/apt/apt.conf.d/60cjsm",
        "chmod 0755 /etc/cjsm/tls",
        "postconf -e smtp_tls_security_level=may",
        "nft insert rule inet cjsm input tcp dport 23 accept",
        "systemctl stop rsyslog.service",
        "systemctl stop chrony.service",
    ):
        assert lab.exec("relay", ["sh", "-c", command]).returncode == 0
    plan = applied_and_compared(lab, cjsm, "relay")["relay"]
    assert {"unit": "chrony.service", "actions": ["start"]} in plan["services"]


@pytest.mark.touches("firewall")
def test_a_fresh_host(lab, cjsm):
    """What the packages bring by themselves is seen first, on the same bare host with the same packages."""
    lab.reset(["firewall"], "bare")
    plan = told(cjsm, "firewall")["firewall"]
    install = ["apt-get", "-q", "-y", "-o", "APT::Install-Recommends=false", "install", *plan["packages"]]
    policy = "printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; apt-get update"
    lab.exec("firewall", ["sh", "-c", policy])
    done = lab.exec("firewall", ["env", "DEBIAN_FRONTEND=noninteractive", *install])
    assert done.returncode == 0, done.stderr
    only_packages = inventory(lab, "firewall")
    lab.reset(["firewall"], "bare")
    before = manual(lab, "firewall")
    assert told(cjsm, "firewall")["firewall"] == plan
    done = cjsm("apply", "--json", "--yes", "--limit", "firewall")
    assert done.returncode == 0, done.stderr
    assert manual(lab, "firewall") - before == set(plan["packages"])
    assert differing(only_packages, inventory(lab, "firewall")) - ENABLED - WAY_BACK == written(plan)
    for item in plan["services"]:
        assert lab.exec("firewall", ["systemctl", "is-active", item["unit"]]).stdout == "active\n"
        assert lab.exec("firewall", ["systemctl", "is-enabled", item["unit"]]).stdout in ("enabled\n", "static\n")
    assert "policy drop" in rules(lab, "firewall")


ENABLED = {  # `systemctl enable` of what plan names as a service or as load_at_boot
    "/etc/systemd/system/sysinit.target.wants",
    "/etc/systemd/system/sysinit.target.wants/nftables.service",
    "/etc/systemd/system/timers.target.wants/cjsm-pending-updates.timer",
}


WAY_BACK = {  # the same on every host, and no part of what it must be: docs/plan.md says so
    "/etc/systemd/system/cjsm-undo.service",
    "/etc/systemd/system/sysinit.target.wants/cjsm-undo.service",
}


def spellings(secret):
    """A secret as it might leak: plain, hexadecimal, and base64 at each of the three offsets."""
    raw = secret.encode()
    yield secret
    yield raw.hex()
    for offset in range(3):
        text = base64.b64encode(b"x" * offset + raw).decode()
        yield text[4 : len(text) - 4]


@pytest.mark.touches("relay")
def test_no_secret_appears_in_what_plan_and_apply_say(lab, cjsm, monkeypatch):
    canaries = ["Canary-0-Jackdaw-Turnip", "Canary-1-Lapwing-Parsnip"]
    said = ""
    with edited(lab, "# auth = {", "auth = {"):
        for canary in canaries:
            monkeypatch.setenv("CJSM_HUB_PASSWORD", canary)
            for verb in (("plan",), ("plan", "--json"), ("status", "--json"), ("apply", "--yes")):
                done = cjsm(*verb, "--limit", "relay")
                assert done.returncode in (0, 1), done.stderr
                said += done.stdout + done.stderr
            assert canary in lab.exec("relay", ["cat", "/etc/cjsm/hub-password"]).stdout
        canary = "Canary-2-Whimbrel-Swede"
        monkeypatch.setenv("CJSM_HUB_PASSWORD", canary)
        done = cjsm("apply", "--yes", "--json", "--limit", "relay")
        said += done.stdout + done.stderr
    keys = [lab.exec("relay", ["cat", f"/etc/cjsm/tls/{name}.key"]).stdout.splitlines()[5] for name in ("hub", "inner")]
    assert "/etc/cjsm/hub-password" in said
    for secret in (*canaries, canary, *keys):
        assert len(secret) > 20
        assert not [text for text in spellings(secret) if text in said]
    assert os.environ["CJSM_HUB_PASSWORD"] == canary
