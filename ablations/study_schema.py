"""JSON Schema of study files, for editors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ablations.comparisons import MOST_SEEDS
from ablations.study import NAME, Budget, Header, Match
from workbench.config_schema import (
    DIALECT,
    Schema,
    closed,
    definitions,
    option_entries,
    overrides,
    preset_schema,
)
from workbench.metrics import METRICS

SCALAR: Schema = {"type": ["string", "number", "boolean"]}
AXIS_NAME: Schema = {"pattern": r"^[\w.\-]+$"}
OVERRIDES: Schema = {"$ref": "#/$defs/overrides"}


def study_schema() -> Schema:
    """Return the JSON Schema of a study file."""
    entries = option_entries(Header)
    for name, schema in _keys().items():
        entries[name] = schema | {"description": DESCRIPTIONS[name]}
    title = {"$schema": DIALECT, "title": "Study of the workbench"}
    trial = overrides({"preset": preset_schema()})
    return {
        **title,
        **closed(entries),
        "required": ["study"],
        "$defs": {"overrides": trial, **definitions()},
    }


DESCRIPTIONS: Mapping[str, str] = {
    "study": "name of the study, and of its folder: a to z, 0 to 9, `_` and `-`",
    "question": "the question that the study answers",
    "preset": "the configuration that every trial starts from",
    "base": "overrides for all trials",
    "axes": "for each axis, a list of values for the key that names it, or named overrides",
    "exclude": "combinations to leave out, as patterns {axis: value}",
    "seeds": "number of seeds, or a list of them; all conditions share them",
    "baseline": "the condition that the others are compared with",
    "comparisons": "pairs of conditions to compare; by default each with the baseline",
    "primary": "the decision metric that answers the question",
    "predictive": "the predictive metric that is compared with the primary one",
    "match": "a part of the model whose number of parameters agrees in all conditions",
    "budget": "environment steps per trial, and minutes per launch",
}


def _keys() -> dict[str, Schema]:
    """Return the schemas of the keys that are read without a class."""
    pattern = {"type": "object", "additionalProperties": SCALAR, "minProperties": 1}
    condition = {"anyOf": [SCALAR, pattern]}
    pair = closed({"baseline": condition, "against": condition})
    seed = {"type": "integer", "minimum": 0}
    count = {"type": "integer", "minimum": 1, "maximum": MOST_SEEDS}
    return {
        "study": {"type": "string", "pattern": f"^{NAME}$"},
        "question": {"type": "string"},
        "preset": preset_schema(),
        "base": {"anyOf": [OVERRIDES, {"type": "null"}]},
        "axes": {"type": "object", "propertyNames": AXIS_NAME, "additionalProperties": _axis()},
        "exclude": {"type": "array", "items": pattern},
        "seeds": {"anyOf": [count, {"type": "array", "items": seed, "minItems": 1}]},
        "baseline": condition,
        "comparisons": {"type": "array", "items": pair},
        "primary": _metric("decision"),
        "predictive": _metric("predictive"),
        "match": closed(option_entries(Match)),
        "budget": closed(option_entries(Budget)),
    }


def _axis() -> Schema:
    values = {"type": "array", "items": SCALAR, "minItems": 1}
    overlay = {"anyOf": [OVERRIDES, {"type": "null"}]}
    named = {"type": "object", "additionalProperties": overlay, "minProperties": 1}
    return {"anyOf": [values, named]}


def _metric(family: str) -> dict[str, Any]:
    """Return a schema for a metric's name, and for one at a depth or under coordinates."""
    names = [name for name, spec in METRICS.items() if spec.family == family]
    inside = "|".join(map(re.escape, names))
    return {"anyOf": [{"enum": names}, {"type": "string", "pattern": rf"^({inside})[@\[]"}]}
