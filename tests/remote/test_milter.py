"""A mail server's side of the milter protocol, against a real milter: whatever it says, it is told for what it is."""

import contextlib
import email
import io
import socket
import threading
import zipfile

import pytest

from cjsm_connect.remote import messages, milter
from cjsm_connect.remote.messages import EICAR
from tests.own_scanner import CONTINUE, Milter

ENVELOPE = {"client": "203.0.113.21", "sender": "a@example.org", "recipient": "b@example.org", "user": ""}
REFUSED = [b"y550 5.7.1 a virus\0"]


def contents(message):
    """Every attachment of a message, with what archives hold."""
    for part in email.message_from_bytes(message).walk():
        data = part.get_payload(decode=True) or b""
        yield data
        while data.startswith(b"PK"):
            archive = zipfile.ZipFile(io.BytesIO(data))
            data = archive.read(archive.namelist()[0])
            yield data


def finds(message):
    return REFUSED if EICAR in contents(message) else CONTINUE


@contextlib.contextmanager
def scanner(tmp_path, judge, **other):
    with Milter(str(tmp_path / "milter"), judge, **other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"unix:{tmp_path / 'milter'}"
        server.shutdown()


def asked(address, seconds=5, envelope=ENVELOPE, **what):
    message = messages.build({**envelope, "token": "t", "mark": "m", **what})
    return milter.asked(address, message, envelope, seconds)


def test_a_scanner_behind_a_milter_sees_the_whole_message(tmp_path):
    with scanner(tmp_path, finds) as address:
        assert asked(address) == {"word": "accepted", "text": "", "held": False}
        for packing in ("none", "zip", "nested", "deep"):
            found = asked(address, content="eicar", packing=packing)
            assert found == {"word": "rejected", "text": "550 5.7.1 a virus", "held": False}
        assert asked(address, content="eicar", size=1_000_000)["word"] == "rejected"


@pytest.mark.parametrize(
    ("packets", "word", "held"),
    [
        ([b"a"], "accepted", False),
        ([b"c"], "accepted", False),
        ([b"r"], "rejected", False),
        ([b"t"], "deferred", False),
        ([b"d"], "discarded", False),
        ([b"y451 4.7.1 come again\0"], "deferred", False),
        ([b"qa virus\0", b"c"], "accepted", True),
        ([b"p", b"hX-Scanned\0yes\0", b"p", b"r"], "rejected", False),
        ([b"4"], "deferred", False),
        ([b"Z"], "away", False),
        ([b""], "away", False),
        ([], "silent", False),
    ],
)
def test_the_last_word_of_a_milter(tmp_path, packets, word, held):
    with scanner(tmp_path, lambda message: packets) as address:
        found = asked(address, seconds=0.5 if word == "silent" else 5)
    assert (found["word"], found["held"]) == (word, held)


def test_who_is_exempt_at_the_door_is_accepted_with_a_virus(tmp_path):
    with scanner(tmp_path, finds, at_connect=lambda client: [b"a"] if client == "192.0.2.10" else CONTINUE) as address:
        assert asked(address, content="eicar")["word"] == "rejected"
        assert asked(address, content="eicar", envelope={**ENVELOPE, "client": "192.0.2.10"})["word"] == "accepted"


def test_a_milter_that_is_not_there_is_away(tmp_path):
    found = asked(f"unix:{tmp_path / 'none'}")
    assert found["word"] == "away" and "No such file" in found["text"]


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "an answer of 1213486160 bytes"),
        (b"\xff\xff\xff\xffO", "an answer of 4294967295 bytes"),
        (b"\0\0\0\x02Oo", "does not speak the milter protocol"),
        (b"\0\0\0\x0dO", "it hung up"),
        (b"", "it hung up"),
    ],
)
def test_what_is_no_milter_is_away_and_costs_no_memory(says, why):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.recv(64)
                connection.sendall(says)

        threading.Thread(target=serve, daemon=True).start()
        found = asked(f"inet:127.0.0.1:{listener.getsockname()[1]}")
    assert found["word"] == "away" and why in found["text"]
