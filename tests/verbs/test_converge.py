"""In which order hosts are changed, and what is said of those that were not."""

import pytest

from cjsm_connect.verbs._converge import untouched, waves
from tests.made_up import with_relays

FAILED = {"failed": "no banner", "put_back": True}
WELL = {"failed": "", "put_back": False}


@pytest.mark.parametrize(
    ("relays", "order"),
    [
        (1, [{"firewall", "relay", "mail"}]),
        (3, [{"firewall", "relay", "mail"}, {"relay2"}, {"relay3"}]),
    ],
)
def test_hosts_of_one_role_change_one_after_another(relays, order):
    organisation = with_relays(relays)
    assert [set(wave) for wave in waves(organisation, [host.name for host in organisation.hosts])] == order


def test_only_hosts_that_differ_are_in_a_wave():
    assert waves(with_relays(3), ["relay3", "relay2"]) == [["relay3"], ["relay2"]]


def test_hosts_that_were_not_begun_with_are_told_with_the_reason():
    said = list(untouched(["relay", "relay2", "relay3"], {"relay": FAILED}))
    assert said == ["relay2, relay3: not touched, because relay is not well"]


def test_nothing_is_said_when_all_went_well():
    assert not list(untouched(["relay", "mail"], {"relay": WELL, "mail": WELL}))
