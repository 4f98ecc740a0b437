"""Steps against the optimiser's formula."""

from __future__ import annotations

import subprocess
import sys
from typing import Literal

import pytest
import torch
from torch import Generator

from workbench.config import read_trial
from workbench.documents import wrap
from workbench.errors import SourceLocation
from workbench.training.learner import Optimisers
from workbench.training.settings import OptimiserConfig
from workbench.trial import build


def test_adamw_step_does_not_depend_on_the_memory_format() -> None:
    """The fused step reads weights and gradients in the order in which they lie."""
    overlay = {
        "preset": "muzero",
        "model.representation": {"name": "cnn", "width": 4, "depth": 2, "latent_kind": "grid"},
        "model.dynamics": "conv",
    }
    model = build(read_trial(wrap(overlay, SourceLocation("test")))).model
    parameters = list(model.parameters())
    assert any(not weight.is_contiguous() for weight in parameters)
    generator = Generator().manual_seed(0)
    latent = model.represent(torch.randn(5, 3, 3, 3, generator=generator), generator)
    unroll = model.unroll(latent, torch.arange(5)[:, None], generator, 1.0)
    loss = unroll.heads.value.square().sum() + unroll.heads.policy.square().sum()
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    before = [weight.detach().clone() for weight in parameters]

    rate, decay = 0.01, 0.1
    settings = OptimiserConfig(learning_rate=rate, weight_decay=decay)
    Optimisers({"all": (parameters, settings)}).step("all", loss)

    for weight, old, gradient in zip(parameters, before, gradients, strict=True):
        if gradient is None:
            assert torch.equal(weight, old)
        else:
            # The first step of Loshchilov & Hutter 2019: m / sqrt(v) is the gradient's sign.
            moved = old * (1 - rate * decay) - rate * gradient / (gradient.abs() + 1e-8)
            assert torch.allclose(weight, moved, atol=1e-6)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_steps_equal_torch_across_a_checkpoint(name: Literal["adamw", "sgd"]) -> None:
    rate, decay, start = 0.05, 0.1, torch.linspace(-1, 1, 12).view(3, 4)
    settings = OptimiserConfig(name=name, learning_rate=rate, weight_decay=decay)
    own, reference = start.clone().requires_grad_(), start.clone().requires_grad_()
    theirs: torch.optim.Optimizer = (
        torch.optim.AdamW([reference], lr=rate, weight_decay=decay, fused=True)
        if name == "adamw"
        else torch.optim.SGD([reference], lr=rate, momentum=0.9, weight_decay=decay)
    )
    optimisers = Optimisers({"all": ([own], settings)})
    for step in range(6):
        if step == 3:
            saved = optimisers.state_dict()
            assert saved["all"].keys() == theirs.state_dict().keys()
            optimisers = Optimisers({"all": ([own], settings)})
            optimisers.load_state_dict(saved)
        optimisers.step("all", (own**2 * (step + 1)).sum())
        reference.grad = torch.autograd.grad((reference**2 * (step + 1)).sum(), reference)[0]
        theirs.step()
        assert torch.equal(own, reference)


def test_optimiser_step_does_not_import_the_torch_compiler() -> None:
    code = """
import sys, torch
from workbench.training.learner import Optimisers
from workbench.training.settings import OptimiserConfig
for name in ("adamw", "muon", "sgd"):
    weight = torch.ones(20, 20, requires_grad=True)
    optimisers = Optimisers({"all": ([weight], OptimiserConfig(name=name))})
    optimisers.step("all", weight.sum())
    optimisers.load_state_dict(optimisers.state_dict())
print("torch._dynamo" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
