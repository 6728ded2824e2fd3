"""The judgement of a program that should have answered on a host."""

from __future__ import annotations

from cjsm_connect.remote.common import LATE
from cjsm_connect.results.judge import NotTested, Verdict


def must_answer(verdict: Verdict, name: str, answered: bool, why: str) -> None:
    """A program that is missing or says no is a failure; `why` is its own word then.

    Raises:
        NotTested: it had no time to answer, as on a busy host; then nothing is known.
    """
    if LATE in why:
        raise NotTested(why)
    verdict(answered, expected=f"{name} answers", observed=why or "it ended with an error")
