"""Value equivalence against its formula."""

from __future__ import annotations

import torch

from tests.workbench.losses.unroll_fixtures import imagined_mask, line, loss, random, target


def test_loss_is_the_squared_value_difference_with_gradient_to_the_unrolled_value_only() -> None:
    imagined, mask = random(5, 4).requires_grad_(), imagined_mask(5, 3)
    real = random(5, 4, seed=1)
    made = loss("value_equivalence", None)
    error = made(line(value=imagined), {"next_value": target(real, mask)}, None)
    for b in range(5):
        for k in range(4):
            expected = (imagined[b, k].item() - real[b, k].item()) ** 2 * mask[b, k].item()
            assert abs(error[b, k].item() - expected) < 1e-5
    error.sum().backward()
    assert imagined.grad is not None
    assert torch.allclose(imagined.grad, (2 * (imagined - real) * mask).detach())


def test_loss_of_an_unroll_without_steps_is_zero() -> None:
    zero = torch.zeros(3, 1)
    error = loss("value_equivalence", None)(
        line(value=random(3, 1)), {"next_value": target(zero, zero)}, None
    )
    assert error.tolist() == [[0.0]] * 3
