"""Questions to a name server (RFC 1035), all at once. Standard library of Python 3.9, which has none of its own."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import struct
import time
from typing import Any

TYPES = {"A": 1, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
NO_SUCH_NAME = 3
SECONDS = 1.5  # for one round; a lost datagram is asked for again
ROUNDS = 3
AT_ONCE = 50  # questions that wait for their answers at the same time
LARGEST = 65535
MOST_JUMPS = 64  # compression pointers in one name: more is a loop

Question = tuple[str, str]


class Unusable(Exception):
    """What came is no answer to the question."""


def lookup(arguments: dict[str, Any]) -> dict[str, Any]:
    """The records that `server` (port 53, or `port`) has: {"records": {"NAME TYPE": [texts]}}, [] for none.

    `questions` are pairs of name and type. `confirm` are addresses: their PTR is asked for, then the addresses of the
    name that it gives, in `confirmed`: {address: [[name, [addresses]]]}. Without any one answer: could not tell.
    """
    where = (arguments["server"], arguments.get("port", 53))
    try:
        records = ask(where, [(name, kind) for name, kind in arguments.get("questions", ())])
        confirmed = {address: _confirmed(where, address) for address in arguments.get("confirm", ())}
    except (OSError, Unusable) as error:
        return {"could_not_tell": "name server %s: %s" % (where[0], error)}
    told = {"%s %s" % question: found for question, found in records.items()}
    return {"server": where[0], "records": told, "confirmed": confirmed}


def _confirmed(where: tuple[str, int], address: str) -> list[list[Any]]:
    """The names of an address, each with its own addresses."""
    pointer = (ipaddress.ip_address(address).reverse_pointer, "PTR")
    kind = "AAAA" if ":" in address else "A"
    names = [
        name for name in ask(where, [pointer])[pointer] if "\\" not in name
    ]  # no host is called so (RFC 1123, 2.1)
    found = ask(where, [(name, kind) for name in names])
    return [[name, found[name, kind]] for name in names]


def ask(where: tuple[str, int], questions: list[Question]) -> dict[Question, list[str]]:
    """Every question with its records.

    Raises:
        Unusable: one was not answered, or answered with an error; the message says which.
    """
    found: dict[Question, list[str]] = {}
    for start in range(0, len(questions), AT_ONCE):
        found.update(_batch(where, questions[start : start + AT_ONCE]))
    return found


def _batch(where: tuple[str, int], questions: list[Question]) -> dict[Question, list[str]]:
    numbers = secrets.SystemRandom().sample(range(1 << 16), len(questions))  # hard to guess, each another
    waiting = dict(zip(numbers, questions))
    found: dict[Question, list[str]] = {}
    with socket.socket(socket.AF_INET6 if ":" in where[0] else socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.connect(where)  # datagrams from elsewhere are not taken
        for _ in range(ROUNDS):
            for number, question in waiting.items():
                connection.send(query(number, *question))
            _receive(connection, where, waiting, found)
            if not waiting:
                return found
    raise Unusable("no answer about %s" % ", ".join("%s %s" % question for question in list(waiting.values())[:3]))


def _receive(
    connection: socket.socket, where: tuple[str, int], waiting: dict[int, Question], found: dict[Question, list[str]]
) -> None:
    deadline = time.monotonic() + SECONDS
    while waiting:
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            message = connection.recv(LARGEST)
        except socket.timeout:
            return
        number = int.from_bytes(message[:2], "big")
        question = waiting.pop(number, None)
        if question is not None:
            found[question] = answers(_whole(where, message, number, question), question)


def _whole(where: tuple[str, int], message: bytes, number: int, question: Question) -> bytes:
    """A cut answer (TC) is asked for again by TCP (RFC 7766)."""
    if len(message) < 12 or not message[2] & 0x02:
        return message
    asked = query(number, *question)
    with socket.create_connection(where, SECONDS) as connection:
        connection.sendall(struct.pack("!H", len(asked)) + asked)
        size = struct.unpack("!H", _exactly(connection, 2))[0]
        return _exactly(connection, size)


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise Unusable("the connection ended in the middle of an answer")
        data += more
    return data


def query(number: int, name: str, kind: str) -> bytes:
    """A message with one question, recursion desired."""
    labels = b"".join(struct.pack("!B", len(label)) + label.encode("ascii") for label in name.split("."))
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!B2H", 0, TYPES[kind], 1)


def answers(message: bytes, question: Question) -> list[str]:
    """The records of the wanted type in an answer; aliases are followed by the server.

    Raises:
        Unusable: it is damaged, or an error other than "no such name".
    """
    try:
        flags, asked, count = struct.unpack("!3H", message[2:8])
        code = flags & 0x0F
        if code not in (0, NO_SUCH_NAME):
            raise Unusable("%s %s: error %d" % (*question, code))
        at = 12
        for _ in range(asked):
            at = _name(message, at)[1] + 4
        return [text for kind, text in _records(message, at, count) if kind == TYPES[question[1]]]
    except (IndexError, struct.error, UnicodeDecodeError, ValueError) as error:
        raise Unusable("%s %s: a damaged answer (%s)" % (*question, error)) from error


def _records(message: bytes, at: int, count: int) -> list[tuple[int, str]]:
    found = []
    for _ in range(count):
        at = _name(message, at)[1]
        kind, _, _, size = struct.unpack("!HHIH", message[at : at + 10])
        at += 10
        if at + size > len(message):
            raise ValueError("it is cut")
        found.append((kind, _text(message, kind, at, size)))
        at += size
    return found


def _text(message: bytes, kind: int, at: int, size: int) -> str:
    """A record's data as people write it; "" for types that nobody asks for."""
    data = message[at : at + size]
    if kind in (TYPES["A"], TYPES["AAAA"]):
        return str(ipaddress.ip_address(data))
    if kind == TYPES["PTR"]:
        return _name(message, at)[0]
    if kind == TYPES["MX"]:
        return "%d %s" % (struct.unpack("!H", data[:2])[0], _name(message, at + 2)[0])
    return _strings(data) if kind == TYPES["TXT"] else ""


def _strings(data: bytes) -> str:
    """The strings of a TXT record, joined without a space (RFC 7208, 3.3)."""
    text, at = "", 0
    while at < len(data):
        text += data[at + 1 : at + 1 + data[at]].decode("utf-8", "replace")
        at += 1 + data[at]
    return text


def _label(data: bytes) -> str:
    """A label as people write it: what is no letter of a host name, a dot in it above all, as \\DDD (RFC 4343, 2.1)."""
    plain = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return "".join(chr(one) if one in plain else "\\%03d" % one for one in data)


def _name(message: bytes, at: int) -> tuple[str, int]:
    """A name, and where it ends (RFC 1035, 4.1.4)."""
    labels: list[str] = []
    end, jumps = 0, 0
    while message[at]:
        if message[at] >= 0xC0:
            end, jumps = end or at + 2, jumps + 1
            at = struct.unpack("!H", message[at : at + 2])[0] & 0x3FFF
            if jumps > MOST_JUMPS:
                raise ValueError("a name without an end")
            continue
        labels.append(_label(message[at + 1 : at + 1 + message[at]]))
        at += 1 + message[at]
    return ".".join(labels), end or at + 1
