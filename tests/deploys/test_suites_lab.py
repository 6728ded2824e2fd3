"""A hub that has no suite of ours: the route does not open, and whoever applies is told which suite it would take."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from cjsm_connect.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.touches("relay", "hub")]

OLD = {
    "smtpd_tls_mandatory_protocols": "TLSv1.2",
    "smtpd_tls_mandatory_ciphers": "high",
    "tls_high_cipherlist": "ECDHE-ECDSA-AES256-SHA",
}


def test_an_apply_that_would_open_the_route_is_put_back_and_names_the_suite(
    lab: Lab, cjsm: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    rows = lab.exec("hub", ["postconf", "-P"]).stdout.splitlines()
    members = next(row.partition("/syslog_name")[0] for row in rows if row.endswith("= postfix/members"))
    lab.exec("hub", ["postconf", "-P", *(f"{members}/{name}={value}" for name, value in OLD.items())])
    lab.exec("hub", ["postfix", "stop"])
    lab.exec("hub", ["postfix", "start"])
    lab.exec("relay", ["postconf", "-e", "delay_warning_time=5h"])
    done = cjsm("apply")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "it would take ECDHE-ECDSA-AES256-SHA" in " ".join((done.stdout + done.stderr).split())
    assert lab.exec("relay", ["postconf", "-h", "delay_warning_time"]).stdout.strip() == "5h", "it was put back"
