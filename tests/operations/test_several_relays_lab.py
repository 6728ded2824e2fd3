"""An estate with two relays: one changes after the other, and the second is left alone if the first is not well."""

import json
import re

import pytest

from cjsm_connect.lab import Lab, healthy
from tests.conftest import NAME

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def two():
    """A lab of its own, with two relays."""
    lab = Lab(f"{NAME}-two")
    healthy.ensure(lab, relays=2)
    yield lab
    lab.down()


@pytest.fixture
def other_domain(two):
    """The organisation takes mail for another domain than before."""
    path = two.organisation_folder / "organisation.toml"
    before = path.read_text()
    path.write_text(before.replace('"licensing.council.example"', '"parking.council.example"'))
    yield path
    path.write_text(before)
    two.reset(["relay", "relay2", "mail"])


def commands(lab, host):
    """When a command of an SSH session began, and how long it was allowed to take, from sudo's own record."""
    told = lab.exec(host, ["journalctl", "-q", "--no-pager", "-o", "short-unix", "_COMM=sudo"]).stdout
    return [(float(at), int(seconds)) for at, seconds in re.findall(r"^([\d.]+) .*-s KILL (\d+) python3", told, re.M)]


def generations(lab, host):
    found = healthy.verb(lab, "history", "--json", "--limit", host)
    return len(json.loads(found.stdout)["hosts"][host])


def test_the_second_relay_is_changed_when_the_first_works_again(two, other_domain):
    done = healthy.verb(two, "apply")
    assert done.returncode == 0, done.stderr
    kept = max(at for at, seconds in commands(two, "relay") if seconds == 600)
    installed = max(at for at, seconds in commands(two, "relay2") if seconds == 300)
    assert installed > kept
    assert healthy.verb(two, "status").returncode == 0


def test_the_second_relay_is_left_alone_when_the_first_is_not_well(two, other_domain):
    before = generations(two, "relay2")
    two.exec("relay", ["systemctl", "stop", "clamav-milter.service"])
    two.exec("relay", ["mv", "/usr/sbin/clamav-milter", "/usr/sbin/clamav-milter.away"])
    done = healthy.verb(two, "apply")
    assert done.returncode == 1, done.stderr
    assert "relay: failed." in done.stderr and "clamav-milter" in done.stderr
    assert "relay2: not touched, because relay is not well" in done.stderr
    assert generations(two, "relay2") == before
    found = two.exec("relay2", ["postmap", "-q", "licensing.council.example", "lmdb:/etc/cjsm/maps/transport"])
    assert found.stdout.startswith("inner:")
