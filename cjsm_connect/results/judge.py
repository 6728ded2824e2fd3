"""From one check on one subject to one Result. What a check function calls to say what it thinks is `Verdict`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from cjsm_connect.printable import one_line
from cjsm_connect.results import Check, CjsmError, Requirement, Result, Status

LONGEST = 600  # characters of expected and observed; what a host says is never trusted to be short


class Unmet(Exception):
    """The verdict is no: the check ends here. Becomes `fail`, or `warn` where the check says so."""


class NotTested(Exception):
    """Nothing was tried, or a try could not tell; the message says why. Never a pass and never a fail."""


class CannotTell(CjsmError):
    """What the check needs is not in the observation; the message says what and where. Becomes `error`."""


@dataclass(slots=True)
class Verdict:
    """What a check found. The first verdict that is not `ok` ends the check."""

    status: Status | None = None
    expected: str = ""
    observed: str = ""

    def __call__(self, ok: bool, *, expected: str, observed: object, warn: bool = False) -> None:
        """Say whether the requirement is met; `warn` makes an unmet one a warning.

        Raises:
            Unmet: it is not.
        """
        self.expected, self.observed = readable(expected), readable(observed)
        self.status = Status.PASS if ok else Status.WARN if warn else Status.FAIL
        if not ok:
            raise Unmet

    def not_tested(self, why: str) -> NoReturn:
        """Say that nothing can be said, and why."""
        raise NotTested(why)


def judge(
    check: Check, requirement: Requirement, subject: str, verdict: Verdict, function: Callable[[], Any]
) -> Result:
    """Run one check, which says what it thinks to `verdict`. One that breaks, or says nothing, is an error."""
    try:
        function()
    except Unmet:
        pass
    except NotTested as silence:
        return result(check, requirement, subject, Status.NOT_TESTED, reason=str(silence))
    except CannotTell as gap:
        return result(check, requirement, subject, Status.ERROR, reason=str(gap))
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as crash:  # pytest.skip, pytest.exit and sys.exit too: nothing but a verdict is a result
        reason = f"the check itself broke: {type(crash).__name__}: {crash}"
        return result(check, requirement, subject, Status.ERROR, reason=reason)
    if verdict.status is None:
        return result(check, requirement, subject, Status.ERROR, reason="the check came to its end without a verdict")
    return result(check, requirement, subject, verdict.status, verdict.expected, verdict.observed)


def result(  # noqa: PLR0913, PLR0917 - one parameter for each thing that only this judgement knows
    check: Check,
    requirement: Requirement,
    subject: str,
    status: Status,
    expected: str = "",
    observed: str = "",
    *,
    reason: str = "",
) -> Result:
    """A Result with everything that the check and its requirement already say."""
    return Result(
        check=check.id,
        requirement=requirement.id,
        title=check.title,
        status=status,
        severity=requirement.severity,
        subject=subject,
        vantage=check.vantage,
        impact=check.impact,
        expected=expected,
        observed=observed,
        remedy=check.remedy,
        why=requirement.why,
        reason=readable(reason),
    )


def readable(value: object) -> str:
    """Text that may have come from a host, on one line and short."""
    return one_line(value, LONGEST)
