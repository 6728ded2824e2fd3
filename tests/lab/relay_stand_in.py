"""A stand-in for the organisation's relay: takes one message over TLS and tells who brought it. Run in the relay's
network with PORT, CHAIN, KEY and CA as arguments; prints one JSON object when a message has come."""

import asyncio
import json
import ssl
import sys
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


class Listener:
    """Keeps the first message with what TLS and TCP say of its sender."""

    def __init__(self) -> None:
        self.arrived: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert server.transport is not None
        certificate = server.transport.get_extra_info("peercert") or {}
        names = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"]
        content = envelope.content
        assert isinstance(content, bytes)
        seen = {"source": session.peer[0], "certificate": names, "sender": envelope.mail_from}
        if not self.arrived.done():
            self.arrived.set_result({**seen, "recipients": envelope.rcpt_tos, "message": content.decode()})
        return "250 OK"


async def main(port: str, chain: str, key: str, authority: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority)
    context.load_cert_chain(chain, key)
    context.verify_mode = ssl.CERT_OPTIONAL
    listener = Listener()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(listener, tls_context=context, require_starttls=True, hostname="relay.council.example"),
        "198.51.100.10", int(port),
    )  # fmt: skip
    print("ready", flush=True)
    async with server:
        print(json.dumps(await asyncio.wait_for(listener.arrived, 90)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
