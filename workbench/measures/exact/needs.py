"""What a measure against exact answers needs of an environment; light."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from workbench.components import EnvironmentConfig, MeasureConfig, PlannerConfig

if TYPE_CHECKING:
    from workbench.config import TrialConfig

DEPTH = 5
"""Steps that a model was unrolled, where the procedure does not say."""


def twice_unrolled(trial: TrialConfig) -> int:
    """2K: twice as deep as the model was unrolled when it learned."""
    unrolled: int = getattr(trial.procedure, "unroll", DEPTH)
    return 2 * unrolled


def oracle_misfits(measure: MeasureConfig, environment: EnvironmentConfig) -> Iterator[str]:
    """Raises Misfit where the answers are there to be had, but for a missing package."""
    if environment.spec().oracle:
        environment.check_oracle()
    else:
        yield (
            f"measure '{measure.component}' needs exact answers; environment "
            f"'{environment.component}' as configured has no oracle"
        )


def sequence_misfits(measure: MeasureConfig, environment: EnvironmentConfig) -> Iterator[str]:
    """As `oracle_misfits`, for what real moves are enough for where there are no exact answers."""
    world = environment.spec()
    if world.oracle:
        environment.check_oracle()
    elif world.chance or world.agents != 1:
        yield (
            f"measure '{measure.component}' needs exact answers, or a world of one agent without "
            f"chance nodes; environment '{environment.component}' as configured is neither"
        )


BUDGETS = (2, 5, 10, 25, 50, 100)
"""Simulations of the searches by which finished agents are measured, beside the bare prior."""


def budgets(planner: PlannerConfig) -> list[int]:
    """BUDGETS for a planner that has simulations, else none."""
    return list(BUDGETS) if "simulations" in type(planner).model_fields else []


def search_misfits(measure: MeasureConfig, planner: PlannerConfig) -> Iterator[str]:
    """What a measure that searches with other numbers of simulations needs of the planner."""
    if "simulations" not in type(planner).model_fields:
        yield (
            f"measure '{measure.component}' searches with so many simulations; planner "
            f"'{planner.component}' has none"
        )
