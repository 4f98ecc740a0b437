"""YAML documents whose values keep their file and line through overrides and merges."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from workbench.errors import ConfigError, Problem, SourceLocation

Scalar: TypeAlias = str | int | float | bool | None


REPLACED_TAGS = (":float", ":bool", ":timestamp")
"""YAML 1.1 tags with other rules here: `1e-3` is a number, `on` and dates are text."""


class _Loader(yaml.SafeLoader):
    """Safe YAML loader that reads `1e-3` as a number and `on` as text, as YAML 1.2 does."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(REPLACED_TAGS)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|false|False)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(?:(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.(?:inf|Inf)|\.(?:nan|NaN))$"
    ),
    list("-+0123456789."),
)


@dataclass(frozen=True)
class Node:
    """A value of a document with its file and line."""

    value: Scalar | dict[str, Node] | list[Node]
    location: SourceLocation

    def plain(self) -> Any:
        """Return the value as plain Python data."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def at(self, path: tuple[str | int, ...]) -> Node:
        """Return the node at `path`, or its deepest existing ancestor."""
        node = self
        for step in path:
            if isinstance(node.value, dict) and step in node.value:
                node = node.value[str(step)]
            elif isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
            else:
                break
        return node


def wrap(data: Any, location: SourceLocation) -> Node:
    """Convert plain Python data to a document in which every value has the same location."""
    if isinstance(data, dict):
        return Node({str(key): wrap(value, location) for key, value in data.items()}, location)
    if isinstance(data, list | tuple):
        return Node([wrap(value, location) for value in data], location)
    return Node(data, location)


def load(path: Path) -> Node:
    """Read a YAML file.

    Raises:
        ConfigError: the file is missing, is not text, is not valid YAML, or repeats a key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError([Problem("no such file", location=SourceLocation(str(path)))]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            [Problem(f"cannot be read: {error}", location=SourceLocation(str(path)))]
        ) from None
    return parse(text, str(path))


def parse(text: str, name: str) -> Node:
    """Parse YAML text; `name` is the file name in locations."""
    try:
        loader = _Loader(text)
    except yaml.YAMLError as error:
        raise ConfigError(
            [Problem(f"is not valid YAML: {error}", location=SourceLocation(name))]
        ) from None
    try:
        root = loader.get_single_node()
        problems: list[Problem] = []
        node = (
            _convert(loader, root, name, problems, ()) if root else Node({}, SourceLocation(name))
        )
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error) or "nested too deeply"
        location = SourceLocation(name, mark.line + 1 if mark else 0)
        raise ConfigError([Problem(f"is not valid YAML: {reason}", location=location)]) from None
    finally:
        loader.dispose()
    if problems:
        raise ConfigError(problems)
    return node


def _convert(
    loader: _Loader, node: yaml.Node, file: str, problems: list[Problem], path: tuple[str, ...]
) -> Node:
    location = SourceLocation(file, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        entries: dict[str, Node] = {}
        for key_node, value_node in node.value:
            key = str(_scalar(loader, key_node, file, problems, path))
            key_location = SourceLocation(file, key_node.start_mark.line + 1)
            if key in entries:
                first = entries[key].location.line
                text = f"duplicate key, first set on line {first}; remove one"
                problems.append(Problem(text, ".".join((*path, key)), key_location))
            child = _convert(loader, value_node, file, problems, (*path, key))
            entries[key] = Node(child.value, key_location)
        return Node(entries, location)
    if isinstance(node, yaml.SequenceNode):
        items = [_convert(loader, item, file, problems, path) for item in node.value]
        return Node(items, location)
    return Node(_scalar(loader, node, file, problems, path), location)


def _scalar(
    loader: _Loader, node: yaml.Node, file: str, problems: list[Problem], path: tuple[str, ...]
) -> Any:
    """Return the value of a scalar; report a problem if its text does not match its tag."""
    try:
        return loader.construct_object(node, deep=True)
    except ValueError as error:
        location = SourceLocation(file, node.start_mark.line + 1)
        problems.append(
            Problem(f"invalid value for its YAML tag: {error}", ".".join(path), location)
        )
        return None


def expand(node: Node) -> Node:
    """Expand dotted keys to nested mappings: `model.width: 3` becomes `model: {width: 3}`."""
    if not isinstance(node.value, dict):
        return node
    result = Node({}, node.location)
    for key, child in node.value.items():
        nested = expand(child)
        for step in reversed(key.split(".")):
            nested = Node({step: nested}, child.location)
        result = Node(merge(result, nested).value, node.location)
    return result


def merge(base: Node, over: Node) -> Node:
    """Merge `over` into `base`: mappings merge key by key, all other values are replaced.

    A component is a mapping with a `name`, or a bare name. If its name differs from that in the
    base, it replaces the base's component whole, because their options differ.
    """
    if isinstance(over.value, str) and _name(base) == over.value:
        return Node(base.value, over.location)
    if isinstance(base.value, str) and isinstance(over.value, dict):
        base = Node({"name": base}, base.location)
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    if "name" in over.value and _name(base) not in (None, _name(over)):
        return over
    merged = dict(base.value)
    for key, child in over.value.items():
        merged[key] = merge(merged[key], child) if key in merged else child
    return Node(merged, over.location)


def _name(node: Node) -> str | None:
    value = node.value
    if isinstance(value, dict) and "name" in value:
        value = value["name"].value
    return value if isinstance(value, str) else None
