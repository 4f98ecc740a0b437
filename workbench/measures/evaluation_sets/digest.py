"""Hash that identifies an evaluation set in results."""

from __future__ import annotations

import hashlib

from torch import Tensor


def digest(*parts: Tensor | int | str) -> str:
    """Return the SHA-256 of tensors (their bytes) and plain values, in order."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            total.update(part.contiguous().numpy().tobytes())
        else:
            total.update(repr(part).encode())
    return total.hexdigest()
