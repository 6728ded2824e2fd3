"""`cjsm hook test` shows what each status command printed on its host, and how a check would judge it."""

from __future__ import annotations

import contextlib
import inspect
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from cjsm_connect.organisation import Host
from cjsm_connect.probes.connections import Unreachable
from cjsm_connect.remote import hook as on_the_host
from cjsm_connect.verbs import hook as verb
from tests.made_up import organisation

Run = Callable[..., Result]


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat(timespec="seconds")


def scanner(**changes: str) -> str:
    current = {"signatures_updated": ago(hours=3), "last_update_check": ago(hours=1)}
    return json.dumps({"engine": "Own", "version": "1", **current, **changes})


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The verb with a status command that prints a text; the host is this one, reached without SSH."""
    script = tmp_path / "status"

    class Here:
        def ask(self, host: Host, names: Any, entry: str, arguments: dict[str, Any], seconds: int) -> Any:
            if not script.exists():
                raise Unreachable("SSH does not reach it")
            return on_the_host.report(arguments)

    @contextlib.contextmanager
    def opened(_: object) -> Iterator[Here]:
        yield Here()

    monkeypatch.setattr(verb, "opened", opened)
    monkeypatch.setattr(on_the_host, "safe", lambda program: None)  # pytest's folder lies where everybody writes

    def run(printed: str | None, *options: str) -> Result:
        if printed is not None:
            script.write_text(f"#!/bin/sh\ncat <<'END'\n{printed}\nEND\n")
            script.chmod(0o755)
        hook = {"milter": "unix:/run/own", "units": ["own.service"], "status": [str(script)], "memory": 1}
        table = {"antivirus": {"scanner": "hook", "hook": hook}}
        return runner(organisation(**table), *options)

    return run


def runner(where: object, *options: str) -> Result:
    assert verb.test.callback
    inner = inspect.unwrap(verb.test.callback)  # the organisation is made up, not looked up
    asked = click.Command("test", params=verb.test.params[:1], callback=lambda as_json: inner(where, as_json))
    return CliRunner().invoke(asked, options)


def test_a_good_status_is_shown_and_met(run: Run) -> None:
    done = run(scanner())
    assert done.exit_code == 0, done.output
    assert 'printed  {"engine": "Own"' in done.stdout and "fail" not in done.stdout
    assert "updated 3.0 hours ago" in done.stdout and done.stderr.endswith("Next: cjsm check\n")


def test_old_signatures_are_told_and_are_a_finding(run: Run) -> None:
    done = run(scanner(signatures_updated=ago(days=5)), "--json")
    assert done.exit_code == 1
    [one] = json.loads(done.stdout)["hooks"]
    assert [finding["observed"] for finding in one["findings"] if not finding["ok"]] == ["updated 120.0 hours ago"]
    assert (one["host"], one["concern"], one["problem"]) == ("relay", "antivirus", "")


def test_what_a_program_prints_does_not_reach_the_terminal_as_it_is(run: Run) -> None:
    done = run("\x1b[2J\x1b]0;owned\x07" + "x" * 5000)
    assert done.exit_code == 1 and "one JSON object" in done.stdout
    assert "\x1b]" not in done.stdout and "\x07" not in done.stdout and max(map(len, done.stdout.splitlines())) < 700


def test_a_host_that_cannot_be_asked_is_no_finding_of_its_hook(run: Run) -> None:
    done = run(None)
    assert done.exit_code == 2 and "SSH does not reach it" in done.stdout
