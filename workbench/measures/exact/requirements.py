"""Requirements of measures against exact solutions. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.components import EnvironmentConfig, MeasureConfig, PlannerConfig


def oracle_incompatibilities(
    measure: MeasureConfig, environment: EnvironmentConfig
) -> Iterator[str]:
    """Yield missing oracles. Raises Incompatible if an oracle exists but its package is missing."""
    if environment.spec().oracle:
        environment.check_oracle()
    else:
        yield (
            f"measure '{measure.component}' needs exact answers; environment "
            f"'{environment.component}' as configured has no oracle"
        )


BUDGETS = (2, 5, 10, 25, 50, 100)
"""Numbers of simulations at which finished agents are measured, in addition to the prior alone."""


def budgets(planner: PlannerConfig) -> list[int]:
    """Return BUDGETS for a planner with simulations, else none."""
    return list(BUDGETS) if "simulations" in type(planner).model_fields else []


def search_incompatibilities(measure: MeasureConfig, planner: PlannerConfig) -> Iterator[str]:
    """Yield the reasons why a planner cannot search with other numbers of simulations."""
    if "simulations" not in type(planner).model_fields:
        yield (
            f"measure '{measure.component}' searches with so many simulations; planner "
            f"'{planner.component}' has none"
        )
