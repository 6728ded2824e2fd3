"""The virtual machine's parts that need none: time, kernels, acceleration."""

from __future__ import annotations

import socket
import struct
import time

import pytest

from cjsm_connect.lab.virtual import TimeServer, guest, image
from cjsm_connect.results import CjsmError

FLAGS = "flags\t\t: fpu vme de {} pni"
SINCE_1900 = 2_208_988_800


def asked(port: int, question: bytes) -> tuple[int, ...]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(20)
        one.sendto(question, ("127.0.0.1", port))
        return struct.unpack("!BBbb2I4s4Q", one.recv(1024))


def test_the_time_server_answers_with_this_machines_time_and_repeats_the_clients() -> None:
    sent = 0x1234_5678_9ABC_DEF0
    before = time.time()
    with TimeServer() as server:
        asked_with = struct.pack("!BBbb2I4s4Q", 0b00_100_011, 0, 6, 0, 0, 0, bytes(4), 0, 0, 0, sent)
        first, stratum, _, _, _, _, _, _, originate, receive, transmit = asked(server.port, asked_with)
    after = time.time()
    assert (first, stratum, originate) == (0b00_100_100, 2, sent)  # the version that was asked with; a server
    for stamp in (receive, transmit):
        assert int(before) <= (stamp >> 32) - SINCE_1900 <= after
    assert receive <= transmit


def test_the_time_server_leaves_what_is_too_short_alone_and_ends() -> None:
    with TimeServer() as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.sendto(b"?", ("127.0.0.1", server.port))
        assert asked(server.port, bytes([0b00_100_011]) + bytes(47))[1] == 2
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", server.port))  # it was given back


@pytest.mark.parametrize(
    ("cpuinfo", "kvm", "accelerator"),
    [
        (FLAGS.format("vmx"), True, "kvm"),
        (FLAGS.format("svm"), True, "kvm"),
        (FLAGS.format("vmx"), False, "tcg,thread=single,tb-size=256"),
        (FLAGS.format("vmxnot"), True, "tcg,thread=single,tb-size=256"),
        (FLAGS.format(""), True, "tcg,thread=single,tb-size=256"),
        ("bugs\t\t: itlb_multihit vmx", True, "tcg,thread=single,tb-size=256"),
    ],
)
def test_hardware_is_used_where_the_processor_says_so(cpuinfo: str, kvm: bool, accelerator: str) -> None:
    assert guest.accelerated(cpuinfo, kvm)[1] == accelerator


def test_the_two_newest_kernels_are_taken_by_number_and_not_by_letter() -> None:
    names = [f"linux-image-6.12.{patch}+deb13-cloud-amd64" for patch in (107, 94, 9)]
    others = ["linux-image-6.12.110+deb13-amd64", "linux-image-cloud-amd64", f"{names[0]}-dbg", f"{names[0]}-unsigned"]
    assert image.two_newest([*names, *others]) == [names[1], names[0]]


def test_an_archive_with_one_kernel_is_said_to_have_one() -> None:
    with pytest.raises(CjsmError, match=r"needs two cloud kernels .* has linux-image-6\.12\.9-cloud-amd64"):
        image.two_newest(["linux-image-6.12.9-cloud-amd64"])


def test_only_loopback_reaches_the_guest() -> None:
    words = guest.hardware(image.DISKS, 2222)
    [network] = [word for word in words if "hostfwd" in word]
    assert network.count("hostfwd=") == 1
    assert "hostfwd=tcp:127.0.0.1:2222-" in network
