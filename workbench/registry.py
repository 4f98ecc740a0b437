"""Registry of components: modules in the folder of each kind, and plug-ins by entry point."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from workbench.components import ComponentConfig

FOLDERS = {
    "environment": "workbench.environments",
    "representation": "workbench.models.representation",
    "dynamics": "workbench.models.dynamics",
    "prediction": "workbench.models.prediction",
    "decoder": "workbench.models.decoder",
    "model": "workbench.models.systems",
    "planner": "workbench.planning",
    "loss": "workbench.losses",
    "target": "workbench.training.targets",
    "procedure": "workbench.training.procedures",
    "measure": "workbench.measures",
}
"""Package of each kind's components; every module directly in it is a component."""

ENTRY_POINT = "workbench.components"
"""Entry-point group through which other packages register components."""

_components: dict[str, dict[str, type[ComponentConfig]]] = {kind: {} for kind in FOLDERS}

C = TypeVar("C", bound="type[ComponentConfig]")


def register(kind: str, name: str) -> Callable[[C], C]:
    """Return a class decorator that registers a configuration class under `name`.

    Raises:
        KeyError: there is no such kind.
        ValueError: another class is registered under this name.
    """

    def add(cls: C) -> C:
        known = _components[kind].setdefault(name, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(
                f"{kind} '{name}' is already registered as {known.__module__}.{known.__qualname__}"
            )
        cls.kind, cls.component = kind, name
        return cls

    return add


def unregister(kind: str, name: str) -> None:
    """Remove a component, for tests and notebooks that register their own."""
    _components[kind].pop(name, None)


def component(kind: str, name: str) -> type[ComponentConfig] | None:
    """Return the component of that name, or None if there is none.

    If a module has the component's name, as all do here, only that module is imported. Importing
    all modules would cost every process a quarter of a second.
    """
    if name in _files(kind):
        import_module(f"{FOLDERS[kind]}.{name}")
    return _components[kind].get(name) or components(kind).get(name)


def components(kind: str) -> dict[str, type[ComponentConfig]]:
    """Return all components of a kind by name, in alphabetical order."""
    _discover(kind)
    _plug_ins()
    return dict(sorted(_components[kind].items()))


@cache
def _files(kind: str) -> tuple[str, ...]:
    """Return the names of the modules in a kind's folder, without importing them."""
    modules = pkgutil.iter_modules(import_module(FOLDERS[kind]).__path__)
    return tuple(module.name for module in modules if not module.ispkg)


@cache
def _discover(kind: str) -> None:
    for name in _files(kind):
        import_module(f"{FOLDERS[kind]}.{name}")


@cache
def _plug_ins() -> None:
    for entry in entry_points(group=ENTRY_POINT):
        entry.load()
