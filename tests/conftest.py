"""What holds for all tests: a slow machine is no failure, and threads do not spin beside other tests."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when a test first imports torch

settings.register_profile("bswirl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bswirl")
