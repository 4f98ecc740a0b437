"""Named components. A file in a kind's folder registers itself; plug-ins come by entry points."""

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
"""Where the components of each kind live: every module in the folder (not below it) is one."""

ENTRY_POINT = "workbench.components"

_components: dict[str, dict[str, type[ComponentConfig]]] = {kind: {} for kind in FOLDERS}

C = TypeVar("C", bound="type[ComponentConfig]")


def register(kind: str, name: str) -> Callable[[C], C]:
    """Class decorator: make a configuration class known under `name`.

    Raises:
        KeyError: no such kind.
        ValueError: another class has the name already.
    """

    def add(cls: C) -> C:
        known = _components[kind].setdefault(name, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(f"{kind} '{name}' is {known.__module__}.{known.__qualname__} already")
        cls.kind, cls.component = kind, name
        return cls

    return add


def unregister(kind: str, name: str) -> None:
    """Forget a component; for tests and notebooks that register their own."""
    _components[kind].pop(name, None)


def component(kind: str, name: str) -> type[ComponentConfig] | None:
    """The component of that name, if there is one.

    Where its file bears its name, as files do here, no other is read: all of them take a quarter of
    a second of every process.
    """
    if name in _files(kind):
        import_module(f"{FOLDERS[kind]}.{name}")
    return _components[kind].get(name) or components(kind).get(name)


def components(kind: str) -> dict[str, type[ComponentConfig]]:
    """Every component of a kind by name, in alphabetical order."""
    _discover(kind)
    _plug_ins()
    return dict(sorted(_components[kind].items()))


@cache
def _files(kind: str) -> tuple[str, ...]:
    """The modules of a kind's folder, which need not have been read."""
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
