"""What holds for all tests: a slow machine is no failure, threads do not spin, signals are not ignored."""

from __future__ import annotations

import os
import signal
import threading

from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when a test first imports torch

settings.register_profile("bswirl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bswirl")

# A test run in the background, or under nohup, hands ignored signals on to all that it starts.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
