"""Checks of what a component declares: its documentation, its options and its imports."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import yaml

from workbench import documents
from workbench.components import ComponentConfig, ComponentField, Config
from workbench.config import dump
from workbench.contract_check.check import Check, require
from workbench.contract_check.variants import label, variants
from workbench.errors import Problem
from workbench.validation import read

HEAVY = ("torch", "numba", "pyspiel", "networkx", "torch_geometric", "ray", "mlflow", "pandas")
"""Packages that only `build` may import, because every command imports the component."""

SHORTEST_SUMMARY = 15


def declaration_checks(cls: type[ComponentConfig]) -> Iterator[Check]:
    """Yield the checks of a component's class."""
    yield Check("its docstring and its options are described", lambda: _is_described(cls))
    yield Check("every option has a default", lambda: _has_defaults(cls), needed=True)
    yield Check("its configuration survives a file", lambda: _survives_a_file(cls))


def import_check(cls: type[ComponentConfig]) -> Check:
    """Return the check that the component's module is light; it starts a process."""
    return Check("its module imports nothing heavy", lambda: _imports_nothing_heavy(cls))


def _is_described(cls: type[ComponentConfig]) -> None:
    require(vars(cls).get("__doc__"), f"{cls.__name__} has no docstring")
    first = (cls.__doc__ or "").strip().splitlines()[0]
    require(
        len(first) > SHORTEST_SUMMARY and first.endswith("."),
        f"the docstring's first line is no sentence that `workbench list` can show: {first!r}",
    )
    undescribed = [
        f"{part.__name__}.{option}"
        for part in _nested(cls)
        for option, field in part.model_fields.items()
        if not field.description and not any(isinstance(m, ComponentField) for m in field.metadata)
    ]
    require(not undescribed, f"options without a description: {', '.join(undescribed)}")


def _nested(cls: type[Config]) -> Iterator[type[Config]]:
    """Yield a configuration class and the classes of its nested records."""
    yield cls
    for field in cls.model_fields.values():
        inner: Any = field.annotation
        is_record = isinstance(inner, type) and issubclass(inner, Config)
        if is_record and not issubclass(inner, ComponentConfig):
            yield from _nested(inner)


def _has_defaults(cls: type[ComponentConfig]) -> None:
    required = {name: field for name, field in cls.model_fields.items() if field.is_required()}
    lacking = [
        name
        for name, field in required.items()
        if not any(isinstance(m, ComponentField) for m in field.metadata)
    ]
    require(not lacking, f"options without a default: {', '.join(lacking)}")
    if not required:
        cls()


def _survives_a_file(cls: type[ComponentConfig]) -> None:
    if any(field.is_required() for field in cls.model_fields.values()):
        return
    for config in variants(cls):
        text = yaml.safe_dump({k: v for k, v in dump(config).items() if k != "name"})
        node = documents.expand(documents.parse(text, "config.yaml"))
        problems: list[Problem] = []
        again = read(cls, node, problems)
        require(again == config, f"{label(config)} became {again!r}; {list(map(str, problems))}")


def _imports_nothing_heavy(cls: type[ComponentConfig]) -> None:
    code = f"import sys, {cls.__module__}; print(*sys.modules)"
    command = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"]
    ran = subprocess.run(command, capture_output=True, text=True)
    require(ran.returncode == 0, ran.stderr.strip().splitlines()[-1] if ran.stderr else "failed")
    heavy = sorted(set(HEAVY) & set(ran.stdout.split()))
    require(
        not heavy,
        f"{cls.__module__} imports {', '.join(heavy)}; import heavy packages inside `build`",
    )
