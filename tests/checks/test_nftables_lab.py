"""The nft of a lab host lists our rules in forms that the checks read: loaded into a network namespace of their own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cjsm_connect.lab import Lab
from cjsm_connect.remote.observe import firewall
from tests.checks.estates import ESTATES, rules
from tests.checks.test_nftables import ONLY, OPEN, SSH, judged

pytestmark = pytest.mark.lab
LISTING = ["unshare", "-n", "sh", "-c", "nft -f - && TZ=UTC0 nft -j list ruleset"]


def listed(lab: Lab, text: str) -> dict[str, Any]:
    done = lab.exec("relay", LISTING, input=text)
    assert done.returncode == 0, done.stderr
    return firewall.chains("inet cjsm", json.loads(done.stdout)["nftables"])


@pytest.mark.parametrize("name", ESTATES)
def test_what_nft_makes_of_our_rules_is_what_the_organisation_file_says(lab: Lab, name: str) -> None:
    made = ESTATES[name]()
    for host in ("firewall", "relay", "mail"):
        assert judged(made, host, listed(lab, rules(made, host))) == {ONLY: "", OPEN: "", SSH: ""}
