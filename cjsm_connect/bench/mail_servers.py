"""A mail server on every address of 127.0.0.0/8, for `bench probe`; its own process. Prints its port, ends with stdin.

Arguments: a chain file, key first. Each connection gets a greeting, EHLO, STARTTLS and QUIT answered.
"""

import asyncio
import logging
import ssl
import sys

ANSWERS = {
    b"EHLO": b"250-relay.example\r\n250-SIZE 20000000\r\n250-STARTTLS\r\n250 8BITMIME\r\n",
    b"STARTTLS": b"220 go ahead\r\n",
    b"QUIT": b"221 bye\r\n",
}


async def main() -> None:
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # clients that hang up are none of its business
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"220 relay.example ESMTP\r\n")
            while line := await reader.readline():
                verb = line.split()[0].upper() if line.split() else b""
                writer.write(ANSWERS.get(verb, b"502 no\r\n"))
                if verb == b"STARTTLS":
                    await writer.start_tls(context)
                if verb == b"QUIT":
                    break
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
            pass  # a client may hang up in the middle of a handshake
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "0.0.0.0", 0, backlog=1000)  # noqa: S104
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
