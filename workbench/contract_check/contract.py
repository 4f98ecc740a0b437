"""The contract of a component: all checks of its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from workbench.components import (
    ComponentConfig,
    DecoderConfig,
    DynamicsConfig,
    EnvironmentConfig,
    LossConfig,
    MeasureConfig,
    ModelConfig,
    PlannerConfig,
    PredictionConfig,
    ProcedureConfig,
    RepresentationConfig,
    TargetConfig,
)
from workbench.contract_check.check import Check, require
from workbench.contract_check.declarations import declaration_checks, import_check
from workbench.contract_check.environments import environment_checks
from workbench.contract_check.measures import measure_checks
from workbench.contract_check.models import part_checks
from workbench.contract_check.planners import planner_checks
from workbench.contract_check.systems import system_checks
from workbench.contract_check.training import loss_checks, procedure_checks, target_checks

KINDS: Mapping[str, tuple[type[ComponentConfig], Callable[[Any], Iterator[Check]]]] = {
    "environment": (EnvironmentConfig, environment_checks),
    "representation": (RepresentationConfig, part_checks),
    "dynamics": (DynamicsConfig, part_checks),
    "prediction": (PredictionConfig, part_checks),
    "decoder": (DecoderConfig, part_checks),
    "model": (ModelConfig, system_checks),
    "planner": (PlannerConfig, planner_checks),
    "loss": (LossConfig, loss_checks),
    "target": (TargetConfig, target_checks),
    "procedure": (ProcedureConfig, procedure_checks),
    "measure": (MeasureConfig, measure_checks),
}
"""For each kind, the base class of its components and their checks."""


def contract(cls: type[ComponentConfig], imports: bool = True) -> Iterator[Check]:
    """Yield all checks of a component.

    Args:
        cls: the configuration class of the component.
        imports: whether to check, in a new process, what the module of the class imports.
    """
    base, checks = KINDS[cls.kind]

    def is_of_its_kind() -> None:
        require(issubclass(cls, base), f"{cls.__name__} is no subclass of {base.__name__}")

    yield Check(f"it is a {base.__name__}", is_of_its_kind, needed=True)
    yield from declaration_checks(cls)
    if imports:
        yield import_check(cls)
    yield from checks(cls)
