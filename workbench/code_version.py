"""Version of the source code that a trial depends on: hashes of the modules that it can import.

The imports are read from the source, not from the running process, so that the same trial has the
same version in every process. Adding a component changes no other trial's version.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from workbench.components import ComponentConfig, Config
from workbench.config import iter_components

ENTRY = "workbench.trial"
"""Module that every trial starts from."""
DIGITS = 12


def code_files(*configs: Config) -> dict[str, str]:
    """Return the hash of every module that trials or measures of these configurations depend on."""
    classes = [type(part) for config in configs for _, part in iter_components(config)]
    modules = {ENTRY}.union(*map(_modules_of, dict.fromkeys(classes)))
    used = set[str]().union(*map(_closure, sorted(modules)))
    return {module: digest for module in sorted(used) if (digest := _hash(module))}


def code_digest(files: Mapping[str, str]) -> str:
    """Return one hash of all modules."""
    total = hashlib.sha256()
    for module, digest in sorted(files.items()):
        total.update(f"{module} {digest}\n".encode())
    return total.hexdigest()[:DIGITS]


def _modules_of(cls: type[ComponentConfig]) -> set[str]:
    """Return the modules of a component's class and of its base classes."""
    return {base.__module__ for base in cls.__mro__ if issubclass(base, Config)}


@cache
def _closure(module: str) -> frozenset[str]:
    """Return a module and all modules of its package that it imports, also inside functions."""
    found, waiting = set[str](), [module]
    while waiting:
        name = waiting.pop()
        if name not in found and _path(name) is not None:
            found.add(name)
            waiting += [other for other in _imports(name) if other.split(".")[0] in _tops(module)]
    return frozenset(found)


def _tops(module: str) -> tuple[str, str]:
    return "workbench", module.split(".")[0]


@cache
def _imports(module: str) -> tuple[str, ...]:
    """Return the modules that a module imports at run time, and the packages that it is in."""
    path = _path(module)
    if path is None:
        return ()
    is_package = path.name == "__init__.py"
    package = module if is_package else module.rpartition(".")[0]
    found = [package] if package and package != module else []
    for node in _statements(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                above = parts[: len(parts) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return tuple(dict.fromkeys(found))


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes but those that only type checkers read."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from _statements(child)


@cache
def _path(module: str) -> Path | None:
    """Return the source file of a module; None if there is no such module or no source."""
    if module.startswith("workbench."):  # without importing the packages that it is in
        stem = Path(__file__).parent.joinpath(*module.split(".")[1:])
        candidates = [stem.with_suffix(".py"), stem / "__init__.py"]
        return next((path for path in candidates if path.is_file()), None)
    try:
        spec = find_spec(module)
    except (ImportError, AttributeError, ValueError):
        return None
    origin = None if spec is None else spec.origin
    return Path(origin) if origin and origin.endswith(".py") else None


@cache
def _hash(module: str) -> str:
    path = _path(module)
    return "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()[:DIGITS]
