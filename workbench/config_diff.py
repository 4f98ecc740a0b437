"""Differences between two resolved configurations, for readers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Plain = Mapping[str, Any]


def config_diff(base: Plain, other: Plain) -> list[str]:
    """Return the differences of `other` from `base`, one line per section.

    A line reads `planner: simulations=5`; the last one lists what only `base` has, as in `without
    losses.reward, losses.termination`. Options of a component that is replaced are omitted.
    """
    lines = list(_changes(base, other, ""))
    removed = list(_removed(base, other, ""))
    return [*lines, f"without {', '.join(removed)}"] if removed else lines


def flat(config: Any, path: str = "") -> dict[str, Any]:
    """Return a configuration with one entry per option, under its dotted key."""
    if not isinstance(config, Mapping) or (path and not config):
        return {path: config}
    items = [flat(value, f"{path}.{key}" if path else str(key)) for key, value in config.items()]
    return {key: value for item in items for key, value in item.items()}


def as_written(value: Any) -> str:
    """Return a value as a study file states it: `true`, `null`, `0.5`."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _changes(base: Plain, other: Plain, path: str) -> Iterator[str]:
    """Yield a line for each section with options that are new or have another value."""
    here: list[str] = []
    below: list[str] = []
    for key, value in other.items():
        at, before = (f"{path}.{key}" if path else key), base.get(key)
        if isinstance(value, Mapping):
            below += _changes(before if isinstance(before, Mapping) else {}, value, at)
        elif value is not None and (key not in base or before != value):
            here.append(f"{key}={as_written(value)}")
    if here:
        yield f"{path}: {', '.join(here)}" if path else ", ".join(here)
    yield from below


def _removed(base: Plain, other: Plain, path: str) -> Iterator[str]:
    """Yield the dotted keys that are missing or null in `other` but have a value in `base`."""
    replaced = base.get("name") != other.get("name")
    for key, before in base.items():
        at, value = (f"{path}.{key}" if path else key), other.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            yield from _removed(before, value, at)
        elif before is not None and value is None and not replaced:
            yield at
