"""Differences between the configurations of two conditions."""

from __future__ import annotations

from ablations.conditions import Condition
from ablations.study import Study
from workbench.config import dump
from workbench.config_diff import config_diff


def differences(study: Study, condition: Condition) -> list[str]:
    """Return the differences to the baseline, one line per section: `planner: simulations=5`."""
    return config_diff(dump(study.condition(study.baseline).config), dump(condition.config))
