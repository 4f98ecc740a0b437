"""Names of components, presets and metrics on the command line."""

from __future__ import annotations

from workbench import registry
from workbench.config import presets
from workbench.errors import WorkbenchError, did_you_mean
from workbench.metrics import METRICS

PRESET, METRIC = "preset", "metric"

KINDS = (*registry.FOLDERS, PRESET, METRIC)
"""Kinds of components, and the two other kinds of names."""


def names(kind: str) -> list[str]:
    """Return all names of a kind."""
    if kind == PRESET:
        return list(presets())
    return list(METRICS) if kind == METRIC else list(registry.components(kind))


def find(text: str, kinds: tuple[str, ...] = KINDS) -> tuple[str, str]:
    """Return kind and name of what `text` refers to: a name, or a kind and a name with a dot.

    Raises:
        WorkbenchError: nothing, or things of several kinds, have this name.
    """
    known = [(kind, name) for kind in kinds for name in names(kind)]
    found = [(kind, name) for kind, name in known if text in (name, f"{kind}.{name}")]
    if len(found) == 1:
        return found[0]
    if found:
        choices = ", ".join(f"{kind}.{name}" for kind, name in found)
        raise WorkbenchError(f"'{text}' is ambiguous; choose one of: {choices}")
    raise WorkbenchError(_unknown(text, kinds, known))


def _unknown(text: str, kinds: tuple[str, ...], known: list[tuple[str, str]]) -> str:
    kind, _, name = text.partition(".")
    if kind in kinds and kind in registry.FOLDERS:
        return registry.unknown_component(kind, name)
    spellings = {spelling for kind, name in known for spelling in (name, f"{kind}.{name}")}
    message = f"unknown name '{text}'{did_you_mean(text, sorted(spellings)) or ';'}"
    failed = map(str, registry.failed_plug_ins())
    return "; ".join([f"{message} `workbench list` shows all names", *failed])
