"""Asking a timestamp authority over HTTP (RFC 3161, section 3.4)."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cjsm_connect.evidence import CMS, TIMESTAMP, EvidenceError, timestamps
from cjsm_connect.printable import shown
from cjsm_connect.results import CjsmError, inputs

SECONDS = 15  # for the whole answer, however slowly it drips
REPLY = "application/timestamp-reply"


@dataclass(frozen=True)
class Stamping:
    """Whom to ask for a timestamp, if anybody, and by which roots the answer is verified, if any."""

    url: str = ""
    roots: timestamps.Roots = ()

    @classmethod
    def of(cls, url: str | None, authority: Path | None) -> Stamping:
        """From what was typed, before anything is checked or signed.

        Raises:
            EvidenceError: it cannot be asked, or the root certificate is none.
        """
        roots = timestamps.roots_of(inputs.read(authority, inputs.OPENED), str(authority)) if authority else ()
        return cls(checked(url) if url else "", roots)

    def added(self, files: Mapping[str, bytes]) -> tuple[dict[str, bytes], str]:
        """The files with the timestamp, if one was asked for; else why there is none."""
        if not self.url:
            return dict(files), ""
        try:
            return {**files, TIMESTAMP: stamped(self.url, files[CMS], self.roots)}, ""
        except CjsmError as error:
            return dict(files), str(error)


def checked(url: str) -> str:
    """The address, if it can be asked at all; before anything is checked or signed.

    Raises:
        EvidenceError: it is not http:// or https://.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise EvidenceError(f"--timestamp {shown(url)}: expected http://HOST/... or https://HOST/...")
    return url


def stamped(url: str, signature: bytes, roots: timestamps.Roots) -> bytes:
    """The authority's reply over a signature.

    Raises:
        CjsmError: not reached, not in time, or its answer is not what was asked for.
    """
    asked = timestamps.request(signature)
    return timestamps.accepted(_answer(url, asked.as_bytes()), asked, roots)


class _Stay(urllib.request.HTTPRedirectHandler):
    """A redirected request is not sent on: urllib would make a GET of it."""

    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        return None


def _answer(url: str, query: bytes) -> bytes:
    headers = {"Content-Type": "application/timestamp-query", "Accept": REPLY}
    request = urllib.request.Request(url, query, headers, method="POST")  # noqa: S310
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=SECONDS) as response:
            if response.headers.get_content_type() != REPLY:
                raise EvidenceError(f"{url}: expected {REPLY}, found {shown(response.headers.get_content_type())}")
            return _read(url, response)
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise EvidenceError(f"the timestamp authority at {url} gave no answer: {shown(reason)}") from error


def _read(url: str, response: HTTPResponse) -> bytes:
    """The body, and no more of it than a token can have, within the time for all of it."""
    deadline = time.monotonic() + SECONDS
    body = b""
    while piece := response.read1(4096):
        body += piece
        if len(body) > timestamps.MOST_BYTES or time.monotonic() > deadline:
            limits = f"{timestamps.MOST_BYTES} bytes within {SECONDS} seconds"
            raise EvidenceError(f"{url}: expected a token of at most {limits}")
    return body
