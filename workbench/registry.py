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


def components(kind: str) -> dict[str, type[ComponentConfig]]:
    """Every component of a kind by name, in alphabetical order."""
    _discover(kind)
    _plug_ins()
    return dict(sorted(_components[kind].items()))


@cache
def _discover(kind: str) -> None:
    package = import_module(FOLDERS[kind])
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if not module.ispkg:
            import_module(module.name)


@cache
def _plug_ins() -> None:
    for entry in entry_points(group=ENTRY_POINT):
        entry.load()
