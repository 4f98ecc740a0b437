"""A plan's trials, their identities and states, and what is said of it before it runs."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake_trials
import pytest
from rich.console import Console

from ablations.manifest import StudyManifest, locked, read_manifest
from ablations.plan import (
    Plan,
    TrialPlan,
    check_match,
    check_schema,
    make_plan,
    matched_parameters,
    replay_memory,
    replay_sizes,
    seconds_left,
    smallest_p,
)
from ablations.preview import duration, show_plan
from ablations.progress import MatrixDisplay, display
from ablations.status import StudyStatus
from ablations.study import read_study
from workbench.code_version import code_digest, code_files
from workbench.config import SCHEMA_VERSION
from workbench.errors import ConfigError, WorkbenchError
from workbench.record import TrialRecord

Write = Callable[..., Path]

AXES = """\
axes:
  encoder:
    plain: {model.representation: {name: fake_plain, width: 16}}
    other: {model.representation: {width: 17, name: fake_other}}
  planner.simulations: [5, 25, 50]
exclude: [{encoder: other, planner.simulations: 5}]
seeds: [0, 7]
"""


@pytest.fixture
def plan(write: Write, tmp_path: Path) -> Plan:
    return make_plan(read_study(write(AXES)), tmp_path / "outputs")


def test_number_of_trials_is_the_product_without_exclusions(plan: Plan) -> None:
    assert len(plan.trials) == (2 * 3 - 1) * 2
    assert len({trial.id for trial in plan.trials}) == 10
    assert {trial.config.seed for trial in plan.trials} == {0, 7}
    assert all(trial.folder.is_absolute() for trial in plan.trials)


def test_ids_depend_on_contents_and_not_on_their_order(
    plan: Plan, write: Write, tmp_path: Path
) -> None:
    turned = AXES.replace("{width: 17, name: fake_other}", "{name: fake_other, width: 17}")
    turned = turned.replace("[5, 25, 50]", "[50, 25, 5]").replace("[0, 7]", "[7, 0, 8]")
    again = make_plan(read_study(write(turned)), tmp_path / "elsewhere")
    assert {trial.id for trial in plan.trials} < {trial.id for trial in again.trials}
    changed = AXES.replace("width: 17", "width: 18")
    other = make_plan(read_study(write(changed)), tmp_path)
    assert sum(t.id in {o.id for o in other.trials} for t in plan.trials) == 6


def test_identical_conditions_are_an_error(write: Write, tmp_path: Path) -> None:
    text = "axes: {planner: {named: {planner.simulations: 25}, default: {}}}\n"
    with pytest.raises(ConfigError, match="'named' and 'default' are the same trial"):
        make_plan(read_study(write(text)), tmp_path)


def test_missing_trials_run_in_order_of_seeds(plan: Plan) -> None:
    assert [trial.seed for trial in plan.missing()] == [0] * 5 + [7] * 5
    done, failed, partial = plan.trials[:3]
    done.record.finish(fake_trials.finished(done.config, seconds=28, evaluation_seconds=2))
    failed.record.fail("the loss is not finite")
    partial.record.checkpoint.parent.mkdir(parents=True, exist_ok=True)
    partial.record.checkpoint.touch()
    states = list(plan.states().values())
    assert states[:4] == ["done", "failed", "partial", "new"]
    assert len(plan.missing()) == 9
    assert seconds_left(plan.missing(), plan, 3) == pytest.approx(9 * 30 / 3)


def test_trials_of_other_code_or_of_an_earlier_study_are_reported(plan: Plan) -> None:
    def messages() -> str:
        return " ".join(printed(lambda console: show_plan(console, plan, {}, 2, {})).split())

    def version(trial: TrialPlan) -> str:
        return code_digest(code_files(trial.config))

    one, other, third = plan.trials[:3]
    one.record.finish(fake_trials.finished(one.config, code=version(one)))
    assert "another version" not in messages()
    other.record.finish(fake_trials.finished(other.config, code="older"))
    assert "1 of the finished trials comes from another version of the code" in messages()
    third.record.finish(fake_trials.finished(third.config, code=f"older+{version(third)}"))
    assert "2 of the finished trials come from another version of the code" in messages()
    assert "as it was before" not in messages()
    left = fake_trials.finished(one.config)
    TrialRecord(plan.folder / "trials" / "abandoned").finish(left)
    TrialRecord(plan.folder / "trials" / "unfinished").start({})
    assert f"1 finished trial in {plan.folder.name} belong" in messages()


@pytest.mark.parametrize(("seeds", "p"), [(1, 1.0), (3, 0.25), (5, 0.0625), (6, 0.03125)])
def test_smallest_p_equals_that_of_the_exact_sign_flip_test(seeds: int, p: float) -> None:
    assert smallest_p(seeds) == p


def test_declared_sizes_must_agree(write: Write) -> None:
    text = AXES + "match: {part: representation, tolerance: 0.07}\n"
    study = read_study(write(text))
    counts = matched_parameters(study, fake_trials.count_parameters)
    assert counts["plain · simulations=25"] == 160
    assert counts["other · simulations=25"] == 170
    check_match(study, counts)
    strict = read_study(write(text.replace("0.07", "0.06")))
    with pytest.raises(WorkbenchError, match=r"differ by 6\.2%.*plain · simulations=5: 160"):
        check_match(strict, counts)


def test_replay_memory_is_reported_in_the_preview(plan: Plan) -> None:
    names = [condition.name for condition in plan.study.conditions]
    alike = dict.fromkeys(names, (60_000, 4.125))
    text = printed(lambda console: show_plan(console, plan, {}, 2, alike))
    assert (
        "Replay buffer of a trial: 60,000 steps, 4.1 MB; at most 8 MB for 2 trials at once" in text
    )
    differing = alike | {names[0]: (1_000, 12.0)}
    text = " ".join(printed(lambda console: show_plan(console, plan, {}, 2, differing)).split())
    assert f"1,000 steps, 12.0 MB ({names[0]})" in text
    assert "at most 24 MB for 2" in text


def test_replay_size_is_estimated_once_per_configuration_and_checked(
    tmp_path: Path,
) -> None:
    file = tmp_path / "study.yaml"
    head = "study: small\npreset: muzero\nseeds: 2\naxes: {model.dynamics: [mlp, linear]}\n"
    file.write_text(head, encoding="utf-8")
    study, estimated = read_study(file), []

    def estimate(config: Any) -> tuple[int, float]:
        estimated.append(config)
        return replay_memory(config)  # type: ignore[return-value]

    found = replay_sizes(study, estimate)
    assert len(estimated) == 1
    (steps, mb), *rest = found.values()
    assert rest == [(steps, mb)]
    # 27 bits of observation and 9 of legal moves, nine probabilities; then the scalars.
    assert steps == estimated[0].procedure.capacity
    assert mb * 2**20 / steps > 4 + 2 + 9 * 4
    file.write_text(head + "base: {procedure.memory_mb: 0.01}\n", encoding="utf-8")
    with pytest.raises(WorkbenchError, match=r"procedure\.memory_mb: 0\.01 MB hold \d+ steps"):
        replay_sizes(read_study(file))


def test_folder_with_trials_of_another_schema_is_rejected(plan: Plan) -> None:
    check_schema(plan)
    first, second = plan.trials[:2]
    first.record.finish(fake_trials.finished(first.config))
    check_schema(plan)
    second.record.finish(fake_trials.finished(second.config, schema=SCHEMA_VERSION - 1))
    with pytest.raises(WorkbenchError, match=r"1 finished trials of schema .* rename the study"):
        check_schema(plan)


def test_preview_shows_the_plan_and_the_differences(plan: Plan) -> None:
    first = plan.trials[0]
    first.record.finish(fake_trials.finished(first.config, seconds=600))
    text = printed(lambda console: show_plan(console, plan, {}, 2, {}))
    assert "10 trials = 5 conditions x 2 seeds: 9 to run, 1 done" in text
    assert "planner: simulations=25" in text
    assert "model.representation: name=fake_other, width=17" in text
    assert "(exact sign-flip): 0.5" in text
    assert "45 min" in text


@pytest.fixture
def messages(tmp_path: Path) -> Callable[[str], str]:
    """Return the printed plan of a study that starts from the preset `muzero`."""
    file = tmp_path / "study.yaml"

    def messages(text: str) -> str:
        file.write_text(f"study: blind\npreset: muzero\nseeds: 2\n{text}\n", encoding="utf-8")
        plan = make_plan(read_study(file), tmp_path)
        return " ".join(printed(lambda console: show_plan(console, plan, {}, 2, {})).split())

    return messages


def test_preview_warns_about_untrained_heads(messages: Callable[[str], str]) -> None:
    reward = "no loss trains the reward head"
    text = messages("axes: {learned: {all: {}, no: {losses.reward: 0.0}}}")
    assert f"{reward} in no; its predictions" in text
    assert "the value head" not in text
    assert f"{reward}; its predictions" in messages("base: {losses.reward: null}")
    rules = "model.dynamics: 'true', planner.interior_legality: true"
    assert "Warning" not in messages(
        f"base: {{{rules}, losses: {{reward: null, termination: null}}}}"
    )


def test_preview_warns_about_metrics_that_no_trial_measures(
    messages: Callable[[str], str],
) -> None:
    sound = "axes: {planner.simulations: [5, 25]}"
    assert "Warning" not in messages(sound)
    text = messages(f"{sound}\nbase: {{measures.decision: null}}")
    assert "no trial measures the primary metric decision/search_regret_decisive" in text
    assert "add measure 'decision'" in text
    assert "predictive metric" not in text
    text = messages(f"{sound}\nprimary: decision/search_return")
    assert "decision/search_return: measure 'returns' is for single-agent environments" in text
    text = messages("axes: {seen: {all: {}, less: {measures.predictive: null}}}")
    assert "no trial of less measures the predictive metric predictive/value_error" in text
    assert "primary metric" not in text
    assert "Warning" not in messages(f"{sound}\npredictive: predictive/value_error@5")
    text = messages(f"{sound}\npredictive: predictive/value_error@30")
    assert "value_error@30: `measures.predictive.depth` is 5" in text
    environments = "base: {environment: hex}\naxes: {environment.size: [2, 3]}"
    assert (
        "1 of 1 comparisons are between different environments (such as size=2 and size=3)"
        in messages(environments)
    )
    bigger = "environment: {name: hex, size: 5}, measures.decision: null"
    text = messages(f"{sound}\nbase: {{{bigger}}}\nprimary: decision/search_score")
    assert "no trial measures the predictive metric predictive/value_error: its environment" in text
    assert "no oracle" in text
    text = messages(f"{sound}\nbase: {{{bigger}, measures.predictive: null}}")
    assert "decision/search_regret_decisive: measure 'decision' needs exact answers" in text
    assert "add measure 'decision'" not in text
    assert (
        "predictive"
        not in messages(f"{sound}\nbase: {{{bigger}}}\npredictive: predictive/reward_error").split(
            "Warning", 1
        )[1]
    )


def test_status_matrix_shows_every_trial_and_the_time_left(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: clock)
    matrix = MatrixDisplay(plan)
    first, second, third = plan.trials[:3]
    for trial in (first, second, third):
        matrix.started(trial)
    clock = 1010.0
    matrix.progressed(third, "compiling kernels", 0.0, {})
    matrix.progressed(first, "training", 0.1, {})
    assert matrix.left() is None
    clock = 1014.0
    matrix.progressed(first, "measuring", 0.5, {plan.study.primary: 0.25})
    matrix.finished(second, "the loss is not finite")
    text = printed(lambda console: console.print(matrix))
    assert "50%" in text
    assert "2 running, 1 failed, 7 pending" in text
    assert "now: 1 measuring, 1 compiling kernels" in text
    assert "the loss is not finite" in text
    # 0.4 of a trial took 4 s; 8.5 trials are left, two at once.
    assert matrix.left() == pytest.approx(10 * 8.5 / 2)
    assert "about 42 s left (estimate from the first 4 s of training)" in text


def test_progress_is_plain_lines_without_a_terminal(plan: Plan) -> None:
    def follow(console: Console) -> None:
        with display(plan, console) as board:
            assert isinstance(board, StudyStatus)
            board.started(plan.trials[0])
            for phase in ("imports", "compiling kernels", "training", "measuring"):
                board.progressed(plan.trials[0], phase, 0.0, {})
            board.finished(plan.trials[0], None)
            board.started(plan.trials[1])
            board.progressed(plan.trials[1], "imports", 0.0, {})

    lines = printed(follow).splitlines()
    assert lines[0] == f"start  {plan.trials[0].id}  plain · simulations=5 | seed 0"
    assert [line.split()[1:] for line in lines[1:4]] == [
        ["imports"],
        ["compiling", "kernels"],
        ["training"],
    ]
    assert lines[4].endswith("decision/search_regret_decisive not measured")
    assert len(lines) == 6, "only the first trials show their phases"


def test_durations_are_readable() -> None:
    assert [duration(s) for s in (42.4, 720, 11100)] == ["42 s", "12 min", "3 h 05 min"]


def test_manifest_contains_what_analysis_reads(plan: Plan) -> None:
    manifest = StudyManifest(plan, "workbench ablate study.yaml")
    manifest.write()
    manifest.begin()
    manifest.end()
    again = StudyManifest(plan, "workbench ablate study.yaml")
    again.write()
    data = read_manifest(plan.folder)
    assert data["conditions"][1] == {
        "name": "plain · simulations=25",
        "values": {"encoder": "plain", "planner.simulations": "25"},
        "differs": ["planner: simulations=25"],
    }
    assert data["comparisons"][0] == {
        "baseline": "plain · simulations=5",
        "against": "plain · simulations=25",
    }
    assert data["trials"][0]["folder"] == f"trials/{plan.trials[0].id}"
    assert len(data["launches"]) == 1
    assert data["launches"][0]["seconds"] >= 0
    assert (plan.folder / "study.yaml").read_text() == plan.study.file.read_text()


def test_second_launch_of_a_study_is_rejected(tmp_path: Path) -> None:
    with locked(tmp_path):
        second = locked(tmp_path)
        with pytest.raises(WorkbenchError, match="is being run by process"):
            second.__enter__()
    with locked(tmp_path):
        pass


def printed(draw: Callable[[Console], None]) -> str:
    stream = io.StringIO()
    draw(Console(file=stream, width=200))
    return stream.getvalue()
