"""Which TLS 1.2 suites are accepted beyond those that should be: all others are offered, until they are refused.

A refusal counts only for suites that this client has spoken with a server of our own, and only beside a handshake with
the suites that should be accepted. Standard library of Python 3.9.
"""

from __future__ import annotations

import ssl
import tempfile
import threading
from functools import cache
from typing import Any

from cjsm_connect.remote import common, handshake, smtp

# those without encryption or certificate too; no mail server has keys agreed on beforehand, SRP or DSA certificates
EVERY = "ALL:COMPLEMENTOFALL:!PSK:!SRP:!aDSS"
PROVEN = "ALL:COMPLEMENTOFALL:!aNULL:!eNULL:!PSK:!SRP:!aDSS"  # with encryption and a certificate
LOWEST = "@SECLEVEL=0"
NEWEST = "TLSv1.3"
_ONE = threading.Lock()  # several tries of a program begin at once, and what it can offer is the same for all
MOST = 80  # sessions: there are fewer suites
# RFC 7919, A.1: what DHE suites need on the server's side
FFDHE2048 = """-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""


def named(ciphers: str) -> list[str]:
    """The suites below TLS 1.3 that OpenSSL makes of a list (openssl-ciphers(1)), in its order; [] for none.

    At the lowest security level: which of them a program speaks, its own level says.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        client.set_ciphers("%s:%s" % (ciphers, LOWEST))
    except ssl.SSLError:
        return []
    return [row["name"] for row in client.get_ciphers() if row["protocol"] != NEWEST]


def beyond(arguments: dict[str, Any]) -> dict[str, Any]:
    """{"accepted", "refused", "not_asked": names of suites, "usual": the session with the suites that may be}.

    `arguments`: those of smtp.converse with `permitted`, names of suites. `could_not_tell` where the usual session did
    not get as far as TLS, or an answer did not come.
    """
    permitted = set(arguments["permitted"])
    usual = session(arguments, [name for name in named(EVERY) if name in permitted], NEWEST)
    if not agreed(usual):
        return {"could_not_tell": "not even the suites that should be accepted were: %s" % _why(usual), "usual": usual}
    with _ONE:
        spoken = _offerable()
    left = [name for name in named(EVERY) if name in spoken and name not in permitted]
    not_asked = [name for name in named(EVERY) if name not in spoken and name not in permitted]
    accepted: list[str] = []
    while left and len(accepted) < MOST:
        outcome = session(arguments, left, "TLSv1.2")
        if "could_not_tell" in outcome or not outcome.get("tls"):  # no handshake: it had enough of us, say (anvil(8))
            return {"could_not_tell": outcome.get("could_not_tell", _ended(outcome)), "usual": usual}
        chosen = agreed(outcome)
        if chosen not in left:
            break
        accepted.append(chosen)
        left.remove(chosen)
    return {"accepted": accepted, "refused": left, "not_asked": not_asked, "usual": usual}


def session(arguments: dict[str, Any], suites: list[str], newest: str) -> dict[str, Any]:
    """A session with these suites; nothing is verified, because our side must not be the one that refuses."""
    tls = {**arguments["tls"], "authorities": None, "authorities_file": None}
    tls.update({"minimum": "TLSv1.2", "maximum": newest, "ciphers": ":".join([*suites, LOWEST])})
    return smtp.converse({**arguments, "tls": tls})


def agreed(outcome: dict[str, Any]) -> str:
    """The suite of a handshake that was finished, else ""; a server refuses a certificate after it."""
    tls = outcome.get("tls") or {}
    return str(tls["cipher"]) if tls.get("cipher") else ""


def _why(outcome: dict[str, Any]) -> str:
    tls = outcome.get("tls") or {}
    return str(
        outcome.get("could_not_tell") or tls.get("error") or "connection " + outcome.get("connection", "unknown")
    )


def _ended(outcome: dict[str, Any]) -> str:
    said = ["%s: %d %s" % (row["command"], row["code"], row["text"]) for row in outcome["replies"][-1:]]
    return "it did not come to a handshake: " + "".join(said or [outcome.get("connection", "unknown")])


@cache
def _offerable() -> frozenset[str]:
    """The positive control: every suite that this client speaks with a server of our own that takes all of them."""
    server = _server()
    return frozenset(name for name in named(EVERY) if _speaks(name, server))


def _speaks(name: str, server: ssl.SSLContext) -> bool:
    options = {"minimum": "TLSv1.2", "maximum": "TLSv1.2", "ciphers": "%s:%s" % (name, LOWEST)}
    try:
        handshake.shake_in_memory(handshake.context(options), server)
    except (ssl.SSLError, ValueError):
        return False
    return True


def _server() -> ssl.SSLContext:
    """With an RSA and an elliptic-curve certificate and Diffie-Hellman parameters, as each suite needs one of them."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_ciphers("%s:%s" % (EVERY, LOWEST))
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/dh.pem", "w") as file:
            file.write(FFDHE2048)
        made.load_dh_params(folder + "/dh.pem")
        for kind in (["rsa:1024"], ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]):
            path = "%s/%s.pem" % (folder, kind[0][:2])
            subject = ["-nodes", "-subj", "/CN=control.invalid", "-days", "1", "-keyout", path, "-out", path + ".crt"]
            common.run(["openssl", "req", "-x509", "-newkey", *kind, *subject])
            made.load_cert_chain(path + ".crt", path)
    return made
