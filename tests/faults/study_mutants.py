"""Mutants of the shipped study files: what typing errors, editors and saboteurs make of them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

FILES = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))

VALUES = (
    "null", "true", "-1", "0", "010", "1e999", ".nan", "-.inf", "[]", "{}", "''", "'a: b'", "*x",
    "&x 1", "!!int ''", "!!bool foo", "!!timestamp foo", "!!python/name:os.system", "!foo bar",
    "1" * 5000, '"\\ud800"', '"\\u0000"', '"\\e[31m"', "2026-13-45", "1:30:00", "@", "`", "%", "-x",
    "1_000", "0x1F", "10000000000000", "1e-300", "[[1, 2], {a: b}]", "{a: {b: {c: d}}}", "x" * 3000,
    "[" * 200 + "]" * 200, "{name: puct}", "{name: [gcn]}", "{name: {a: b}}", "muzero", "gcn", "·",
    "[1, 2, 3]", "a x b", "{<<: *x}", "<<", "=", "~", "{1: 2, null: 3}", "0.5", "no", "\t",
)  # fmt: skip
"""Values that take the place of a scalar."""

LINES = (
    "axes: {a: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}",
    "  a.b: {c: 1, c: 2}",
    "exclude: [{}]",
    "baseline: [1]",
    "comparisons: [{against: {}}]",
    "budget: {steps: 1000000000000000000000000000000}",
    "match: {part: x, tolerance: -1}",
    "seeds: [1, -1, x, {}]",
    "\tseeds: 3",
    "- seeds",
    "? [a, b]",
    "<<: {preset: x}",
    "base: {model: {representation: {depth: 1000000}}}",
    "base.procedure.parallel_environments: 1000000000000",
    "---",
    "...",
    "%YAML 9.9",
    "seeds:3",
    "{",
    "]",
    "'",
    "x: &a [*a]",
)
"""Lines that are inserted."""

Mutation = Callable[[random.Random, list[str]], None]


def _delete(rng: random.Random, lines: list[str]) -> None:
    del lines[rng.randrange(len(lines))]


def _double(rng: random.Random, lines: list[str]) -> None:
    at = rng.randrange(len(lines))
    lines.insert(at, lines[at])


def _swap(rng: random.Random, lines: list[str]) -> None:
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]


def _insert(rng: random.Random, lines: list[str]) -> None:
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(LINES))


def _indent(rng: random.Random, lines: list[str]) -> None:
    at = rng.randrange(len(lines))
    lines[at] = rng.choice([" ", "\t", "  ", "    "]) + lines[at]


def _character(rng: random.Random, lines: list[str]) -> None:
    at = rng.randrange(len(lines))
    where = rng.randrange(len(lines[at]) + 1)
    new = rng.choice([*"abz09.:,-#'\"{}[]&*!|>%@`~ \t·é\x07\u202e", ""])
    lines[at] = lines[at][:where] + new + lines[at][where + rng.randrange(2) :]


def _value(rng: random.Random, lines: list[str]) -> None:
    places = [
        (number, found)
        for number, line in enumerate(lines)
        for found in re.finditer(r"(?<=: )[^,{}\[\]#]+", line)
    ]
    if places:
        number, found = rng.choice(places)
        line = lines[number]
        lines[number] = line[: found.start()] + rng.choice(VALUES) + line[found.end() :]


def _key(rng: random.Random, lines: list[str]) -> None:
    places = [
        (number, found)
        for number, line in enumerate(lines)
        for found in re.finditer(r"[\w.]+(?=:)", line)
    ]
    number, found = rng.choice(places)
    line, key = lines[number], found.group()
    at = rng.randrange(len(key))
    new = rng.choice([key[:at] + key[at + 1 :], key[:at] + "x" + key[at:], key + "." + key, "name"])
    lines[number] = line[: found.start()] + new + line[found.end() :]


MUTATIONS: tuple[Mutation, ...] = (
    _delete, _double, _swap, _insert, _indent, _character, _value, _value, _value, _key, _key,
)  # fmt: skip


def mutant(file: Path, seed: int) -> str:
    """Return a shipped study with one to three mutations, which depend only on the seed."""
    rng = random.Random(f"{file.stem} {seed}")
    lines = file.read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if not line.lstrip().startswith("#")]
    for _ in range(rng.choice([1, 1, 2, 3])):
        rng.choice(MUTATIONS)(rng, lines)
    return "\n".join(lines) + "\n"
