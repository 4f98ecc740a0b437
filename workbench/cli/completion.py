"""Completion of names in the shell. It reads names of files, and imports no component."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import typer


def complete_kind(incomplete: str) -> list[str]:
    """Return the kinds of components, `preset` and `metric`."""
    from workbench import registry

    return _starting([*registry.FOLDERS, "preset", "metric"], incomplete)


def complete_component(incomplete: str) -> list[str]:
    """Return components with their kinds, such as `representation.cnn`."""
    from workbench import registry

    names = (f"{kind}.{name}" for kind in registry.FOLDERS for name in registry.built_in(kind))
    return _starting(names, incomplete)


def complete_preset(incomplete: str) -> list[str]:
    """Return the names of the presets."""
    folder = resources.files("workbench") / "presets"
    names = (path.name.removesuffix(".yaml") for path in folder.iterdir())
    return _starting((name for name in names if "." not in name), incomplete)


def complete_name(incomplete: str) -> list[str]:
    """Return components with their kinds, and presets."""
    return [*complete_component(incomplete), *complete_preset(incomplete)]


def complete_study(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the studies in the outputs folder of the command."""
    outputs = Path(context.params.get("outputs") or "outputs")
    return _starting((path.parent.name for path in outputs.glob("*/study.json")), incomplete)


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
