"""YAML whose every value remembers its file and line, through overlays and merges."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from workbench.errors import ConfigError, Place, Problem

Scalar: TypeAlias = str | int | float | bool | None


UNUSUAL = (":float", ":bool", ":timestamp")
"""YAML 1.1 scalars that are read otherwise here: `1e-3`, `on`, and dates (as text)."""


class _Loader(yaml.SafeLoader):
    """Safe YAML with the scalars that people expect: `1e-3` is a number, `on` a word."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(UNUSUAL)]
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
    """A value of a document with the place it was written."""

    value: Scalar | dict[str, Node] | list[Node]
    place: Place

    def plain(self) -> Any:
        """The value as ordinary Python data."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def at(self, path: tuple[str | int, ...]) -> Node:
        """The node at `path`, or the deepest one above it that exists."""
        node = self
        for step in path:
            if isinstance(node.value, dict) and step in node.value:
                node = node.value[str(step)]
            elif isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
            else:
                break
        return node


def wrap(data: Any, place: Place) -> Node:
    """A document made of Python data, all of it from one place."""
    if isinstance(data, dict):
        return Node({str(key): wrap(value, place) for key, value in data.items()}, place)
    if isinstance(data, list | tuple):
        return Node([wrap(value, place) for value in data], place)
    return Node(data, place)


def load(path: Path) -> Node:
    """Read a YAML file.

    Raises:
        ConfigError: the file is missing, is not text, does not parse, or repeats a key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError([Problem("no such file", place=Place(str(path)))]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(f"cannot be read: {error}", place=Place(str(path)))]) from None
    return parse(text, str(path))


def parse(text: str, name: str) -> Node:
    """Parse YAML text that came from the file `name`."""
    try:
        loader = _Loader(text)
    except yaml.YAMLError as error:
        raise ConfigError([Problem(f"is not valid YAML: {error}", place=Place(name))]) from None
    try:
        root = loader.get_single_node()
        problems: list[Problem] = []
        node = _convert(loader, root, name, problems, ()) if root else Node({}, Place(name))
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error) or "nested too deeply"
        place = Place(name, mark.line + 1 if mark else 0)
        raise ConfigError([Problem(f"is not valid YAML: {reason}", place=place)]) from None
    finally:
        loader.dispose()
    if problems:
        raise ConfigError(problems)
    return node


def _convert(
    loader: _Loader, node: yaml.Node, file: str, problems: list[Problem], path: tuple[str, ...]
) -> Node:
    place = Place(file, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        entries: dict[str, Node] = {}
        for key_node, value_node in node.value:
            key = str(_scalar(loader, key_node, file, problems, path))
            where = Place(file, key_node.start_mark.line + 1)
            if key in entries:
                first = entries[key].place.line
                text = f"the key is written twice (first on line {first})"
                problems.append(Problem(text, ".".join((*path, key)), where))
            child = _convert(loader, value_node, file, problems, (*path, key))
            entries[key] = Node(child.value, where)
        return Node(entries, place)
    if isinstance(node, yaml.SequenceNode):
        items = [_convert(loader, item, file, problems, path) for item in node.value]
        return Node(items, place)
    return Node(_scalar(loader, node, file, problems, path), place)


def _scalar(
    loader: _Loader, node: yaml.Node, file: str, problems: list[Problem], path: tuple[str, ...]
) -> Any:
    """The value that a scalar stands for; one that its tag does not fit is a problem."""
    try:
        return loader.construct_object(node, deep=True)
    except ValueError as error:
        place = Place(file, node.start_mark.line + 1)
        problems.append(Problem(f"is not a value of its kind: {error}", ".".join(path), place))
        return None


def expand(node: Node) -> Node:
    """Turn dotted keys into nested mappings: `model.width: 3` is `model: {width: 3}`."""
    if not isinstance(node.value, dict):
        return node
    result = Node({}, node.place)
    for key, child in node.value.items():
        nested = expand(child)
        for step in reversed(key.split(".")):
            nested = Node({step: nested}, child.place)
        result = Node(merge(result, nested).value, node.place)
    return result


def merge(base: Node, over: Node) -> Node:
    """`over` laid on `base`: mappings merge key by key, everything else replaces.

    A component (a mapping with a `name`, or its bare name) that names another component than the
    base replaces it whole, for the options of one do not belong to the other.
    """
    if isinstance(over.value, str) and _name(base) == over.value:
        return Node(base.value, over.place)
    if isinstance(base.value, str) and isinstance(over.value, dict):
        base = Node({"name": base}, base.place)
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    if "name" in over.value and _name(base) not in (None, _name(over)):
        return over
    merged = dict(base.value)
    for key, child in over.value.items():
        merged[key] = merge(merged[key], child) if key in merged else child
    return Node(merged, over.place)


def _name(node: Node) -> str | None:
    value = node.value
    if isinstance(value, dict) and "name" in value:
        value = value["name"].value
    return value if isinstance(value, str) else None
