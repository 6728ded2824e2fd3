"""application: the forms filled in, with everything that goes with them. Asks no host; works before there is one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cjsm_connect.application import filled, pack, users
from cjsm_connect.application.answers import Known, Origin, top
from cjsm_connect.application.filled import Application, Filled, Listed
from cjsm_connect.application.observed import Observed
from cjsm_connect.organisation import Draft
from cjsm_connect.printable import as_json
from cjsm_connect.results import CjsmError, inputs
from cjsm_connect.results.catalogue import load
from cjsm_connect.verbs import _example, _observed
from cjsm_connect.verbs._organisation import chosen
from cjsm_connect.verbs._terminal import tell

FOLDER = "application"
USED = (
    "organisation",
    "contacts",
    "signatories",
    "application",
    "domains",
    "estate",
    "hosts",
    "declarations",
    "policy",
)
PATH = click.Path(path_type=Path)


@click.command("application")
@click.option("--from", "bundle", type=PATH, help="Take what was seen from this bundle, not from the last cjsm check.")
@click.option("--output", type=PATH, help="The pack's folder, replaced as a whole.  [default: ORG/application]")
@click.option("--pdf", "paper", is_flag=True, help="Each page as PDF/UA, too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option("--org", type=PATH, help="Folder of organisation.toml (or CJSM_ORG).")
@click.pass_obj
def command(rooms: Any, /, bundle: Path | None, org: Path | None, output: Path | None, **asked: bool) -> None:
    """The application pack: both known forms filled in, contacts and sponsor, list of users, checklist of the terms,
    fingerprint sheet, and what is posted.

    Each answer says whether it was observed or declared, and what proves it. Asks no host. Works with an
    organisation.toml that is not finished: what is missing is told, with what to do.

    The pack holds personal data: its files are readable by you only, and git ignores them.

    Exit code: 0 nothing is missing, 1 something is, 2 could not run.
    """
    from cjsm_connect.organisation import read

    folder, now = chosen(org, rooms.root), _now()
    draft = read(folder, require_files=False)
    observed = _observed.of_bundle(bundle, folder, now) if bundle else _observed.last_check(folder)
    place = (output or folder / FOLDER).absolute()
    found = _filled(draft, observed, place, rooms.root, now)
    pack.write(place, {**_files(found, place), **(_printed(found) if asked["paper"] else {})})
    if asked["as_json"]:
        click.echo(as_json(filled.plain(found), indent=1))
    else:
        tell("\n".join(_told(found, place)))
    tell(_next(found, place), err=True)
    sys.exit(bool(found.missing))


def _now() -> datetime:
    return datetime.now(UTC)


def _filled(draft: Draft, observed: Observed | None, place: Path, root: Path, now: datetime) -> Application:
    listed = _listed(draft, place)
    known = Known(
        draft.sections,
        now.date(),
        _of_this_organisation(observed, draft).run.results if observed else (),
        load(root / "checks" / "requirements.toml").requirements,
        observed.versions if observed else {},
        draft.problems,
        len(listed.found.users) if listed.usable else None,
        _example.left_over(draft.folder),
    )
    notes = tuple(observed.notes()) if observed else ()
    return filled.fill(
        known, listed, observed, now, fingerprint=_fingerprint(draft.folder), file_digest=draft.digest, notes=notes
    )


def _of_this_organisation(observed: Observed, draft: Draft) -> Observed:
    identity = draft.sections["organisation"]
    if identity and observed.run.organisation != identity.name:
        raise CjsmError(
            f"{observed.source} is about {observed.run.organisation}; organisation.toml is about {identity.name}"
        )
    return observed


def _listed(draft: Draft, place: Path) -> Listed:
    """The list of users beside the organisation file, compared with that of the last pack."""
    before, since, _ = pack.earlier(place)
    section, domains = draft.sections["application"], draft.sections["domains"]
    if not section or not section.users_file:
        return Listed(before=before, since=since, problem=NO_LIST)
    if not domains:
        return Listed(before=before, since=since, problem="the addresses cannot be judged without [domains]")
    try:
        text = _text(draft.folder / section.users_file)
    except CjsmError as error:
        return Listed(before=before, since=since, problem=str(error))
    found = users.read(text, domains.names)
    return Listed(found, before, users.changes(before, found.users), since)


NO_LIST = "application.users_file in organisation.toml: a CSV file with the columns name and address, one person a line"


def _text(path: Path) -> str:
    try:
        return inputs.text(path, inputs.USERS)
    except inputs.Unreadable as error:
        raise CjsmError(f"{error}, as CSV in UTF-8 with the columns name and address") from error


def _fingerprint(folder: Path) -> str:
    """Of the evidence key; "" while there is none."""
    from cjsm_connect.evidence import keys

    public = folder / keys.PUBLIC
    return keys.fingerprint(keys.public_key(inputs.read(public, inputs.KEY), keys.PUBLIC)) if public.is_file() else ""


def _files(found: Application, place: Path) -> dict[str, bytes]:
    """The files of the pack. Without a usable list the last one is kept to compare with: nobody leaves by a mistake."""
    from cjsm_connect.reports import application as pages

    files = {"application.json": as_json(filled.plain(found), indent=1).encode()}
    for page in pages.documents(found):
        files[f"{page.file}.html"] = pages.as_html(page, found).encode()
        files[f"{page.file}.txt"] = pages.as_text(page, found).encode()
    if not found.listed.usable:
        kept = pack.earlier(place)[2]
        return files | ({pack.USERS: kept} if kept else {})
    people = found.listed.found.users
    return files | {
        "users.csv": users.as_csv(people).encode(),
        "users-changes.csv": users.changes_as_csv(found.listed.changes).encode(),
        pack.USERS: pack.kept(people, f"{found.at:%Y-%m-%d}"),
    }


def _printed(found: Application) -> dict[str, bytes]:
    from cjsm_connect.reports import application as pages
    from cjsm_connect.reports.pdf import printed

    return {f"{one.file}.pdf": printed(pages.as_html(one, found)) for one in pages.documents(found)}


def _told(found: Application, place: Path) -> Iterator[str]:
    from cjsm_connect.reports.application import changed, renewed

    yield click.style(found.name, bold=True)
    for one in found.filled:
        yield f"  {one.form.title:<44} {_counted(one)}"
    seen = found.observed
    yield f"  {'Observed':<44} {f'{seen.source}, {seen.moment}' if seen else 'nothing: no host was checked yet'}"
    listed = found.listed
    yield f"  {'Users':<44} {f'{len(listed.found.users)}; {changed(found)}' if listed.usable else 'no usable list'}"
    yield f"  {'Terms':<44} {renewed(found.renewal)}"
    yield f"  {'Evidence key':<44} {found.fingerprint or 'none yet: cjsm evidence init'}"
    yield from (f"  Note: {note}" for note in found.notes)
    yield from _block("Missing, and what to do", [f"{one.where}: {one.what}" for one in found.missing], "red")
    contradictions = [f"{question}: {line}" for question, line in found.contradictions]
    yield from _block("Declared, and seen otherwise", contradictions, "yellow")
    yield from ("", str(place))


def _counted(one: Filled) -> str:
    counts = one.counts()
    seen, said, missing = (counts[origin] for origin in Origin)
    rest = f", {counts[filled.EMPTY]} {filled.EMPTY}" if counts[filled.EMPTY] else ""
    return f"{seen + said} answered ({seen} observed, {said} declared), {missing} missing{rest}"


def _block(title: str, lines: list[str], colour: str) -> Iterator[str]:
    if lines:
        yield from ("", click.style(title, fg=colour, bold=True), *(f"  - {line}" for line in lines))


def _next(found: Application, place: Path) -> str:
    elsewhere = [one for one in found.known.problems if top(one) not in USED]
    if elsewhere:
        click.echo(f"cjsm: {len(elsewhere)} more in organisation.toml are for later: cjsm plan names them", err=True)
    if found.missing:
        return "Next: do what is missing, then: cjsm application"
    return f"Next: open {place / 'index.html'}; what is posted and signed by hand is in to-post.html"
