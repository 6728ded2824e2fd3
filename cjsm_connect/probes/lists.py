"""Fetch lists of revoked certificates from where certificates say that they are: plain HTTP (RFC 5280, 4.2.1.13).

They are signed, so that the way needs no protection; asking for one touches neither the hub nor any mail.
"""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from cjsm_connect.organisation import strangers

SECONDS = 3  # for all of them together, names looked up included
LARGEST = 16 * 1024 * 1024  # bytes
MOST = 8  # addresses a run


def is_asked(address: str) -> bool:
    """Only http: another scheme would need what this is there to find out, or a directory service. A certificate is a
    stranger's text: an address in it has the form that one in an organisation file has."""
    found = strangers.url(address)
    return found is not None and urlsplit(found).scheme.lower() == "http"


class Lists:
    """What came from each address, each asked once. `got` has bytes, or the reason why there are none."""

    def __init__(self) -> None:
        self.got: dict[str, bytes | str] = {}

    def fetch(self, addresses: Iterable[str]) -> None:
        """Ask for all that were not asked yet, at the same time, and wait until all have ended or the time is over.

        The threads are left behind then: a name server or a server that drips holds up nobody.
        """
        new = [address for address in dict.fromkeys(addresses) if is_asked(address) and address not in self.got]
        asked = new[: max(0, MOST - len(self.got))]
        self.got.update(dict.fromkeys(new, f"not asked: more than {MOST} addresses"))
        came: dict[str, bytes | str] = {}
        threads = [threading.Thread(target=_get, args=(address, came), daemon=True) for address in asked]
        deadline = time.monotonic() + SECONDS
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self.got.update({address: came.get(address, f"no answer within {SECONDS} seconds") for address in asked})


class _OnlyHttp(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to http only."""

    def redirect_request(self, *asked: Any) -> Any:
        if not is_asked(asked[-1]):
            raise urllib.error.URLError(f"redirected to {asked[-1][:100]}, which is not asked: it is not http")
        return super().redirect_request(*asked)


def _get(address: str, came: dict[str, bytes | str]) -> None:
    opener = urllib.request.OpenerDirector()  # without file, ftp, https, and the proxy of somebody's environment
    for handler in (urllib.request.HTTPHandler, _OnlyHttp, urllib.request.HTTPErrorProcessor):
        opener.add_handler(handler())
    opener.add_handler(urllib.request.HTTPDefaultErrorHandler())
    try:
        with opener.open(address, timeout=SECONDS) as answer:
            data = answer.read(LARGEST + 1)
    except Exception as error:  # whatever a stranger's server can do to a client is one fact: there is no list
        came[address] = f"it could not be fetched: {getattr(error, 'reason', None) or error}"[:200]
        return
    came[address] = data if len(data) <= LARGEST else f"larger than {LARGEST} bytes"
