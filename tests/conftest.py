"""Settings for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# No deadline: on a busy machine any example can take seconds.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")
