"""Waiting as long as a server asks."""

from __future__ import annotations

import pytest

from bswirl.serving.headers import MOST_SECONDS, asked_wait

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "3"}, 3.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"Retry-After": "Mon, 21 Sep 2026 14:13:23 GMT"}, 3.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-4"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "1e9"}, MOST_SECONDS),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW) + 3)}, 3.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{int(NOW) + 3}000"}, 3.0),  # milliseconds
        ({"X-RateLimit-Remaining": "2", "X-RateLimit-Reset": "9"}, None),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m0.5s"}, 60.5),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-requests": "7"}, None),
        ({"Retry-After": "2", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "9"}, 2.0),
    ],
)
def test_asked_wait(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, dates, durations, times since 1970; nonsense asks for nothing."""
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    found = asked_wait(raw, NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))
