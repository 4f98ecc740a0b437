"""Meaning of study files, and messages about their mistakes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ablations.axes import combinations, condition_name, read_axes
from ablations.study import read_study
from workbench import documents
from workbench.errors import ConfigError

Write = Callable[..., Path]

ENCODERS = """\
axes:
  encoder:
    plain: {model.representation: {name: fake_plain, width: 16}}
    other: {model.representation: {name: fake_other, width: 19}}
  planner.simulations: [5, 25]
"""


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_study(path)
    return [str(problem).replace(str(path), "FILE") for problem in caught.value.problems]


def test_conditions_are_the_product_of_the_axes(write: Write) -> None:
    study = read_study(write(ENCODERS))
    names = [condition.name for condition in study.conditions]
    assert names == [
        "plain · simulations=5",
        "plain · simulations=25",
        "other · simulations=5",
        "other · simulations=25",
    ]
    last = study.conditions[-1].config
    assert last.model.component == "fake_model"
    assert last.model.representation.component == "fake_other"  # type: ignore[attr-defined]
    assert last.model.representation.width == 19  # type: ignore[attr-defined]
    assert last.planner.simulations == 25  # type: ignore[attr-defined]
    assert study.seeds == (0, 1, 2)


def test_condition_names_label_their_numbers(write: Write) -> None:
    alike = "{model.representation.width: [8, 9], planner.width: [7], planner.simulations: [5, 6]}"
    axes = read_axes(documents.parse(alike, "FILE"), [])
    assert condition_name(axes, combinations(axes, [])[-1]) == (
        "model.representation.width=9 · planner.width=7 · simulations=6"
    )
    components = "axes: {model.representation: [fake_plain, fake_other]}\n"
    study = read_study(write(components + "baseline: fake_other\n"))
    assert [c.name for c in study.conditions] == ["fake_plain", "fake_other"]
    study = read_study(write("axes: {planner.simulations: [5, 25]}\nbaseline: 25\n"))
    assert study.baseline == "simulations=25"


def test_exclusion_matches_all_of_its_pairs(write: Write) -> None:
    study = read_study(write(ENCODERS + "exclude: [{encoder: other, planner.simulations: 5}]\n"))
    names = [c.name for c in study.conditions]
    assert names == ["plain · simulations=5", "plain · simulations=25", "other · simulations=25"]


def test_comparisons_are_the_baseline_against_the_others_unless_stated(write: Write) -> None:
    study = read_study(write(ENCODERS + "baseline: {encoder: other, planner.simulations: 25}\n"))
    assert study.baseline == "other · simulations=25"
    assert {c.against for c in study.comparisons} == {
        "plain · simulations=5",
        "plain · simulations=25",
        "other · simulations=5",
    }
    stated = "comparisons: [{baseline: plain · simulations=5, against: other · simulations=5}]\n"
    (pair,) = read_study(write(ENCODERS + stated)).comparisons
    assert (pair.baseline, pair.against) == ("plain · simulations=5", "other · simulations=5")


def test_axis_with_another_component_drops_options_of_the_base(write: Write) -> None:
    text = "  model.representation.width: 40\naxes: {encoder: {plain: , other: "
    study = read_study(write(text + "{model.representation: {name: fake_other}}}}\n"))
    widths = [c.config.model.representation.width for c in study.conditions]  # type: ignore[attr-defined]
    assert widths == [40, 16]


def test_step_budget_applies_to_every_trial_unless_an_axis_sets_it(write: Write) -> None:
    study = read_study(write("budget: {steps: 7, minutes: 12}\n"))
    assert [c.name for c in study.conditions] == ["base"]
    assert study.conditions[0].config.procedure.steps == 7  # type: ignore[attr-defined]
    study = read_study(write("budget: {steps: 7}\naxes: {procedure.steps: [7, 8]}\n"))
    assert [c.config.procedure.steps for c in study.conditions] == [7, 8]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("axis: {}\n", "FILE:9: axis: unknown key 'axis'; did you mean 'axes'?"),
        ("axes: {encoder: {}}\n", "FILE:9: axes.encoder: the axis has no values"),
        ("axes:\n  a: []\n", "FILE:10: axes.a: the axis has no values"),
        ("axes: [a]\n", "FILE:9: axes: expected a mapping of axes"),
        ("axes: {a: 3}\n", "FILE:9: axes.a: expected named overrides, or a list of plain values"),
        ("axes: {a: {b: 3}}\n", "FILE:9: axes.a.b: expected an override of the trial"),
        ("axes: {planner.simulations: [5, 5]}\n", "FILE:9: axes.planner.simulations: the value"),
        ("seeds: 0\n", "FILE:9: seeds: expected how many seeds, or a list of them, found 0"),
        ("seeds:\n- 1\n- 1\n", "FILE:11: seeds: seed 1 is there twice"),
        ("seeds: [-1]\n", "FILE:9: seeds: expected a whole number from 0 to"),
        ("seeds: true\n", "FILE:9: seeds: expected how many seeds"),
        ("primary: decision/serch_regret\n", "FILE:9: primary: unknown decision metric"),
        ("primary: predictive/value_error\n", "FILE:9: primary: 'predictive/value_error' is a"),
        ("primary: decision/search_regret@2\n", "FILE:9: primary: 'decision/search_regret' is not"),
        ("predictive: predictive/value_eror\n", "FILE:9: predictive: unknown predictive metric"),
        ("match: {part: encoder}\n", "FILE:9: match.part: input should be 'representation'"),
        ("match: {tolerence: 0.1}\n", "FILE:9: match.tolerence: unknown key 'tolerence'; did"),
        (
            "budget: {minutes: -1}\n",
            "FILE:9: budget.minutes: input should be greater than or",
        ),
        ("budget:\n  steps: many\n", "FILE:10: budget.steps: expected a whole number, found"),
        ("question: [a]\n", "FILE:9: question: duplicate key"),
        ("baseline: plane\n", "FILE:9: baseline: unknown condition 'plane'"),
        ("preset: [muzero]\n", "FILE:9: preset: expected the name of a preset, found ['muzero']"),
        ("primary: decision/search_regret@-3\n", "FILE:9: primary: 'decision/search_regret@-3' is"),
        ("preset: muzeroo\n", "FILE:9: preset: unknown preset 'muzeroo'"),
        ("comparisons: {a: b}\n", "FILE:9: comparisons: expected a list"),
        ("comparisons: [{baseline: base}]\n", "FILE:9: comparisons: expected {baseline"),
        ("comparisons: [{against: base}]\n", "FILE:9: comparisons: compares 'base' with itself"),
        ("comparisons: [{against: base, with: x}]\n", "FILE:9: comparisons: unknown key 'with'"),
        ("  seed: 3\n", "FILE:9: seed: seeds stand under `seeds`"),
        ("axes: {seed: [1, 2]}\n", "FILE:9: seed: seeds stand under `seeds`"),
        ("  procedure.steps: 3\nbudget: {steps: 4}\n", "FILE:9: base.procedure.steps: is 3 and"),
        ("  planner.simulatons: 3\n", "FILE:9: planner.simulatons: unknown key 'simulatons'; did"),
        ("  model.representation.width: 2000\n", "FILE:7: planner: planner 'fake_planner' cannot"),
    ],
)
def test_error_is_reported_with_its_line(write: Write, text: str, expected: str) -> None:
    assert any(p.startswith(expected) for p in problems(write(text))), problems(write(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exclude: [{encodr: other}]\n", "unknown axis 'encodr'; did you mean 'encoder'?"),
        ("exclude: [{encoder: othr}]\n", "unknown value of axis 'encoder' 'othr'; did you mean"),
        (
            "comparisons: [{against: plain · simulations=25}, {against: plain · simulations=25}]\n",
            "comparisons: is declared twice",
        ),
        ("exclude: [other]\n", "exclude: expected a mapping {axis: value}, found 'other'"),
        ("exclude: [{encoder: other}, {encoder: plain}]\n", "exclude: leaves no condition"),
        ("baseline: {encoder: other}\n", "baseline: stands for 2 conditions, not for one: other"),
    ],
)
def test_references_to_axes_are_checked(write: Write, text: str, expected: str) -> None:
    assert any(expected in p and "FILE:14" in p for p in problems(write(ENCODERS + text)))


def test_all_problems_are_reported_together_and_once(write: Write) -> None:
    text = (
        "  planner.simulations: none\naxes: {encoder: {a: {model.representation.width: wide}, b: "
    )
    found = problems(write(text + "{}}}\nseeds: x\nprimary: x\nextra: 1\n"))
    assert [line.split(": ")[1] for line in found] == [
        "planner.simulations",
        "model.representation.width",
        "seeds",
        "primary",
        "extra",
    ]
    assert found[1].endswith("(condition 'a')")


def test_only_the_first_of_many_invalid_conditions_are_named(write: Write) -> None:
    runs = "axes: {planner.simulations: [1, 2, 3, 4, 5], m: {ok: , bad: {planner.simulation: 3}}}\n"
    (problem,) = problems(write(runs))
    named = ", ".join(f"'simulations={n} · bad'" for n in (1, 2, 3))
    assert problem.endswith(f"(condition {named} and 2 more)")


def test_unreadable_study_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    assert problems(path) == ["FILE: no such file"]
    path.write_text("study: x\naxes: {a: [\n")
    assert problems(path)[0].startswith("FILE:2:11: is not valid YAML: `[` is not closed")
    path.write_text("- a\n- b\n")
    assert "expected a mapping" in problems(path)[0]
    path.write_text("")
    assert problems(path) == ["FILE: study: is missing"]
    path.write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in problems(path)[0]


def test_nothing_in_a_study_file_can_run_code(write: Write, tmp_path: Path) -> None:
    target = tmp_path / "ran"
    code = f"!!python/object/apply:os.mkdir [{target}]\n"
    assert "primary: unknown tag '!!python/object" in problems(write("primary: " + code))[0]
    scalar = f"!!python/object/apply:os.mkdir {target}\n"
    assert "primary: unknown tag '!!python/object" in problems(write("primary: " + scalar))[0]
    assert not target.exists()
