"""--only and --limit on real hosts: a part is looked at and changed, the rest is not."""

import json
import time

import pytest

pytestmark = pytest.mark.lab
SECONDS = 2  # issue 3: both answer within 2 s when nothing is to do


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
    "options", [("--limit", "mail"), ("--only", "patching"), ("--limit", "relay", "--only", "tls")]
)
def test_an_apply_with_nothing_to_do_answers_within_two_seconds(lab, cjsm, options):
    taken = []
    for _ in range(3):
        start = time.monotonic()
        assert "Nothing to do" in cjsm("apply", *options).stderr
        taken.append(time.monotonic() - start)
    assert sorted(taken)[1] < SECONDS
