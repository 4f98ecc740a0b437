"""Runs, metrics, parameters and artifacts in a real MLflow store, written from trials' folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.tracking._tracking_service import utils as mlflow_client
from tracked_study import HASH, PREDICTIVE, PRIMARY, row, trial_id, write_study, write_trial

from ablations.tracking.address import own_store
from ablations.tracking.connection import connect
from ablations.tracking.experiment import PARENT, open_experiment
from ablations.tracking.metric_rows import METRICS_PER_RUN, NewRows, shown_metrics
from ablations.tracking.study import read_tracked_study
from ablations.tracking.sync import Synced, bring_up_to_date
from ablations.tracking.tracker import Tracker, open_tracker
from ablations.tracking.trial_runs import TrialRuns
from workbench.metrics import METRICS


def client_of(folder: Path) -> MlflowClient:
    return connect(own_store(folder.parent / "mlflow.db"))[0]


def sync(folder: Path, report: list[Path] | None = None) -> Synced:
    store = own_store(folder.parent / "mlflow.db")
    return bring_up_to_date(read_tracked_study(folder), store, report or [])


def track(folder: Path) -> Tracker:
    return open_tracker(read_tracked_study(folder), own_store(folder.parent / "mlflow.db"))


def runs_of(folder: Path) -> dict[str, list[Run]]:
    """All runs of the study by name; a launch is named `launch`."""
    client = client_of(folder)
    experiment = client.get_experiment_by_name("small")
    found: dict[str, list[Run]] = {}
    for run in client.search_runs([experiment.experiment_id]):
        found.setdefault(run.info.run_name.split(" 20")[0], []).append(run)
    return found


def test_sync_writes_runs_with_metrics_params_dataset_and_artifacts(folder: Path) -> None:
    assert sync(folder).runs == 4
    runs = runs_of(folder)
    assert sorted(runs) == ["a | seed 0", "a | seed 1", "b | seed 0", "b | seed 1", "launch"]
    (run,) = runs["b | seed 1"]
    (launch,) = runs["launch"]
    assert run.info.status == "FINISHED"
    assert run.data.params == {"planner.simulations": "b", "seed": "1"}
    assert run.data.tags[PARENT] == launch.info.run_id
    assert run.data.metrics[PRIMARY] == pytest.approx(0.4)
    assert run.info.end_time - run.info.start_time >= 3000
    (dataset,) = run.inputs.dataset_inputs
    assert dataset.dataset.name == "tic_tac_toe evaluation set"
    assert dataset.dataset.digest == "7bef92ae04c4782a"
    files = {file.path for file in client_of(folder).list_artifacts(run.info.run_id)}
    assert files == {"config.yaml", "result.json"}


def test_launch_has_condition_means_parameters_and_origin(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USER", "ada")
    monkeypatch.setenv("LOGNAME", "ada")
    sync(folder)
    (launch,) = runs_of(folder)["launch"]
    assert launch.data.metrics == pytest.approx({
        f"mean/{PRIMARY}/a": 0.15, f"mean/{PRIMARY}/b": 0.35,
        f"mean/{PREDICTIVE}/a": 0.075, f"mean/{PREDICTIVE}/b": 0.175,
    })  # fmt: skip
    assert launch.data.params["primary"] == PRIMARY
    assert launch.data.params["axis planner.simulations"] == "a, b"
    assert launch.data.tags["mlflow.user"] == "ada"
    assert launch.data.tags["mlflow.source.name"] == "small.yaml"
    assert launch.data.tags["trials.done"] == "4"
    assert launch.inputs.dataset_inputs[0].dataset.digest == "7bef92ae04c4782a"


def test_experiment_opens_as_model_training_with_its_primary_metric(folder: Path) -> None:
    sync(folder)
    tags = client_of(folder).get_experiment_by_name("small").tags
    assert tags["mlflow.experimentKind"] == "custom_model_development"
    assert tags["mlflow.experiment.primaryMetric.name"] == PRIMARY
    assert tags["mlflow.experiment.primaryMetric.greaterIsBetter"] == "false"
    view = json.loads(tags["mlflow.sharedViewState.conditions"])
    assert view["groupBy"]["groupByKeys"] == [{"mode": "tag", "groupByData": "condition"}]


def test_second_sync_writes_nothing(folder: Path) -> None:
    sync(folder)
    before = runs_of(folder)
    assert sync(folder).runs == 0
    after = runs_of(folder)
    assert {n: len(r) for n, r in after.items()} == {n: len(r) for n, r in before.items()}
    client, (run,) = client_of(folder), after["a | seed 0"]
    assert [m.step for m in client.get_metric_history(run.info.run_id, PRIMARY)] == [0, 1000, 2000]


def test_sync_restores_a_deleted_store(folder: Path, template: Path) -> None:
    sync(folder)
    shutil.copyfile(template, folder.parent / "mlflow.db")
    assert sync(folder).runs == 4
    assert len(runs_of(folder)["b | seed 0"]) == 1


def test_resumed_trial_is_one_run_without_repeated_rows(folder: Path) -> None:
    trial = folder / "trials" / "a0"
    (trial / "result.json").unlink()
    rows = [row(0, 0, 0.9), row(1000, 20, 0.5), row(1088, 20, 0.4), row(2000, 40, 0.1)]
    write_trial(trial, rows[:2], done=False)
    a0: Any = SimpleNamespace(id=trial_id(trial))
    first = track(folder)
    first.started(a0)
    first.close("KILLED")
    (run,) = runs_of(folder)["a | seed 0"]
    assert run.info.status == "KILLED"

    second = track(folder)
    second.started(a0)
    (run,) = runs_of(folder)["a | seed 0"]
    assert run.info.status == "RUNNING"
    write_trial(trial, rows)
    second.finished(a0, None)
    second.close("FINISHED")
    (run,) = runs_of(folder)["a | seed 0"]
    assert run.info.status == "FINISHED"
    assert (
        run.data.tags[PARENT]
        == max(runs_of(folder)["launch"], key=lambda one: one.info.start_time).info.run_id
    )
    history = client_of(folder).get_metric_history(run.info.run_id, PRIMARY)
    assert [(m.step, m.value) for m in history] == [(0, 0.9), (1000, 0.5), (1088, 0.4), (2000, 0.1)]


def test_rows_are_new_by_content_and_not_by_updates(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    rows = [row(0, 0, 0.9), row(1024, 12, 0.5), row(1088, 12, 0.5)]
    lines = [json.dumps(one) + "\n" for one in rows]
    new = NewRows(file)
    file.write_text("".join(lines[:2]))
    assert [one["step"] for one in new.new()] == [0, 1024]
    file.write_text(lines[0])
    assert new.new() == []
    file.write_text("".join(lines))
    assert [one["step"] for one in new.new()] == [1088]


def test_limit_counts_measured_metrics_only() -> None:
    last = [*METRICS][-40:]
    measured = ["training/loss", "training/value", "decision/losing_lines", PRIMARY, *last]
    shown = shown_metrics([*measured, "predictive/value_error@3"], [PRIMARY, "decision/none"])
    assert {"training/loss", "training/value", "decision/losing_lines", PRIMARY} <= set(shown)
    assert "predictive/value_error@3" not in shown
    others = [
        n for n in shown if not n.startswith(("training/", "decision/losing")) and n != PRIMARY
    ]
    assert len(others) == METRICS_PER_RUN
    assert shown_metrics(["predictive/value_error@3"], ["predictive/value_error@3"])


def test_moved_folder_takes_its_artifacts_along(folder: Path, tmp_path: Path) -> None:
    sync(folder)
    moved = tmp_path / "elsewhere" / "results"
    moved.parent.mkdir()
    shutil.move(folder.parent, moved)
    mlflow_client._artifact_repos_cache.clear()  # as in the process of the next launch
    write_trial(moved / "small" / "trials" / "a0", [row(0, 0, 0.9), row(3000, 60, 0.05)])
    assert sync(moved / "small").runs == 1
    assert not folder.parent.exists()
    runs = runs_of(moved / "small")
    assert [len(found) for found in runs.values()] == [1] * 5
    for found in runs.values():
        assert found[0].info.artifact_uri.startswith((moved / "mlartifacts").as_uri())
    (run,) = runs["b | seed 0"]
    assert client_of(moved / "small").list_artifacts(run.info.run_id)


def test_path_with_characters_of_addresses(template: Path, tmp_path: Path) -> None:
    outputs = tmp_path / "o%41 b#c?d é"
    outputs.mkdir()
    shutil.copyfile(template, outputs / "mlflow.db")
    folder = write_study(outputs / "small")
    assert sync(folder).runs == 4
    (run,) = runs_of(folder)["a | seed 0"]
    assert [*(outputs / "mlartifacts").rglob("config.yaml")]
    assert client_of(folder).list_artifacts(run.info.run_id)
    assert sorted(path.name for path in tmp_path.iterdir()) == [outputs.name]


def test_report_is_kept_with_its_folders(folder: Path) -> None:
    report = folder / "report"
    for name in ("index.html", "figures/curve.png", "tables/main.csv"):
        (report / name).parent.mkdir(parents=True, exist_ok=True)
        (report / name).write_text("<body><a href='figures/curve.png'>curve</a></body>")
    sync(folder, [report / "index.html", report / "figures/curve.png", report / "tables/main.csv"])
    (launch,) = runs_of(folder)["launch"]
    kept = folder.parent / "mlartifacts" / "small" / launch.info.run_id / "artifacts" / "report"
    found = {path.relative_to(kept).as_posix() for path in kept.rglob("*") if path.is_file()}
    assert found == {"index.html", "figures/curve.png", "tables/main.csv"}


def test_measures_of_evaluate_arrive_on_the_run_of_the_trial(folder: Path) -> None:
    sync(folder)
    evaluation = folder / "trials" / "a0" / "evaluation"
    evaluation.mkdir()
    values = {"decision/search_exploitability": 0.3, PRIMARY: 0.7, "decision/search_regret[x=1]": 1}
    stated = {"levels": {}, "counts": {}, "evaluation_set": {"hash": HASH}, "code": "0"}
    (evaluation / "exploitability.json").write_text(json.dumps({"metrics": values} | stated))
    assert sync(folder).runs == 1
    (run,) = runs_of(folder)["a | seed 0"]
    assert run.data.metrics["decision/search_exploitability"] == 0.3
    assert run.data.metrics[PRIMARY] == pytest.approx(0.1), "values of the training take precedence"


def test_failing_store_stops_no_trial_and_sync_catches_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = track(folder)
    a0: Any = SimpleNamespace(id=trial_id(folder / "trials" / "a0"))

    def fail(*arguments: object, **options: object) -> None:
        raise ConnectionError("the server at http://ada:secret@host is gone\nsecond line")

    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "log_batch", fail)
        broken.setattr(MlflowClient, "set_terminated", fail)
        tracker.started(a0)
        tracker.finished(a0, None)
        tracker.close("FINISHED")
        (warning,) = tracker.warnings
    assert "`workbench sync small`" in warning
    assert "secret" not in warning
    assert "second line" not in warning
    sync(folder)
    runs = runs_of(folder)
    assert [len(found) for found in runs.values()] == [1] * 5
    assert {found[0].info.status for name, found in runs.items() if name != "launch"} == {
        "FINISHED"
    }


def test_damaged_trial_keeps_no_other_out(folder: Path) -> None:
    metrics = folder / "trials" / "a1" / "metrics.jsonl"
    metrics.unlink()
    metrics.mkdir()
    synced = sync(folder)
    assert (synced.runs, synced.failed) == (4, 0)
    assert PRIMARY not in runs_of(folder)["a | seed 1"][0].data.metrics


def test_runs_of_dead_launches_are_ended_but_not_those_of_other_folders(
    folder: Path, tmp_path: Path, template: Path
) -> None:
    elsewhere = write_study(tmp_path / "other" / "small")
    store = own_store(folder.parent / "mlflow.db")
    for one in (folder, elsewhere):
        study = read_tracked_study(one)
        client, _ = connect(store)
        experiment = open_experiment(client, store, study)
        TrialRuns(experiment, None).update(study.trials[0], running=True)
    # From another folder, only runs that name this folder are its own.
    client, _ = connect(store)
    assert open_experiment(client, store, read_tracked_study(elsewhere)).close_stale_runs() == 1
    assert open_experiment(client, store, read_tracked_study(folder)).close_stale_runs() == 1
