"""Errors in user input: location, key, what was found, what is allowed, the closest match."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True)
class SourceLocation:
    """A line of a file; line 0 means the whole file."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Problem:
    """One problem in user input."""

    message: str
    key: str = ""
    """Dotted key, such as `model.representation.width`."""
    location: SourceLocation | None = None

    def __str__(self) -> str:
        parts = [str(self.location) if self.location else "", self.key, self.message]
        return ": ".join(part for part in parts if part)


class WorkbenchError(Exception):
    """A user error: shown without a traceback, with exit code 2."""


class ConfigError(WorkbenchError):
    """All problems of a configuration."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class TrialDiverged(Exception):
    """Training produced a non-finite number. The trial fails; other trials continue."""


class TrialStopped(Exception):
    """A trial stopped on request, after saving a checkpoint."""


def illegal_actions(rows: Sequence[int]) -> ValueError:
    """Return the error for illegal actions; it names the first ten rows of the batch."""
    shown, more = ", ".join(map(str, rows[:10])), len(rows) - 10
    return ValueError(
        f"illegal action in rows [{shown}]" + (f" and {more} more" if more > 0 else "")
    )


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the closest match, or an empty string."""
    matches = get_close_matches(str(word), list(allowed), n=1, cutoff=0.6)
    return f"; did you mean '{matches[0]}'?" if matches else ""


def unknown_name(what: str, found: str, allowed: Iterable[str]) -> str:
    """Return the message for a name that is not one of `allowed`."""
    names = sorted(allowed)
    return (
        f"unknown {what} '{found}'{did_you_mean(found, names) or ';'} allowed: {', '.join(names)}"
    )
