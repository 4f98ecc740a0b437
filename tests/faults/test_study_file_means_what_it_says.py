"""Numbers, names, keys and references of study files mean what they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ablations.study import Study, read_study
from workbench.config import identity
from workbench.documents import expand, parse
from workbench.errors import ConfigError

Read = Callable[[str], Study]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a study of the preset `muzero` with these lines."""

    def read_lines(lines: str) -> Study:
        path = tmp_path / "study.yaml"
        path.write_text("study: small\npreset: muzero\n" + lines, encoding="utf-8")
        return read_study(path)

    return read_lines


def problems(read: Read, lines: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(lines)
    found = [str(problem).partition("study.yaml:")[2] for problem in caught.value.problems]
    assert found
    return found


def names(study: Study) -> list[str]:
    return [condition.name for condition in study.conditions]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", 10),
        ("08", 8),
        ("-007", -7),
        ("0o10", 8),
        ("0x10", 16),
        ("1_000", 1000),
        ("1:30", "1:30"),
        ("190:20:30", "190:20:30"),
        ("1:30.5", "1:30.5"),
        ("0_8", 8),
        ("2026-12-01", "2026-12-01"),
        ("=", "="),
        ("!!int 010", 10),
        ("!!float 1", 1.0),
        ("!!str 010", "010"),
        ("! 010", "010"),
    ],
)
def test_numbers_are_decimal_and_text_stays_text(text: str, value: Any) -> None:
    found = parse(f"a: {text}\n", "f").plain()["a"]
    assert found == value
    assert type(found) is type(value)


def test_seeds_with_a_leading_zero_are_decimal(read: Read) -> None:
    assert read("seeds: 010\n").seeds == tuple(range(10))
    assert read("seeds: [08, 010]\n").seeds == (8, 10)


def test_names_of_values_are_spelt_as_in_the_file(read: Read) -> None:
    keys = "{1.10: {}, null: {seed: 1}, False: {}, 1e-3: {}, 010: {}, ~: {}, yes: {}}"
    document = parse(f"a: {keys}\n", "f").value
    assert isinstance(document, dict)
    assert list(document["a"].plain()) == ["1.10", "null", "False", "1e-3", "010", "~", "yes"]
    study = read(
        "axes:\n  augment:\n    false: {procedure.augment: false}\n"
        "    true: {procedure.augment: true}\nbaseline: false\n"
    )
    assert names(study) == ["false", "true"]
    assert study.baseline == "false"
    rates = "axes: {procedure.optimiser.learning_rate: [1e-3, 1.10]}\nbaseline: 1.10\n"
    assert names(read(rates)) == ["learning_rate=1e-3", "learning_rate=1.10"]


def test_the_spelling_of_a_value_changes_no_trial(read: Read) -> None:
    rates = [
        read(f"axes: {{procedure.optimiser.learning_rate: [{text}]}}\n").conditions[0].config
        for text in ("1e-3", "0.001", "0.0010")
    ]
    assert len({identity(config) for config in rates}) == 1


@pytest.mark.parametrize(
    "lines",
    [
        "base:\n  planner.simulations: 2\n  planner: {simulations: 3}\n",
        "base:\n  planner: {simulations: 2}\n  planner.simulations: 3\n",
        "base:\n  planner: null\n  planner.simulations: 3\n",
        "base:\n  losses.value: 1.0\n  losses: {value: {weight: 2.0}}\n",
        "base:\n  model: {dynamics.width: 2}\n  model.dynamics: {name: mlp, width: 3}\n",
        "axes: {a: {b: {\n  planner.simulations: 2,\n  planner: {simulations: 3}}}}\n",
    ],
)
def test_one_option_in_two_spellings_is_refused_with_both_lines(read: Read, lines: str) -> None:
    (problem,) = problems(read, lines)
    assert problem.startswith("5: ")
    assert "is set here and, in another spelling, on line 4; remove one" in problem


def test_a_name_and_options_of_it_are_one_component_in_either_order() -> None:
    for text in ("a: gcn\na.width: 3\n", "a.width: 3\na: gcn\n", "a: {name: gcn}\na.width: 3\n"):
        assert expand(parse(text, "f")).plain() == {"a": {"name": "gcn", "width": 3}}


def test_merge_keys_add_what_is_not_set(read: Read) -> None:
    study = read(
        "base: &b {planner.simulations: 3, procedure.augment: false}\n"
        "axes:\n  a:\n    x: {<<: *b, procedure: {augment: true}}\n    y: {threads: 2}\n"
    )
    x, y = (condition.config for condition in study.conditions)
    assert x.procedure.augment is True  # type: ignore[attr-defined]
    assert y.procedure.augment is False  # type: ignore[attr-defined]
    text = "a: {<<: [{b: 1}, {b: 2, c: 3}], d: 4, c: 5}\n"
    assert parse(text, "f").plain() == {"a": {"b": 1, "d": 4, "c": 5}}
    assert "expected a mapping after `<<:`" in problems(read, "base: {<<: 3}\n")[0]


@pytest.mark.parametrize(
    "lines",
    [
        "axes: {a: {-x: {}, y: {threads: 2}}}\n",
        "axes: {a: {--help: {}}}\n",
        "axes: {model.representation: [mlp, -cnn]}\n",
        "axes: {-a: {x: {}}}\n",
    ],
)
def test_names_that_look_like_options_of_a_command_are_refused(read: Read, lines: str) -> None:
    assert "`-`" in problems(read, lines)[0]


def test_a_study_whose_name_looks_like_an_option_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("study: -x\npreset: muzero\n")
    with pytest.raises(ConfigError, match="not in front, `-`, found '-x'"):
        read_study(path)


AXES = "axes:\n  e: {small: {}, two x two: {threads: 2}}\n  planner.simulations: [5, 25]\n"


@pytest.mark.parametrize(
    "reference",
    [
        "small · simulations=25",
        "small x simulations=25",
        "small x 25",
        "{e: small, planner.simulations: 25}",
    ],
)
def test_a_condition_can_be_named_in_ascii(read: Read, reference: str) -> None:
    study = read(f"{AXES}baseline: {reference}\n")
    assert study.baseline == "small · simulations=25"
    study = read(f"{AXES}comparisons: [{{against: {reference}}}]\n")
    assert study.comparisons[0].against == "small · simulations=25"
    study = read(f"{AXES}exclude: [{reference}]\n")
    assert "small · simulations=25" not in names(study)
    assert len(study.conditions) == 3


def test_an_unknown_condition_is_answered_with_names_that_can_be_typed(read: Read) -> None:
    assert read(AXES + "baseline: two x two x 5\n").baseline == "two x two · simulations=5"
    (problem,) = problems(read, AXES + "baseline: small x 7\n")
    assert "allowed: small x simulations=25, small x simulations=5, two x two" in problem
    (problem,) = problems(read, AXES + "exclude: [small x 5]\nbaseline: small x 5\n")
    assert "condition 'small x 5' is excluded" in problem
