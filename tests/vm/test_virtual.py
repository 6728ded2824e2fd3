"""On a kernel of its own the checks notice a wrong clock, disks in clear and an old kernel, and accuse nothing else."""

from __future__ import annotations

import pytest

from cjsm_connect.results import Status
from cjsm_connect.verbs.matrix import ACCUSED, Accusation, judged
from faults import VIRTUAL, Fault, Patient, every_fault, inflict
from tests.vm.conftest import Relay

pytestmark = [pytest.mark.vm, pytest.mark.timeout(3600)]  # an emulated processor: a tenth of the speed

LAST = "patching.newer-kernel-waits"  # a kernel is not uninstalled again
FAULTS = [known for known in every_fault().values() if known.tier == "vm" and known.id != LAST]


def found(relay: Relay, fault: Fault) -> tuple[bool, tuple[str, ...], str]:
    """Was the fault named, what else was accused, and what the checks said."""
    inflict(fault, Patient("relay", relay.guest.execute))
    new = frozenset(
        Accusation(one.check, one.subject, one.status, one.requirement, one.observed)
        for one in relay.judged().values()
        if one.status in ACCUSED
    )
    row = judged(fault, new, 0)
    return row.found, row.also_accused, "; ".join(map(str, new))


def test_the_guest_says_of_itself_that_it_is_no_other_machine(relay: Relay) -> None:
    assert relay.guest.run("cat", "/sys/class/dmi/id/product_name").strip() == VIRTUAL
    assert relay.guest.run("systemd-detect-virt").strip() in ("qemu", "kvm")


def test_nothing_is_accused_on_a_healthy_host_of_its_own(relay: Relay) -> None:
    relay.mend()
    results = relay.judged()
    assert {one.check: (one.status, one.observed) for one in results.values() if one.status is not Status.PASS} == {}
    assert len(results) >= 6


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_the_fault_is_named_and_nothing_else_is_accused(relay: Relay, fault: Fault) -> None:
    relay.mend()
    named, others, said = found(relay, fault)
    assert (named, others) == (True, ()), said


def test_a_kernel_that_waits_is_named_until_the_host_was_restarted(relay: Relay) -> None:
    relay.mend()
    before = relay.guest.run("uname", "-r")
    named, others, said = found(relay, every_fault()[LAST])
    assert (named, others) == (True, ()), said
    relay.guest.reboot()
    assert relay.guest.run("uname", "-r") != before
    after = relay.judged("patching.taken-up", "estate.encryption-at-rest")
    assert after["patching.reboot-not-overdue"].status is Status.PASS, after["patching.reboot-not-overdue"].observed
    # nothing mounted the encrypted volume at boot: the queue would be written below it
    assert after["estate.disks-encrypted"].status is Status.FAIL
