"""What a program of the host refuses is refused with its words, before anything on the host has changed."""

import json
import time

import pytest

from cjsm_connect import remote
from cjsm_connect.desired import Desired
from cjsm_connect.desired.change import Change
from cjsm_connect.operations import programs

pytestmark = pytest.mark.lab

MAIN, MASTER = "/etc/postfix/main.cf", "/etc/postfix/master.cf"
# what the host looks like from outside the code under test
STATE = """
find /etc /usr/local/lib/cjsm /var/lib/cjsm/generations /.cjsm-stage -type f -exec sha256sum {} + | sort
ls /run | grep cjsm-postfix
pgrep -c -f /usr/lib/postfix/sbin/master
"""


def broken(path, old, new, said):
    """One case: the host's own file with one thing wrong in it, and what its program says of that."""
    return pytest.param((path, old, new, said), id=f"{path.rpartition('/')[2]}:{new.strip()[:40]}")


CASES = [
    broken(MAIN, "smtpd_helo_required", "smtpd_hello_required", "smtpd_hello_required"),
    broken(MAIN, "relay_domains = lmdb:", "relay_domains = lmbd:", "lmbd"),
    broken(MASTER, "reject_unauth_pipelining", "reject_unauth_pipelinin", "reject_unauth_pipelinin"),
    broken(MASTER, ", reject_unauth_destination", ", reject_unauth_destinaton", "reject_unauth_destinaton"),
    broken(MASTER, "smtpd_tls_security_level=encrypt", "smtpd_tls_security_level=encrpyt", "encrpyt"),
    broken(MASTER, "smtpd_tls_chain_files=/etc/cjsm/tls/hub", "smtpd_tls_chain_files=/etc/cjsm/tls/bub", "bub.chain"),
    broken(MASTER, "smtp_tls_chain_files=/etc/cjsm/tls/hub", "smtp_tls_chain_files=/etc/cjsm/tls/bub", "bub.chain"),
    broken(MASTER, "check_client_access cidr:", "check_client_access cdir:", "cdir"),
    broken(MASTER, "tls_policy_maps=lmdb:/etc/cjsm/maps/tls_policy", "tls_policy_maps=lmdb:/none/such", "/none/such"),
    broken(MASTER, " smtpd\n", " smptd\n", "smptd"),
    broken("/etc/cjsm/tls/hub-ca.pem", "M", "!", "openssl says"),
    broken("/etc/clamav/clamd.conf", "MaxFileSize", "MaxFielSize", "MaxFielSize"),
    broken("/etc/clamav/clamav-milter.conf", "OnInfected", "OnInfectde", "OnInfectde"),
    broken("/etc/clamav/freshclam.conf", "Checks", "Chekcs", "Chekcs"),
    broken("/etc/systemd/system/clamav-daemon.service.d/50-cjsm.conf", "Restart=", "Restrat=", "Restrat"),
    broken("/etc/systemd/system/apt-daily.timer.d/50-cjsm.conf", "OnCalendar=*-*-*", "OnCalendar=never", "never"),
    broken("/etc/systemd/system/clamav-milter.service", "ExecStart=/", "ExecStart=", "clamav-milter.service"),
    broken("/etc/apt/apt.conf.d/60cjsm", ";", ' "two" \'three;', "apt-config says"),
    broken("/etc/logrotate.d/cjsm-mail", "rotate ", "rotaet ", "rotaet"),
    broken("/etc/rsyslog.conf", "module(", "modul(", "rsyslogd says"),
    broken("/etc/chrony/chrony.conf", "makestep", "makestpe", "chronyd says"),
    broken("/etc/needrestart/conf.d/50-cjsm.conf", ";", "}", "perl says"),
    broken("/usr/local/lib/cjsm/wait-for-signatures", "done", "doen", "says"),
    broken("/usr/local/lib/cjsm/pending-updates", "import", "import import", "python3 says"),
    broken("/etc/ssh/sshd_config.d/lab.conf", "UseDNS no", "UseDNS perhaps", "sshd says"),
]


@pytest.fixture
def install(lab):
    """Run install's program on a lab host; its answer, or what it said when it refused."""

    def run(host, **arguments):
        program = programs.install(Change(), Desired(), programs.Errand({"apply": "test", "who": "a test"}))
        text = remote.program(program.modules, program.entry, program.arguments | arguments)
        done = lab.exec(host, ["python3", "-I", "-"], input=text)
        marked = [line for line in done.stdout.splitlines() if line.startswith(remote.MARK)]
        return json.loads(marked[-1][len(remote.MARK) :])

    return run


def as_file(lab, path, change=lambda text: text):
    """A file as it is on the relay, with its owner and mode, and its text changed."""
    owner, group, mode = lab.exec("relay", ["stat", "-c", "%U %G %a", path]).stdout.split()
    text = lab.exec("relay", ["cat", path]).stdout
    kept = {"owner": owner, "group": group, "mode": int(mode, 8), "secret": False}
    return {"path": path, "text": change(text), **kept}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_file_is_refused_with_the_words_of_its_program_and_nothing_has_changed(lab, install, case):
    path, old, new, said = case
    before = lab.exec("relay", ["sh", "-c", STATE]).stdout
    wrong = as_file(lab, path, lambda text: text.replace(old, new))
    assert wrong["text"] != as_file(lab, path)["text"], f"{old!r} is not in {path}"
    answer = install("relay", files=[as_file(lab, "/etc/logrotate.d/ulogd2"), wrong])
    assert "is not valid" in answer.get("error", ""), answer
    assert said in answer["error"]
    assert lab.exec("relay", ["sh", "-c", STATE]).stdout == before


def test_firewall_rules_that_nft_refuses_change_nothing(lab, install):
    before = lab.exec("relay", ["sh", "-c", STATE]).stdout
    rules = lab.exec("relay", ["cat", "/etc/nftables.d/cjsm.nft"]).stdout.replace("policy drop", "policy dorp")
    wall = {"table": "inet cjsm", "boot_path": "/etc/nftables.d/cjsm.nft", "ruleset": rules, "seconds": 60}
    answer = install("relay", files=[as_file(lab, "/etc/logrotate.d/ulogd2")], firewalls=[wall])
    assert "nft says" in answer["error"]
    assert lab.exec("relay", ["sh", "-c", STATE]).stdout == before


def test_a_table_that_another_tables_rows_break_is_refused(lab, install):
    before = lab.exec("relay", ["sh", "-c", STATE]).stdout
    rows = [["198.51.100.10/33", "DUNNO"]]
    table = {"name": "hub_sources", "rows": rows, "kind": "cidr"}
    assert "hub_sources cannot be used" in install("relay", maps=[table], map_set="maps-test")["error"]
    assert lab.exec("relay", ["sh", "-c", STATE]).stdout == before


@pytest.mark.touches("relay")
def test_every_file_of_the_relay_is_accepted_as_it_is(lab, install):
    paths = sorted({case.values[0][0] for case in CASES})
    answer = install("relay", files=[as_file(lab, path) for path in paths])
    assert answer.get("ok", {}).get("files") == paths, answer


@pytest.mark.touches("mail")
def test_a_fault_in_an_administrators_own_configuration_is_not_a_new_one(lab, install):
    own = "virtual_alias_maps = hash:/etc/postfix/never-made\nno_such_parameter = 1\n"
    lab.exec("mail", ["sh", "-c", f"printf '{own}' >> /etc/postfix/main.cf"])
    text = lab.exec("mail", ["cat", MAIN]).stdout
    file = {"path": MAIN, "owner": "root", "group": "root", "mode": 0o644, "secret": False}
    refused = install("mail", files=[file | {"text": text + "delay_warnign_time = 4h\n"}])
    assert "delay_warnign_time" in refused["error"]
    assert "no_such_parameter" not in refused["error"]
    refused = install("mail", files=[file | {"text": text + "smtpd_helo_restrictions = reject_invaldi\n"}])
    assert "reject_invaldi" in refused["error"]
    assert "never-made" not in refused["error"]
    assert "ok" in install("mail", files=[file | {"text": text + "delay_warning_time = 4h\n"}])


KILLED = """
import os
from cjsm_connect.remote import rehearsal
rehearsal.LIFETIME = 1
rehearsal.listener = lambda *_: os.kill(os.getpid(), 9)
rehearsal.problems("/etc/postfix", {})
"""


def test_a_private_postfix_whose_program_is_killed_ends_by_itself_and_its_folder_goes_with_the_next(lab):
    program = remote.program(("common", "rehearsal"), "common:read", "/none")
    assert lab.exec("relay", ["python3", "-I", "-"], input=program + KILLED).returncode != 0
    running = ["pgrep", "-c", "-f", "/usr/lib/postfix/sbin/master"]
    last = time.monotonic() + 15
    while lab.exec("relay", running).stdout != "1\n":
        assert time.monotonic() < last, "the private master(8) still runs"
        time.sleep(0.2)
    folders = ["sh", "-c", "ls -d /run/cjsm-postfix-*"]
    (left,) = lab.exec("relay", folders).stdout.split()
    lab.exec("relay", ["touch", "-d", "-1 hour", left])
    again = program + KILLED.replace("os.kill(os.getpid(), 9)", "[]")
    assert lab.exec("relay", ["python3", "-I", "-"], input=again).returncode == 0
    assert lab.exec("relay", folders).stdout == ""
