"""What a plan says of a host that is too small."""

from __future__ import annotations

from cjsm_connect.desired import Desired, Memory
from cjsm_connect.desired.lacking import lacking

GIB = 1 << 30
WANTED = Desired(memory=(Memory(3 * GIB, "virus signatures"),))


def test_too_little_memory_is_said_with_what_it_is_for_and_what_is_there() -> None:
    assert list(lacking(WANTED, {"memory": 2 * GIB})) == [
        "3.0 GiB of memory for virus signatures; the host has 2.0 GiB"
    ]


def test_what_firmware_and_kernel_keep_of_a_machines_memory_is_not_lacking() -> None:
    assert list(lacking(WANTED, {"memory": int(2.8 * GIB)})) == []


def test_nothing_is_said_of_a_host_that_could_not_be_looked_at() -> None:
    assert list(lacking(WANTED, {})) == []
