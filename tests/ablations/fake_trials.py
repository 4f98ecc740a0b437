"""Components and a trial that cost nothing, for studies that test how many trials are run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from workbench import registry
from workbench.components import (
    ComponentField,
    EnvironmentConfig,
    Incompatible,
    ModelConfig,
    PlannerConfig,
    Positive,
    ProcedureConfig,
    RepresentationConfig,
)
from workbench.config import SCHEMA_VERSION, TrialConfig, dump, identity
from workbench.errors import TrialStopped
from workbench.record import TrialRecord
from workbench.types import EnvironmentSpec, LatentSpec, ModelSpec


class FakeEnvironment(EnvironmentConfig):
    """An environment without anything in it."""

    kind: ClassVar[str] = "environment"
    component: ClassVar[str] = "fake_world"

    def spec(self) -> EnvironmentSpec:
        return EnvironmentSpec("fake_world", (3, 3, 3), 9)

    def build(self) -> Any:
        raise NotImplementedError


class FakeRepresentation(RepresentationConfig):
    """An encoder with a width and nothing else."""

    kind: ClassVar[str] = "representation"
    component: ClassVar[str] = "fake_plain"
    width: Positive = Field(16, description="channels")

    def latent(self, environment: EnvironmentSpec) -> LatentSpec:
        return LatentSpec("vector", (self.width,))

    def build(self, environment: EnvironmentSpec) -> Any:
        raise NotImplementedError


class OtherRepresentation(FakeRepresentation):
    """Another encoder."""

    component: ClassVar[str] = "fake_other"


class FakeModel(ModelConfig):
    """A model that is its encoder."""

    kind: ClassVar[str] = "model"
    component: ClassVar[str] = "fake_model"
    representation: Annotated[RepresentationConfig, ComponentField("representation")]

    def spec(self, environment: EnvironmentSpec) -> ModelSpec:
        return ModelSpec(self.representation.latent(environment), 9, frozenset({"policy"}))

    def build(self, environment: Any, discount: float, seed: int) -> Any:
        raise NotImplementedError


class FakePlanner(PlannerConfig):
    """A planner that counts, and does not go with wide encoders."""

    kind: ClassVar[str] = "planner"
    component: ClassVar[str] = "fake_planner"
    simulations: Positive = Field(25, description="simulations of one search")

    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        if trial.model.spec(trial.environment.spec()).latent.shape[0] > 1000:
            raise Incompatible(
                "planner 'fake_planner' cannot hold a latent of more than 1000 numbers"
            )
        yield from ()

    def build(self, environment: EnvironmentSpec) -> Any:
        raise NotImplementedError


class FakeProcedure(ProcedureConfig):
    """Behaviour of the fake trial, and its duration."""

    kind: ClassVar[str] = "procedure"
    component: ClassVar[str] = "fake_procedure"
    steps: Positive = Field(100, description="environment steps")
    seconds: float = Field(0.0, description="how long the trial takes")
    behaviour: Literal["works", "raises", "dies", "dies once"] = Field(
        "works", description="how it ends"
    )

    def build(self, parts: Any) -> Any:
        raise NotImplementedError


COMPONENTS = (
    FakeEnvironment,
    FakeRepresentation,
    OtherRepresentation,
    FakeModel,
    FakePlanner,
    FakeProcedure,
)


def register_fakes() -> None:
    for component in COMPONENTS:
        registry.register(component.kind, component.component)(component)


def unregister_fakes() -> None:
    for component in COMPONENTS:
        registry.unregister(component.kind, component.component)


def run_trial(
    config: TrialConfig,
    folder: Path,
    on_measurement: Callable[[float, Mapping[str, float | None]], None] | None = None,
    on_status: Callable[[str, float], None] = lambda activity, fraction: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """A trial with four measurements; every start appends a line to `runs.txt`."""
    procedure = config.procedure
    assert isinstance(procedure, FakeProcedure)
    record = TrialRecord(folder)
    record.start(dump(config))
    runs = folder / "runs.txt"
    runs.write_text((runs.read_text() if runs.exists() else "") + f"{os.getpid()}\n")
    _misbehave(procedure, len(runs.read_text().splitlines()))
    for quarter in range(1, 5):
        on_status("training", (quarter - 1) / 4)
        time.sleep(procedure.seconds / 4)
        if should_stop():
            record.checkpoint.touch()
            raise TrialStopped
        row = {
            "step": procedure.steps * quarter // 4,
            "updates": quarter,
            "decision/search_regret_decisive": 0.4 / quarter + 0.01 * config.seed,
            "predictive/value_error": 0.2 / quarter,
            "predictive/value_error@3": 0.3 / quarter,
        }
        record.append(row, {"step": row["step"], "updates": quarter, "seconds": 0.1})
        record.progress(quarter / 4, row)
        if on_measurement is not None:
            on_measurement(quarter / 4, row)
    result = finished(config, seconds=procedure.seconds, threads=os.environ.get("OMP_NUM_THREADS"))
    record.finish(result)
    return result


def finished(config: TrialConfig, **more: Any) -> dict[str, Any]:
    """Return the result of a trial of that configuration."""
    return {
        "id": identity(config), "schema": SCHEMA_VERSION, "steps": 100, "updates": 4,
        "metrics": {}, **more,
    }  # fmt: skip


def _misbehave(procedure: FakeProcedure, started: int) -> None:
    if procedure.behaviour == "raises":
        raise ArithmeticError("the loss is not finite")
    if procedure.behaviour == "dies" or (procedure.behaviour == "dies once" and started == 1):
        os._exit(9)


def count_parameters(config: TrialConfig) -> dict[str, int]:
    """As many as the encoder is wide, times ten."""
    model = config.model
    assert isinstance(model, FakeModel)
    assert isinstance(model.representation, FakeRepresentation)
    count = 10 * model.representation.width
    return {"representation": count, "dynamics": 50, "prediction": 50, "total": count + 100}
