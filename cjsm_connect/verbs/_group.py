"""The group of all verbs, `cjsm`."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from cjsm_connect import __version__
from cjsm_connect.results import CjsmError
from cjsm_connect.rooms import CLONE

# in the order in which a newcomer meets them
VERBS = {
    "demo": "the whole job on the lab, from nothing",
    "assess": "which way into CJSM fits you, and what to do next; before anything exists",
    "application": "the application's forms filled in, with all that goes with them and what is missing",
    "plan": "what apply would change, with diffs; changes nothing",
    "apply": "make the hosts what the organisation file says, safely",
    "check": "run the checks and show what they found",
    "evidence": "check, then write the signed bundle and the report",
    "verify": "verify a bundle offline with the organisation's public key",
    "report": "a bundle as HTML, PDF, one-page summary, JUnit or OSCAL",
    "review": "judge bundles by criteria, with a decision record each",
    "probe": "a relay, or many, as a stranger sees them: EHLO, STARTTLS, QUIT",
    "hook": "ask the scanner or the patching system that is not ours: hook test",
    "status": "what differs now from what should be",
    "history": "the generations of every host, with what each replaced",
    "rollback": "back to how the hosts were after an earlier generation",
    "lab": "real hosts on this machine: up, down, exec, sign, save, reset",
    "bench": "one side-by-side measurement",
    "test": "the test suite: lint, types, unit, lab",
}
ONLY_IN_A_CLONE = ("demo", "lab", "bench", "test")


class Verbs(click.Group):
    """Imports a verb's module only when it is used, so that start-up stays cheap."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return [name for name in VERBS if CLONE or name not in ONLY_IN_A_CLONE]

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        if name in ONLY_IN_A_CLONE and not CLONE:
            raise CjsmError(f"`{name}` needs a clone of the repository: an installed cjsm has no lab and no tests")
        command = importlib.import_module(f"cjsm_connect.verbs.{name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, VERBS[name]) for name in self.list_commands(context)])

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Translate errors once, at the edge: one of ours is a message and exit code 2."""
        try:
            return super().main(*args, **kwargs)
        except CjsmError as error:
            click.echo(f"cjsm: {error}", err=True)
            sys.exit(2)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="cjsm")
def cjsm() -> None:
    """Configure, check and document a CJSM server connection.

    One organisation.toml describes the organisation; --org, CJSM_ORG or the current folder says which.
    Exit code: 0 ok, 1 findings, 2 could not run.
    """
