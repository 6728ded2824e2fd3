"""What of an organisation's folder is still the example's: compared with the example itself, value by value. Pure.

README begins with a copy of inventories/example. A name, a telephone number or a statement in it belongs to nobody; one
that was never replaced is as good as none, and worse in a form that somebody signs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from . import addresses
from .problems import shown
from .statements import Declaration

FILE = "organisation.toml"
RESERVED = tuple(
    map(addresses.network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"))
)  # RFC 5737, RFC 3849, RFC 9637
ADDRESS = re.compile(r"\d+(?:\.\d+){3}(?:/\d+)?|[0-9a-f]+:[0-9a-f:]+(?:/\d+)?", re.IGNORECASE)
MAY_STAY = ("data_location", "administration_location", "position", "source")
"""Keys of words that a real organisation may have, too; numbers, choices and paths are never taken for forgotten."""
OF_A_ROLE = ("contacts.helpdesk.name",)


@dataclass(frozen=True)
class Forgotten:
    """A value that was never replaced. `value` is what stands there, as its author would recognise it."""

    file: str
    key: str
    value: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.value} is the example's"


def forgotten(
    mapping: Mapping[str, Any], files: Mapping[str, str], example: Mapping[str, Any], samples: Mapping[str, str]
) -> tuple[Forgotten, ...]:
    """Everything of an organisation file, and of the files beside it, that is the example's own."""
    found = [*_in_tables(mapping, example, "")]
    for name in sorted(files.keys() & samples.keys()):
        lines = [line for line in _content(files[name]) if line in set(_content(samples[name]))]
        if lines and "-----BEGIN" in samples[name]:
            found.append(Forgotten(name, "the certificate", "a sample, whose private key was thrown away"))
        elif lines:
            found.append(Forgotten(name, _counted(len(lines)), shown(lines[0])))
    return tuple(found)


def own(declarations: Iterable[Declaration], copied: Iterable[Forgotten]) -> tuple[Declaration, ...]:
    """The declarations that somebody has made, without those of the example."""
    keys = {one.key for one in copied}
    return tuple(made for made in declarations if f'declarations["{made.id}"]' not in keys)


def unmade(mapping: Mapping[str, Any], example: Mapping[str, Any]) -> list[str]:
    """The ids of declarations that nobody has made: their owner is still the example's.

    A day may be the same by chance, so it alone does not count against what somebody stated.
    """
    samples = {sample.get("id"): sample for sample in example.get("declarations", ())}
    made = [entry for entry in mapping.get("declarations", ()) if entry.get("id") in samples]
    return sorted(entry["id"] for entry in made if entry.get("owner") == samples[entry["id"]].get("owner"))


def _counted(number: int) -> str:
    return "one line" if number == 1 else f"{number} lines"


def _content(text: str) -> list[str]:
    """What a file says: certificates whole, else its lines without comments and the head of a table."""
    blocks = ["".join(body.split()) for body in re.findall("-----BEGIN CERTIFICATE-----(.*?)-----END", text, re.DOTALL)]
    lines = [line.strip() for line in text.splitlines()]
    return blocks or [line for line in lines if line and not line.startswith("#") and line != "name,address"]


def _in_tables(found: Any, example: Any, key: str) -> Iterator[Forgotten]:
    if isinstance(found, Mapping) and isinstance(example, Mapping):
        for name in [name for name in found if name in example]:
            yield from _in_tables(found[name], example[name], f"{key}.{name}" if key else name)
    elif isinstance(found, list) and isinstance(example, list):
        yield from _in_lists(found, example, key)
    elif found == example and type(found) is type(example) and _telling(found, key):
        yield Forgotten(FILE, key, shown(found))


def _in_lists(found: list[Any], example: list[Any], key: str) -> Iterator[Forgotten]:
    if not all(isinstance(entry, Mapping) for entry in (*found, *example)):
        same = [entry for entry in found if entry in example and _telling(entry, key)]
        yield from (Forgotten(FILE, key, shown(entry)) for entry in same)
        return
    samples = {_named(entry, number): entry for number, entry in enumerate(example)}
    for number, entry in enumerate(found):
        sample = samples.get(_named(entry, number), {})
        name = f'{key}["{_named(entry, number)}"]'
        if "statement" in sample:
            yield from _stated(entry, sample, name)
        else:
            yield from _in_tables(entry, sample, name)


def _named(entry: Mapping[str, Any], number: int) -> str:
    """Statements and hosts are known by their names; a person's name is a value like others, so they are counted."""
    name = entry.get("id") or (entry.get("name") if "role" in entry else None)
    return str(name or number + 1)


def _stated(entry: Mapping[str, Any], sample: Mapping[str, Any], name: str) -> Iterator[Forgotten]:
    """A declaration is somebody's, on a day: with the example's owner or day nobody has made it."""
    same = [key for key in ("owner", "date") if entry.get(key) == sample.get(key)]
    if same:
        what = " and ".join(f"{key} {entry[key]}" for key in same)
        yield Forgotten(FILE, name, what)


def _telling(value: Any, key: str) -> bool:
    """Is it a name, a number to call, an address, a sentence; and not a choice that others make, too?"""
    if isinstance(value, date):
        return True
    if not isinstance(value, str) or key.rpartition(".")[2] in MAY_STAY or key in OF_A_ROLE:
        return False
    return "example" in value.lower() or " " in value or _reserved(value)


def _reserved(value: str) -> bool:
    """Is there an address in it that is set aside for documents?"""
    return any(map(_for_documents, ADDRESS.findall(value)))


def _for_documents(word: str) -> bool:
    try:
        network = addresses.network(word, strict=False)
    except ValueError:
        return False
    return any(network.version == one.version and network.subnet_of(one) for one in RESERVED)  # type: ignore[arg-type]
