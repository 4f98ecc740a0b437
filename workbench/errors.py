"""Mistakes of a user, told so that they can be mended: place, key, found, allowed, nearest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True)
class Place:
    """A line of a file; line 0 stands for the file as a whole."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Problem:
    """One thing wrong with what a user wrote."""

    message: str
    key: str = ""
    """The dotted key, for example `model.representation.width`."""
    place: Place | None = None

    def __str__(self) -> str:
        parts = [str(self.place) if self.place else "", self.key, self.message]
        return ": ".join(part for part in parts if part)


class WorkbenchError(Exception):
    """A mistake of the user's: shown without a traceback, exit code 2."""


class ConfigError(WorkbenchError):
    """Every problem of a configuration at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class TrialDiverged(Exception):
    """Training produced a number that is not finite; the trial is failed, others go on."""


class TrialStopped(Exception):
    """A trial was asked to stop, and did where nothing of it is lost."""


def illegal_moves(rows: Sequence[int]) -> ValueError:
    """What a world raises for moves that its rules forbid; of many rows the first ten are named."""
    shown, more = ", ".join(map(str, rows[:10])), len(rows) - 10
    return ValueError(f"illegal move in rows [{shown}]" + (f" and {more} more" if more > 0 else ""))


def nearest(word: str, allowed: Iterable[str]) -> str:
    """`; did you mean 'x'?` or nothing."""
    matches = get_close_matches(str(word), list(allowed), n=1, cutoff=0.6)
    return f"; did you mean '{matches[0]}'?" if matches else ""


def unknown(what: str, found: str, allowed: Iterable[str]) -> str:
    """Message for a name that is not one of `allowed`."""
    names = sorted(allowed)
    return f"unknown {what} '{found}'{nearest(found, names) or ';'} allowed: {', '.join(names)}"
