"""What a measure against exact answers needs of an environment; light."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.components import EnvironmentConfig, MeasureConfig, PlannerConfig


def oracle_misfits(measure: MeasureConfig, environment: EnvironmentConfig) -> Iterator[str]:
    """Raises Misfit where the answers are there to be had, but for a missing package."""
    if environment.spec().oracle:
        environment.check_oracle()
    else:
        yield (
            f"measure '{measure.component}' needs exact answers; environment "
            f"'{environment.component}' as configured has no oracle"
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
