"""The one place of the model that touches the disk and the clock: read the folder, hand it to the pure part."""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from cjsm_connect.results import CjsmError

from . import answers
from .draft import Draft, examine
from .model import Organisation
from .problems import OrganisationError, Problem, shown
from .references import CERTIFICATE_FILES, is_inside, referred_files
from .values import CONTROLS

FILE_NAME = "organisation.toml"
ANSWERS = "certificates"
ANSWER_SUFFIXES = (".pem", ".crt", ".cer", ".der", ".p7b", ".p7c", ".p7s", ".p12", ".pfx")
ENCODING = "utf-8-sig"
"""UTF-8, also with the byte order mark that some editors put first."""


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
    files, unusable = _files(mapping, file.parent)
    draft = examine(
        mapping,
        files,
        datetime.now(UTC).date(),
        folder=file.parent,
        file=file.name,
        require_files=require_files,
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
        return tomllib.loads(file.read_text(encoding=ENCODING))
    except tomllib.TOMLDecodeError as error:
        message, _, place = str(error).rpartition(" (at ")
        problem = Problem(
            file.name, place.rstrip(")"), message, "TOML, with texts in quotes and each key once (https://toml.io)"
        )
    except UnicodeDecodeError as error:
        problem = Problem(file.name, f"byte {error.start}", "a byte that is not UTF-8", "a text file in UTF-8")
    except OSError as error:
        reason = (error.strerror or "an error").lower()
        expected = "a readable organisation file; copy inventories/example to begin one"
        problem = Problem(str(file), "the file", reason, expected)
    raise OrganisationError([problem])


def _said_better(one: Problem, unusable: Sequence[Problem]) -> bool:
    """A file that was left out because of what it holds is not missing."""
    return any(shown(other.file) in one.found and "missing" in one.found for other in unusable)


def _files(mapping: Mapping[str, Any], folder: Path) -> tuple[dict[str, str], list[Problem]]:
    """The text of every file that belongs to the organisation, by name; what cannot be read is left out. And what is
    wrong with those that should hold certificates."""
    referred = [reference for reference in referred_files(mapping) if is_inside(reference.name)]
    trusted = [one.name for one in referred if (one.section, one.key) in CERTIFICATE_FILES]
    names = [one.name for one in referred if one.name not in trusted] + ["ssh_config", "known_hosts"]
    texts = {name: text for name in names if (text := _text(folder / name)) is not None}
    problems: list[Problem] = []
    for name, path in [*((name, folder / name) for name in trusted), *_answers(mapping, folder, problems)]:
        try:
            texts[name] = _certificates(path, leaf=name.startswith(f"{ANSWERS}/"))
        except answers.Unusable as error:
            place = str(path.relative_to(folder))
            problems.append(Problem(place, "the file", str(error), error.expected))
        except OSError:
            continue  # what is missing, or may not be read, is said where it is referred to
    return texts, problems


def _answers(mapping: Mapping[str, Any], folder: Path, problems: list[Problem]) -> Iterator[tuple[str, Path]]:
    """What authorities have answered: each file beside a host's request, however it is named, as HOST.pem."""
    known = {f"{name}{suffix}" for name in _host_names(mapping) for suffix in ("", "-inner")}
    found: dict[str, Path] = {}
    for path in sorted((folder / ANSWERS).glob("*")):
        name, suffix = path.stem, path.suffix.lower()
        if suffix not in ANSWER_SUFFIXES or not path.is_file() or (suffix != ".pem" and name not in known):
            continue
        if name in found and path.read_bytes() != found[name].read_bytes():
            expected = f"one answer; move the one that is not wanted out of {ANSWERS}"
            problems.append(Problem(f"{ANSWERS}/{path.name}", "the file", f"{found[name].name} beside it", expected))
            continue
        found[name] = path
        yield f"{ANSWERS}/{name}.pem", path


def _host_names(mapping: Mapping[str, Any]) -> Iterator[str]:
    hosts = mapping.get("hosts")
    for host in hosts if isinstance(hosts, list) else ():
        if isinstance(host, dict) and isinstance(host.get("name"), str):
            yield host["name"]


def _certificates(path: Path, *, leaf: bool) -> str:
    """The certificates of a file as PEM; where it is not plain PEM already, the host's own first.

    Raises:
        Unusable: it holds none, or something that must not be there.
    """
    data = path.read_bytes()
    text = answers.pem(data)
    plain = text.encode() == data.removeprefix(b"\xef\xbb\xbf")
    return text if plain or not leaf else answers.leaf_first(text)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding=ENCODING)
    except (OSError, UnicodeDecodeError):
        return None


def _key_problems(draft: Draft, file: str, require_files: bool) -> Iterator[Problem]:
    """SSH refuses a missing key, and a key that others may read (man ssh, FILES)."""
    for section in ("hosts", "vantage"):
        for host in draft.sections[section]:
            path = host.ssh.key_file
            key = f'{section}["{host.name}"].ssh.key_file'
            if path is None:
                continue
            if not path.is_file():
                if require_files:
                    yield Problem(file, key, f"{path}, which is missing", "the private key for this host")
            elif mode := path.stat().st_mode & 0o077:
                yield Problem(file, key, f"{path}, open to others ({mode:03o})", f"a key of mode 600: chmod 600 {path}")


def secret(reference: str, folder: Path, environment: Mapping[str, str]) -> str:
    """The secret behind `env:NAME` or `file:PATH` (relative to the folder). CjsmError when it is not there."""
    kind, _, place = reference.partition(":")
    found = environment.get(place) if kind == "env" else _text(folder / Path(place).expanduser())
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
