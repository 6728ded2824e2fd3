"""Text that anybody may have written, made fit to be shown: the one place where that is decided.

What a terminal, a page or a reader's eye would obey or not see is written out as \\x1b or \\u202e: control characters,
line ends where one line is meant, direction marks, characters without a shape, halves of characters (Unicode's
"default ignorable", and whatever str.isprintable() refuses). Nothing is dropped: what was there can still be told.

Also sent to hosts with the programs of `remote`: standard library of Python 3.9.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

# printable to Python, and yet without a shape: https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt
# (Default_Ignorable_Code_Point), and the empty pattern of Braille
SHAPELESS = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff"
_SHAPELESS = re.compile(f"[{SHAPELESS}]")
SAID = 300  # characters of what a stranger said that are kept


def escaped(text: object, keep: str = "") -> str:
    """One line, as it is but for what cannot be seen. `keep`: control characters that may stay."""
    plain = str(text)
    if not plain.isprintable():
        plain = "".join(c if c.isprintable() or c in keep else _written_out(c) for c in plain)
    return plain if plain.isascii() else _SHAPELESS.sub(lambda found: _written_out(found[0]), plain)


def _written_out(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def shown(text: object, limit: int = 120) -> str:
    """One line, and short."""
    plain = escaped(str(text)[: limit + 1])
    return plain if len(plain) <= limit else plain[:limit] + "..."


def one_line(text: object, limit: int) -> str:
    """Several lines told in one, and short: any white space between words is one space."""
    plain = escaped(" ".join(str(text).split()))
    return plain if len(plain) <= limit else f"{plain[:limit]} ... ({len(plain)} characters)"


def lines(text: object) -> str:
    """As it is, with its lines and tabs."""
    return escaped(text, keep="\n\t")


def everywhere(value: Any) -> Any:
    """The same value of builtin types and dataclasses, with each text in it on one line."""
    if type(value) is str:
        return escaped(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        told = {one.name: everywhere(getattr(value, one.name)) for one in dataclasses.fields(value) if one.init}
        return dataclasses.replace(value, **told)
    if type(value) is dict:
        return {everywhere(key): everywhere(one) for key, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(everywhere, value))
    return value


def as_json(value: Any, **options: Any) -> str:
    """JSON (RFC 8259) of the very same value that holds nothing but what can be seen: the rest as JSON escapes."""
    text = json.dumps(value, ensure_ascii=False, **options)
    if text.replace("\n", "").isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(c if c == "\n" or escaped(c) == c else json.dumps(c)[1:-1] for c in text)
