"""Steps against the optimiser's formula."""

from __future__ import annotations

import torch
from torch import Generator

from workbench.config import read_trial
from workbench.documents import wrap
from workbench.errors import Place
from workbench.training.learner import Optimisers
from workbench.training.settings import OptimiserConfig
from workbench.trial import build


def test_a_step_is_adamws_whatever_the_order_of_a_kernels_numbers_in_memory() -> None:
    """The fused step reads weights and gradients in the order in which they lie."""
    overlay = {
        "preset": "muzero",
        "model.representation": {"name": "cnn", "width": 4, "depth": 2, "ends_in": "grid"},
        "model.dynamics": "conv",
    }
    model = build(read_trial(wrap(overlay, Place("test")))).model
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
