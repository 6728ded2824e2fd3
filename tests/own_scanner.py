"""A virus scanner that is not ours, for tests: a milter that asks clamd about each message, and its status command.

Runs in a test, and as a program on a host of the lab (standard library of Python 3.9):
    own_scanner.py milter SOCKET CLAMD
    own_scanner.py status CLAMD

https://github.com/emersion/go-milter/blob/master/milter-protocol.txt
"""

from __future__ import annotations

import datetime
import json
import socket
import socketserver
import struct
import sys
from pathlib import Path

NO_HELO, NO_DATA, NO_ANSWER_TO_HEADERS = 0x2, 0x200, 0x80
CONTINUE, DEFER = [b"c"], [b"t"]


class Milter(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """`judge` is given a whole message and says what the milter answers at its end: a list of packets."""

    daemon_threads = True

    def __init__(self, path, judge, at_connect=lambda address: CONTINUE):
        self.judge, self.at_connect = judge, at_connect
        super().__init__(path, Conversation)


class Conversation(socketserver.StreamRequestHandler):
    """One connection of a mail server."""

    def handle(self):
        self.message = []
        while True:
            head = self.rfile.read(4)
            if len(head) < 4:
                return
            content = self.rfile.read(struct.unpack("!I", head)[0])
            letter, data = content[:1], content[1:]
            if letter == b"Q":
                return
            for answer in self.answers(letter, data):
                self.wfile.write(struct.pack("!I", len(answer)) + answer)

    def answers(self, letter, data):
        if letter == b"O":
            return [b"O" + struct.pack("!III", 6, 0x1, NO_HELO | NO_DATA | NO_ANSWER_TO_HEADERS)]
        if letter == b"C":
            return self.server.at_connect(data.split(b"\0")[1][3:].decode())
        if letter == b"M":
            self.message = []
        if letter == b"L":
            name, value = data.split(b"\0")[:2]
            self.message.append(name + b": " + value + b"\r\n")
        if letter == b"N":
            self.message.append(b"\r\n")
        if letter == b"B":
            self.message.append(data)
        if letter == b"E":
            return self.server.judge(b"".join(self.message))
        return CONTINUE if letter in (b"M", b"R", b"N", b"B") else []


def by_clamd(path):
    """A judge that asks clamd (clamd(8), INSTREAM); while it does not answer, mail waits."""

    def judge(message):
        try:
            said = asked(path, b"zINSTREAM\0" + struct.pack("!I", len(message)) + message + struct.pack("!I", 0))
        except OSError:
            return DEFER
        if said.endswith("FOUND"):
            return [b"p", b"y550 5.7.1 own scanner: " + said.encode() + b"\0"]
        return CONTINUE if said.endswith("OK") else DEFER

    return judge


def asked(path, question):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(path)
        connection.sendall(question)
        return connection.recv(4096).rstrip(b"\0").decode()


def status(clamd):
    """What the engine says of itself, and when its files and freshclam's log were last written."""
    files = [path.stat().st_mtime for path in Path("/var/lib/clamav").iterdir()]
    engine, _, version = asked(clamd, b"zVERSION\0").partition(" ")
    looked = Path("/var/log/clamav/freshclam.log").stat().st_mtime
    return {
        "engine": engine,
        "version": version,
        "signatures_updated": moment(max(*files, looked)),  # a database that is up to date is not written again
        "last_update_check": moment(looked),
    }


def moment(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    if sys.argv[1] == "status":
        print(json.dumps(status(sys.argv[2])))
    else:
        with Milter(sys.argv[2], by_clamd(sys.argv[3])) as server:
            server.serve_forever()
