"""The verbs: one short module each, loaded when used; VERB.py offers a click command named `command`.

`begin` is what is done before click and the verb are imported, and imports next to nothing itself.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cjsm_connect.organisation.access import Access

ON_HOSTS = ("plan", "apply", "check", "evidence", "status", "history", "rollback")
FROM_A_SNAPSHOT = ("plan", "apply", "status")  # these ask every managed host one question over SSH


def begin(argv: Sequence[str], root: Path) -> None:
    """Enter the lab's network if the command is about a lab, and begin to connect to the hosts that it will ask.

    What is wrong with the command or the organisation file is said later, by the verb, before anything is asked.
    """
    if len(argv) < 2 or argv[1] not in ON_HOSTS or {"-h", "--help"}.intersection(argv):
        return
    if argv[1] in FROM_A_SNAPSHOT:
        from cjsm_connect.operations import ahead

        ahead.start(lambda: _guessed(argv, root))
    _enter_lab(argv, root)


def _enter_lab(argv: Sequence[str], root: Path) -> None:
    from cjsm_connect.verbs._which import enter_lab

    enter_lab(argv, root)


def _guessed(argv: Sequence[str], root: Path) -> list[Access]:
    """In the process that connects ahead: how the hosts of this command line are probably reached."""
    from cjsm_connect.organisation import access
    from cjsm_connect.verbs._which import chosen, org, values

    _enter_lab(argv, root)
    return access.ahead(chosen(org(argv), root), values(argv, "--limit"))
