"""The last look before signing: nothing that must stay secret is in what leaves the house."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator, Mapping

from . import EvidenceError

PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY-----")
SHORT = 8  # a shorter secret is looked for as a word only: "test" is also inside not_tested


def refuse_secrets(files: Mapping[str, bytes], secrets: Mapping[str, str]) -> None:
    """Return if no file holds a private key or the value of a secret (`secrets`: value by reference).

    Raises:
        EvidenceError: one does; names the file and the reference, never the value.
    """
    found = [leak for name in sorted(files) for leak in _leaks(name, files[name], secrets)]
    if found:
        raise EvidenceError(
            "nothing was signed: " + "; ".join(found) + ". A probe or a configuration on a host shows it: "
            "remove it there, change the secret, then run this again"
        )


def _leaks(name: str, content: bytes, secrets: Mapping[str, str]) -> Iterator[str]:
    if PRIVATE_KEY.search(content):
        yield f"{name} holds a private key"
    for reference, value in secrets.items():
        if any(_holds(content, form, whole_word=len(value) < SHORT) for form in _forms(value)):
            yield f"{name} holds the secret {reference}"


def _holds(content: bytes, form: bytes, *, whole_word: bool) -> bool:
    if not whole_word:
        return form in content
    return re.search(rb"(?<![A-Za-z0-9])" + re.escape(form) + rb"(?![A-Za-z0-9])", content) is not None


def _forms(value: str) -> set[bytes]:
    """A value as itself and as it looks inside JSON, HTML and base64. An empty secret is nowhere."""
    if not value:
        return set()
    written = {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], html.escape(value)}
    return {text.encode() for text in written} | {base64.b64encode(value.encode())}
