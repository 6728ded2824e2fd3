"""A provider's smarthost: takes mail from who knows the password, and writes each message to a folder.

Run in a network namespace of the lab: smarthost.py ADDRESS PORT USER PASSWORD FOLDER
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult


class Kept:
    """Writes what arrives; the first line is the recipients."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Any) -> str:
        number = len(list(self.folder.iterdir()))
        text = " ".join(envelope.rcpt_tos).encode() + b"\n" + envelope.content
        (self.folder / f"{number}.eml").write_bytes(text)
        return "250 kept"


async def main(address: str, port: str, user: str, password: str, folder: str) -> None:
    """Serve until the process is ended; the folder's `ready` says when it listens."""

    def known(*asked: Any) -> AuthResult:
        given = asked[-1]
        return AuthResult(success=(given.login, given.password) == (user.encode(), password.encode()))

    def session() -> SMTP:
        kept = Kept(Path(folder))
        return SMTP(kept, authenticator=known, auth_required=True, auth_require_tls=False, hostname="outside.example")

    server = await asyncio.get_running_loop().create_server(session, address, int(port))
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
