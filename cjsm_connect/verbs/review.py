"""review: bundles judged by the engineer's own criteria, with a decision record each. Offline."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cjsm_connect import printable, terminal
from cjsm_connect.engineer import overview
from cjsm_connect.engineer.criteria import SHIPPED, load
from cjsm_connect.engineer.judgement import Decision
from cjsm_connect.engineer.review import Desk, Record, as_json, compared, public_keys, reviewed
from cjsm_connect.results import CjsmError
from cjsm_connect.results import catalogue as catalogues

PATH = click.Path(path_type=Path)
ENCODING = "utf-8"


@click.command("review")
@click.argument("bundles", nargs=-1, required=True, type=PATH, metavar="BUNDLE...")
@click.option("--key", "keys", multiple=True, required=True, type=PATH, help="evidence.pub, or a folder of *.pub.")
@click.option("--criteria", type=PATH, default=SHIPPED, help="Your own criteria; without it, those from public papers.")
@click.option("--nonce", help="The text that you gave the organisation to sign.")
@click.option("--out", type=PATH, help="A new folder for the decision records and the overview.")
@click.option("--json", "as_data", is_flag=True, help="One JSON object on standard output.")
@click.pass_obj
def command(rooms: Any, /, bundles: tuple[Path, ...], out: Path | None, as_data: bool, **asked: Any) -> None:
    """Judge bundles by criteria: compatible, compatible with conditions, or not compatible, each reason with its
    evidence. Several bundles of one key are compared with each other, in their order in time.

    A folder stands for the *.tar in it. What cannot be relied on is not judged: that says nothing of the system.

    Exit code: 0 all are compatible, 1 at least one is not simply so, 2 could not run.
    """
    now = datetime.now(UTC)
    desk = _desk(rooms.root / "checks" / "requirements.toml", now, **asked)
    for sentence in desk.keys.refused:
        click.echo(f"cjsm: {sentence}", err=True)
    records = compared(_all(desk, _files(bundles)))
    if out:
        _write(out, records, desk, now)
    if as_data:
        click.echo(printable.as_json(_data(records, desk, now), indent=1))
    else:
        click.echo("\n".join(_lines(records)))
    click.echo(_next(records, out), err=True)
    sys.exit(any(record.decision is not Decision.COMPATIBLE for record in records))


def _desk(requirements: Path, now: datetime, *, criteria: Path, keys: Sequence[Path], nonce: str | None) -> Desk:
    catalogue = catalogues.load(requirements)
    return Desk(load(criteria, catalogue), catalogue, public_keys(keys), nonce, now)


def _files(bundles: Sequence[Path]) -> list[Path]:
    found = [file for one in bundles for file in (sorted(one.glob("*.tar")) if one.is_dir() else [one])]
    if not found:
        raise CjsmError(f"expected bundles, or folders with *.tar; found none in {', '.join(map(str, bundles))}")
    return found


def _all(desk: Desk, files: Sequence[Path]) -> list[Record]:
    """Every record, with progress when there are many."""
    records = reviewed(desk, files)
    if len(files) < 20 or not sys.stderr.isatty():
        return list(records)
    with click.progressbar(records, length=len(files), label="bundles", file=terminal.bare(sys.stderr)) as shown:
        return list(shown)


def _lines(records: Sequence[Record]) -> list[str]:
    """One record in full, several in a line each."""
    if len(records) == 1:
        first, *rest = _text(records[0])
        return [click.style(first, fg=overview.COLOURS[records[0].decision], bold=True), *rest]
    rows = [_row(record) for record in records]
    return [*rows, "", *(f"{number:>6} {decision}" for decision, number in overview.counts(records))]


def _text(record: Record) -> list[str]:
    return [printable.escaped(line) for line in overview.described(record)]


def _row(record: Record) -> str:
    word = click.style(f"{record.decision:<24}", fg=overview.COLOURS[record.decision])
    why = overview.because(record)
    more = f" (and {len(why) - 1} more)" if len(why) > 1 else ""
    said = f"  {record.organisation or 'not known'}  {record.bundle}  {why[0] + more if why else ''}".rstrip()
    return f"{word}{printable.escaped(said)}"


def _data(records: Sequence[Record], desk: Desk, now: datetime) -> dict[str, Any]:
    criteria = {"title": desk.criteria.title, "version": desk.criteria.version, "sha256": desk.criteria.digest}
    return {
        "criteria": criteria,
        "catalogue": desk.catalogue.version,
        "reviewed": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "keys_left_out": list(desk.keys.refused),
        "records": [record.plain() for record in records],
    }


def _write(folder: Path, records: Sequence[Record], desk: Desk, now: datetime) -> None:
    """A record for each bundle as JSON and as text, and the overview. Replaces nothing."""
    names = [overview.record_name(record.bundle) for record in records]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise CjsmError(f"--out: expected bundles with different names, found twice: {', '.join(twice)}")
    page = overview.page(records, desk.criteria, f"{now:%Y-%m-%d %H:%M} UTC")
    try:
        folder.mkdir(parents=True)
        for name, record in zip(names, records, strict=True):
            (folder / f"{name}.json").write_text(as_json(record) + "\n", ENCODING)
            (folder / f"{name}.txt").write_text(
                "\n".join(map(printable.escaped, overview.described(record))) + "\n", ENCODING
            )
        (folder / "overview.html").write_text(page, ENCODING)
    except OSError as error:
        raise CjsmError(f"--out {folder}: expected a new folder that can be written; {error.strerror}") from error


def _next(records: Sequence[Record], out: Path | None) -> str:
    if out:
        return f"Next: open {out / 'overview.html'}"
    if len(records) == 1 and records[0].decision is Decision.NOT_JUDGED:
        return "Next: cjsm verify BUNDLE --key evidence.pub, which names everything that is wrong with it"
    return "Next: cjsm review BUNDLE... --key KEYS --out FOLDER keeps the decision records"
