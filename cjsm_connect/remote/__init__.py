"""Everything that is executed ON a host, as text: standard library of Python 3.9, builtin types in and out.

The modules beside this one are sent over SSH as one stand-alone program and are never installed. This file is the
controller's side: it composes the program and reads its answer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from cjsm_connect.results import CjsmError

HERE = Path(__file__).parent
MARK = "CJSM-ANSWER "
SHARED = "\nfrom cjsm_connect.printable import "
"""The one module that programs of hosts have in common with the rest."""

_LOADER = """\
import json, sys, types
def _module(name, source=None):
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = []
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)
    if source is not None:
        exec(compile(source, name, "exec"), module.__dict__)
    return module
def _stand_apart(seconds):
    import os, signal
    child = os.fork()
    if child:
        os._exit(os.waitpid(child, 0)[1] and 1)
    os.setsid()
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(0, signal.SIGKILL))
    signal.alarm(seconds)
def _main(packages, sources, entry, arguments, mark, apart):
    if apart:
        _stand_apart(apart)
    try:
        for name in packages:
            _module(name)
        for name, source in sources:
            _module(name, source)
        name, _, function = entry.partition(":")
        answer = {"ok": getattr(sys.modules[name], function)(arguments)}
    except Exception as error:
        answer = {"error": ("" if type(error).__name__ == "Failed" else type(error).__name__ + ": ") + str(error)}
    print("\\n" + mark + json.dumps(answer), flush=True)
    failed = answer.get("error") or isinstance(answer["ok"], dict) and answer["ok"].get("failed")
    if failed:
        sys.exit(str(failed))
"""


ENDS_BY_ITSELF = "What was asked of the hosts ends there by itself"
"""Said of reading programs when this process is told to end."""
NO_CONVERSATION = (
    "it takes the connection, and no SSH server answers as one. Is it another service's port, or is sshd overloaded or "
    "full (MaxStartups in sshd_config(5))? Its console tells: journalctl -u ssh"
)
NOISE = (
    "sudo: unable to resolve host",
    "Warning: Permanently added",
    "** WARNING: connection is not using a post-quantum",
)
"""How lines begin that a host says beside what is the matter: a name that it does not know itself is none of it."""


def meant(said: str) -> str:
    """What a host said on standard error, without what it says anyway."""
    return "\n".join(line for line in said.splitlines() if not line.startswith(NOISE))


class RemoteError(CjsmError):
    """The program on the host did not do its work; the message says what was seen."""


def program(modules: Sequence[str], entry: str, arguments: dict[str, Any], apart: int = 0) -> str:
    """The text of one stand-alone Python program.

    `apart`: seconds for which it goes on to its end even when the session that started it dies. sudo(8) with its own
    terminal ends what it started by SIGHUP, SIGTERM and SIGKILL to the process group; half a change would be left.

    `modules` are names under cjsm_connect.remote in the order in which they import each other ("common", "collect",
    "observe.firewall"); `entry` is "MODULE:FUNCTION", called with `arguments`. On the host the modules have the names
    they have here, so the same import statements work in both places. Pure ASCII.
    """
    packages = ["cjsm_connect", "cjsm_connect.remote"]
    packages += [f"cjsm_connect.remote.{name.rpartition('.')[0]}" for name in modules if "." in name]
    sources = [(f"cjsm_connect.remote.{name}", _source(name)) for name in modules]
    if any(SHARED in source for _, source in sources):
        sources.insert(0, ("cjsm_connect.printable", _source("printable", HERE.parent)))
    call = [list(dict.fromkeys(packages)), sources, f"cjsm_connect.remote.{entry}", arguments, MARK, apart]
    return f"{_LOADER}_main(*json.loads({json.dumps(call)!r}))\n"


def command(seconds: int) -> str:
    """The command that reads a program from standard input and ends it, whatever it does, after `seconds`.

    -I -S: nothing of the user's or the site's own Python is looked at; the programs need the standard library only.
    """
    return f"timeout -s KILL {seconds:d} python3 -I -S -"


def answer(output: str) -> Any:
    """What the program returned, from its standard output.

    Raises:
        RemoteError: it failed, was ended by the time limit, or something else answered.
    """
    for line in reversed(output.splitlines()):
        if line.startswith(MARK):
            return _unpacked(line[len(MARK) :])
    raise RemoteError("the program on the host gave no answer (ended by its time limit, or python3 is missing)")


def _unpacked(text: str) -> Any:
    try:
        envelope = json.loads(text)
    except ValueError as error:
        raise RemoteError(f"the host's answer is not JSON: {error}") from error
    if not isinstance(envelope, dict) or not envelope.keys() & {"ok", "error"}:
        raise RemoteError("the host's answer has neither a result nor an error")
    if "error" in envelope:
        raise RemoteError(str(envelope["error"]))
    return envelope["ok"]


@cache
def _source(name: str, folder: Path = HERE) -> str:
    text = (folder / f"{name.replace('.', '/')}.py").read_text()
    # annotations are never evaluated there, and the import would be a tenth of a program that only looks
    return text.replace("\nfrom typing import Any\n", "\n\n")
