"""What holds for all tests: a slow machine is no failure, threads do not spin, signals are not ignored."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections import deque
from itertools import groupby

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when a test first imports torch
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the cores are taken: tests run beside each other
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # of the many processes, only the first compiles a module

settings.register_profile("bswirl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bswirl")

# A test run in the background, or under nohup, hands ignored signals on to all that it starts.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the app, which wait much, stand between those that compute: cores are in use to the end."""
    modules = [list(tests) for _, tests in groupby(items, key=lambda item: item.path)]
    waiting = deque(tests for tests in modules if "tui" in tests[0].path.parts)
    computing = [tests for tests in modules if "tui" not in tests[0].path.parts]
    share = len(waiting) / max(1, len(computing))
    mixed: list[pytest.Item] = []
    for place, tests in enumerate(computing, start=1):
        mixed += tests
        while waiting and len(waiting) > (len(computing) - place) * share:
            mixed += waiting.popleft()
    items[:] = mixed + [item for tests in waiting for item in tests]


def pytest_collection_finish() -> None:
    """Modules stay to the end: looking through them for garbage again and again is a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
