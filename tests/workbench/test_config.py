"""Reading configurations: all problems are reported at once, with location, key and remedy."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workbench.fakes import problems_of, trial
from workbench import documents
from workbench.components import EnvironmentConfig
from workbench.config import dump, identity, preset, presets, read_trial
from workbench.documents import load, parse
from workbench.errors import ConfigError, SourceLocation
from workbench.registry import register, unregister
from workbench.types import EnvironmentSpec

BASE = """\
preset: muzero
"""


@pytest.fixture
def plain_environment() -> Iterator[None]:
    """Register an environment without graphs, bounds, planes, oracle or cloning."""

    @register("environment", "plain_world")
    class PlainEnvironment(EnvironmentConfig):
        """An environment whose observations are two numbers."""

        def spec(self) -> EnvironmentSpec:
            return EnvironmentSpec("plain_world", (2,), 3, cloneable=False)

        def build(self) -> Any:
            raise NotImplementedError

    yield
    unregister("environment", "plain_world")


def only_problem(text: str) -> str:
    (problem,) = problems_of(text)
    return problem


def test_preset_alone_is_valid() -> None:
    assert problems_of(BASE) == []


@pytest.mark.parametrize(
    ("line", "key", "expected"),
    [
        ("planner: {simulatons: 3}", "planner.simulatons", ["did you mean 'simulations'?", "c1"]),
        ("seeed: 3", "seeed", ["did you mean 'seed'?", "evaluate_every"]),
        ("environment: tic_tac_to", "environment", ["did you mean 'tic_tac_toe'?"]),
        ("model.dynamics: convv", "model.dynamics", ["'convv'", "did you mean 'conv'?", "true"]),
        ("losses: {polcy: 1.0}", "losses.polcy", ["unknown loss 'polcy'", "'policy'?"]),
        ("targets: {value: nstep}", "targets.value", ["unknown target 'nstep'", "'n_step'?"]),
        ("preset: muzer0", "preset", ["unknown preset 'muzer0'", "did you mean 'muzero'?"]),
        ("seed: many", "seed", ["a whole number", "'many'"]),
        ("seed: -1", "seed", ["greater than or equal to 0", "-1"]),
        ("seed: 1.5", "seed", ["a whole number", "1.5"]),
        ("seed: true", "seed", ["a whole number", "true"]),
        ("planner.simulations: 0", "planner.simulations", ["greater than 0", "found 0"]),
        ("planner.noise_fraction: 1.5", "planner.noise_fraction", ["less than or equal to 1"]),
        ("planner.c1: [1]", "planner.c1", ["number", "[1]"]),
        (
            "planner.q_normalisation: minmax",
            "planner.q_normalisation",
            ["'min_max', 'bounds' or 'none'", "found 'minmax'"],
        ),
        ("procedure.optimiser: fast", "procedure.optimiser", ["a mapping", "'fast'"]),
        ("procedure.optimiser.rate: 1", "procedure.optimiser.rate", ["unknown key 'rate'"]),
        ("losses: 3", "losses", ["a mapping", "found 3"]),
        ("model: 3", "model", ["expected a model", "composed"]),
        ("planner: {name: [puct]}", "planner", ["unknown planner", "puct"]),
        ("losses.policy: -1.0", "losses.policy.weight", ["greater than or equal to 0", "-1.0"]),
        ("losses.policy: .nan", "losses.policy.weight", ["finite", "nan"]),
        ("planner.c1: .nan", "planner.c1", ["finite", "nan"]),
        ("procedure.replay_ratio: .inf", "procedure.replay_ratio", ["finite", "inf"]),
        ("procedure.optimiser.learning_rate: .inf", "procedure.optimiser.learning_rate", ["inf"]),
        ("model.prediction.value.low: -.inf", "model.prediction.value.low", ["finite", "-inf"]),
        (
            "model.prediction.value: {low: 2.0}",
            "model.prediction.value",
            ["low must be smaller than high, found 2.0 and 1.0"],
        ),
        ("evaluate_every: null", "evaluate_every", ["a whole number", "null"]),
        ("environment: null", "environment", ["environment: its name", "tic_tac_toe"]),
    ],
)
def test_problem_names_location_key_found_and_allowed_values(
    line: str, key: str, expected: list[str]
) -> None:
    text = f"{line}\n" if line.startswith("preset") else f"preset: muzero\n# comment\n{line}\n"
    problem = only_problem(text)
    assert problem.startswith(f"t.yaml:{text.count(chr(10))}: {key}: "), problem
    for words in expected:
        assert words in problem


def test_all_problems_of_a_file_are_reported_at_once() -> None:
    problems = problems_of(
        "preset: muzero\n"
        "seeed: 1\n"
        "environment: chess\n"
        "planner:\n"
        "  simulations: many\n"
        "  c3: 1\n"
        "model:\n"
        "  dynamics: conf\n"
        "  prediction: {width: 0}\n"
        "losses:\n"
        "  value: {weihgt: 1}\n"
        "threads: 0\n"
    )
    locations = sorted(tuple(problem.split(": ")[:2]) for problem in problems)
    assert locations == [
        ("t.yaml:11", "losses.value.weihgt"),
        ("t.yaml:12", "threads"),
        ("t.yaml:2", "seeed"),
        ("t.yaml:3", "environment"),
        ("t.yaml:5", "planner.simulations"),
        ("t.yaml:6", "planner.c3"),
        ("t.yaml:8", "model.dynamics"),
        ("t.yaml:9", "model.prediction.width"),
    ]


def test_missing_keys_are_reported() -> None:
    found = problems_of("environment: tic_tac_toe\nmodel: {name: composed, dynamics: mlp}\n")
    problems = {problem.split(": ", 1)[1] for problem in found}
    assert problems >= {
        "model.representation: is missing",
        "model.prediction: is missing",
        "planner: is missing",
        "procedure: is missing",
    }


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        (["model.dynamics: conv"], ["dynamics 'conv'", "representation 'mlp'"]),
        (["model.dynamics: gcn"], ["dynamics 'gcn'", "representation 'mlp'"]),
        (
            ["model.representation: {name: cnn, latent_kind: grid}"],
            ["dynamics 'mlp'", "representation 'cnn'"],
        ),
        (
            ["model.representation: {name: gcn, latent_kind: nodes}", "model.dynamics: conv"],
            ["dynamics 'conv'", "representation 'gcn'"],
        ),
        (
            ["model.representation: {name: gcn, graph: lnies}"],
            ["representation 'gcn'", "'lnies'", "'tic_tac_toe'", "lines, neighbours"],
        ),
        (
            [
                "model.dynamics: 'true'",
                "planner.interior_legality: true",
                "losses.termination: null",
            ],
            ["loss 'reward'", "'composed'"],
        ),
        (["targets.value: null"], ["loss 'value'", "`targets.value`"]),
        (["planner.interior_legality: true"], ["interior_legality", "'composed'", "legal"]),
        (
            [
                "model.dynamics: 'true'",
                "losses.reward: null",
                "losses.termination: null",
            ],
            ["dynamics 'true'", "planner 'puct'", "planner.interior_legality: true"],
        ),
        (
            [
                "model.dynamics: 'true'",
                "planner.interior_legality: true",
                "planner.use_predicted_termination: true",
                "losses.reward: null",
                "losses.termination: null",
            ],
            ["use_predicted_termination", "'composed'"],
        ),
        (
            ["procedure.batch_size: 100000000"],
            ["'self_play' would make no update", "yield less than one batch of 100000000"],
        ),
        (
            ["planner.use_predicted_termination: true", "losses.termination: 0.0"],
            ["use_predicted_termination", "`losses.termination: 1.0`"],
        ),
    ],
)
def test_incompatible_components_are_both_named(lines: list[str], names: list[str]) -> None:
    problem = only_problem("\n".join(["preset: muzero", *lines]) + "\n")
    for name in names:
        assert name in problem, problem


@pytest.mark.usefixtures("plain_environment")
def test_missing_properties_of_an_environment_are_reported() -> None:
    text = "preset: muzero\nenvironment: plain_world\n"
    found = problems_of(text)
    assert all("'plain_world'" in problem for problem in found)
    expected = ["q_normalisation 'bounds'", "random_start", "measure 'decision'"]
    for part in expected:
        assert any(part in problem for problem in found), part
    assert len(found) == len(expected)
    valid = (
        text + "planner.q_normalisation: min_max\nprocedure.random_start.fraction: 0.0\n"
        "measures: {predictive: null, decision: null}\n"
    )
    assert problems_of(valid) == []
    assert "no graph at all" in only_problem(valid + "model.representation: gcn\n")
    assert "[2]" in only_problem(valid + "model.representation: cnn\n")
    not_cloneable = problems_of(
        valid + "model.dynamics: 'true'\nplanner.interior_legality: true\n"
        "losses: {reward: null, termination: null}\n"
    )
    assert len(not_cloneable) == 1
    assert "copied" in not_cloneable[0]


def test_incompatibilities_of_different_components_are_reported_at_once() -> None:
    found = problems_of("preset: muzero\nmodel.dynamics: conv\ntargets.value: null\n")
    assert any("dynamics 'conv'" in problem for problem in found)
    assert any("loss 'value' needs a target" in problem for problem in found)


def test_duplicate_measure_is_rejected() -> None:
    text = "preset: muzero\nmeasures:\n  more: {name: decision}\n"
    problem = only_problem(text)
    assert problem.startswith("t.yaml:3: measures.more: measure 'decision' is already")
    assert trial({"measures": {"more": {"name": "decision"}, "decision": None}}).measures["more"]


def test_duplicate_key_names_both_lines() -> None:
    problem = only_problem("preset: muzero\nplanner:\n  c1: 1.0\n  c2: 3.0\n  c1: 2.0\n")
    assert problem == "t.yaml:5: planner.c1: duplicate key, first set on line 3; remove one"


def test_every_duplicate_key_is_reported() -> None:
    assert len(problems_of("seed: 1\nseed: 2\nthreads: 1\nthreads: 1\n")) == 2


def test_invalid_yaml_is_reported_with_its_line() -> None:
    problem = only_problem("preset: muzero\nplanner: {c1: 1\nseed: 3\n")
    assert problem.startswith("t.yaml:2:10: is not valid YAML: `{` is not closed")


@pytest.mark.parametrize(
    "text",
    [
        "seed: \x07\n",
        "when: 2026-13-45\n",
        "a: !!python/object/apply:os.system [ls]\n",
        "a: &a [*a]\n",
        "a: 0x_\n",
        "a: !!int many\n",
        "? [1, 2]\n: 3\n",
        "\tseed: 1\n",
        "--- 1\n--- 2\n",
        "[" * 1200,
        "a: !!binary '@'\n",
        "a: !!float x\n",
    ],
    ids=range(12),
)
def test_malformed_document_is_a_user_error(text: str) -> None:
    problems = problems_of(text)
    assert problems
    assert all(problem.startswith("t.yaml") for problem in problems)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(text=st.text(alphabet="ab01:-_.x{}[]#'\"\n !&*<>|?%@,e+~T", max_size=40))
def test_any_text_parses_or_is_reported_with_its_file(text: str) -> None:
    try:
        locations = [parse(text, "f.yaml").location]
    except ConfigError as error:
        locations = [problem.location for problem in error.problems if problem.location]
    assert {location.file for location in locations} == {"f.yaml"}


def test_missing_file_folder_and_binary_file_are_reported(tmp_path: Path) -> None:
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00x")
    for name, text in (("none.yaml", "no such file"), (".", "cannot"), ("bytes.yaml", "cannot")):
        with pytest.raises(ConfigError, match=text) as caught:
            load(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        ("-2.5e+2", -250.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("12", 12),
        ("-3", -3),
        ("true", True),
        ("on", "on"),
        ("yes", "yes"),
        ("1e", "1e"),
        ("e3", "e3"),
        ("'1e-3'", "1e-3"),
        ("null", None),
        ("~", None),
        ("1.2.3", "1.2.3"),
    ],
)
def test_scalars_are_read_as_in_yaml_1_2(text: str, value: Any) -> None:
    found = parse(f"a: {text}\n", "f").plain()["a"]
    assert found == value
    assert type(found) is type(value)


def test_number_with_exponent_is_read_as_a_number() -> None:
    config = trial({}, base={"preset": "muzero"})
    text = "preset: muzero\nprocedure.optimiser.learning_rate: 1e-3\n"
    changed: Any = read_trial(parse(text, "t"))
    assert changed.procedure.optimiser.learning_rate == 0.001
    assert identity(changed) != identity(config)


def test_dotted_keys_merge_with_nested_keys() -> None:
    dotted = "preset: muzero\nplanner.c1: 2.0\nplanner.simulations: 3\n"
    nested = "preset: muzero\nplanner:\n  c1: 2.0\n  simulations: 3\n"
    mixed = "preset: muzero\nplanner: {c1: 2.0}\nplanner.simulations: 3\n"
    read = [read_trial(parse(text, "t")) for text in (dotted, nested, mixed)]
    assert read[0] == read[1] == read[2]
    assert read[0].planner.simulations == 3  # type: ignore[attr-defined]


def test_null_removes_entries_of_the_preset() -> None:
    config = read_trial(
        parse("preset: muzero\nlosses.reward: null\nmeasures.decision: null\n", "t")
    )
    assert set(config.losses) == {"policy", "value", "termination"}
    assert set(config.measures) == {"predictive"}


def test_bare_name_keeps_options_of_the_same_component_in_the_preset() -> None:
    other: Any = read_trial(parse("preset: muzero\nmodel.representation: cnn\n", "t"))
    assert other.model.representation.component == "cnn"
    assert other.model.representation.width == 16
    same: Any = read_trial(parse("preset: muzero\nmodel.representation: mlp\n", "t"))
    base: Any = read_trial(parse(BASE, "t"))
    assert same.model.representation == base.model.representation


def test_dynamics_named_true_can_be_written_without_quotes() -> None:
    # YAML reads the bare word as a boolean, but here it is the name of a component.
    for text in ("true", "{name: true}"):
        lines = f"model.dynamics: {text}\nlosses: {{reward: null, termination: null}}\n"
        document = parse(f"preset: muzero\nplanner.interior_legality: true\n{lines}", "t")
        config: Any = read_trial(document)
        assert config.model.dynamics.component == "true"


def test_another_component_replaces_the_one_of_the_preset_whole() -> None:
    text = "preset: muzero\nmodel.representation: {name: gcn, latent_kind: vector}\n"
    config: Any = read_trial(parse(text, "t"))
    assert config.model.representation.depth == 2
    # With the same name, the other options of the preset remain.
    base: Any = read_trial(parse(BASE, "t"))
    kept: Any = read_trial(parse("preset: muzero\nplanner: {name: puct, c1: 9.0}\n", "t"))
    assert kept.planner.simulations == base.planner.simulations
    assert kept.planner.c1 == 9.0


def test_number_for_a_loss_is_its_weight() -> None:
    short, long = (
        read_trial(parse(f"preset: muzero\nlosses.value: {text}\n", "t"))
        for text in ("0.25", "{weight: 0.25}")
    )
    assert short == long
    assert short.losses["value"].weight == 0.25


CHANGES: list[dict[str, Any]] = [
    {},
    {"seed": 7, "losses.reward": None},
    {"model.representation": {"name": "gcn", "edges": "shuffled"}},
    {"targets.value": {"name": "n_step", "steps": 3}, "procedure.random_start": {"fraction": 0.5}},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_dumped_configuration_reads_back_equal(changes: dict[str, Any]) -> None:
    config = trial(changes)
    plain = dump(config)
    again = read_trial(documents.wrap(plain, SourceLocation("dump")))
    written = read_trial(parse(yaml.safe_dump(plain), "dump"))
    assert again == written == config
    assert identity(again) == identity(written) == identity(config)


def test_identity_depends_on_the_content_only() -> None:
    plain = dump(trial())

    def reordered(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: reordered(value[k]) for k in reversed(value)}
        return value

    assert list(reordered(plain)) != list(plain)
    assert identity(read_trial(documents.wrap(reordered(plain), SourceLocation("x")))) == identity(
        trial()
    )
    ids = [identity(trial(changes)) for changes in CHANGES]
    assert len(set(ids)) == len(ids)
    assert all(len(i) == 12 and int(i, 16) >= 0 for i in ids)


def test_identity_is_twelve_digits_of_the_sha256_of_schema_version_and_content() -> None:
    # A change here invalidates every stored trial, so SCHEMA_VERSION must be raised on purpose.
    text = json.dumps([2, dump(trial())], sort_keys=True, separators=(",", ":"))
    assert identity(trial()) == hashlib.sha256(text.encode()).hexdigest()[:12]


PRESET_IDS = {
    "alphazero": "90c73a547ed0",
    "efficientzero_like": "a7e09047fbc7",
    "gumbel_muzero": "d1091be31119",
    "muzero": "1126cf629ad9",
    "muzero_atari": "b72525e31f49",
    "muzero_cartpole": "17cb0a79483d",
    "muzero_connect_four": "e5fcd8c8429e",
    "muzero_hex": "69b80c210790",
    "muzero_minatar": "64c5c0e35694",
}


@pytest.mark.parametrize("name", presets())
def test_the_ids_of_presets_are_those_of_stored_trials(name: str) -> None:
    # A change of these ids makes finished trials of users run again: announce it in the changelog.
    assert identity(read_trial(preset(name))) == PRESET_IDS[name]


def test_document_that_is_no_mapping_is_rejected() -> None:
    assert "expected a mapping" in only_problem("- preset: muzero\n")
    assert "expected a mapping" in only_problem("just words\n")


def test_empty_file_lacks_a_preset_and_nothing_that_follows_from_it() -> None:
    assert only_problem("").startswith("t.yaml: preset: is missing; name a preset")


def test_incompatibility_is_reported_with_problems_of_other_components() -> None:
    found = problems_of("preset: muzero\nmodel.dynamics: conv\nplanner.simulatons: 4\n")
    assert any("did you mean 'simulations'" in problem for problem in found)
    assert any("dynamics 'conv'" in problem for problem in found)


def test_component_with_a_problem_reports_no_incompatibility() -> None:
    text = (
        "preset: muzero\nmodel.representation: {name: cnn, ends_on: grid}\nmodel.dynamics: conv\n"
    )
    assert "ends_on" in only_problem(text)


def test_only_named_components_are_imported() -> None:
    code = (
        "import sys; from workbench.config import read_trial; from workbench.documents import wrap;"
        "from workbench.errors import SourceLocation;"
        "read_trial(wrap({'preset': 'muzero'}, SourceLocation('here'))); print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = {m for m in ran.stdout.split() if m.startswith("workbench.models.dynamics.")}
    assert imported == {"workbench.models.dynamics.mlp"}


def test_null_removes_one_measure_or_all() -> None:
    assert list(trial({"measures": {"predictive": None}}).measures) == ["decision"]
    assert trial({"measures": None}).measures == {}
    assert "loss" in "\n".join(problems_of("preset: muzero\nlosses: null\n"))
