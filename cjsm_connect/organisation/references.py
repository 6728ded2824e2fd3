"""Files that an organisation file refers to: their lists and certificates take the place of their names. No I/O."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from pydantic_core import PydanticCustomError

from cjsm_connect.results.inputs import and_more

from .problems import Problem, shown
from .values import MOST_LISTED, domain_name, email_address, fingerprint

MOST_LINES_TOLD = 20
PEM_EDGE = re.compile("-----(BEGIN|END) ([A-Z0-9 ]{1,40})-----")


class ListFile(NamedTuple):
    """A key that names a file of one value a line, and the key of the list that it fills."""

    section: str
    key: str
    fills: str
    value: Callable[[object], str]


LIST_FILES = (
    ListFile("domains", "file", "names", domain_name),
    ListFile("recipients", "file", "addresses", email_address),
    ListFile("hub", "fingerprints_file", "fingerprints", fingerprint),
)
CERTIFICATE_FILES = (("hub", "ca_file"), ("inner", "ca_file"), ("syslog", "ca_file"))
REVOCATION_FILES = (("hub", "crl_file"), ("inner", "crl_file"))


class Referred(NamedTuple):
    """A reference to a file: where it stands and what it says."""

    section: str
    key: str
    name: str


def referred_files(mapping: Mapping[str, Any]) -> Iterator[Referred]:
    """Every file named in the mapping whose content belongs to the organisation (not the SSH keys)."""
    keys = [(entry.section, entry.key) for entry in LIST_FILES] + [*CERTIFICATE_FILES, *REVOCATION_FILES]
    for section, key in keys:
        table = mapping.get(section)
        if isinstance(table, dict) and isinstance(table.get(key), str):
            yield Referred(section, key, table[key])


def is_inside(name: str) -> bool:
    """Whether a name stays in the organisation's folder."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


def resolve(  # noqa: PLR0913 - as examine(): the folder's content as plain values
    mapping: Mapping[str, Any],
    files: Mapping[str, str],
    folder: Path,
    *,
    file: str,
    require_files: bool,
    refused: Mapping[str, str],
) -> tuple[dict[str, Any], dict[str, list[Problem]]]:
    """The mapping with lists filled in and paths made absolute; and the problems found, by section."""
    resolved: dict[str, Any] = deepcopy(dict(mapping))
    problems: dict[str, list[Problem]] = {}
    for reference in referred_files(mapping):
        found = _unusable(reference, files, file, require_files, refused)
        if found is None:
            found = list(_taken_in(resolved, reference, files, file))
        problems.setdefault(reference.section, []).extend(found)
    for section, key in (*CERTIFICATE_FILES, *REVOCATION_FILES):
        _make_path(resolved.get(section), key, folder)
    for table in _ssh_tables(resolved):
        _make_path(table, "key_file", folder)
    return resolved, problems


def _unusable(
    reference: Referred, files: Mapping[str, str], file: str, required: bool, refused: Mapping[str, str]
) -> list[Problem] | None:
    """Problems with the reference itself, or None when the content is there."""
    key = f"{reference.section}.{reference.key}"
    if not is_inside(reference.name):
        expected = "a file inside the organisation's folder, named relative to it"
        return [Problem(file, key, shown(reference.name), expected)]
    if reference.name in files:
        return None
    if reference.name in refused:
        return [Problem(file, key, f"{shown(reference.name)}, {refused[reference.name]}", "a readable text file")]
    if not required:
        return []
    return [Problem(file, key, f"{shown(reference.name)}, which is missing", "a readable text file of that name")]


def _taken_in(mapping: dict[str, Any], reference: Referred, files: Mapping[str, str], file: str) -> Iterator[Problem]:
    text = files[reference.name]
    entry = next((each for each in LIST_FILES if each[:2] == reference[:2]), None)
    if reference[:2] in REVOCATION_FILES:
        yield from pem_problems(reference.name, text, "X509 CRL")
        return
    if entry is None:
        yield from certificate_problems(reference.name, text)
        return
    table = mapping[reference.section]
    if table.get(entry.fills):
        key = f"{reference.section}.{entry.fills}"
        yield Problem(file, key, f"a list beside {reference.key}", f"either {entry.fills} or {reference.key}")
        return
    values, problems = _lines(reference.name, text, entry.value)
    table[entry.fills] = values
    yield from problems
    if not values and not problems:
        yield Problem(reference.name, "the file", "no entry", "one entry a line")


def _lines(name: str, text: str, value: Callable[[object], str]) -> tuple[list[str], list[Problem]]:
    """The values of a list file; empty lines and lines that start with `#` do not count."""
    values, problems, wrong = [], [], 0
    lines = text.splitlines()
    if len(lines) > MOST_LISTED:
        return [], [Problem(name, "the file", f"{len(lines):,} lines", f"at most {MOST_LISTED:,}")]
    for number, line in enumerate(lines, start=1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        try:
            values.append(value(entry))
        except PydanticCustomError as error:
            wrong += 1
            if wrong <= MOST_LINES_TOLD:
                context = error.context or {}
                found = context.get("found") or shown(entry)
                problems.append(Problem(name, f"line {number}", found, context["expected"]))
    if more := and_more(wrong, MOST_LINES_TOLD):
        problems.append(Problem(name, "the file", f"{more} such lines", "one entry a line"))
    return values, problems


def certificate_problems(name: str, text: str) -> Iterator[Problem]:
    """What is wrong with a file that should hold certificates in PEM (RFC 7468) and nothing secret."""
    yield from pem_problems(name, text, "CERTIFICATE")


def pem_problems(name: str, text: str, wanted: str) -> Iterator[Problem]:
    """What is wrong with a file that should hold PEM blocks of the label `wanted` (RFC 7468) and nothing secret."""
    blocks = list(pem_blocks(text))
    labels = [label for label, _ in blocks]
    what = "certificate" if wanted == "CERTIFICATE" else "list"
    if "PRIVATE KEY" in text:
        yield Problem(name, "the file", "a private key", f"{what}s only: a private key stays on its host")
    elif wanted not in labels:
        found = f"a {labels[0].lower()}" if labels else "no PEM block"
        yield Problem(name, "the file", found, f"-----BEGIN {wanted}----- and what follows (PEM)")
    elif not all(_is_der(body) for label, body in blocks if label == wanted):
        yield Problem(name, "the file", f"a damaged {what}", f"{what}s in unbroken base64 (PEM)")


def pem_blocks(text: str) -> Iterator[tuple[str, str]]:
    """(label, base64) of every PEM block. A beginning counts with the end that comes next, so that one look is enough
    however many of them there are."""
    label, start = "", 0
    for edge in PEM_EDGE.finditer(text):
        if edge[1] == "END" and edge[2] == label:
            yield label, text[start : edge.start()]
        label, start = (edge[2], edge.end()) if edge[1] == "BEGIN" else ("", 0)


def _is_der(body: str) -> bool:
    """Whether base64 decodes to something that starts like a certificate (an ASN.1 SEQUENCE)."""
    try:
        return b64decode("".join(body.split()), validate=True)[:1] == b"\x30"
    except ValueError:  # binascii.Error, or what is not even ASCII
        return False


def _make_path(table: object, key: str, folder: Path) -> None:
    if isinstance(table, dict) and isinstance(table.get(key), str) and table[key]:
        table[key] = folder / Path(table[key]).expanduser()


def _ssh_tables(mapping: Mapping[str, Any]) -> Iterator[object]:
    for section in ("hosts", "vantage"):
        hosts = mapping.get(section)
        for host in hosts if isinstance(hosts, list) else ():
            if isinstance(host, dict):
                yield host.get("ssh")
