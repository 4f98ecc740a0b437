"""Which metrics of a trial MLflow shows, under which names, and which rows are new."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workbench.metrics import METRICS
from workbench.record import read_rows

METRICS_PER_RUN = 25
"""Maximum number of metrics that training and evaluation each give to a run.

More make MLflow's charts slow; the trial's folder has all. Training losses, losing lines and the
metrics that the study declares always arrive and do not count.
"""

COUNTERS = ("step", "updates")

_ALWAYS = ("training/", "decision/losing_lines")


def shown_metrics(measured: Iterable[str], declared: Iterable[str]) -> list[str]:
    """Return the metrics to show of those that were measured, in order of importance.

    Args:
        measured: names of the measured metrics; names by depth or coordinate are shown only if they
            are declared.
        declared: names that the study declares as primary and predictive metric.
    """
    names = dict.fromkeys(measured)
    always = [name for name in declared if name in names]
    always += [name for name in names if name.startswith(_ALWAYS) and name not in always]
    always = [name for name in always if name in declared or not re.search(r"[@\[]", name)]
    others = [name for name in METRICS if name in names and name not in always]
    return [*always, *others[:METRICS_PER_RUN]]


def key(name: str) -> str:
    """Return a name without characters that MLflow refuses."""
    return re.sub(r"[^\w\-. :/]", "_", name, flags=re.ASCII)


class NewRows:
    """Reads the rows of a file that were not read before.

    A trial that resumes after a crash removes rows and writes the same ones again. Neither the step
    nor the number of updates tells them from new rows: the last row of a trial may repeat one of
    them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: set[str] = set()
        self.names: dict[str, None] = {}
        """Names of all metrics in the rows read so far."""

    def new(self) -> list[dict[str, Any]]:
        """Return the new rows, in the order of the file."""
        found = []
        for row in read_rows(self._path):
            content = json.dumps(row, sort_keys=True)
            if "step" in row and content not in self._known:
                self._known.add(content)
                self.names |= dict.fromkeys(name for name in row if name not in COUNTERS)
                found.append(row)
        return found
