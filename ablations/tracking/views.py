"""Views of an experiment that MLflow opens by an address, and these addresses."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ablations.tracking.address import Store
from workbench.metrics import spec

TRIALS, CONDITIONS = "trials", "conditions"
"""Names of the two views: one row per trial; charts of the means by condition."""

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 5000


def runs_page(base: str, experiment: str) -> str:
    """Return the address of the table of runs.

    The type of workflow keeps MLflow from its view for language models, which shows no runs.
    """
    return (
        f"{base.rstrip('/')}/#/experiments/{experiment}/runs"
        f"?workflowType=machine_learning&viewStateShareKey={TRIALS}"
    )


def charts_page(base: str, experiment: str) -> str:
    """Return the address of the charts that compare the conditions."""
    return (
        f"{base.rstrip('/')}/#/experiments/{experiment}/runs"
        f"?workflowType=machine_learning&compareRunsMode=CHART&viewStateShareKey={CONDITIONS}"
    )


def invitation(store: Store, experiment: str, study: str) -> list[str]:
    """Return lines that lead to the runs of a study."""
    base = store.page or f"http://{DEFAULT_HOST}:{DEFAULT_PORT}"
    before = "" if store.page else f", after `{_ui_command(store, study)}`"
    return [
        f"\nRuns in MLflow{before}:",
        f"  {runs_page(base, experiment)}",
        "Charts that compare the conditions:",
        f"  {charts_page(base, experiment)}",
    ]


def _ui_command(store: Store, study: str) -> str:
    command = ["workbench", "ui", study]
    if store.file is None:
        command += ["--tracking-uri", store.shown]
    elif store.file.parent != Path("outputs").absolute():
        command += ["--outputs", str(store.file.parent)]
    return shlex.join(command)


def experiment_tags(metrics: Sequence[str]) -> dict[str, str]:
    """Return the tags that choose the view, the primary metric and the columns.

    Args:
        metrics: keys of the metrics to show, the primary metric first; may be empty.
    """
    columns = [*(f"metrics.`{name}`" for name in metrics), "tags.`condition`", "params.`seed`"]
    order: dict[str, Any] = {}
    tags = {"mlflow.experimentKind": "custom_model_development"}
    if metrics:
        primary = metrics[0]
        found = spec(primary)
        higher = found is not None and found.better == "higher"
        tags["mlflow.experiment.primaryMetric.name"] = primary
        tags["mlflow.experiment.primaryMetric.greaterIsBetter"] = str(higher).lower()
        order = {"orderByKey": f"metrics.`{primary}`", "orderByAsc": not higher}
    trials = order | {"selectedColumns": ["attributes.`Source`", *columns]}
    conditions = order | {
        "selectedColumns": columns,
        "groupBy": {
            "aggregateFunction": "average",
            "groupByKeys": [{"mode": "tag", "groupByData": "condition"}],
        },
        "useGroupedValuesInCharts": True,
        "compareRunCharts": [
            chart
            for index, name in enumerate(metrics)
            for chart in (_chart("BAR", name, 2 * index), _chart("LINE", name, 2 * index + 1))
        ],
        "compareRunSections": [_SECTION],
        "isAccordionReordered": True,  # keeps this section first
    }
    for name, view in ((TRIALS, trials), (CONDITIONS, conditions)):
        tags[f"mlflow.sharedViewState.{name}"] = json.dumps(view)
    return tags


_SECTION = {
    "uuid": "conditions",
    "name": "Conditions: means and learning curves",
    "display": True,
    "isReordered": False,
    "deleted": False,
    "isGenerated": False,
}


def _chart(kind: str, metric: str, index: int) -> dict[str, Any]:
    chart = {
        "type": kind,
        "uuid": f"conditions-{index}",
        "metricSectionId": _SECTION["uuid"],
        "isGenerated": False,
        "deleted": False,
        "runsCountToCompare": 20,
        "metricKey": metric,
    }
    if kind == "LINE":
        chart |= {
            "selectedMetricKeys": [metric],
            "xAxisKey": "step",
            "xAxisScaleType": "linear",
            "scaleType": "linear",
            "lineSmoothness": 0,
            "selectedXAxisMetricKey": "",
            "useGlobalLineChartConfig": True,
            "range": {"xMin": None, "xMax": None, "yMin": None, "yMax": None},
        }
    return chart
