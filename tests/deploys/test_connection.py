"""All concerns, or one: each is whole by itself."""

import re
from pathlib import PurePosixPath

import pytest

from cjsm_connect.desired import merge
from cjsm_connect.results import CjsmError
from deploys.connection import CONCERNS, MAIL_PATH, desired, together
from tests.made_up import authority, organisation

# no package makes these; what is made without being named is in no plan
OURS = re.compile(r"/etc/cjsm|/usr/local/lib/cjsm|/var/log/cjsm|/etc/nftables\.d|/etc/systemd/.*\.d$")
SYSLOG = {"target": "syslog.council.example:6514", "ca_file": "hub/ca.pem", "addresses": ["192.0.2.66"]}


def test_without_only_everything_is_taken():
    assert together(()) == tuple(CONCERNS)


@pytest.mark.parametrize("name", MAIL_PATH)
def test_one_concern_of_the_mail_path_takes_all_three(name):
    assert together([name]) == MAIL_PATH


def test_other_concerns_come_alone_and_in_their_order():
    assert together(["firewall"]) == ("firewall",)
    assert together(["patching", "antivirus", "patching"]) == ("antivirus", "patching")


def test_an_unknown_concern_is_refused_with_all_there_are():
    with pytest.raises(CjsmError, match=r"--only fire: no such concern.*; there are: tls, relay, .*logging"):
        together(["fire"])


@pytest.mark.parametrize("role", ["relay", "mail", "firewall"])
def test_the_parts_are_the_whole(role):
    where = organisation()
    host = where.host(role)
    alone = [name for name in CONCERNS if name not in MAIL_PATH]
    parts = [desired(where, host, ["tls"]), *(desired(where, host, [name]) for name in alone)]
    assert merge(parts) == desired(where, host)


@pytest.mark.parametrize("name", CONCERNS)
def test_each_concern_brings_the_directories_that_no_package_makes(name):
    where = organisation(syslog=SYSLOG)
    for host in where.hosts:
        wanted = desired(where, host, [name])
        made = {directory.path for directory in wanted.directories}
        folders = {str(PurePosixPath(file.path).parent) for file in wanted.files}
        assert {folder for folder in folders if OURS.match(folder)} <= made, host.name


def test_only_the_firewall_leaves_mail_and_keys_alone():
    where = organisation()
    wanted = desired(where, where.host("relay"), ["firewall"])
    assert wanted.firewalls
    assert not (wanted.maps or wanted.keys or wanted.settings or wanted.waiting)
    assert authority() not in {file.content for file in wanted.files}
