"""The checks of a contract find each way to break it, and say how."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import Field
from torch import Tensor, nn

from tests.cli.test_cli import run
from workbench.components import Config
from workbench.contract_check.check import run_checks
from workbench.contract_check.contract import contract
from workbench.registry import component, register, unregister
from workbench.types import Target


def base(kind: str, name: str) -> Any:
    return component(kind, name)


@contextmanager
def registered(kind: str, cls: type) -> Iterator[Any]:
    register(kind, "broken")(cls)
    try:
        yield cls
    finally:
        unregister(kind, "broken")


def failures(kind: str, cls: Any) -> dict[str, str]:
    with registered(kind, cls):
        results = list(run_checks(contract(cls, imports=False)))
    return {result.promise: result.failure for result in results if result.failure}


def broken(kind: str, like: str, **attributes: Any) -> Any:
    """A component that differs from a component of the workbench in some attributes."""
    described = {"__doc__": "A component that breaks its contract.", "__module__": __name__}
    return type("Broken", (base(kind, like),), described | attributes)


def encoder(module: Any) -> Any:
    return broken("representation", "mlp", build=lambda self, environment: module(self.latent_size))


class Encoder(nn.Module):
    """A linear encoder of tic-tac-toe, which subclasses break."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.layer = nn.Linear(27, size)

    def forward(self, seen: Tensor) -> Tensor:
        latent: Tensor = self.layer(seen.flatten(1))
        return latent


class UnusedParameter(Encoder):
    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.unused = nn.Linear(2, 2)


class MixedRows(Encoder):
    def forward(self, seen: Tensor) -> Tensor:
        latent = super().forward(seen)
        return latent - latent.mean(0) * latent.std(1, keepdim=True)


class Counting(Encoder):
    calls: Tensor

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, seen: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(seen)


class GlobalRandom(Encoder):
    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.layer.weight.data += float(torch.empty(()).uniform_(generator=SHARED))


SHARED = torch.Generator().manual_seed(0)


class TrainingNoise(Encoder):
    def forward(self, seen: Tensor) -> Tensor:
        latent = super().forward(seen)
        return latent + torch.linspace(0, 1, latent.shape[1]) if self.training else latent


@pytest.mark.parametrize(
    ("module", "promise", "reason"),
    [
        (
            UnusedParameter,
            "the gradient reaches every trainable parameter",
            "parameter representation.unused.weight gets no gradient (broken + mlp + mlp on",
        ),
        (MixedRows, "a batch gives the same as its rows one by one", "row 0 alone differs by"),
        (
            Counting,
            "inference changes neither outputs nor weights",
            "running it changed representation.calls",
        ),
        (
            TrainingNoise,
            "inference changes neither outputs nor weights",
            "outputs in evaluation mode differ",
        ),
        (
            GlobalRandom,
            "equal seeds give equal weights",
            "representation.layer.weight differs between two models of one seed",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_fault_of_a_representation_is_found(module: Any, promise: str, reason: str) -> None:
    found = failures("representation", encoder(module))
    assert found[promise].startswith(reason)


def test_sound_encoder_passes() -> None:
    assert failures("representation", encoder(Encoder)) == {}


def test_wrong_shape_ends_the_checks() -> None:
    cls = broken("representation", "mlp", build=lambda self, environment: Encoder(97))
    assert failures("representation", cls) == {
        "a model can use it": "representation 'broken' returned [B, 97], declared [B, 96]"
    }


def test_exception_of_a_component_is_a_failure_with_its_place() -> None:
    def build(self: Any, environment: Any) -> nn.Module:
        raise KeyError("width")

    (failure,) = failures("representation", broken("representation", "mlp", build=build)).values()
    assert failure.startswith("KeyError: 'width' (")
    assert "test_contract_check.py:" in failure


def test_undocumented_component_and_options_are_found() -> None:
    class Undocumented(base("decoder", "mlp")):  # type: ignore[misc]
        hidden: int = 3
        rate: float = Field(0.5, description="a rate")

    found = failures("decoder", Undocumented)
    assert found == {"its docstring and its options are described": "Undocumented has no docstring"}
    Undocumented.__doc__ = "A decoder with an option that nothing describes."
    (reason,) = failures("decoder", Undocumented).values()
    assert reason == "options without a description: Undocumented.hidden"


def test_option_without_default_is_found() -> None:
    class Required(base("decoder", "mlp")):  # type: ignore[misc]
        """A decoder with an option that has no default."""

        size: int = Field(description="a size")

    assert failures("decoder", Required) == {
        "every option has a default": "options without a default: size"
    }


def test_component_of_another_kind_is_found() -> None:
    cls = broken("decoder", "mlp")
    register("dynamics", "broken")(cls)
    try:
        (result,) = run_checks(contract(cls, imports=False))
    finally:
        unregister("dynamics", "broken")
    assert result.failure == "Broken is no subclass of DynamicsConfig"


def test_faults_of_targets_and_losses_are_found() -> None:
    def one_step(self: Any) -> Any:
        return lambda window, context: Target(torch.zeros(12, 1), torch.ones(12, 1))

    def nowhere(self: Any) -> Any:
        return lambda window, context: Target(torch.zeros(12, 4), torch.zeros(12, 4))

    found = failures("target", broken("target", "outcome", build=one_step))
    assert set(found.values()) == {"its mask has shape [12, 1], not [12, 4]"}
    found = failures("target", broken("target", "outcome", build=nowhere))
    assert set(found.values()) == {"its mask is 0 everywhere"}
    negative = lambda self, model: lambda unroll, targets, plan: -torch.ones(12, 4)  # noqa: E731
    assert failures("loss", broken("loss", "value", build=negative)) == {
        "it is finite and not negative": "it is negative"
    }
    constant = lambda self, model: lambda unroll, targets, plan: torch.ones(12, 4)  # noqa: E731
    assert failures("loss", broken("loss", "value", build=constant)) == {
        "it is 0 where its targets are masked": "it is not 0 where its targets are masked",
        "it gives the model a gradient": "it carries no gradient",
    }
    missing = broken("loss", "value", targets=frozenset({"surprise"}))
    assert failures("loss", missing) == {
        "a model and targets give its inputs": "no target component makes surprise"
    }


@pytest.mark.parametrize("value", ["0.5", float("nan"), torch.ones(2)])
def test_measure_that_returns_no_number_is_found(value: Any) -> None:
    sound = base("measure", "exploitability")

    class Measure:
        def __init__(self, parts: Any) -> None:
            self.info = sound().build(parts).info

        def __call__(self, agent: Any, planner: Any) -> dict[str, Any]:
            return {"decision/mine": value}

    cls = broken("measure", "exploitability", build=lambda self, parts: Measure(parts))
    found = failures("measure", cls)
    assert found["its metrics are numbers with known names"].startswith("'decision/mine' is ")


def test_environment_with_a_reward_after_the_end_is_found() -> None:
    sound = base("environment", "cartpole")

    def build(self: Any) -> Any:
        environment = sound.build(self)
        step = environment.step

        def generous(state: Any, action: Any, generator: Any) -> Any:
            state, transition = step(state, action, generator)
            transition.reward.fill_(1.0)
            return state, transition

        environment.step = generous
        environment.spec = self.spec()
        return environment

    cls = broken("environment", "cartpole", build=build)
    assert failures("environment", cls) == {
        "its steps follow the specification": "a step after the end has a reward"
    }


def test_command_shows_one_line_per_check_and_exits_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "light_encoder.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    cls = encoder(UnusedParameter)
    cls.__module__ = "light_encoder"
    with registered("representation", cls):
        assert run(monkeypatch, "check", "representation.broken") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "representation broken"
    assert "  ok        every option has a default" in lines
    (failed,) = (line for line in lines if line.startswith("  failed"))
    assert "the gradient reaches every trainable parameter: parameter representation.unu" in failed
    assert lines[-1] == "14 checks, 1 failed"
    assert run(monkeypatch, "check", "mlpp") == 2
    assert "did you mean 'mlp'?" in capsys.readouterr().err


def test_heavy_import_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "heavy_encoder.py").write_text("import networkx\n")
    monkeypatch.syspath_prepend(tmp_path)
    cls = encoder(Encoder)
    cls.__module__ = "heavy_encoder"
    with registered("representation", cls):
        checks = [c for c in contract(cls) if c.promise == "its module imports nothing heavy"]
    (result,) = run_checks(checks)
    assert "heavy_encoder imports networkx; import heavy packages inside" in result.failure


def test_nested_record_is_described_too() -> None:
    class Inner(Config):
        """Options of a decoder."""

        size: int = 3

    class WithRecord(base("decoder", "mlp")):  # type: ignore[misc]
        """A decoder with a nested record of options."""

        inner: Inner = Field(default_factory=Inner, description="more options")

    (reason,) = failures("decoder", WithRecord).values()
    assert reason == "options without a description: Inner.size"
