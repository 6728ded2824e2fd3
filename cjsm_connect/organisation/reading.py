"""The one place of the model that touches the disk and the clock: read the folder, hand it to the pure part."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from cjsm_connect.results import CjsmError, inputs

from . import answers
from .draft import Draft, examine
from .model import Organisation
from .problems import OrganisationError, Problem, shown
from .references import CERTIFICATE_FILES, REVOCATION_FILES, Referred, is_inside, referred_files
from .values import CONTROLS

FILE_NAME = "organisation.toml"
ANSWERS = "certificates"
ANSWER_SUFFIXES = (".pem", ".crt", ".cer", ".der", ".p7b", ".p7c", ".p7s", ".p12", ".pfx")
MOST_ANSWERS = 1000


def load(path: Path, *, require_files: bool = True) -> Organisation:
    """The organisation described by a file, or by organisation.toml in a folder.

    Raises OrganisationError with all problems at once. `require_files=False` accepts that referred files and
    SSH keys are not there yet; what is there is still judged.
    """
    return read(path, require_files=require_files).organisation()


def read(path: Path, *, require_files: bool = True) -> Draft:
    """What is valid in an organisation file and what is not; raises only when nothing can be read at all."""
    file = (path / FILE_NAME if path.is_dir() else path).absolute()
    mapping = _toml(file)
    files, refused, unusable = _files(mapping, file.parent)
    draft = examine(
        mapping,
        files,
        datetime.now(UTC).date(),
        folder=file.parent,
        file=file.name,
        require_files=require_files,
        refused=refused,
    )
    more = (*unusable, *_key_problems(draft, file.name, require_files))
    return replace(draft, problems=tuple(one for one in draft.problems if not _said_better(one, unusable)) + more)


def parse(
    mapping: Mapping[str, Any], files: Mapping[str, str], today: date, *, folder: Path = Path("/")
) -> Organisation:
    """The same without disk or clock: `files` are texts by name relative to the folder, `today` a UTC date."""
    return examine(mapping, files, today, folder=folder).organisation()


def _toml(file: Path) -> dict[str, Any]:
    try:
        return inputs.toml(inputs.text(file, inputs.ORGANISATION))
    except ValueError as error:  # tomllib.TOMLDecodeError among them
        message, _, place = str(error).rpartition(" (at ")
        expected = "TOML, with texts in quotes and each key once (https://toml.io)"
        problem = Problem(file.name, place.rstrip(")") or "the file", message or str(error), expected)
    except inputs.Unreadable as error:
        size = f", a regular file of at most {inputs.ORGANISATION.size}"
        expected = f"a readable organisation file{size}; copy inventories/example to begin one"
        problem = Problem(str(file), "the file", error.found, expected)
    raise OrganisationError([problem])


def _said_better(one: Problem, unusable: Sequence[Problem]) -> bool:
    """A file that was left out because of what it holds is not missing."""
    return any(shown(other.file) in one.found and "missing" in one.found for other in unusable)


def _files(mapping: Mapping[str, Any], folder: Path) -> tuple[dict[str, str], dict[str, str], list[Problem]]:
    """The text of every file that belongs to the organisation, by name; why one that is there is refused as a file; and
    what is wrong with those that should hold certificates."""
    referred = {one.name: one for one in referred_files(mapping) if is_inside(one.name)}
    wanted = {name: (name, _kind(one)) for name, one in referred.items()}
    wanted |= {"ssh_config": ("ssh_config", inputs.SSH), "known_hosts": ("known_hosts", inputs.SSH)}
    wanted |= {
        f"{ANSWERS}/{path.name}": (f"{ANSWERS}/{path.stem}.pem", inputs.CERTIFICATES)
        for path in _answers(mapping, folder)
    }
    texts: dict[str, str] = {}
    places: dict[str, str] = {}
    refused: dict[str, str] = {}
    problems: list[Problem] = []
    for place, (name, kind) in wanted.items():
        try:
            found = _content(folder / place, kind, leaf=name.startswith(f"{ANSWERS}/"))
        except answers.Unusable as error:
            problems.append(Problem(place, "the file", str(error), error.expected))
        except inputs.Unreadable as error:
            refused |= {} if error.missing else {place: f"{error.found} (at most {kind.size})"}
        else:
            other = Path(places.setdefault(name, place)).name
            if texts.setdefault(name, found) != found:
                expected = f"one answer; move the one that is not wanted out of {ANSWERS}"
                problems.append(Problem(place, "the file", f"{other} beside it", expected))
    return texts, refused, problems


def _answers(mapping: Mapping[str, Any], folder: Path) -> list[Path]:
    """What authorities have answered: each file beside a host's request, however it is named."""
    known = {f"{name}{suffix}" for name in _host_names(mapping) for suffix in ("", "-inner")}
    found = sorted(path for path in (folder / ANSWERS).glob("*") if path.suffix.lower() in ANSWER_SUFFIXES)
    return [path for path in found if path.suffix.lower() == ".pem" or path.stem in known][:MOST_ANSWERS]


def _host_names(mapping: Mapping[str, Any]) -> Iterator[str]:
    hosts = mapping.get("hosts")
    for host in hosts if isinstance(hosts, list) else ():
        if isinstance(host, dict) and isinstance(host.get("name"), str):
            yield host["name"]


def _content(path: Path, kind: inputs.Input, *, leaf: bool) -> str:
    """The text of a file; of one that should hold certificates as PEM, and where it is not plain PEM already, the
    host's own first (`leaf`).

    Raises:
        Unreadable: it is no file that can be used. Unusable: it holds no certificate, or what must not be there.
    """
    if kind is not inputs.CERTIFICATES:
        return inputs.text(path, kind)
    data = inputs.read(path, kind)
    text = answers.pem(data)
    plain = text.encode() == data.removeprefix(b"\xef\xbb\xbf")
    return text if plain or not leaf else answers.leaf_first(text)


def _kind(reference: Referred) -> inputs.Input:
    if reference[:2] in REVOCATION_FILES:
        return inputs.REVOKED
    return inputs.CERTIFICATES if reference[:2] in CERTIFICATE_FILES else inputs.LIST


def _key_problems(draft: Draft, file: str, require_files: bool) -> Iterator[Problem]:
    """SSH refuses a missing key, and a key that others may read (man ssh, FILES)."""
    for section in ("hosts", "vantage"):
        for host in draft.sections[section]:
            path = host.ssh.key_file
            key = f'{section}["{host.name}"].ssh.key_file'
            if path is None:
                continue
            if path.is_file() and path.stat().st_size > inputs.SECRET.most:
                yield Problem(file, key, f"{path}, which is larger than any key", "the private key for this host")
            elif not path.is_file():
                if require_files:
                    yield Problem(file, key, f"{path}, which is missing", "the private key for this host")
            elif mode := path.stat().st_mode & 0o077:
                yield Problem(file, key, f"{path}, open to others ({mode:03o})", f"a key of mode 600: chmod 600 {path}")


def secret(reference: str, folder: Path, environment: Mapping[str, str]) -> str:
    """The secret behind `env:NAME` or `file:PATH` (relative to the folder). CjsmError when it is not there."""
    kind, _, place = reference.partition(":")
    found = environment.get(place) if kind == "env" else _secret_file(folder / Path(place).expanduser())
    if not found:
        where = f"environment variable {place}" if kind == "env" else f"file {place}"
        raise CjsmError(f"A secret is expected in the {where}; nothing was found there. Set it, then try again.")
    return _one_line(found.removesuffix("\n").removesuffix("\r"), kind, place)


def _one_line(found: str, kind: str, place: str) -> str:
    """A secret is one line: what came after it would be a line of its own wherever it is written."""
    if not found or any(unicodedata.category(character) in CONTROLS for character in found):
        where = f"environment variable {place}" if kind == "env" else f"file {place}"
        raise CjsmError(f"The secret in the {where} is expected to be one line; it is empty or more.")
    return found


def _secret_file(path: Path) -> str | None:
    """What a file holds; None where there is none."""
    try:
        return inputs.text(path, inputs.SECRET)
    except inputs.Unreadable as error:
        if error.missing:
            return None
        raise
