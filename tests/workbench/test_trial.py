"""Complete trials: reproducibility by seed, stopping, resuming, results."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.workbench.fakes import TINY, trial
from workbench.components import LossConfig
from workbench.config import TrialConfig, identity
from workbench.errors import TrialDiverged, TrialStopped, WorkbenchError
from workbench.record import TrialRecord, read_rows
from workbench.registry import register, unregister
from workbench.training import checkpoint
from workbench.trial import build, run_trial

QUICK = {**TINY, "measures": {"predictive": None, "decision": None}}
"""A trial without measures. Its rows hold training statistics, which depend on every weight."""


class Killed(Exception):
    """Simulates the death of the process."""


def quick(changes: Mapping[str, Any] = {}) -> TrialConfig:
    return trial(changes, base=QUICK)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    learner = state["procedure"]["learner"]
    averaged = learner["average"]["model"] if learner["average"] else {}
    return {**learner["model"], **{f"average/{k}": v for k, v in averaged.items()}}


def assert_same_trial(one: Path, other: Path) -> None:
    assert (one / "metrics.jsonl").read_bytes() == (other / "metrics.jsonl").read_bytes()
    mine, theirs = weights(one), weights(other)
    assert mine.keys() == theirs.keys()
    for name in mine:
        assert torch.equal(mine[name], theirs[name]), name


def run_with_kills(config: TrialConfig, folder: Path, kill_at: list[int]) -> None:
    """Run to the end in several runs; run i dies in measurement `kill_at[i]`, counted from 1."""
    for nth in kill_at:
        count = 0

        def report(fraction: float, metrics: Mapping[str, Any], nth: int = nth) -> None:
            nonlocal count
            count += 1
            if count == nth:
                raise Killed

        with pytest.raises(Killed):
            run_trial(config, folder, report)
        assert TrialRecord(folder).state() == "partial"
    run_trial(config, folder)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    run_trial(quick(), folder)
    return folder


def test_status_is_reported_before_each_activity(tmp_path: Path) -> None:
    statuses: list[tuple[str, float]] = []
    reported: list[int] = []

    def report(fraction: float, metrics: Any) -> None:
        reported.append(len(statuses))

    config = quick({"measures.decision": {}})
    run_trial(config, tmp_path, report, lambda *status: statuses.append(status))
    activities = [activity for activity, _ in statuses]
    assert activities[0] == "preparing measure 'decision'"
    assert all(activities[at - 1] == "measuring" for at in reported)
    assert activities[-1] == "measuring"
    assert "training" in activities[reported[0] : reported[-1]]
    fractions = [fraction for _, fraction in statuses]
    assert fractions == sorted(fractions)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "model.dynamics": "true",
            "planner.interior_legality": True,
            "losses.reward": None,
            "losses.termination": None,
            "procedure.ema_decay": 0.0,
        },
        {
            "model.representation": {"name": "gcn", "edges": "shuffled", "latent_kind": "nodes"},
            "model.dynamics": {"name": "gcn", "edges": "shuffled", "backend": "sparse"},
            "procedure.optimiser": {"name": "sgd", "learning_rate": 0.01, "max_gradient_norm": 1.0},
        },
    ],
    ids=["muzero", "alphazero", "graphs"],
)
def test_equal_seeds_give_identical_trials_and_different_seeds_do_not(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        run_trial(quick({**changes, "seed": seed}), tmp_path / name)
    assert_same_trial(tmp_path / "a", tmp_path / "b")
    text = [(tmp_path / name / "metrics.jsonl").read_text() for name in "ac"]
    assert text[0] != text[1]


def test_equal_seeds_give_equal_metrics(tmp_path: Path) -> None:
    results = [run_trial(trial(), tmp_path / name) for name in "ab"]
    assert_same_trial(tmp_path / "a", tmp_path / "b")
    rows = read_rows(tmp_path / "a" / "metrics.jsonl")
    assert len(rows) == 4
    assert "decision/search_regret" in rows[0]
    assert "predictive/value_error@2" in rows[0]
    last = {k: v for k, v in rows[-1].items() if k not in ("step", "updates")}
    assert results[0]["metrics"] == last
    assert results[0]["evaluation_set"] == results[1]["evaluation_set"]


def test_initial_weights_depend_on_the_seed_only() -> None:
    first, again, other = (build(quick({"seed": s})).model.state_dict() for s in (1, 1, 2))
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not any(torch.equal(first[k], other[k]) for k in first if "weight" in k)


def test_shared_parts_of_different_models_start_with_equal_weights() -> None:
    models = [
        build(quick({"model.representation": {"name": name, "latent_size": 8}})).model
        for name in ("mlp", "cnn", "gcn")
    ]
    for part in ("dynamics", "prediction"):
        states = [model.parts()[part].state_dict() for model in models]
        for state in states[1:]:
            assert all(torch.equal(states[0][k], state[k]) for k in state)


@pytest.mark.parametrize("kills", [[2], [1, 1], [2, 1], [3]], ids=str)
def test_killed_and_resumed_trial_equals_uninterrupted_trial(
    tmp_path: Path, uninterrupted: Path, kills: list[int]
) -> None:
    run_with_kills(quick(), tmp_path, kills)
    assert_same_trial(tmp_path, uninterrupted)


def test_trial_killed_in_last_measurement_equals_uninterrupted_trial(
    tmp_path: Path, uninterrupted: Path
) -> None:
    rows = read_rows(uninterrupted / "metrics.jsonl")
    run_with_kills(quick(), tmp_path, [len(rows)])
    assert_same_trial(tmp_path, uninterrupted)
    mine, whole = (TrialRecord(f).result() for f in (tmp_path, uninterrupted))
    assert mine is not None
    assert whole is not None
    assert mine["metrics"] == whole["metrics"]


@pytest.mark.parametrize("every", [2, 7])
def test_trial_stopped_between_measurements_loses_nothing(
    tmp_path: Path, uninterrupted: Path, every: int
) -> None:
    stops = 0
    while not TrialRecord(tmp_path).result():
        calls: list[None] = []

        def should_stop(calls: list[None] = calls) -> bool:
            calls.append(None)
            return len(calls) > every

        with contextlib.suppress(TrialStopped):
            run_trial(quick(), tmp_path, should_stop=should_stop)
        stops += 1
    assert stops > len(read_rows(tmp_path / "metrics.jsonl"))
    assert_same_trial(tmp_path, uninterrupted)


def test_rows_after_the_checkpoint_and_a_partial_last_line_are_removed(
    tmp_path: Path, uninterrupted: Path
) -> None:
    # Killed before the checkpoint of two more rows was saved; the second row is half written.
    with pytest.raises(Killed):
        run_trial(quick(), tmp_path, _killer(2))
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 999, "updates": 99}\n{"step": 1000, "upd')
    run_trial(quick(), tmp_path)
    assert_same_trial(tmp_path, uninterrupted)


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_kill_between_row_and_checkpoint_duplicates_no_row(
    tmp_path: Path, uninterrupted: Path, nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The last two measurements differ in their steps, but not in their updates.
    rows = read_rows(uninterrupted / "metrics.jsonl")
    assert len(rows) == 4
    assert rows[-1]["updates"] == rows[-2]["updates"]
    saved, save = [], checkpoint.save

    def killed_save(path: Path, state: dict[str, Any]) -> None:
        saved.append(path)
        if len(saved) == nth:
            raise Killed
        save(path, state)

    monkeypatch.setattr(checkpoint, "save", killed_save)
    with pytest.raises(Killed):
        run_trial(quick(), tmp_path)
    monkeypatch.undo()
    run_trial(quick(), tmp_path)
    assert_same_trial(tmp_path, uninterrupted)


def _killer(nth: int) -> Any:
    left = [nth]

    def report(fraction: float, metrics: Mapping[str, Any]) -> None:
        left[0] -= 1
        if not left[0]:
            raise Killed

    return report


def test_folder_of_another_trial_is_refused_and_unchanged(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        run_trial(quick({"seed": 9}), tmp_path, _killer(2))
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(WorkbenchError, match="folder of its own"):
        run_trial(quick(), tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    finished = run_trial(quick({"seed": 9}), tmp_path)
    with pytest.raises(WorkbenchError, match=finished["id"]):
        run_trial(quick(), tmp_path)


def test_damaged_result_is_rebuilt_from_the_checkpoint(tmp_path: Path) -> None:
    whole = run_trial(quick(), tmp_path)
    (tmp_path / "result.json").write_text('{"id": "')
    assert TrialRecord(tmp_path).state() == "partial"
    again = run_trial(quick(), tmp_path)
    assert again["metrics"] == whole["metrics"]


def test_damaged_checkpoint_begins_the_trial_anew_with_a_warning(
    tmp_path: Path, uninterrupted: Path
) -> None:
    with pytest.raises(Killed):
        run_trial(quick(), tmp_path, _killer(2))
    checkpoint = TrialRecord(tmp_path).checkpoint
    data = bytearray(checkpoint.read_bytes())
    data[len(data) // 2] ^= 1
    checkpoint.write_bytes(data)
    statuses: list[str] = []
    result = run_trial(quick(), tmp_path, on_status=lambda status, _: statuses.append(status))
    assert_same_trial(tmp_path, uninterrupted)
    (lost,) = result["damage"]
    assert lost.startswith(f"{checkpoint}: is damaged: ")
    assert lost.endswith("; the trial started again")
    assert f"Warning: {lost}" in statuses


@pytest.mark.parametrize("damage", [b"", b"PK", b"{}"], ids=["empty", "cut", "foreign"])
def test_checkpoint_that_is_not_whole_begins_the_trial_anew(
    tmp_path: Path, uninterrupted: Path, damage: bytes
) -> None:
    TrialRecord(tmp_path).checkpoint.write_bytes(damage)
    assert len(run_trial(quick(), tmp_path)["damage"]) == 1
    assert_same_trial(tmp_path, uninterrupted)


@pytest.mark.parametrize("line", [0, 1])
@pytest.mark.parametrize("damage", [b"\xff", b"[1]", b"", b"1"], ids=["byte", "list", "", "text"])
def test_rows_damaged_before_resuming_are_named_and_the_others_stay(
    tmp_path: Path, uninterrupted: Path, line: int, damage: bytes
) -> None:
    with pytest.raises(Killed):
        run_trial(quick(), tmp_path, _killer(3))
    path = tmp_path / "metrics.jsonl"
    lines = path.read_bytes().splitlines()
    step = json.loads(lines[line])["step"]
    changed = lines[line].replace(b": ", b":  ", 1) if damage == b"1" else damage
    path.write_bytes(b"\n".join([*lines[:line], changed, *lines[line + 1 :]]) + b"\n")
    result = run_trial(quick(), tmp_path)
    whole = read_rows(uninterrupted / "metrics.jsonl")
    assert read_rows(path) == [*whole[:line], *whole[line + 1 :]]
    (lost,) = result["damage"]
    assert lost.startswith(f"{path}: lost the row of step {step}, ")


def test_lost_row_of_the_last_checkpoint_is_measured_again(
    tmp_path: Path, uninterrupted: Path
) -> None:
    shutil.copytree(uninterrupted, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "metrics.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    (tmp_path / "result.json").unlink()
    result = run_trial(quick({}), tmp_path)
    assert len(read_rows(path)) == len(lines)
    assert len(result["damage"]) == 1
    assert result["steps"] == read_rows(path)[-1]["step"]


def test_rows_are_on_the_disk_before_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    fsync = os.fsync

    def recorded(descriptor: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recorded)
    with pytest.raises(Killed):
        run_trial(quick(), tmp_path, _killer(1))
    rows = [name for name in flushed if name.endswith(".jsonl") or "checkpoint" in name][-3:]
    assert rows[:2] == ["metrics.jsonl", "timing.jsonl"]
    assert rows[2].startswith(".checkpoint.pt")


def test_finished_trial_is_not_run_again(tmp_path: Path) -> None:
    first = run_trial(quick(), tmp_path)
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in tmp_path.iterdir()}

    def report(fraction: float, metrics: Mapping[str, Any]) -> None:
        raise AssertionError("a finished trial was measured again")

    assert run_trial(quick(), tmp_path, report) == first
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in tmp_path.iterdir()} == before


def test_result_describes_the_trial(tmp_path: Path, uninterrupted: Path) -> None:
    result = TrialRecord(uninterrupted).result()
    assert result is not None
    rows = read_rows(uninterrupted / "metrics.jsonl")
    assert result["id"] == identity(quick())
    assert result["steps"] == rows[-1]["step"] >= 600
    assert result["updates"] == rows[-1]["updates"]
    # Layer sizes: encoder 27 -> 8 -> 8; dynamics 8 -> 8 -> 8 with nine action embeddings; heads
    # 8 -> 8 -> 9 + 3 and 8 -> 8 -> 3 + 1.
    encoder, dynamics = 27 * 8 + 8 + 8 * 8 + 8, 2 * (8 * 8 + 8) + 9 * 8
    heads = 2 * (8 * 8 + 8) + 12 * 9 + 4 * 9
    assert result["parameters"] == {
        "representation": encoder,
        "dynamics": dynamics,
        "prediction": heads,
        "total": encoder + dynamics + heads,
    }
    assert result["notes"] == []


def test_result_notes_untrained_heads(tmp_path: Path) -> None:
    result = run_trial(quick({"losses.reward": None, "procedure.steps": 200}), tmp_path)
    (note,) = result["notes"]
    assert "no loss trains the reward head" in note


def test_progress_goes_from_0_to_1(tmp_path: Path) -> None:
    seen: list[float] = []
    run_trial(quick(), tmp_path, lambda fraction, _: seen.append(fraction))
    assert seen[0] == 0.0
    assert seen[-1] == 1.0
    assert seen == sorted(seen)
    assert TrialRecord(tmp_path).last_progress()["fraction"] == 1.0


@pytest.mark.parametrize(
    "changes",
    [
        {"procedure.optimiser.learning_rate": 1e30, "procedure.ema_decay": 0.0},
        {
            "procedure.optimiser": {"name": "sgd", "learning_rate": 1e20},
            "procedure.ema_decay": 0.0,
            "model.latent_norm": "none",
            "procedure.batch_size": 64,
        },
        {"procedure.optimiser.learning_rate": 1e30, "procedure.ema_decay": 0.9},
        {
            "procedure.optimiser.learning_rate": 1e30,
            "procedure.ema_decay": 0.0,
            "planner": "policy",
        },
    ],
    ids=["several updates per step", "one update in four steps", "averaged", "without search"],
)
def test_exploding_training_raises_trial_diverged(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(TrialDiverged):
        run_trial(quick(changes), tmp_path)
    assert TrialRecord(tmp_path).result() is None


def test_nan_loss_raises_trial_diverged_and_is_named(
    tmp_path: Path,
) -> None:
    @register("loss", "broken")
    class Broken(LossConfig):
        """Not a number."""

        def build(self, model: Any) -> Any:
            return lambda unroll, targets, plan: unroll.heads.value * float("nan")

    try:
        with pytest.raises(TrialDiverged, match="broken nan"):
            run_trial(quick({"losses.broken": 1.0}), tmp_path)
    finally:
        unregister("loss", "broken")


def test_frozen_encoder_is_unchanged_and_the_rest_is_trained(tmp_path: Path) -> None:
    config = quick({"model.representation": {"name": "random", "latent_size": 8, "width": 8}})
    before = build(config).model.state_dict()
    run_trial(config, tmp_path)
    after = weights(tmp_path)
    for name, value in before.items():
        same = torch.equal(after[name], value)
        assert same == name.startswith("representation"), name
        assert torch.equal(after[f"average/{name}"], value) == same


def test_unroll_length_zero_trains(tmp_path: Path) -> None:
    result = run_trial(quick({"procedure.unroll": 0}), tmp_path)
    assert result["updates"] > 0


def test_order_of_losses_changes_neither_identity_nor_weights(
    tmp_path: Path, uninterrupted: Path
) -> None:
    config = quick()
    order = dict(reversed(config.losses.items()))
    reordered = config.model_copy(update={"losses": order})
    assert identity(reordered) == identity(config)
    run_trial(reordered, tmp_path)
    mine, theirs = weights(tmp_path), weights(uninterrupted)
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_config_yaml_holds_the_complete_configuration(uninterrupted: Path) -> None:
    from workbench import documents
    from workbench.config import read_trial

    assert read_trial(documents.load(uninterrupted / "config.yaml")) == quick()


def test_rows_are_json_with_step_and_updates(uninterrupted: Path) -> None:
    lines = (uninterrupted / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert rows[0]["updates"] == 0
    assert all({"step", "updates"} <= set(row) for row in rows)
    assert sorted(row["updates"] for row in rows) == [row["updates"] for row in rows]
    assert sorted({row["step"] for row in rows}) == [row["step"] for row in rows]
