"""Messages about study files name the cause, its place and the right form."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from ablations.study import read_study
from workbench.cli.train import read
from workbench.documents import load, parse
from workbench.errors import MOST_PROBLEMS, ConfigError


def message(text: str, file: Path) -> str:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_study(file)
    return str(caught.value).replace(f"{file}:", "")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "study.yaml"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\n\tb: 3\n", "2:1: is not valid YAML: a tab; indent with spaces"),
        (
            "seeds:3\nb: 4\n",
            "1:7: is not valid YAML: a space is missing after the colon: `se",
        ),
        (
            "b: 4\nseeds:3\n",
            "2:7: is not valid YAML: a space is missing after the colon: `se",
        ),
        ("seeds:3\n", "1: a space is missing after the colon: `seeds: 3`"),
        ("a: {b:3}\n", "1: a: a space is missing after the colon: `b: 3`"),
        ("a: {b: 3\nc: 4\n", "1:4: is not valid YAML: `{` is not closed; add `}`"),
        ("a: [1, [2, 3]\nc: 4\n", "1:4: is not valid YAML: `[` is not closed; add `]`"),
        ("a: [\n", "1:4: is not valid YAML: `[` is not closed; add `]`"),
        ("a: {b: [1}\n", "1:8: is not valid YAML: `[` is not closed; add `]`"),
        ("a: 1]\nb: [2]]\n", "2:7: is not valid YAML: `]` closes nothing"),
        ("a: 'x\nb: 3\n", "1:4: is not valid YAML: the text in quotes does not end"),
        ("a: Does it: work\n", "text that contains `: ` needs quotes: `a: 'Does it: work'`"),
        ("a: @b\n", "1:4: is not valid YAML: text that begins with `@` needs quotes: `a: '@b'`"),
        ("a: *b\n", "1:4: `*b` repeats the value at an anchor `&b`, which is not above"),
        ("a:\n  b: 3\n c: 4\n", "3:2: is not valid YAML: the indentation is that of no line above"),
        ("a: 3\n  b: 4\n", "this line is indented below `a: 3`, which has a value already"),
        ("a: - b\n", "a list of `- ...` begins on a line of its own"),
        ("a\nb: 3\n", "1:1: is not valid YAML: expected `key: value`, found `a`"),
        ("a: 1\n---\nb: 2\n", "a second document begins here"),
        ("a: 1\nb: 2\na: 3\n", "3: a: duplicate key, first set on line 1; remove one"),
        ("? [a]\n: 1\n", "a key must be plain text"),
    ],
)
def test_a_mistake_in_yaml_is_shown_with_its_place_and_the_right_form(
    text: str, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "f")
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("!!int ''", "expected a whole number, found ''"),
        ("!!bool foo", "expected `true` or `false`, found 'foo'"),
        ("!!timestamp foo", "unknown tag '!!timestamp'"),
        ("!!python/name:os.system ''", "unknown tag '!!python/name:os.system'"),
        ("1" * 5000, "expected at most 100 digits, found 5000"),
        ('"\\ud800"', "the control character U+D800"),
        ('"\\e[31m"', "the control character U+001B"),
        ('"\\u202e"', "the control character U+202E"),
    ],
)
def test_a_value_that_cannot_be_read_is_refused_in_plain_words(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"b: 1\na: {text}\n", "f")
    assert str(caught.value).startswith("f:2: a: ")
    assert expected in str(caught.value)


def test_a_pair_of_surrogates_is_the_character_that_it_encodes() -> None:
    assert parse('a: "\\ud83d\\ude00"\n', "f").plain() == {"a": "\U0001f600"}


@pytest.mark.parametrize("key", ["prset: muzero", "preset: muzer0"])
def test_a_misspelt_preset_is_one_problem_and_hides_no_other(key: str, file: Path) -> None:
    alone = message(f"study: a\n{key}\naxes: {{planner.simulations: [5, 6]}}\n", file)
    assert len(alone.splitlines()) == 1
    assert "did you mean" in alone
    other = message(f"study: a\n{key}\nbase: {{planner.c1: x}}\nseeds: -1\n", file)
    assert [line.split(": ")[1] for line in other.splitlines()] == [
        key.partition(":")[0],
        "planner.c1",
        "seeds",
    ]


def test_a_study_without_a_preset_is_one_problem(file: Path) -> None:
    found = message("study: a\naxes: {planner.simulations: [5, 6]}\n", file)
    assert "preset: is missing" in found
    assert len(found.splitlines()) == 1


def test_a_wrong_value_of_an_axis_spoils_no_reference_to_it(file: Path) -> None:
    found = message("study: a\npreset: muzero\naxes: {a: {x: 3, y: {}}}\nbaseline: x\n", file)
    assert len(found.splitlines()) == 1
    assert "expected an override" in found


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("steps: 5000", "procedure.steps"),
        ("optimiser.learning_rate: 0.1", "procedure.optimiser.learning_rate"),
        ("model.encoder: gcn", "model.representation"),
        ("lr: 0.1", "procedure.optimiser.learning_rate"),
        ("simulation: 5", "planner.simulations"),
        ("planner.simulatons: 5", "simulations"),
    ],
)
def test_an_unknown_key_suggests_the_path_that_was_meant(key: str, meant: str, file: Path) -> None:
    found = message(f"study: a\npreset: muzero\nbase: {{{key}}}\n", file)
    assert f"did you mean '{meant}'" in found
    assert len(found.splitlines()) == 1


def test_options_of_trials_at_the_top_of_a_study_are_sent_to_base(file: Path) -> None:
    found = message("study: a\npreset: muzero\nplanner.simulations: 3\n", file)
    assert "did you mean 'base.planner.simulations'?" in found
    file.write_text("study: a\npreset: muzero\nbudget.steps: 9000\nbase.planner.simulations: 3\n")
    config = read_study(file).conditions[0].config
    assert config.planner.simulations == 3  # type: ignore[attr-defined]
    assert config.procedure.steps == 9000  # type: ignore[attr-defined]


def test_a_name_without_folder_and_ending_suggests_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "gcn_vs_cnn.yaml").write_text("study: a\n")
    for name in ("gcn_vs_cnn", "gcn_vs_cnn.yaml", "gcn_vs_cn"):
        with pytest.raises(ConfigError, match=r"did you mean 'configs/gcn_vs_cnn\.yaml'\?"):
            load(Path(name))


def test_a_trial_given_to_ablate_and_a_study_given_to_train_are_recognised(file: Path) -> None:
    for text in ("preset: muzero\nplanner.simulations: 3\n", "environment: hex\n"):
        file.write_text(text)
        with pytest.raises(ConfigError, match="this is a trial, not a study; run `workbench train"):
            read_study(file)
    for text in ("study: a\n", "preset: muzero\naxes: {planner.simulations: [1, 2]}\n"):
        file.write_text(text)
        with pytest.raises(ConfigError, match="this is a study, not a trial; run `workbench abla"):
            read(file, None, [], None)


def test_a_problem_whose_value_a_preset_sets_names_the_user_s_file_first(file: Path) -> None:
    text = "study: a\npreset: muzero\nbase: {environment: {name: history, environment: cartpole}}\n"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_study(file)
    assert all(line.startswith(str(file)) for line in str(caught.value).splitlines())
    assert "set by preset 'muzero', line" in str(caught.value)


def test_a_message_is_short_whatever_the_file_holds(file: Path) -> None:
    keys = ", ".join(f"k{'x' * 200}{i}: {'y' * 5000}" for i in range(15))
    found = message(f"study: a\npreset: muzero\nbase: {{{keys}}}\nquestion: {'z' * 9000}\n", file)
    assert max(map(len, found.splitlines())) <= 1000
    many = ", ".join(f"k{i}: 1" for i in range(2000))
    found = message(f"study: a\npreset: muzero\nbase: {{{many}}}\n", file)
    assert len(found.splitlines()) == MOST_PROBLEMS + 1
    assert found.splitlines()[-1] == f"and {2000 - MOST_PROBLEMS} more problems"


LIMITS = {
    "axes": (
        "axes: {"
        + ", ".join(f"a{i}: {{{', '.join(f'v{j}: ' for j in range(10))}}}" for i in range(7))
        + "}",
        "10,000,000 combinations (10 x 10 x 10 x 10 x 10 x 10 x 10); the maximum is 10,000",
    ),
    "aliases": (
        "a0: &a0 [1,2,3,4,5,6,7,8,9,10]\n"
        + "\n".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)),
        "more than 20,000 values, with those of aliases",
    ),
    "nesting": ("a: " + "[" * 90_000, "nested more than 50 levels deep"),
    "size": ("a: " + "[" * 10**6, "is larger than 100,000 bytes, the maximum"),
    "environments": ("base: {procedure.parallel_environments: 1000000000000}", "equal to 100000"),
    "threads": ("base: {threads: 1000000000}", "less than or equal to 1024"),
    "steps": ("base: {procedure.steps: 1" + "0" * 30 + "}", "less than or equal to 1000000000000"),
    "minutes": ("budget: {minutes: 1e-300}", "greater than or equal to 0.01"),
    "budget": ("budget: {steps: 1" + "0" * 30 + "}", "less than or equal to 1000000000000"),
    "seeds": ("axes: {threads: [1, 2, 3]}\nseeds: 10000", "30,000 trials; the maximum is 20,000"),
    "conditions": (
        f"axes: {{planner.simulations: [{', '.join(map(str, range(1, 1200)))}]}}",
        "1,199 conditions; the maximum is 1,000",
    ),
    "board": ("base: {environment: {name: hex, size: 100000}}", "less than or equal to 19"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_file_beyond_a_limit_is_refused_soon_with_the_limit(name: str, file: Path) -> None:
    lines, expected = LIMITS[name]
    started = time.process_time()
    assert expected in message(f"study: a\npreset: muzero\n{lines}\n", file)
    assert time.process_time() - started < 2


def test_a_file_with_a_mistake_is_answered_without_torch(file: Path) -> None:
    file.write_text("study: a\npreset: muzero_hex\nbase: {measures.size_transfer: {}, sed: 1}\n")
    code = (
        "import sys; sys.argv = ['workbench', 'ablate', sys.argv[1], '--dry-run']\n"
        "from workbench.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True)
    assert done.stdout.split() == ["2", "False"], done.stderr
    assert "did you mean 'seed'?" in done.stderr
