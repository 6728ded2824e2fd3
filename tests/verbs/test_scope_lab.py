"""--only and --limit on real hosts: a part is looked at and changed, the rest is not."""

import json

import pytest

from tests.operations.test_apply_lab import commands

pytestmark = pytest.mark.lab
HOSTS = {"firewall", "relay", "mail"}


@pytest.mark.touches("relay")
def test_apply_of_one_concern_leaves_the_others_as_they_are(lab, cjsm):
    lab.exec("relay", ["sh", "-c", "echo '# by hand' >> /etc/logrotate.d/cjsm-mail"])
    lab.exec("relay", ["sh", "-c", "echo '# by hand' >> /etc/logrotate.d/ulogd2"])
    plan = json.loads(cjsm("plan", "--json", "--only", "logging").stdout)["hosts"]["relay"]
    assert [file["path"] for file in plan["files"]] == ["/etc/logrotate.d/cjsm-mail"]
    assert cjsm("status", "--only", "antivirus").returncode == 0
    assert cjsm("apply", "--only", "logging").returncode == 0
    assert "by hand" not in lab.exec("relay", ["cat", "/etc/logrotate.d/cjsm-mail"]).stdout
    assert "by hand" in lab.exec("relay", ["cat", "/etc/logrotate.d/ulogd2"]).stdout


def test_one_concern_of_the_mail_path_says_that_it_takes_all_three(lab, cjsm):
    done = cjsm("plan", "--only", "domains", "--limit", "relay")
    assert done.returncode == 0
    assert "domains shares one Postfix and one set of maps with tls, relay: all are taken" in done.stderr


def test_an_unknown_concern_is_an_error_that_lists_them(lab, cjsm):
    done = cjsm("apply", "--only", "mail")
    assert done.returncode == 2
    assert "no such concern; there are: tls, relay, domains, firewall, antivirus, patching, logging" in done.stderr


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (("--limit", "mail"), {"mail"}),
        (("--only", "patching"), {"firewall", "relay", "mail"}),
        (("--limit", "relay", "--only", "tls"), {"relay"}),
    ],
)
def test_an_apply_of_a_part_with_nothing_to_do_asks_only_the_hosts_it_is_about_and_each_once(lab, cjsm, options, asked):
    before = {host: commands(lab, host) for host in HOSTS}
    assert "Nothing to do" in cjsm("apply", *options).stderr
    assert {host for host in HOSTS if commands(lab, host) == before[host] + 1} == asked
    assert {host for host in HOSTS if commands(lab, host) == before[host]} == HOSTS - asked
