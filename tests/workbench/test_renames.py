"""Former names of keys, components and metrics, in files of older schemas."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workbench.fakes import problems_of
from workbench import renames
from workbench.components import Config
from workbench.metrics import METRICS, parse
from workbench.registry import FOLDERS, components


def config_classes() -> dict[str, type[Config]]:
    """Return all configuration classes in use, their bases and nested records, by name."""
    found: dict[str, type[Config]] = {}
    waiting: list[Any] = [cls for kind in FOLDERS for cls in components(kind).values()]
    while waiting:
        cls = waiting.pop()
        if not (isinstance(cls, type) and issubclass(cls, Config)) or cls.__name__ in found:
            continue
        found[cls.__name__] = cls
        waiting += [*cls.__mro__, *(field.annotation for field in cls.model_fields.values())]
    return found


@pytest.mark.parametrize("name", renames.KEYS)
def test_current_keys_exist_and_former_keys_do_not(name: str) -> None:
    fields = config_classes()[name].model_fields
    for former, current in renames.KEYS[name].items():
        assert current in fields
        assert former not in fields


def test_current_components_exist_and_former_ones_do_not() -> None:
    for (kind, former), current in renames.COMPONENTS.items():
        assert current in components(kind)
        assert former not in components(kind)


def test_current_metrics_exist_and_former_ones_do_not() -> None:
    for former, current in renames.METRICS.items():
        assert current in METRICS
        assert former not in METRICS


@pytest.mark.parametrize(
    ("line", "key", "current"),
    [
        ("procedure.opening.fraction: 0.5", "procedure.opening", "random_start"),
        ("procedure.random_start: {moves: 3}", "procedure.random_start.moves", "max_actions"),
        ("procedure.average: 0.9", "procedure.average", "ema_decay"),
        ("model.representation: {name: cnn, ends_in: grid}", "model.representation.ends_in",
         "latent_kind"),
        ("measures.blindfold: {}", "measures.blindfold", "open_loop_play"),
        ("measures.relevant_error: {}", "measures.relevant_error", "decision_weighted_error"),
    ],
)  # fmt: skip
def test_a_former_key_is_answered_with_line_and_current_name(
    line: str, key: str, current: str
) -> None:
    (problem,) = [p for p in problems_of(f"preset: muzero\n{line}\n") if key in p]
    assert ":2: " in problem
    assert f"renamed to `{current}`" in problem


def test_stored_results_get_current_names_of_metrics_and_levels() -> None:
    stored = {
        "primary": "decision/worsened",
        "metrics": {"decision/blindfold_return[every=3]": 1.0, "predictive/value_error@2": 0.5},
        "levels": {"predictive/decodable_ridge": {"chance": 0.0, "oracle": 1.0}},
        "counts": {"predictive/relevant_error": [7]},
    }
    current = renames.with_current_names(stored)
    assert current == {
        "primary": "decision/worsened_rate",
        "metrics": {"decision/open_loop_return[interval=3]": 1.0, "predictive/value_error@2": 0.5},
        "levels": {"predictive/probe_r2_linear": {"naive": 0.0, "oracle": 1.0}},
        "counts": {"predictive/decision_weighted_error": [7]},
    }
    assert renames.with_current_names(current) == current
    assert all(parse(name).metric in METRICS for name in current["metrics"])
