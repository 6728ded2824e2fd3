"""The group of all verbs, `cjsm`."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from cjsm_connect import __version__, ending, terminal
from cjsm_connect.results import CjsmError
from cjsm_connect.rooms import CLONE
from cjsm_connect.verbs._terminal import tell
from cjsm_connect.verbs._which import without_colour

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
    "test": "the test suite: demo, lint, types, unit, lab",
}
ONLY_IN_A_CLONE = ("demo", "lab", "bench", "test")


class _Unread(Exception):
    """Whoever reads our output has seen enough: `cjsm check | head`."""


@contextmanager
def _unread() -> Iterator[None]:
    """A pipe that nobody reads any more; click would make it exit code 1, which means findings."""
    try:
        yield
    except BrokenPipeError as error:
        raise _Unread from error


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

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the command line; --help prints already here."""
        plain = {"color": False} if without_colour() else {}
        with _unread():
            return super().make_context(*args, **{**kwargs, **plain})

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        """The verb that was typed, or the error that names the nearest ones."""
        try:
            return super().resolve_command(context, args)
        except click.exceptions.NoSuchCommand as error:  # click knows those that are loaded, and none is
            raise click.exceptions.NoSuchCommand(
                args[0], possibilities=self.list_commands(context), ctx=context
            ) from error

    def invoke(self, context: click.Context) -> Any:
        """Run the verb."""
        with _unread():
            return super().invoke(context)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Translate errors once, at the edge: whatever prevents the verb is a message and exit code 2, and 1 is kept
        for findings."""
        with terminal.guarded():
            self._main(*args, **kwargs)

    def _main(self, *args: Any, **kwargs: Any) -> NoReturn:
        try:
            code = super().main(*args, **{**kwargs, "standalone_mode": False})
        except CjsmError as error:
            _refused(f"cjsm: {error}")
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code if error.exit_code != 1 else 2)
        except click.Abort as error:  # at a question: Ctrl-C, or the end of what could answer it
            if isinstance(error.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from error
            _refused("cjsm: nothing was done: the question was not answered")
        except _Unread:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python flushes it once more at the end
            sys.exit(2)
        except Exception as error:
            _refused(f"cjsm: {ending.unexpected(error)}")
        sys.exit(code if isinstance(code, int) else 0)


def _refused(message: str) -> NoReturn:
    tell(message, err=True)
    sys.exit(2)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="cjsm")
def cjsm() -> None:
    """Configure, check and document a CJSM server connection.

    One organisation.toml describes the organisation; --org, CJSM_ORG or the current folder says which.
    Exit code: 0 ok, 1 findings, 2 could not run, 130 interrupted.
    """
