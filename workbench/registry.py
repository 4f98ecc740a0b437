"""Registry of components: modules in the folder of each kind, and plug-ins by entry point."""

from __future__ import annotations

import logging
import pkgutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, TypeVar

from workbench.errors import unknown_name

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

LONGEST_REASON = 300
"""Number of characters after which the reason of a failed plug-in is cut."""

_components: dict[str, dict[str, type[ComponentConfig]]] = {kind: {} for kind in FOLDERS}

C = TypeVar("C", bound="type[ComponentConfig]")


@dataclass(frozen=True)
class FailedPlugIn:
    """A plug-in that could not be loaded."""

    entry: str
    """Name of the entry point."""
    distribution: str
    """Name of the installed package that states the entry point."""
    reason: str

    def __str__(self) -> str:
        origin = f" of package '{self.distribution}'" if self.distribution else ""
        return f"plug-in '{self.entry}'{origin} was skipped: {self.reason}"


_failed: list[FailedPlugIn] = []


def register(kind: str, name: str) -> Callable[[C], C]:
    """Return a class decorator that registers a configuration class under `name`.

    Raises:
        ValueError: there is no such kind, or another class is registered under this name.
        TypeError: the class is not a configuration.
    """
    if kind not in FOLDERS:
        raise ValueError(unknown_name("kind", kind, FOLDERS))

    def add(cls: C) -> C:
        module, known = f"{FOLDERS[kind]}.{name}", _components[kind].get(name, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(
                f"{kind} '{name}' is already registered as {known.__module__}.{known.__qualname__}"
            )
        if name in built_in(kind) and cls.__module__ != module:
            raise ValueError(f"{kind} '{name}' is a component of the workbench, in {module}")
        if not hasattr(cls, "model_fields"):
            raise TypeError(
                f"{cls.__module__}.{cls.__qualname__} is no subclass of ComponentConfig"
            )
        _components[kind][name] = cls
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
    if name in built_in(kind):
        import_module(f"{FOLDERS[kind]}.{name}")
    return _components[kind].get(name) or components(kind).get(name)


def components(kind: str) -> dict[str, type[ComponentConfig]]:
    """Return all components of a kind by name, in alphabetical order."""
    _discover(kind)
    _plug_ins()
    return dict(sorted(_components[kind].items()))


def unknown_component(kind: str, name: str) -> str:
    """Return the message for a name that no component of the kind has.

    It names the plug-ins that could not be loaded, because the component may be in one of them.
    """
    return "; ".join([unknown_name(kind, name, components(kind)), *map(str, failed_plug_ins())])


def failed_plug_ins() -> tuple[FailedPlugIn, ...]:
    """Return the plug-ins that could not be loaded."""
    _plug_ins()
    return tuple(_failed)


@cache
def built_in(kind: str) -> tuple[str, ...]:
    """Return the names of the components in a kind's folder, without importing them."""
    modules = pkgutil.iter_modules(import_module(FOLDERS[kind]).__path__)
    return tuple(module.name for module in modules if not module.ispkg)


@cache
def _discover(kind: str) -> None:
    for name in built_in(kind):
        import_module(f"{FOLDERS[kind]}.{name}")


@cache
def _plug_ins() -> None:
    """Load all plug-ins by name. One that fails is named in a warning; the others are loaded."""
    for entry in sorted(entry_points(group=ENTRY_POINT), key=lambda e: (_origin(e), e.name)):
        before = {cls for known in _components.values() for cls in known.values()}
        try:
            entry.load()
        # A plug-in may raise anything, and SystemExit would end the command without a word.
        except (Exception, SystemExit) as error:
            _forget_unfinished(before)
            _failed.append(_failure(entry, error))
            logging.getLogger("workbench").warning("Warning: %s", _failed[-1])


def _forget_unfinished(before: set[type[ComponentConfig]]) -> None:
    """Remove new components whose modules were not imported to their end.

    Python removes such a module from `sys.modules`. A module that was imported to its end stays,
    and would not register its components a second time.
    """
    for kind, known in _components.items():
        _components[kind] = {
            name: cls
            for name, cls in known.items()
            if cls in before or cls.__module__ in sys.modules
        }


def _failure(entry: EntryPoint, error: BaseException) -> FailedPlugIn:
    words = " ".join(f"{type(error).__name__}: {error}".split())
    reason = words if len(words) <= LONGEST_REASON else f"{words[:LONGEST_REASON]}..."
    return FailedPlugIn(entry.name, _origin(entry), reason)


def _origin(entry: EntryPoint) -> str:
    """Return the name of the installed package that states the entry point."""
    return entry.dist.name if entry.dist else ""
