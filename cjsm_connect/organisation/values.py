"""The small values an organisation file is made of: each accepts one spelling more than it keeps, or refuses."""

from __future__ import annotations

import re
import sys
import unicodedata
from datetime import UTC, datetime
from types import ModuleType
from typing import Annotated, TypeVar

from annotated_types import MaxLen
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, Strict
from pydantic_core import PydanticCustomError

from . import addresses
from .addresses import is_address

# Before its first model pydantic searches every installed package for plugins. There are none for it here, and the
# search takes longer than an organisation file. If a later pydantic asks by another name, it searches again: no harm.
_no_plugins = ModuleType("pydantic.plugin._loader")
vars(_no_plugins)["get_plugins"] = tuple
sys.modules.setdefault(_no_plugins.__name__, _no_plugins)

LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
SECRET_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:\S.*")
# No quote, no percent sign, no query: such an address stands in files of apt and freshclam (RFC 3986, 3.3, and less)
URL = re.compile(
    r"(?P<scheme>(?i:https?))://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:(?P<port>[0-9]+))?(?P<path>(/[A-Za-z0-9._~+=@,:-]*)*)"
)
CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
UNSEEN = CONTROLS | {"Cf"}
"""Unicode's categories of what is not seen, or moves what follows: controls, formats, surrogates, line separators."""
TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
"""Marks that turn the direction of what follows them (UAX 9), so that a text is not what it looks like."""
SHA256_DIGITS = 64

T = TypeVar("T")


class Part(BaseModel):
    """A piece of the organisation: frozen, no unknown key, no value turned into another type in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


MOST_ENTRIES, MOST_LISTED = 1000, 200_000
Several = Annotated[tuple[T, ...], Strict(False), MaxLen(MOST_ENTRIES)]
"""A TOML array, kept as a tuple."""
Many = Annotated[tuple[T, ...], Strict(False), MaxLen(MOST_LISTED)]
"""The same of domains or recipients, of which there may be many more."""


def refusal(expected: str, found: str | None = None) -> PydanticCustomError:
    """The error that says what was expected; `found` only when the plain value would not explain it."""
    return PydanticCustomError("refused", "{expected}", {"expected": expected, "found": found})


def _text(value: str) -> str:
    if not value.strip():
        raise refusal("a text that is not empty")
    if any(unicodedata.category(character) in CONTROLS or character in TURNS for character in value):
        raise refusal("a text of one line, without control characters")
    return value.strip()


def _as_text(value: object, expected: str) -> str:
    if not isinstance(value, str):
        raise refusal(expected)
    return value


def domain_name(value: object) -> str:
    """A domain as A-labels in lower case (RFC 5890, IDNA 2008), without the root's dot; or a refusal saying why."""
    text = _as_text(value, "a domain name in quotes").strip()
    _refuse_lookalikes(text)
    name = _ascii_name(text.removesuffix("."))
    labels = name.split(".")
    if len(labels) < 2:
        raise refusal("a full domain name with at least two labels, such as council.example")
    if len(name) > 253 or any(len(label) > 63 for label in labels):
        raise refusal("at most 253 characters, and 63 in each label (RFC 1035)")
    if not all(LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        raise refusal("labels of letters, digits and inner hyphens, with a dot between them (RFC 1123)")
    return name


def host_name(value: object) -> str:
    """As `domain_name`, or one label, as a host on the own network may be called."""
    text = _as_text(value, "a host name in quotes")
    label = text.lower()
    return label if LABEL.fullmatch(label) and not label[0].isdigit() else domain_name(text)


def _refuse_lookalikes(text: str) -> None:
    """Say it plainly where something else than a domain was written."""
    if any(character.isspace() for character in text):
        raise refusal("one domain name, without spaces")
    if "@" in text:
        raise refusal("the domain alone, without the part before the @")
    if "*" in text:
        raise refusal("each domain by name: there are no wildcards here")
    if "_" in text:
        raise refusal("a domain name without underscores (RFC 1123)")
    if text.startswith("."):
        raise refusal("a domain name that starts with a label, not with a dot")
    if is_address(text.strip("[]")):
        raise refusal("a domain name, not an IP address")


def _ascii_name(text: str) -> str:
    """The A-label form; plain names do not pay for the IDNA tables."""
    lower = text.lower()
    if lower.isascii() and "xn--" not in lower:
        return lower
    import idna

    try:
        return idna.encode(text, uts46=True, std3_rules=True).decode("ascii")
    except idna.IDNAError as error:
        raise refusal(f"a name that IDNA 2008 allows ({error})") from error


def email_address(value: object) -> str:
    """An address `local@domain` (RFC 5321), the domain normalised, the local part as written."""
    text = _as_text(value, "an e-mail address in quotes").strip()
    local, at, domain = text.rpartition("@")
    if not at or not LOCAL_PART.fullmatch(local) or len(local) > 64:
        raise refusal("an e-mail address such as it.helpdesk@council.example")
    return f"{local}@{domain_name(domain)}"


def in_utc(value: datetime) -> datetime:
    """A moment with its zone, in UTC and whole seconds."""
    return value.astimezone(UTC).replace(microsecond=0)


def fingerprint(value: object) -> str:
    """SHA-256 of a public key (SubjectPublicKeyInfo, DER) as lower-case hex with colons, as Postfix prints it."""
    text = _as_text(value, "a fingerprint in quotes").strip().lower()
    digits = text.replace(":", "")
    if not re.fullmatch("[0-9a-f]+", digits):
        raise refusal("hexadecimal digits, with or without colons")
    if len(digits) != SHA256_DIGITS:
        raise refusal("32 bytes: the SHA-256 of the public key", f"{len(digits) // 2} bytes")
    return ":".join(re.findall("..", digits))


def _address(value: object) -> addresses.Address:
    try:
        return addresses.address(_as_text(value, "an IP address in quotes"))
    except ValueError as error:
        raise refusal("one IP address, such as 192.0.2.10, without a zone (%...)") from error


def _network(value: object) -> addresses.Network:
    try:
        return addresses.network(_as_text(value, "an IP network in quotes"))
    except ValueError as error:
        raise refusal("a network such as 192.0.2.0/24 (no bits beyond the prefix), or one address") from error


def _name(value: str) -> str:
    if not LABEL.fullmatch(value):
        raise refusal("a short name of lower-case letters, digits and inner hyphens")
    return value


def _identifier(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", value):
        raise refusal("an identifier of lower-case letters, digits, dots and hyphens")
    return value


def _time_of_day(value: str) -> str:
    if not re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise refusal('a time of day between "00:00" and "23:59"')
    return value


def _secret_reference(value: str) -> str:
    if not SECRET_REFERENCE.fullmatch(value):
        raise refusal("where the secret is kept, never the secret: env:NAME or file:PATH")
    return value


def _url(value: str) -> str:
    """http or https, a host, perhaps a port and a plain path; scheme and host in lower case."""
    expected = "an address such as http://mirror.council.example/debian, of letters, digits and ._~+=@,:/- only"
    if "@" in value.partition("://")[2].partition("/")[0]:
        raise refusal("an address without a user name or password in it", "one with credentials (not shown)")
    found = URL.fullmatch(value)
    if not found or not _is_host(found["host"]) or (found["port"] and not is_port(found["port"])):
        raise refusal(expected)
    port = f":{found['port']}" if found["port"] else ""
    return f"{found['scheme'].lower()}://{found['host'].lower()}{port}{found['path']}"


def _is_host(text: str) -> bool:
    """An IPv6 address in brackets, an IPv4 address, or a name of plain labels, whole or of one label."""
    if text.startswith("["):
        return is_address(text[1:-1]) and ":" in text
    labels = text.lower().split(".")
    return is_address(text) or (not labels[-1].isdigit() and all(map(LABEL.fullmatch, labels)))


def is_port(text: str) -> bool:
    """Whether a text is a TCP or UDP port: ASCII digits, 1 to 65535."""
    return bool(re.fullmatch("[0-9]{1,5}", text)) and 1 <= int(text) <= 65535


def remote_path(value: str) -> str:
    """An absolute path on a host, of plain characters; or a refusal."""
    if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", value) or ".." in value.split("/"):
        raise refusal("an absolute path on that host, of letters, digits, dots and hyphens")
    return value


def _telephone(value: str) -> str:
    if not re.fullmatch(r"\+?[0-9 ()-]{5,20}", value) or sum(digit.isdigit() for digit in value) < 5:
        raise refusal("a telephone number of digits and spaces, such as 020 7946 0000")
    return value


def _endpoint(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not colon or not is_port(port):
        raise refusal("HOST:PORT, such as syslog.council.example:6514")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if is_address(bare):
        return f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"
    return f"{domain_name(host)}:{port}"


def _user(value: str) -> str:
    if not re.fullmatch("[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}", value):
        raise refusal("the name of a user on that host, of letters, digits and _.@+-")
    return value


Address = Annotated[addresses.Address, BeforeValidator(_address)]
Network = Annotated[addresses.Network, BeforeValidator(_network)]
Domain = Annotated[str, BeforeValidator(domain_name)]
Email = Annotated[str, BeforeValidator(email_address)]
Fingerprint = Annotated[str, BeforeValidator(fingerprint)]
Moment = Annotated[AwareDatetime, AfterValidator(in_utc)]
Endpoint = Annotated[str, AfterValidator(_endpoint)]
Identifier = Annotated[str, AfterValidator(_identifier)]
Name = Annotated[str, AfterValidator(_name)]
Port = Annotated[int, Field(ge=1, le=65535)]
RemotePath = Annotated[str, AfterValidator(remote_path)]
SecretReference = Annotated[str, AfterValidator(_secret_reference)]
Telephone = Annotated[str, AfterValidator(_telephone)]
Text = Annotated[str, AfterValidator(_text)]
TimeOfDay = Annotated[str, AfterValidator(_time_of_day)]
Url = Annotated[str, AfterValidator(_url)]
User = Annotated[str, AfterValidator(_user)]
