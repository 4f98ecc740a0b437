"""Resolved configurations of the conditions, as their trials stored them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from analysis.formatting import count, join_names
from analysis.frames import StudyResults
from workbench.config_diff import as_written, config_diff, flat
from workbench.record import CONFIG, TrialRecord


@lru_cache(maxsize=2)
def configurations(results: StudyResults) -> dict[str, dict[str, Any]]:
    """Return the configuration of each condition that has a started trial, without its seed."""
    found: dict[str, dict[str, Any]] = {}
    for entry in results.study["trials"]:
        if entry["condition"] not in found:
            config = _read(results.folder / entry["folder"] / CONFIG)
            config.pop("seed", None)
            if config:
                found[entry["condition"]] = config
    return {name: found[name] for name in results.conditions if name in found}


def _read(path: Path) -> dict[str, Any]:
    """Return the contents of a configuration file; empty if it is missing or damaged."""
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return config if isinstance(config, dict) else {}


def baseline(results: StudyResults) -> str:
    """Return the condition that the others are compared with: the declared one, or the first."""
    declared = results.study.get("baseline")
    return str(declared) if declared in results.conditions else results.conditions[0]


def differences(results: StudyResults) -> dict[str, list[str]]:
    """Return each condition's differences from the baseline, one line per section.

    Conditions without a started trial are left out, and all if the baseline has none.
    """
    configs = configurations(results)
    base = configs.get(baseline(results))
    if base is None:
        return {}
    return {name: config_diff(base, config) for name, config in configs.items()}


def unplanned_trials(results: StudyResults) -> list[str]:
    """Return a notice if finished trials in the study's folder are not part of the study."""
    planned = {entry["folder"] for entry in results.study["trials"]}
    parents = {(results.folder / folder).parent for folder in planned}
    known = configurations(results)
    seeds: set[int] = set()
    others = 0
    for trial in sorted(trial for parent in parents for trial in parent.glob("*/")):
        if trial.relative_to(results.folder).as_posix() in planned:
            continue
        if TrialRecord(trial).state() != "done":
            continue
        config = _read(trial / CONFIG)
        seed = config.pop("seed", None)
        if seed is not None and config in known.values():
            seeds.add(seed)
        else:
            others += 1
    notices = []
    if seeds:
        covered = join_names([str(seed) for seed in results.study.get("seeds", [])])
        notices.append(
            f"This report covers seeds {covered}. Finished trials of seeds "
            f"{join_names([str(seed) for seed in sorted(seeds)])} are not part of it, because the "
            "last launch planned fewer seeds; `workbench ablate` with `--seeds` includes them."
        )
    if others:
        notices.append(
            f"{count(others, 'finished trial')} in the folder of the study belong to no current "
            "condition and are not part of this report."
        )
    return notices


def configuration_frame(results: StudyResults) -> pd.DataFrame:
    """Return the resolved value of every option: one row per dotted key, one column per condition.

    A cell is empty if the condition has no such option.
    """
    columns = {name: flat(config) for name, config in configurations(results).items()}
    keys = dict.fromkeys(key for column in columns.values() for key in column)
    cells = {
        name: [as_written(column[key]) if key in column else "" for key in keys]
        for name, column in columns.items()
    }
    return pd.DataFrame({"key": [*keys], **cells} if keys else {})
