"""What a user writes wrong is told by place, key and way out, all of it at once."""

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
from workbench.config import dump, identity, read_trial
from workbench.documents import load, parse
from workbench.errors import ConfigError, Place
from workbench.registry import register, unregister
from workbench.types import EnvironmentSpec

BASE = """\
preset: muzero
"""


@pytest.fixture
def plain_world() -> Iterator[None]:
    """An environment without graph, bounds, planes, oracle or copies."""

    @register("environment", "plain_world")
    class PlainWorld(EnvironmentConfig):
        """A world of two numbers."""

        def spec(self) -> EnvironmentSpec:
            return EnvironmentSpec("plain_world", (2,), 3, copyable=False)

        def build(self) -> Any:
            raise NotImplementedError

    yield
    unregister("environment", "plain_world")


def only(text: str) -> str:
    (problem,) = problems_of(text)
    return problem


def test_a_preset_alone_is_sound() -> None:
    assert problems_of(BASE) == []


@pytest.mark.parametrize(
    ("line", "key", "says"),
    [
        ("planner: {simulatons: 3}", "planner.simulatons", ["did you mean 'simulations'?", "c1"]),
        ("seeed: 3", "seeed", ["did you mean 'seed'?", "evaluate_every"]),
        ("environment: tic_tac_to", "environment", ["did you mean 'tic_tac_toe'?"]),
        ("model.dynamics: convv", "model.dynamics", ["'convv'", "did you mean 'conv'?", "true"]),
        ("losses: {polcy: 1.0}", "losses.polcy", ["unknown loss 'polcy'", "'policy'?"]),
        ("targets: {value: nstep}", "targets.value", ["unknown target 'nstep'", "'n_step'?"]),
        ("preset: muzer0", "preset", ["unknown preset 'muzer0'", "did you mean 'muzero'?"]),
        ("seed: many", "seed", ["integer", "'many'"]),
        ("seed: -1", "seed", ["greater than or equal to 0", "-1"]),
        ("seed: 1.5", "seed", ["integer", "1.5"]),
        ("seed: true", "seed", ["integer", "True"]),
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
        ("evaluate_every: null", "evaluate_every", ["integer", "None"]),
        ("environment: null", "environment", ["environment: its name", "tic_tac_toe"]),
    ],
)
def test_one_mistake_is_told_with_place_key_found_and_allowed(
    line: str, key: str, says: list[str]
) -> None:
    text = f"{line}\n" if line.startswith("preset") else f"preset: muzero\n# why\n{line}\n"
    problem = only(text)
    assert problem.startswith(f"t.yaml:{text.count(chr(10))}: {key}: "), problem
    for words in says:
        assert words in problem


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    found = problems_of(
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
    places = sorted(tuple(problem.split(": ")[:2]) for problem in found)
    assert places == [
        ("t.yaml:11", "losses.value.weihgt"),
        ("t.yaml:12", "threads"),
        ("t.yaml:2", "seeed"),
        ("t.yaml:3", "environment"),
        ("t.yaml:5", "planner.simulations"),
        ("t.yaml:6", "planner.c3"),
        ("t.yaml:8", "model.dynamics"),
        ("t.yaml:9", "model.prediction.width"),
    ]


def test_what_is_missing_is_named() -> None:
    found = problems_of("environment: tic_tac_toe\nmodel: {name: composed, dynamics: mlp}\n")
    told = {problem.split(": ", 1)[1] for problem in found}
    assert told >= {
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
            ["model.representation: {name: cnn, ends_in: grid}"],
            ["dynamics 'mlp'", "representation 'cnn'"],
        ),
        (
            ["model.representation: {name: gcn, ends_in: nodes}", "model.dynamics: conv"],
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
            ["procedure.batch: 100000000"],
            ["'self_play' would never learn", "do not come to one batch of 100000000"],
        ),
        (
            ["planner.use_predicted_termination: true", "losses.termination: 0.0"],
            ["use_predicted_termination", "`losses.termination: 1.0`"],
        ),
    ],
)
def test_parts_that_do_not_go_together_are_named_both(lines: list[str], names: list[str]) -> None:
    problem = only("\n".join(["preset: muzero", *lines]) + "\n")
    for name in names:
        assert name in problem, problem


@pytest.mark.usefixtures("plain_world")
def test_an_environment_that_lacks_what_is_asked_for_is_named() -> None:
    text = "preset: muzero\nenvironment: plain_world\n"
    found = problems_of(text)
    assert all("'plain_world'" in problem for problem in found)
    asked = ["q_normalisation 'bounds'", "opening", "measure 'decision'"]
    for part in asked:
        assert any(part in problem for problem in found), part
    assert len(found) == len(asked)
    sound = (
        text + "planner.q_normalisation: min_max\nprocedure.opening.fraction: 0.0\n"
        "measures: {predictive: null, decision: null}\n"
    )
    assert problems_of(sound) == []
    assert "no graph at all" in only(sound + "model.representation: gcn\n")
    assert "[2]" in only(sound + "model.representation: cnn\n")
    copies = problems_of(
        sound + "model.dynamics: 'true'\nplanner.interior_legality: true\n"
        "losses: {reward: null, termination: null}\n"
    )
    assert len(copies) == 1
    assert "copied" in copies[0]


def test_misfits_of_different_parts_are_told_at_once() -> None:
    found = problems_of("preset: muzero\nmodel.dynamics: conv\ntargets.value: null\n")
    assert any("dynamics 'conv'" in problem for problem in found)
    assert any("loss 'value' needs a target" in problem for problem in found)


def test_measures_of_one_kind_would_overwrite_each_other() -> None:
    text = "preset: muzero\nmeasures:\n  more: {name: decision}\n"
    problem = only(text)
    assert problem.startswith("t.yaml:3: measures.more: is a 'decision' as 'measures.decision' is")
    assert trial({"measures": {"more": {"name": "decision"}, "decision": None}}).measures["more"]


def test_a_key_written_twice_names_both_lines() -> None:
    problem = only("preset: muzero\nplanner:\n  c1: 1.0\n  c2: 3.0\n  c1: 2.0\n")
    assert problem == "t.yaml:5: planner.c1: the key is written twice (first on line 3)"


def test_every_key_written_twice_is_told() -> None:
    assert len(problems_of("seed: 1\nseed: 2\nthreads: 1\nthreads: 1\n")) == 2


def test_yaml_that_does_not_parse_gives_the_line() -> None:
    problem = only("preset: muzero\nplanner: {c1: 1\nseed: 3\n")
    assert problem.startswith("t.yaml:3: is not valid YAML: ")


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
def test_text_that_is_no_sound_document_is_a_mistake_of_the_users(text: str) -> None:
    problems = problems_of(text)
    assert problems
    assert all(problem.startswith("t.yaml") for problem in problems)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(text=st.text(alphabet="ab01:-_.x{}[]#'\"\n !&*<>|?%@,e+~T", max_size=40))
def test_any_text_is_a_document_or_a_mistake_told_with_its_file(text: str) -> None:
    try:
        places = [parse(text, "f.yaml").place]
    except ConfigError as error:
        places = [problem.place for problem in error.problems if problem.place]
    assert {place.file for place in places} == {"f.yaml"}


def test_a_missing_file_a_folder_and_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00x")
    for name, says in (("none.yaml", "no such file"), (".", "cannot"), ("bytes.yaml", "cannot")):
        with pytest.raises(ConfigError, match=says) as caught:
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
def test_scalars_are_what_people_expect(text: str, value: Any) -> None:
    found = parse(f"a: {text}\n", "f").plain()["a"]
    assert found == value
    assert type(found) is type(value)


def test_numbers_written_with_an_exponent_are_read_as_numbers() -> None:
    config = trial({}, base={"preset": "muzero"})
    text = "preset: muzero\nprocedure.optimiser.learning_rate: 1e-3\n"
    changed: Any = read_trial(parse(text, "t"))
    assert changed.procedure.optimiser.learning_rate == 0.001
    assert identity(changed) != identity(config)


def test_a_dotted_key_is_the_nested_key_and_merges_with_it() -> None:
    dotted = "preset: muzero\nplanner.c1: 2.0\nplanner.simulations: 3\n"
    nested = "preset: muzero\nplanner:\n  c1: 2.0\n  simulations: 3\n"
    mixed = "preset: muzero\nplanner: {c1: 2.0}\nplanner.simulations: 3\n"
    read = [read_trial(parse(text, "t")) for text in (dotted, nested, mixed)]
    assert read[0] == read[1] == read[2]
    assert read[0].planner.simulations == 3  # type: ignore[attr-defined]


def test_null_takes_away_what_the_preset_put_there() -> None:
    config = read_trial(
        parse("preset: muzero\nlosses.reward: null\nmeasures.decision: null\n", "t")
    )
    assert set(config.losses) == {"policy", "value", "termination"}
    assert set(config.measures) == {"predictive"}


def test_a_bare_name_is_a_component_with_its_defaults_or_the_presets_options() -> None:
    other: Any = read_trial(parse("preset: muzero\nmodel.representation: cnn\n", "t"))
    assert other.model.representation.component == "cnn"
    assert other.model.representation.width == 16
    same: Any = read_trial(parse("preset: muzero\nmodel.representation: mlp\n", "t"))
    base: Any = read_trial(parse(BASE, "t"))
    assert same.model.representation == base.model.representation


def test_the_dynamics_named_true_can_be_written_without_quotes() -> None:
    # YAML reads the bare word as a truth value; to the user it is a component's name.
    for text in ("true", "{name: true}"):
        lines = f"model.dynamics: {text}\nlosses: {{reward: null, termination: null}}\n"
        document = parse(f"preset: muzero\nplanner.interior_legality: true\n{lines}", "t")
        config: Any = read_trial(document)
        assert config.model.dynamics.component == "true"


def test_another_component_replaces_the_presets_whole() -> None:
    text = "preset: muzero\nmodel.representation: {name: gcn, ends_in: vector}\n"
    config: Any = read_trial(parse(text, "t"))
    assert config.model.representation.depth == 2
    # The same name keeps the preset's other options.
    base: Any = read_trial(parse(BASE, "t"))
    kept: Any = read_trial(parse("preset: muzero\nplanner: {name: puct, c1: 9.0}\n", "t"))
    assert kept.planner.simulations == base.planner.simulations
    assert kept.planner.c1 == 9.0


def test_a_number_for_a_loss_is_its_weight() -> None:
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
    {"targets.value": {"name": "n_step", "steps": 3}, "procedure.opening": {"fraction": 0.5}},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_a_dumped_configuration_reads_back_the_same(changes: dict[str, Any]) -> None:
    config = trial(changes)
    plain = dump(config)
    again = read_trial(documents.wrap(plain, Place("dump")))
    written = read_trial(parse(yaml.safe_dump(plain), "dump"))
    assert again == written == config
    assert identity(again) == identity(written) == identity(config)


def test_identity_is_of_the_content_alone() -> None:
    plain = dump(trial())

    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: turned(value[k]) for k in reversed(value)}
        return value

    assert list(turned(plain)) != list(plain)
    assert identity(read_trial(documents.wrap(turned(plain), Place("x")))) == identity(trial())
    ids = [identity(trial(changes)) for changes in CHANGES]
    assert len(set(ids)) == len(ids)
    assert all(len(i) == 12 and int(i, 16) >= 0 for i in ids)


def test_identity_is_twelve_digits_of_the_sha256_of_schema_version_and_content() -> None:
    # A change here orphans every stored trial: raise SCHEMA_VERSION knowingly, not by accident.
    text = json.dumps([1, dump(trial())], sort_keys=True, separators=(",", ":"))
    assert identity(trial()) == hashlib.sha256(text.encode()).hexdigest()[:12]


def test_a_document_that_is_no_mapping_is_told() -> None:
    assert "expected a mapping" in only("- preset: muzero\n")
    assert "expected a mapping" in only("just words\n")


def test_an_empty_file_lacks_everything() -> None:
    found = problems_of("")
    assert {p.split(": ", 1)[1] for p in found} >= {
        "environment: is missing",
        "model: is missing",
        "planner: is missing",
        "procedure: is missing",
    }


def test_a_misfit_is_told_beside_the_mistakes_of_other_parts() -> None:
    found = problems_of("preset: muzero\nmodel.dynamics: conv\nplanner.simulatons: 4\n")
    assert any("did you mean 'simulations'" in problem for problem in found)
    assert any("dynamics 'conv'" in problem for problem in found)


def test_no_misfit_is_told_of_a_part_that_has_a_mistake_of_its_own() -> None:
    text = (
        "preset: muzero\nmodel.representation: {name: cnn, ends_on: grid}\nmodel.dynamics: conv\n"
    )
    assert "ends_on" in only(text)


def test_no_component_is_read_that_a_trial_does_not_name() -> None:
    code = (
        "import sys; from workbench.config import read_trial; from workbench.documents import wrap;"
        "from workbench.errors import Place;"
        "read_trial(wrap({'preset': 'muzero'}, Place('here'))); print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    read = {name for name in ran.stdout.split() if name.startswith("workbench.models.dynamics.")}
    assert read == {"workbench.models.dynamics.mlp"}


def test_a_null_takes_away_one_part_or_all_of_a_kind() -> None:
    assert list(trial({"measures": {"predictive": None}}).measures) == ["decision"]
    assert trial({"measures": None}).measures == {}
    assert "loss" in "\n".join(problems_of("preset: muzero\nlosses: null\n"))
