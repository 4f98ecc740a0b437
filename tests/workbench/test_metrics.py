"""Names of metrics and readings."""

from __future__ import annotations

import pytest

from workbench.metrics import METRICS, Reading, parse, spec


@pytest.mark.parametrize(
    ("name", "reading"),
    [
        ("decision/regret", Reading("decision/regret")),
        ("predictive/value_error@3", Reading("predictive/value_error", 3)),
        ("a/b[source=uniform]", Reading("a/b", None, {"source": "uniform"})),
        ("a/b@10[x=1,y=two]", Reading("a/b", 10, {"x": "1", "y": "two"})),
    ],
)
def test_reading_round_trips_through_its_name(name: str, reading: Reading) -> None:
    assert parse(name) == reading
    assert str(reading) == name


def test_invalid_reading_is_rejected() -> None:
    with pytest.raises(ValueError, match="metric@depth"):
        parse("a/b@three")


def test_spec_finds_the_metric_of_a_reading() -> None:
    value = METRICS["predictive/value_error"]
    for name in ("", "@2", "@2[source=oracle]", "[source=oracle]"):
        assert spec(f"predictive/value_error{name}") is value
    assert spec("predictive/value") is None


def test_every_metric_is_fully_declared() -> None:
    for name, metric in METRICS.items():
        assert metric.name == name
        assert name.split("/")[0] == metric.family
        assert metric.title
        assert metric.description.endswith(".")
        assert metric.version >= 1
