"""Runs ON a host until its standard input ends: asks the same questions again and again, side by side, and prints how
often each answer came. Standard library only.

Argument: {"clear": [[address, port, source], ...], "ports": [[address, port], ...], "listen": port or 0}
clear: SMTP without TLS; is MAIL accepted?
ports: what is heard from a port? A refusal is a packet of the host, so the firewall let ours in: "silence" is the only
right answer of a closed one.
listen: a port of this host on which something answers everybody, were it not for the firewall.
Prints {"ADDRESS:PORT": {answer: times}}.
"""

import json
import smtplib
import socket
import sys
import threading
import time

SECONDS = 0.8
PAUSE = 0.1


def clear(address, port, source):
    try:
        with smtplib.SMTP(timeout=3, source_address=(source, 0)) as session:
            session.connect(address, port)
            session.ehlo("hub.cjsm.example")
            code, _ = session.mail("someone@member.example.cjsm.net")
            return "accepted" if 200 <= code < 400 else "turned away"
    except smtplib.SMTPException:
        return "turned away"
    except OSError:
        return "no session"


def knocked(address, port):
    try:
        socket.create_connection((address, port), SECONDS).close()
    except ConnectionRefusedError:
        return "refused"
    except OSError:
        return "silence"
    return "answered"


def again_and_again(ask, row, answers):
    while True:
        answer = ask(*row)
        answers[answer] = answers.get(answer, 0) + 1
        time.sleep(PAUSE)


def listen(port):
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64) as server:
        while True:
            server.accept()[0].close()


def background(function, *arguments):
    threading.Thread(target=function, args=arguments, daemon=True).start()


def main():
    wanted = json.loads(sys.argv[1])
    found = {}
    for ask, name in ((clear, "clear"), (knocked, "ports")):
        for row in wanted.get(name, []):
            background(again_and_again, ask, row, found.setdefault("%s:%s" % (row[0], row[1]), {}))
    if wanted.get("listen"):
        background(listen, wanted["listen"])
    print("ready", flush=True)
    sys.stdin.read()
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
