"""Questions to a name server: answered, asked again when lost, by TCP when cut, refused when damaged."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dns.message
import dns.rrset
import pytest

from cjsm_connect.remote import names

ZONE = {
    ("council.example.", "TXT"): ['"v=spf1 " "mx -all"', '"another"'],
    ("10.2.0.192.in-addr.arpa.", "PTR"): ["mail.council.example."],
    ("mail.council.example.", "A"): ["192.0.2.10"],
    ("council.example.", "MX"): ["10 mail.council.example."],
    ("mail.council.example.", "AAAA"): ["2001:db8::10"],
}


def answer(data: bytes) -> dns.message.Message:
    """What a name server of the zone says, made by dnspython."""
    question = dns.message.from_wire(data)
    reply = dns.message.make_response(question)
    [asked] = question.question
    key = (asked.name.to_text(), dns.rdatatype.to_text(asked.rdtype))
    if key in ZONE:
        reply.answer.append(dns.rrset.from_text(asked.name, 60, "IN", key[1], *ZONE[key]))
    else:
        reply.set_rcode(dns.rcode.NXDOMAIN)
    return reply


@contextmanager
def serving(told: Callable[[bytes, int], bytes | None]) -> Iterator[dict[str, Any]]:
    """A name server on loopback; `told` gets each datagram with its number and gives the answer, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            number = 0
            while True:
                data, client = server.recvfrom(4096)
                if data == b"end":
                    return
                reply = told(data, number)
                number += 1
                if reply is not None:
                    server.sendto(reply, client)

        thread = threading.Thread(target=serve)
        thread.start()
        where = {"server": "127.0.0.1", "port": server.getsockname()[1]}
        try:
            yield where
        finally:
            server.sendto(b"end", server.getsockname())
            thread.join()


def test_records_are_read_as_people_write_them_and_a_missing_name_has_none() -> None:
    questions = [["council.example", "TXT"], ["council.example", "MX"], ["nowhere.example", "TXT"]]
    with serving(lambda data, _: answer(data).to_wire()) as where:
        found = names.lookup({**where, "questions": questions})
    assert {question: sorted(texts) for question, texts in found["records"].items()} == {
        "council.example TXT": ["another", "v=spf1 mx -all"],
        "council.example MX": ["10 mail.council.example"],
        "nowhere.example TXT": [],
    }


def test_an_address_is_followed_to_its_name_and_back() -> None:
    with serving(lambda data, _: answer(data).to_wire()) as where:
        found = names.lookup({**where, "confirm": ["192.0.2.10", "192.0.2.11"]})
    assert found["confirmed"] == {"192.0.2.10": [["mail.council.example", ["192.0.2.10"]]], "192.0.2.11": []}


def test_a_lost_question_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "SECONDS", 0.1)
    with serving(lambda data, number: answer(data).to_wire() if number else None) as where:
        assert names.lookup({**where, "questions": [["mail.council.example", "AAAA"]]})["records"] == {
            "mail.council.example AAAA": ["2001:db8::10"]
        }


def test_silence_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "SECONDS", 0.05)
    with serving(lambda data, _: None) as where:
        found = names.lookup({**where, "questions": [["council.example", "TXT"]]})
    assert found == {"could_not_tell": "name server 127.0.0.1: no answer about council.example TXT"}


def looping(data: bytes) -> bytes:
    """An answer whose name points at itself."""
    return data[:2] + b"\x81\x80" + data[4:6] + b"\x00\x01\x00\x00\x00\x00" + data[12:] + b"\xc0" + bytes([len(data)])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: answer(data).to_wire()[:-3], "a damaged answer"),
        (looping, "a damaged answer"),
        (lambda data: data[:2] + b"\x81\x82" + data[4:], "error 2"),
        (lambda data: data[:2], "a damaged answer"),
    ],
)
def test_a_damaged_answer_is_neither_yes_nor_no(damage: Callable[[bytes], bytes], said: str) -> None:
    with serving(lambda data, _: damage(data)) as where:
        found = names.lookup({**where, "questions": [["council.example", "TXT"]]})
    assert said in found["could_not_tell"]


def test_a_cut_answer_is_fetched_by_tcp() -> None:
    def cut(data: bytes, _: int) -> bytes:
        return data[:2] + b"\x83\x80" + data[4:]

    with serving(cut) as where, socket.create_server(("127.0.0.1", where["port"])) as stream:

        def serve() -> None:
            connection, _ = stream.accept()
            with connection:
                size = struct.unpack("!H", connection.recv(2))[0]
                reply = answer(connection.recv(size)).to_wire()
                connection.sendall(struct.pack("!H", len(reply)) + reply)

        thread = threading.Thread(target=serve)
        thread.start()
        found = names.lookup({**where, "questions": [["council.example", "TXT"]]})
        thread.join()
    assert sorted(found["records"]["council.example TXT"]) == ["another", "v=spf1 mx -all"]


def test_a_name_that_is_no_host_name_is_shown_escaped_and_never_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A label may hold any bytes (RFC 2181, 11): line ends, a dot, more than a question can carry."""
    hostile = r"a\013\010DATA\.b\027.council.example."
    monkeypatch.setitem(ZONE, ("9.2.0.192.in-addr.arpa.", "PTR"), [hostile, "mail.council.example."])
    with serving(lambda data, _: answer(data).to_wire()) as where:
        questions = [["9.2.0.192.in-addr.arpa", "PTR"]]
        found = names.lookup({**where, "questions": questions, "confirm": ["192.0.2.9"]})
    shown = sorted(found["records"]["9.2.0.192.in-addr.arpa PTR"])
    assert shown == [r"a\013\010DATA\046b\027.council.example", "mail.council.example"]
    assert found["confirmed"] == {"192.0.2.9": [["mail.council.example", ["192.0.2.10"]]]}
