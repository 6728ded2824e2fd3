"""bench review: many bundles in one command; each has a real one's files, signed anew by an organisation of its own."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from cjsm_connect.bench import hostile, measure
from cjsm_connect.evidence import SIGNATURE_FILES, STATEMENT, archive, bundle, keys, statement
from cjsm_connect.lab import Lab
from cjsm_connect.results import CjsmError

PASSPHRASE = "for this measurement only"  # noqa: S105


@dataclass(frozen=True)
class Options:
    """What is measured, and how often."""

    lab: str
    number: int = 1000
    rounds: int = 3


def run(rooms: Any, options: Options, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure `cjsm review` on `number` bundles.

    Raises:
        CjsmError: there is no bundle of the lab to begin with, or not every bundle was judged.
    """
    model = _model(Lab(options.lab).organisation_folder)
    with tempfile.TemporaryDirectory(prefix="cjsm-bench-") as place:
        folder = Path(place)
        say(f"making {options.number} bundles like {model.name}")
        size = _made(model, folder, options.number)
        say(f"reviewing them, {options.rounds} rounds")
        argv = [str(rooms.root / "cjsm"), "review", str(folder / "bundles"), "--key", str(folder / "keys"), "--json"]
        rounds = [measure.weighed(argv, expected=(0, 1)) for _ in range(options.rounds)]
        _all_judged(rounds[-1].stdout, options.number)
        refusals = _refusals(rooms.root, model, folder, say)
    seconds = median(one.seconds for one in rounds)
    found = {
        "bundles": options.number,
        "bundle_bytes": size,
        "review_s": round(seconds, 2),
        "bundles_per_s": round(options.number / seconds, 1),
        "memory_mib": max(one.mebibytes for one in rounds),
        "hostile_bundles": len(refusals),
        "hostile_median_s": round(median(one.seconds for one in refusals), 2),
        "hostile_most_s": round(max(one.seconds for one in refusals), 2),
        "hostile_memory_mib": max(one.mebibytes for one in refusals),
    }
    command = {"review": "./cjsm review FOLDER --key KEYS --json", "hostile": "./cjsm review BUNDLE --key KEY --json"}
    return {"name": "review", "machine": measure.machine(), "figures": found, "ratios": {}, "command": command}


def _model(folder: Path) -> Path:
    made = sorted((folder / "evidence").glob("*.tar"))
    if not made:
        raise CjsmError("expected a bundle of the lab to make others like it, found none; make one: cjsm evidence")
    return made[-1]


def _made(model: Path, folder: Path, number: int) -> int:
    """Write the bundles and their keys; the size of one bundle in bytes."""
    files = archive.unpack(model.read_bytes())
    said = statement.read(files[STATEMENT])
    payload = {name: content for name, content in files.items() if name not in SIGNATURE_FILES}
    now = datetime.now(UTC)
    term = statement.validity(now, 30, None)
    for name in ("bundles", "keys"):
        (folder / name).mkdir()
    size = 0
    for count in range(number):
        whose = f"Council {count}"
        own = folder / f"organisation-{count}"
        own.mkdir()
        key = keys.create(own, whose, PASSPHRASE, now)
        about = {"organisation": whose, "not_before": term.not_before, "not_after": term.not_after}
        told = said.model_copy(update={"predicate": said.predicate.model_copy(update=about)})
        content = archive.pack(bundle.sign(payload, told, key), now)
        (folder / "bundles" / f"{count:05}.tar").write_bytes(content)
        (own / keys.PUBLIC).rename(folder / "keys" / f"{count:05}.pub")
        size = len(content)
    return size


def _refusals(root: Path, model: Path, folder: Path, say: Callable[[str], None]) -> list[measure.Weighed]:
    """What each bundle of an enemy costs, each in a process of its own, its start included."""
    content = model.read_bytes()
    files = archive.unpack(content)
    now = datetime.now(UTC)
    (enemy := folder / "enemy").mkdir()
    key = keys.create(enemy, "Enemy", PASSPHRASE, now)
    said = statement.read(files[STATEMENT])
    made = {name: data for name, (data, _) in hostile.archives(content).items()}
    for name, (results, _) in hostile.JSON.items():
        made[name] = archive.pack(hostile.signed(results, files, said, key), now)
    say(f"{len(made)} hostile bundles, one after the other")
    return [_refused(root, enemy, name, data) for name, data in made.items()]


def _refused(root: Path, enemy: Path, name: str, data: bytes) -> measure.Weighed:
    bundle_file = enemy / "bundle.tar"
    bundle_file.write_bytes(data)
    argv = [str(root / "cjsm"), "review", str(bundle_file), "--key", str(enemy / keys.PUBLIC), "--json"]
    done = measure.weighed(argv, expected=(1,))
    (row,) = json.loads(done.stdout)["records"]
    if row["decision"] != "not judged":
        raise CjsmError(f"expected the bundle with {name} refused, found {row['decision']}")
    return done


def _all_judged(text: str, number: int) -> None:
    judged = [row for row in json.loads(text)["records"] if row["decision"] != "not judged"]
    if len(judged) != number:
        raise CjsmError(f"expected {number} bundles judged, found {len(judged)}: the time says nothing")
