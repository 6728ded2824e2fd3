"""A bundle for third parties: pseudonyms for what is inside, and nothing of which we cannot be sure. Pure.

The original commits to every field that redaction hides (commitments.py). A redacted bundle is made from the original's
files alone, so its pseudonyms are the same each time. Public facts stay: the organisation, its domains, and the relay's
name and address where the internet sees them; whoever signs cannot hide who signs.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cjsm_connect.organisation import addresses
from cjsm_connect.organisation.addresses import Network, network

from . import Refused
from .commitments import COMMITMENTS, SALTS, Entropy, Field, doubts, fields, opened, read_opened, sealed
from .strict_json import parse, parse_object, readable
from .wording import ATOM, DAY, EDGES, TIME, Wording, addresses_in

RECORD = "redaction.json"
WALKED = (
    "results.json",
    "organisation.json",
    "versions.json",
    "certificates.json",
    "host_keys.json",
    "declarations.json",
    "waivers.json",
)
KEPT = ("domains.txt", COMMITMENTS)
MADE_ANEW = re.compile(r"README\.txt|oscal/.*|salts\.json")  # neither shown nor missed
PUBLIC_CONSTANTS = frozenset({"127.0.0.1", "0.0.0.0", "::", "::1", "127.0.0.0"})  # noqa: S104
INSIDE: tuple[Network, ...] = tuple(
    network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "100.64.0.0/10",
        "fc00::/7",
        "fe80::/10",
    )
)
"""Addresses that the internet never sees: RFC 1918, link-local, RFC 6598 and unique local ones."""

NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.[a-z][a-z0-9-]*[a-z0-9]", re.IGNORECASE)
MAIL = re.compile(r"[\w.+-]+@[\w.-]+\w")
PERSONAL = {"owner": "person", "approver": "person", "telephone": "telephone", "user": "login"}
PEOPLE = ("contacts", "signatories", "sponsors")
ALONE = frozenset({"subject", "vantage", "host", "name", "user"})  # where a host's short name or a log-in stands alone
CATALOGUES = frozenset({"catalogue", "catalogue_version"})
CATALOGUE = re.compile(r"(\d{1,9}\.)?[0-9a-f]{12}")  # the digest of a file that is public
A_NETWORK = re.compile(r"(?<![\w.:])([0-9A-Fa-f:.]+)/([0-9]{1,3})(?![\w/])")
DATED = frozenset({"date", "start", "expiry", "started", "ended"})
"""Keys under which a day or time of the organisation's own stands, which the statement has too."""
FUNCTION_WORDS = frozenset(
    {
        "a",
        "an",
        "and",
        "at",
        "by",
        "for",
        "in",
        "it",
        "of",
        "on",
        "or",
        "the",
        "to",
        "de",
        "du",
        "la",
        "le",
        "van",
        "von",
    }
)
"""Parts of what stands for a person ("Head of IT") by which nobody is known."""
IDENTIFIERS = frozenset({"check", "requirement"})
VERSION = re.compile(r"[0-9][0-9A-Za-z.+~:-]{0,60}")
VERSION_WORDS = frozenset(["a", "amd", "arm", "b", "deb", "dfsg", "ds", "git", "p", "rc", "u"])
DIGESTS = frozenset({"organisation_digest", "digest", "pem", "public_key_sha256", "manifest_sha256"})
"""Unsalted digests of what is inside, and what holds names in a form of its own: left out."""

SHORT = ("host", "login")  # values that may be ordinary words

Files = Mapping[str, bytes]


def committed(files: Files, words: frozenset[str], entropy: Entropy) -> dict[str, bytes]:
    """The files of a bundle with commitments.json and salts.json beside them."""
    known = fields(_values(files, words), entropy)
    texts = _Walk(_wording(known, files, words), _labels(known, *SHORT))
    for name in WALKED:
        texts.file(name, files)
    left = [name for name in files if _is_left_out(name)]
    whole = [f"{name} {hashlib.sha256(files[name]).hexdigest()}" for name in left]
    hidden = [*known, *fields({"text": texts.unsure, "file": whole}, entropy)]
    return {**files, COMMITMENTS: sealed(hidden), SALTS: opened(hidden)}


def redacted(files: Files, words: frozenset[str], original: str) -> dict[str, bytes]:
    """The payload of the redacted bundle; `original` is the SHA-256 of the original's statement.

    Raises:
        Refused: the bundle has no salts (it is redacted already), or they do not belong to its commitments.
    """
    if SALTS not in files or COMMITMENTS not in files:
        raise Refused(f"{SALTS} is missing: expected an original bundle, of this version, that is not redacted yet")
    hidden = read_opened(files[SALTS], SALTS)
    if wrong := doubts(files[COMMITMENTS], hidden):
        raise Refused(f"{SALTS} does not belong to {COMMITMENTS}: {wrong[0]}")
    walk = _Walk(_wording(hidden, files, words), _labels(hidden, *SHORT), _labels(hidden, "text"))
    made = {name: readable(walk.file(name, files)) for name in WALKED if name in files}
    made |= {name: files[name] for name in KEPT if name in files}
    made[RECORD] = readable(_record(hidden, walk, original))
    refuse_leaks(made, hidden, words)
    return made


def _record(hidden: Iterable[Field], walk: _Walk, original: str) -> dict[str, Any]:
    """What was hidden, so that an absence is seen as one."""
    kinds = Counter(one.kind for one in hidden)
    return {
        "original_statement_sha256": original,
        "fields_committed_to": dict(sorted(kinds.items())),
        "files_left_out": sorted(f"{_group(one.value)} ({one.name})" for one in hidden if one.kind == "file"),
        "texts_left_out": dict(sorted(walk.counted.items())),
        "packages_not_named": walk.packages,
    }


def _group(name: str) -> str:
    """A file without the host that it is named for: "configuration/relay.txt 12ab..." is one of configuration/."""
    path = name.partition(" ")[0]
    folder, slash, _ = path.partition("/")
    return folder + slash if slash else path


def _is_left_out(name: str) -> bool:
    return name not in (*WALKED, *KEPT) and not MADE_ANEW.fullmatch(name)


# --- what is to be hidden


def _values(files: Files, words: frozenset[str]) -> dict[str, set[str]]:
    """Every value that gets a pseudonym, by kind."""
    said = parse_object(files["organisation.json"], "organisation.json")
    public = public_facts(said)
    found: dict[str, set[str]] = defaultdict(set)
    texts = [files[name].decode("utf-8", "replace") for name in WALKED if name in files]
    found["address"] = {str(address) for text in texts for address in addresses_in(text)} - PUBLIC_CONSTANTS
    found["mail"] = {mail for text in texts for mail in MAIL.findall(text)}
    found["network"] = {text for content in texts for text in _networks(content)}
    found["host"] = {str(one["name"]) for one in (*said["hosts"], *said["vantage"])}
    found["name"] = set(_names(files, said, words))
    _collect(said, (), found)
    found["key"] = {str(row["fingerprint"]) for row in _list(files, "host_keys.json")}
    found["certificate"] = {str(row["sha256"]) for row in _list(files, "certificates.json")}
    return {kind: {value for value in values if value and value not in public} for kind, values in found.items()}


def _networks(text: str) -> Iterator[str]:
    """Every network as it is written, also one around a public address: how large it is tells where the others are."""
    for found in A_NETWORK.finditer(text):
        try:
            network(found[0], strict=False)
        except ValueError:
            continue
        yield found[0]


def public_facts(said: Mapping[str, Any]) -> frozenset[str]:
    """What stays readable: the organisation, its domains, and the relay as the internet sees it."""
    domains = said["domains"]["names"]
    facts = {said["organisation"]["name"], *domains, *(f"{name}.cjsm.net" for name in domains), *PUBLIC_CONSTANTS}
    outer = {network["name"] for network in said["estate"]["networks"] if network["zone"] in ("wan", "dmz")}
    for host in said["hosts"]:
        if host["role"] == "relay":
            facts.add(host["fqdn"])
            facts.update(at for network, at in host["interfaces"].items() if network in outer and not _inside(at))
    return frozenset(map(str, facts))


def _inside(address: str) -> bool:
    found = addresses.address(address)
    return any(found.version == network.version and found in network for network in INSIDE)


def _collect(value: Any, path: tuple[str, ...], found: dict[str, set[str]]) -> None:
    """People, telephones and log-ins of the organisation file, by where they stand."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _collect(inner, (*path, key), found)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, path, found)
    elif isinstance(value, str) and value:
        kind = PERSONAL.get(path[-1], "person" if path[-1] == "name" and set(PEOPLE) & set(path) else "")
        if kind:
            found[kind].add(value)


def _names(files: Files, said: Mapping[str, Any], words: frozenset[str]) -> Iterator[str]:
    """Host names with a dot: those of hosts and hub in any case, others unless they are words of our own."""
    yield from (str(host["fqdn"]) for host in said["hosts"])
    yield from (said["hub"]["host"], *said["hub"]["match"])
    rows = [[row.get("names"), row.get("subject"), row.get("issuer")] for row in _list(files, "certificates.json")]
    for text in (files["organisation.json"], files.get("host_keys.json", b""), readable(rows)):
        for atom in ATOM.findall(text.decode("utf-8", "replace")):
            if NAME.fullmatch(found := atom.strip(EDGES)) and found.casefold() not in words:
                yield found


def _list(files: Files, name: str) -> list[Mapping[str, Any]]:
    rows = parse(files[name], name) if name in files else []
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _labels(hidden: Iterable[Field], *kinds: str) -> dict[str, str]:
    return {one.value: one.name for one in hidden if one.kind in kinds}


def _wording(hidden: Iterable[Field], files: Files, words: frozenset[str]) -> Wording:
    """In running text `relay` is the word; where it stands alone as the name of a host, it is replaced."""
    said = parse_object(files["organisation.json"], "organisation.json")
    named = [one for one in hidden if one.kind not in ("text", "file")]
    pseudonyms = {one.value: one.name for one in named if one.kind not in SHORT or one.value.casefold() not in words}
    return Wording(pseudonyms, public_facts(said), words, frozenset(_forbidden(named)))


def _forbidden(named: Iterable[Field]) -> Iterator[str]:
    """Parts of people's names in any spelling, and of telephones: "ask will" may be two words that may stay."""
    for one in named:
        if one.kind in ("person", "telephone"):
            yield from {part.casefold() for part in re.findall(r"\w{2,}", one.value)} - FUNCTION_WORDS


# --- the walk


@dataclass
class _Walk:
    """Goes through JSON; `unsure` collects the texts that it leaves out, `counted` how many in which file."""

    wording: Wording
    hosts: Mapping[str, str]
    texts: Mapping[str, str] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)
    counted: Counter[str] = field(default_factory=Counter)
    packages: int = 0
    name: str = ""

    def file(self, name: str, files: Files) -> Any:
        """A JSON file of the bundle, redacted."""
        self.name = name
        return self.value(parse(files.get(name, b"[]"), name), "")

    def value(self, value: Any, key: str) -> Any:
        """A value that stands under a key."""
        if isinstance(value, dict):
            return self._table(value, key)
        if isinstance(value, list):
            return [self.value(inner, key) for inner in value]
        return self._line(value, key) if isinstance(value, str) else value

    def _line(self, value: str, key: str) -> str:
        if key in ALONE and value in self.hosts:
            return self.hosts[value]
        if key in DATED and re.fullmatch(f"{TIME}|{DAY.pattern}", value):
            return value
        known = key in IDENTIFIERS and set(re.split("[.-]", value.casefold())) <= self.wording.words
        return value if known or (key in CATALOGUES and CATALOGUE.fullmatch(value)) else self.text(value)

    def _table(self, value: Mapping[str, Any], key: str) -> dict[str, Any]:
        if key == "packages":
            return self._packages(value)
        shown = {name: inner for name, inner in value.items() if name not in DIGESTS}
        return {self._key(name, key): self.value(inner, name) for name, inner in shown.items()} | {
            name: "" for name in value if name == "organisation_digest"
        }

    def _key(self, name: str, above: str) -> str:
        return self.hosts[name] if above == "hosts" and name in self.hosts else self.text(name)

    def _packages(self, value: Mapping[str, Any]) -> dict[str, str]:
        """Packages that our own texts name, with versions as Debian writes them; of the others how many there are."""
        known = {name: str(number) for name, number in value.items() if name in self.wording.words}
        self.packages += len(value) - len(known)
        return {name: number if _is_version(number) else "(left out)" for name, number in known.items()}

    def text(self, text: str) -> str:
        """A text with pseudonyms, or a note in its place."""
        told = self.wording.told(text)
        if told is not None:
            return told
        self.unsure.add(text)
        self.counted[self.name] += 1
        return f"(left out: {self.texts[text]})" if text in self.texts else "(left out)"


def _is_version(text: str) -> bool:
    return bool(VERSION.fullmatch(text)) and set(re.findall("[a-z]+", text.casefold())) <= VERSION_WORDS


# --- the last look


def refuse_leaks(made: Files, hidden: Iterable[Field], words: frozenset[str]) -> None:
    """Return if no file of a redacted bundle holds a value that was to be hidden.

    Raises:
        Refused: one does; names the file and the pseudonym, never the value.
    """
    looked = [one for one in hidden if one.kind not in ("text", "file") and one.value.casefold() not in words]
    known = {one.value.casefold(): one.name for one in looked}
    for name, content in made.items():
        text = content.decode("utf-8").casefold()
        atoms = {form.strip(EDGES) for form in (*ATOM.findall(text), *re.findall(r"[\w.-]+", text))}
        leaked = [value for value in known if value in atoms or (not ATOM.fullmatch(value) and value in text)]
        if leaked:
            raise Refused(f"nothing was signed: {name} still holds what {known[leaked[0]]} stands for")
