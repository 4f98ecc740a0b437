"""Errors in user input: location, key, what was found, what is allowed, the closest match."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

MOST_PROBLEMS = 25
"""Number of problems that one message lists; it states the number of the others."""
MOST_CHARACTERS = 1_000
"""Length of the message of one problem."""
MOST_NAMES = 40
"""Number of allowed names that a message lists."""


@dataclass(frozen=True)
class SourceLocation:
    """A place in a file; line 0 means the whole file, column 0 the whole line."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join([self.file, *(str(n) for n in (self.line, self.column) if n)])


@dataclass(frozen=True)
class Problem:
    """One problem in user input."""

    message: str
    key: str = ""
    """Dotted key, such as `model.representation.width`."""
    location: SourceLocation | None = None

    def __str__(self) -> str:
        """Return one line: place, key and message, without control characters."""
        place, key = str(self.location) if self.location else "", shortened(self.key)
        return shortened(
            printable(": ".join(part for part in (place, key, self.message) if part)),
            MOST_CHARACTERS,
        )


class WorkbenchError(Exception):
    """A user error: shown without a traceback, with exit code 2."""


class ConfigError(WorkbenchError):
    """All problems of a configuration."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines, more = list(map(str, self.problems[:MOST_PROBLEMS])), len(problems) - MOST_PROBLEMS
        if more > 0:
            lines.append(f"and {more} more problem{'s' if more > 1 else ''}")
        super().__init__("\n".join(lines))


def printable(text: str) -> str:
    """Return a text with escapes in the place of line breaks and control characters."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shortened(text: str, most: int = 80) -> str:
    """Return a text, or its beginning and `...` if it has more than `most` characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def shown(value: Any) -> str:
    """Return plain data for a message: short, and `true` and `null` as YAML spells them."""
    return shortened(_spelt(value, 3))


def _spelt(value: Any, depth: int) -> str:
    if isinstance(value, bool | None):
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, str):
        return repr(value[:100])
    if isinstance(value, dict | list | tuple) and not depth:
        return "..."
    if isinstance(value, dict):
        entries = (f"{key}: {_spelt(item, depth - 1)}" for key, item in [*value.items()][:20])
        return f"{{{', '.join(entries)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_spelt(item, depth - 1) for item in value[:20])}]"
    return str(value)


class TrialFailed(Exception):
    """A trial cannot yield a result. Other trials continue."""


class TrialDiverged(TrialFailed):
    """Training produced a non-finite number."""


class TrialNeverLearned(TrialFailed):
    """The training ended without a single update."""


class InvalidReading(TrialFailed):
    """A measure returned something that is no finite number."""


class TrialTakenOver(WorkbenchError):
    """Another process runs the trial now; this one must not write beside it."""


class TrialStopped(Exception):
    """A trial stopped on request, after saving a checkpoint."""


def illegal_actions(rows: Sequence[int]) -> ValueError:
    """Return the error for illegal actions; it names the first ten rows of the batch."""
    shown, more = ", ".join(map(str, rows[:10])), len(rows) - 10
    return ValueError(
        f"illegal action in rows [{shown}]" + (f" and {more} more" if more > 0 else "")
    )


def closest(word: str, allowed: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the closest match to a word; None if nothing is close."""
    matches = get_close_matches(word, list(allowed), n=1, cutoff=cutoff) if len(word) < 100 else []
    return matches[0] if matches else None


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the closest match, or an empty string."""
    match = closest(word, allowed)
    return f"; did you mean '{match}'?" if match else ""


def unknown_name(what: str, found: str, allowed: Iterable[str], meant: str | None = None) -> str:
    """Return the message for a name that is not one of `allowed`.

    Args:
        what: kind of the name.
        found: the unknown name.
        allowed: known names.
        meant: a suggestion; by default the closest known name.
    """
    names = sorted(allowed)
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    hint = f"; did you mean {meant}?" if meant else did_you_mean(found, names) or ";"
    listed = f"{', '.join(names[:MOST_NAMES])}{more}"
    return f"unknown {what} '{shortened(found)}'{hint} allowed: {listed}"
