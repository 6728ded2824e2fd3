"""About a minute of seeded fuzzing: the organisation reader and both SMTP clients take rubbish."""

from __future__ import annotations

import asyncio
import random
import shutil
import socket
from pathlib import Path

import pytest

from cjsm_connect.engineer.line import Line, Reply, Trouble
from cjsm_connect.organisation import OrganisationError, load
from cjsm_connect.remote import smtp
from tests.made_up import ROOT

pytestmark = pytest.mark.slow
SEEDS = range(8)
BYTES = b"\0\n\r\t \"'[]{}=.,#\\%-+:;<>@0189aezAZ\x7f\x80\xc3\xff"
PIECES = (
    b"[[hosts]]\n",
    b"[hub]\n",
    b"[",
    b"]",
    b"{",
    b"}",
    b"'''",
    b'"""',
    b"= 1e999\n",
    b"= 0x\n",
    b"= nan\n",
    b"9" * 400,
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"= 2026-13-01\n",
    b"a.b.c = 1\n",
    b"[" * 50,
    b"= true\n",
    b"\\u0000",
    b"\\U0010ffff",
    b"-----BEGIN CERTIFICATE-----",
)
NAMES = ("organisation.toml", "domains.txt", "hub/ca.pem", "hub/fingerprints.txt")


def mutated(data: bytes, chance: random.Random, pieces: tuple[bytes, ...]) -> bytes:
    """A few bytes removed, repeated, or replaced by what means something."""
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        length = chance.choice((0, 1, 1, 2, 20, 400))
        new = chance.choice(
            (bytes(chance.choices(BYTES, k=chance.randint(1, 4))), chance.choice(pieces), data[at : at + length] * 2)
        )
        data = data[:at] + new + data[at + length :]
    return data


@pytest.mark.parametrize("seed", SEEDS)
def test_an_organisation_of_rubbish_is_a_list_of_problems(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    folder = Path(shutil.copytree(ROOT / "inventories/example", tmp_path / "council"))
    whole = {name: (folder / name).read_bytes() for name in NAMES}
    for _ in range(60):
        name = chance.choice(NAMES)
        (folder / name).write_bytes(mutated(whole[name], chance, PIECES))
        try:
            load(folder, require_files=False)
        except OrganisationError as error:
            assert 0 < len(str(error)) < 50_000
        (folder / name).write_bytes(whole[name])


SAID = b"220 mail.example ESMTP\r\n250-mail.example\r\n250-SIZE 25000000\r\n250-STARTTLS\r\n250 SMTPUTF8\r\n"
REPLIES = (
    b"250-",
    b"250 ",
    b"250\r\n",
    b"2500 x\r\n",
    b"-1 \r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"250-SIZE \xc2\xb2\r\n",
    b"250 SIZE " + b"9" * 1900,
    b"\x1b[2J",
    b"x" * 3000,
    b"250-x\r\n" * 200,
    b"\xff\xfe",
    b"354 \r\n",
    b"220 2.0.0\r\n",
    b"\xd9\xa2\xd9\xa5\xd9\xa0 x\r\n",
)


def heard(data: bytes) -> socket.socket:
    """A connection over which exactly this comes, then its end."""
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(data)
    return ours


@pytest.mark.parametrize("seed", SEEDS)
def test_a_host_that_is_answered_rubbish_says_what_it_saw(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(1500):
        with heard(mutated(SAID, chance, REPLIES)) as connection:
            session, outcome = smtp.Session(connection, []), {"offers_starttls": None}
            try:
                smtp.begin(session, {"helo": "probe.example"}, outcome)
                session.read("x", 5)
            except (smtp.CouldNotTell, smtp.Ended, OSError):
                pass
            assert all(row["text"].isprintable() and 0 <= row["code"] < 600 for row in session.replies)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_engineer_who_is_answered_rubbish_is_told_what_came(seed: int) -> None:
    chance = random.Random(seed)

    async def asked() -> None:
        with heard(mutated(SAID, chance, REPLIES)) as connection:
            connection.setblocking(False)
            line = Line(connection)
            for _ in range(4):
                reply = await line.reply(5)
                assert isinstance(reply, Reply) and 200 <= reply.code < 600 and reply.text.isprintable()

    async def all_of_them() -> None:
        for _ in range(1500):
            try:
                await asked()
            except Trouble as trouble:
                assert trouble.kind and str(trouble).isprintable()

    asyncio.run(all_of_them())
