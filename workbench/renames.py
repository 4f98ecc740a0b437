"""Former names of configuration keys, components and metrics, for files of older schemas.

A former name in a configuration is an error that states the current name. Stored results keep their
former metric names on disk; `with_current_names` translates them when they are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

KEYS: Mapping[str, Mapping[str, str]] = {
    "SelfPlay": {
        "opening": "random_start",
        "average": "ema_decay",
        "batch": "batch_size",
        "games": "parallel_environments",
        "sequence": "sequence_length",
        "terminal": "past_end",
    },
    "RandomStartConfig": {"moves": "max_actions"},
    "TemperatureConfig": {"moves": "sampled_actions"},
    "OptimiserConfig": {"decay": "learning_rate_decay", "clip": "max_gradient_norm"},
    "DepthD": {"most_leaves": "max_leaves"},
    "Ensemble": {"of": "member", "members": "size"},
    "Perturbed": {"size": "noise_scale"},
    "BoardEncoder": {"ends_in": "latent_kind"},
    "BoardDynamics": {"action": "action_encoding"},
    "History": {"of": "environment"},
    "NextLatent": {"of": "network"},
    "Latents": {"cases": "samples"},
    "MonteCarlo": {"walk": "walk_length"},
    "MatchOptions": {"opening": "opening_moves"},
    "OpenLoopPlay": {"every": "observation_intervals"},
}
"""For each configuration class, the current name of each former key. Subclasses inherit them."""

COMPONENTS: Mapping[tuple[str, str], str] = {
    ("measure", "blindfold"): "open_loop_play",
    ("measure", "relevant_error"): "decision_weighted_error",
}
"""For each (kind, former name) of a component, its current name."""

METRICS: Mapping[str, str] = {
    "predictive/relevant_error": "predictive/decision_weighted_error",
    "predictive/decodable_ridge": "predictive/probe_r2_linear",
    "predictive/decodable_hidden": "predictive/probe_r2_mlp",
    "decision/blindfold_return": "decision/open_loop_return",
    "decision/blindfold_score": "decision/open_loop_score",
    "decision/worsened": "decision/worsened_rate",
}
"""For each former metric name, its current name."""

REVERSED: Mapping[str, str] = {
    "decision/regret_owed": "decision/substitution_effect",
    "decision/regret_attributed": "decision/substitution_effect",
}
"""For each former metric of the opposite sign, its current name.

Its coordinate `part=left` was another quantity, the remaining regret; that reading keeps its name.
"""

_METRIC = re.compile(r"^[^@\[]+")


def renamed_key(schema: type, key: str) -> str | None:
    """Return the current name of a former key of a configuration class; None if it has none."""
    names = (KEYS.get(cls.__name__, {}).get(key) for cls in schema.__mro__)
    return next((name for name in names if name is not None), None)


def current_metric(name: str) -> str:
    """Return a reading's name, `metric@depth[coordinate=value]`, with its current metric name."""
    found = _METRIC.match(name)
    former = found.group() if found else name
    current = METRICS.get(former, former) + name[len(former) :]
    return current.replace("[every=", "[interval=") if former in METRICS else current


def with_current_names(stored: Any) -> Any:
    """Return a copy of stored results (plain JSON data) with current names of metrics and levels.

    Results with current names are returned unchanged.
    """
    if isinstance(stored, list):
        return [with_current_names(item) for item in stored]
    if not isinstance(stored, dict):
        return stored
    renamed = dict(_current_item(key, item) for key, item in stored.items())
    if "levels" in renamed:
        levels = {name: _current_levels(level) for name, level in renamed["levels"].items()}
        renamed["levels"] = levels
    for key in ("primary", "predictive"):
        if isinstance(renamed.get(key), str):
            renamed[key] = current_metric(renamed[key])
    return renamed


def _current_item(key: str, item: Any) -> tuple[str, Any]:
    former, bracket, coordinates = key.partition("[")
    if bracket and former in REVERSED and "part=left," not in coordinates:
        return f"{REVERSED[former]}[{coordinates}", None if item is None else -item
    return current_metric(key), with_current_names(item)


def _current_levels(level: Mapping[str, float | None]) -> dict[str, float | None]:
    return {"naive" if kind == "chance" else kind: value for kind, value in level.items()}
