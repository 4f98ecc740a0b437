"""YAML documents whose values keep their file and line through overrides and merges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from workbench.errors import ConfigError, Problem, SourceLocation, closest
from workbench.yaml_errors import MISSING_SPACE, explain, missing_space
from workbench.yaml_scalars import Scalar, scalar, writable, written

MOST_BYTES = 100_000
"""Size of a file."""
MOST_DEPTH = 50
"""Depth of nested mappings and lists."""
MOST_VALUES = 20_000
"""Number of values of a file after its aliases are replaced."""


@dataclass(frozen=True)
class Node:
    """A value of a document with its file and line."""

    value: Scalar | dict[str, Node] | list[Node]
    location: SourceLocation
    text: str | None = None
    """A scalar's text as it stands in the file, without quotes; None if it is from no file."""
    inherited: frozenset[str] = frozenset()
    """Keys of a mapping that come from a merge key `<<`; the others override them."""

    def plain(self) -> Any:
        """Return the value as plain Python data."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def name(self) -> str:
        """Return a scalar as a name: as it stands in the file, or spelt as YAML spells it."""
        if self.text is not None:
            return self.text
        return str(self.value).lower() if isinstance(self.value, bool) else str(self.value)

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
        ConfigError: the file is missing, is too large, is not text, or is invalid YAML.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except FileNotFoundError:
        _refuse(f"no such file{_other_file(path)}", path)
    except OSError as error:
        _refuse(f"cannot be read: {error.strerror or error}", path)
    if len(data) > MOST_BYTES:
        _refuse(f"is larger than {MOST_BYTES:,} bytes, the maximum", path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        _refuse("cannot be read: this is no text in UTF-8; save the file as UTF-8", path, line)
    return parse(text, str(path))


def _refuse(message: str, path: Path, line: int = 0) -> NoReturn:
    raise ConfigError([Problem(message, location=SourceLocation(str(path), line))]) from None


def _other_file(path: Path) -> str:
    """Return a suggestion of a YAML file with this name or a similar one; empty if there is none.

    It looks in the folder of the path, and in `configs`.
    """
    for folder in (path.parent, Path("configs")):
        files = {file.stem: file for file in sorted(folder.glob("*.yaml"))}
        match = closest(path.stem, files)
        if match is not None:
            return f"; did you mean '{files[match]}'?"
    return ""


def parse(text: str, name: str) -> Node:
    """Parse YAML text; `name` is the file name in locations.

    Raises:
        ConfigError: the text is no valid YAML, repeats a key, or exceeds a limit.
    """
    composer = _Composer(name)
    try:
        node = composer.document(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        message, line, column = explain(error, text)
        place = SourceLocation(name, line, column)
        raise ConfigError([Problem(f"is not valid YAML: {message}", location=place)]) from None
    if composer.problems:
        raise ConfigError(composer.problems)
    return node


class _Composer:
    """Builds nodes from the events of a YAML parser, within the limits on depth and size."""

    def __init__(self, file: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._anchors: dict[str, tuple[Node, int] | None] = {}
        """For each anchor its node and the number of values in it; None inside of it."""
        self._values = 0

    def document(self, events: Iterator[yaml.Event]) -> Node:
        """Return the only document of a file; an empty one is an empty mapping."""
        root: Node | None = None
        for event in events:
            if not isinstance(event, yaml.NodeEvent):
                continue
            if root is not None:
                self._fail("a second document begins here; a file holds one", event)
            root = self._node(event, events, (), 0)
        if root is None or root.value is None:
            return Node({}, SourceLocation(self._file))
        if isinstance(root.value, str) and (match := MISSING_SPACE.match(root.value)) is not None:
            self.problems.append(Problem(missing_space(match), location=root.location))
        return root

    def _node(
        self, event: yaml.Event, events: Iterator[yaml.Event], path: tuple[str, ...], depth: int
    ) -> Node:
        self._values += 1
        if self._values > MOST_VALUES:
            self._fail(f"more than {MOST_VALUES:,} values, with those of aliases", event)
        if depth > MOST_DEPTH:
            self._fail(f"nested more than {MOST_DEPTH} levels deep", event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before, anchor = self._values, getattr(event, "anchor", None)
        if anchor is not None:
            self._anchors[anchor] = None
        node = self._new(event, events, path, depth)
        if anchor is not None:
            self._anchors[anchor] = node, self._values - before
        return node

    def _new(
        self, event: yaml.Event, events: Iterator[yaml.Event], path: tuple[str, ...], depth: int
    ) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        tag = getattr(event, "tag", None)
        if tag not in (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            self._add(f"unknown tag '{written(tag)}'; remove it", path, event)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event, events, path, depth)
        items = []
        while not isinstance(item := next(events), yaml.SequenceEndEvent):
            items.append(self._node(item, events, path, depth + 1))
        return Node(items, self._place(event))

    def _alias(self, event: yaml.AliasEvent) -> Node:
        if event.anchor not in self._anchors:
            self._fail(
                f"`*{event.anchor}` repeats the value at an anchor `&{event.anchor}`, which is not "
                f"above; text that begins with `*` needs quotes",
                event,
            )
        found = self._anchors[event.anchor]
        if found is None:
            self._fail(f"`*{event.anchor}` stands inside of the value that it repeats", event)
        node, values = found
        self._values += values
        if self._values > MOST_VALUES:
            self._fail(f"more than {MOST_VALUES:,} values, with those of aliases", event)
        return node

    def _scalar(self, event: yaml.ScalarEvent, path: tuple[str, ...]) -> Node:
        try:
            value = scalar(event.value, event.style is None, event.tag)
        except ValueError as error:
            self._add(str(error), path, event)
            value = None
        text = value if isinstance(value, str) else event.value
        return Node(value, self._place(event), text)

    def _mapping(
        self, start: yaml.Event, events: Iterator[yaml.Event], path: tuple[str, ...], depth: int
    ) -> Node:
        own: dict[str, Node] = {}
        inherited: dict[str, Node] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._key(event, events, path, depth)
            child = self._node(next(events), events, (*path, key), depth + 1)
            if key == "<<" and getattr(event, "style", None) is None:
                inherited = self._merged(child, path, event) | inherited
                continue
            if key in own:
                first = own[key].location.line
                text = f"duplicate key, first set on line {first}; remove one"
                self._add(text, (*path, key), event)
            match = MISSING_SPACE.match(key) if child.value is None else None
            if match is not None and getattr(event, "style", None) is None:
                self._add(missing_space(match), path, event)
            own[key] = Node(child.value, self._place(event), child.text, child.inherited)
        rest = {key: node for key, node in inherited.items() if key not in own}
        return Node(rest | own, self._place(start), None, frozenset(rest))

    def _key(
        self, event: yaml.Event, events: Iterator[yaml.Event], path: tuple[str, ...], depth: int
    ) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._node(event, events, path, depth + 1)
            self._add("a key must be plain text", path, event)
            return ""
        try:
            return writable(event.value)
        except ValueError as error:
            self._add(str(error), path, event)
            return ""

    def _merged(self, node: Node, path: tuple[str, ...], event: yaml.Event) -> dict[str, Node]:
        """Return the entries that a merge key `<<` adds; of several mappings, the first counts."""
        sources = node.value if isinstance(node.value, list) else [node]
        entries: dict[str, Node] = {}
        for source in reversed(sources):
            if isinstance(source.value, dict):
                entries |= source.value
            else:
                self._add("expected a mapping after `<<:`, such as `*anchor`", path, event)
        return entries

    def _place(self, event: yaml.Event, column: bool = False) -> SourceLocation:
        mark = event.start_mark
        if mark is None:
            return SourceLocation(self._file)
        return SourceLocation(self._file, mark.line + 1, mark.column + 1 if column else 0)

    def _add(self, message: str, path: tuple[str, ...], event: yaml.Event) -> None:
        self.problems.append(Problem(message, ".".join(path), self._place(event)))

    def _fail(self, message: str, event: yaml.Event) -> NoReturn:
        raise ConfigError([*self.problems, Problem(message, location=self._place(event, True))])


def expand(node: Node, problems: list[Problem] | None = None) -> Node:
    """Expand dotted keys to nested mappings: `model.width: 3` becomes `model: {width: 3}`.

    A value that is set in two spellings within one mapping is a problem. The problems are appended
    to `problems`.

    Raises:
        ConfigError: there are problems, and no list is given.
    """
    found: list[Problem] = []
    result = _expand(node, (), found)
    if problems is not None:
        problems += found
    elif found:
        raise ConfigError(found)
    return result


def _expand(node: Node, path: tuple[str, ...], problems: list[Problem]) -> Node:
    if not isinstance(node.value, dict):
        return node
    layers = {True: Node({}, node.location), False: Node({}, node.location)}
    for key, child in node.value.items():
        steps = key.split(".")
        nested = _expand(child, (*path, *steps), problems)
        for step in reversed(steps):
            nested = Node({step: nested}, child.location)
        layer = layers[key in node.inherited]
        layers[key in node.inherited] = _unite(layer, nested, path, problems)
    return Node(merge(layers[True], layers[False]).value, node.location)


def _unite(first: Node, second: Node, path: tuple[str, ...], problems: list[Problem]) -> Node:
    """Unite two parts of one mapping; a value that both of them set is a problem."""
    first, second = _named_if_other(first, second), _named_if_other(second, first)
    if isinstance(first.value, dict) and isinstance(second.value, dict):
        united = dict(first.value)
        for key, child in second.value.items():
            known = united.get(key)
            united[key] = child if known is None else _unite(known, child, (*path, key), problems)
        return Node(united, second.location)
    text = f"is set here and, in another spelling, on line {first.location.line}; remove one"
    problems.append(Problem(text, ".".join(path), second.location))
    return second


def _named_if_other(node: Node, other: Node) -> Node:
    """Convert a component's bare name to a mapping if the other node holds options for it."""
    if isinstance(node.value, str) and isinstance(other.value, dict) and "name" not in other.value:
        return Node({"name": node}, node.location)
    return node


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
