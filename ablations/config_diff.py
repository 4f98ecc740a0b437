"""Differences between the configurations of two conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ablations.conditions import Condition
from ablations.study import Study
from workbench.config import dump


def config_diff(study: Study, condition: Condition) -> list[str]:
    """Return the differences to the baseline, one line per component: `planner: simulations=5`."""
    return _differences(
        _flat(dump(study.condition(study.baseline).config)), _flat(dump(condition.config))
    )


def _flat(config: Any, path: str = "") -> dict[str, Any]:
    """Return a configuration as plain data with dotted keys."""
    if isinstance(config, dict):
        items = [
            _flat(value, f"{path}.{key}" if path else str(key)) for key, value in config.items()
        ]
        return {key: value for item in items for key, value in item.items()}
    return {path: config}


def _differences(base: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Missing options are omitted if the component is another one."""
    parts: dict[str, list[str]] = {}
    for key in [*other, *(key for key in base if key not in other)]:
        part, _, name = key.rpartition(".")
        if key not in other and base.get(f"{part}.name") == other.get(f"{part}.name"):
            parts.setdefault(part, []).append(f"without {name}")
        elif key in other and base.get(key, ...) != other[key]:
            parts.setdefault(part, []).append(f"{name}={other[key]}")
    return [f"{part}: {', '.join(changes)}" for part, changes in parts.items()]
