"""Helpers of the fakes: registration for one test, and small configurations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from workbench import registry
from workbench.config import TrialConfig, read_trial
from workbench.documents import wrap
from workbench.errors import SourceLocation
from workbench.trial import run_trial


@pytest.fixture
def enrol() -> Iterator[Callable[..., None]]:
    """`enrol(kind, name, class)`, forgotten again after the test."""
    enrolled: list[tuple[str, str]] = []

    def add(kind: str, name: str, cls: Any) -> None:
        registry.register(kind, name)(cls)
        enrolled.append((kind, name))

    yield add
    for kind, name in enrolled:
        registry.unregister(kind, name)


@pytest.fixture
def configure() -> Callable[..., TrialConfig]:
    """A trial's configuration from an overlay on the preset, small enough for a test."""

    def build(**overlay: Any) -> TrialConfig:
        small = {
            "preset": "muzero",
            "procedure.steps": 256,
            "procedure.parallel_environments": 16,
            "procedure.batch_size": 8,
            "procedure.warm_up": 16,
            "procedure.replay_ratio": 0.5,
            "evaluate_every": 8,
        } | ({} if "planner" in overlay else {"planner.simulations": 4})
        dotted = {key.replace("__", "."): value for key, value in overlay.items()}
        return read_trial(wrap(small | dotted, SourceLocation("test")))

    return build


@pytest.fixture
def assemble() -> Callable[..., TrialConfig]:
    """A trial's configuration from its sections, without a preset."""

    def build(**sections: Any) -> TrialConfig:
        return read_trial(
            wrap({"planner": "policy", "evaluate_every": 50} | sections, SourceLocation("test"))
        )

    return build


def component(base: type, **methods: Any) -> Any:
    """A configuration class of a fake, with the given methods and no options."""
    return type(base.__name__, (base,), {"__doc__": "A fake.", "__module__": __name__, **methods})


class Stopped(Exception):
    """Raised to end a trial in the middle, instead of a kill."""


def run_in_two(config: TrialConfig, folder: Path) -> dict[str, Any]:
    """Run a trial that is stopped past its middle, and again to its end."""

    def stop(fraction: float, row: Any) -> None:
        if fraction > 0.5:
            raise Stopped

    with pytest.raises(Stopped):
        run_trial(config, folder, stop)
    return run_trial(config, folder)
