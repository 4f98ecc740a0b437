"""Checks of a measure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any

import torch

from workbench import metrics
from workbench.components import MeasureConfig
from workbench.contract_check.check import Check, ContractViolation, require
from workbench.contract_check.scenes import BOARD, control_scene, game_scene, read
from workbench.contracts import TrialParts
from workbench.registry import built_in
from workbench.trial import build


def measure_checks(cls: type[MeasureConfig]) -> Iterator[Check]:
    """Yield the checks of a measure with default options."""
    run: list[_MeasureRun] = []

    def is_compatible() -> None:
        run.append(_MeasureRun(cls(), _parts(cls())))

    yield Check("it measures an agent", is_compatible, needed=True)
    yield Check("it gives the same numbers again", lambda: run[0].repeats())
    yield Check("its metrics are numbers with known names", lambda: run[0].has_known_metrics())
    yield Check("it changes neither agent nor random streams", lambda: run[0].changes_nothing())


def _parts(config: MeasureConfig) -> TrialParts:
    """Return the first trial of the check that the measure is compatible with."""
    reasons: list[str] = []
    makers: tuple[Callable[[], TrialParts], ...] = (
        lambda: game_scene().parts,
        lambda: control_scene().parts,
        lambda: build(read({}, BOARD)),
    )
    for make in makers:
        parts = make()
        found = [*config.incompatibilities(parts.config)]
        if not found:
            return parts
        reasons += found
    raise ContractViolation(f"no trial of the check is compatible with it: {'; '.join(reasons)}")


class _MeasureRun:
    """Two runs of a measure on one agent, with everything that they might have changed."""

    def __init__(self, config: MeasureConfig, parts: TrialParts) -> None:
        self.name, self.parts = config.component, parts
        self._before = self._state()
        measure: Any = config.build(parts)
        self.rows = [measure(parts.model, parts.planner) for _ in range(2)]
        self.info = measure.info()
        require(
            self.rows[0] or measure.details(parts.model, parts.planner),
            "it returns neither metrics nor details",
        )

    def _state(self) -> dict[str, torch.Tensor]:
        held = {f"weights {k}": v for k, v in self.parts.model.state_dict().items()}
        held |= {f"random stream {k}": v for k, v in self.parts.streams.state_dict().items()}
        return {key: value.clone() for key, value in held.items()}

    def repeats(self) -> None:
        one, other = self.rows
        different = [key for key in one if one[key] != other.get(key)]
        require(one == other, f"two runs on one agent differ in {', '.join(different[:3])}")

    def has_known_metrics(self) -> None:
        for metric, value in self.rows[0].items():
            number = isinstance(value, int | float) and isfinite(value)
            require(
                value is None or number,
                f"'{metric}' is {value!r}; a finite number, or None if undefined, is allowed",
            )
            reading = metrics.parse(metric)
            spec = metrics.spec(metric)
            if spec is None and self.name not in built_in("measure"):
                continue  # a plug-in cannot add to the specifications
            require(spec is not None, f"'{metric}' has no specification in workbench/metrics.py")
            assert spec is not None
            require(set(reading.at) <= set(spec.by), f"'{metric}' has unspecified coordinates")
            require(reading.depth is None or spec.by_depth, f"'{metric}' is not given by depth")
            require(
                metric != spec.name or spec.measure == self.name,
                f"'{metric}' is specified as a metric of measure '{spec.measure}'",
            )
            require(
                not spec.naive or "naive" in self.info.levels[metric],
                f"'{metric}' lacks its naive level",
            )

    def changes_nothing(self) -> None:
        after = self._state()
        changed = [key for key in self._before if not torch.equal(self._before[key], after[key])]
        require(not changed, f"it changed {', '.join(changed[:3])}")
