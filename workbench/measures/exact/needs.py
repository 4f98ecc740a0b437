"""What a measure against exact answers needs of an environment; light."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.components import EnvironmentConfig, MeasureConfig


def oracle_misfits(measure: MeasureConfig, environment: EnvironmentConfig) -> Iterator[str]:
    """Raises Misfit where the answers are there to be had, but for a missing package."""
    if environment.spec().oracle:
        environment.check_oracle()
    else:
        yield (
            f"measure '{measure.component}' needs exact answers; environment "
            f"'{environment.component}' as configured has no oracle"
        )
