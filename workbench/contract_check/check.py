"""A check of a component, and its result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from workbench.errors import WorkbenchError


class ContractViolation(Exception):
    """A component does not do what its kind promises. The message says what it did instead."""


def require(kept: object, violation: str) -> None:
    """Raise ContractViolation unless `kept` is true."""
    if not kept:
        raise ContractViolation(violation)


@dataclass(frozen=True)
class Check:
    """One promise of a component."""

    promise: str
    run: Callable[[], None]
    """Raises an exception if the promise is broken."""
    needed: bool = False
    """Whether the checks that follow make no sense if this one fails."""


@dataclass(frozen=True)
class CheckResult:
    """Result of one check."""

    promise: str
    failure: str = ""
    """Reason of the failure; empty if it was kept."""


def run_checks(checks: Iterable[Check]) -> Iterator[CheckResult]:
    """Run checks in their order, and stop at a failure that makes the others meaningless."""
    for check in checks:
        failure = _failure(check.run)
        yield CheckResult(check.promise, failure)
        if failure and check.needed:
            return


def _failure(run: Callable[[], None]) -> str:
    try:
        run()
    except (ContractViolation, WorkbenchError) as error:
        return str(error)
    # A component may raise anything; that is a failure of the check, and not of the command.
    except Exception as error:
        return f"{type(error).__name__}: {error}{_origin(error)}"
    return ""


def _origin(error: BaseException) -> str:
    """Return file and line of the innermost frame of an exception."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return "" if frame is None else f" ({frame.tb_frame.f_code.co_filename}:{frame.tb_lineno})"
