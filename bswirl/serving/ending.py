"""How the work of an engine comes to its end before all is done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Ending:
    """Ends once, for one reason, which everybody who asks or waits then gets raised."""

    def __init__(self) -> None:
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._since = 0.0
        self._told: list[Callable[[BaseException], None]] = []

    @property
    def is_over(self) -> bool:
        return self.future.done()

    @property
    def seconds_ago(self) -> float:
        """How long it is over."""
        return time.monotonic() - self._since

    def tell(self, listener: Callable[[BaseException], None]) -> None:
        """Has `listener` called with the reason when it comes."""
        self._told.append(listener)

    def end(self, reason: BaseException) -> None:
        """The first reason counts."""
        if not self.is_over:
            self._since = time.monotonic()
            self.future.set_exception(reason)
            self.future.exception()  # looked at: asyncio need not complain that nobody did
            for listener in self._told:
                listener(reason)

    def check(self) -> None:
        """Raises the reason where it is over."""
        if self.is_over:
            self.future.result()

    async def sleep(self, seconds: float) -> None:
        """Raises the reason as soon as it is over."""
        await asyncio.wait([self.future], timeout=seconds)
        self.check()
