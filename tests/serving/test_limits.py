"""The window, the rates and the pause, by a clock that only the test moves."""

from __future__ import annotations

import asyncio

import pytest

from bswirl.serving.limits import Bucket, Gate, Window


def round_trip(window: Window) -> None:
    """As many answers as the window has places."""
    for _ in range(int(window.size)):
        window.grow()


class TestWindow:
    def test_has_all_after_a_round_trip_that_goes_well(self) -> None:
        window = Window(200)
        assert window.size == 150
        round_trip(window)
        round_trip(window)
        assert window.size == 200

    @pytest.mark.parametrize(("most", "first"), [(1, 1), (5, 5), (8, 8), (20, 15), (400, 300)])
    def test_begins_with_a_part(self, most: int, first: int) -> None:
        assert Window(most).size == first

    def test_halves_and_comes_back_to_what_the_server_took(self) -> None:
        """Quickly to nine tenths of it, then one at a time, and beyond it by a quarter."""
        window = Window(200)
        window.size = 100
        window.shrink(99)
        assert window.size == 50
        round_trip(window)
        assert 89 <= window.size <= 92
        before = window.size
        round_trip(window)
        assert window.size == pytest.approx(before + 1, abs=0.1)
        while window.size <= 1.25 * 99:
            window.grow()
        before = window.size
        round_trip(window)
        assert window.size == pytest.approx(1.25 * before, rel=0.02)

    def test_a_burst_of_refusals_halves_once(self) -> None:
        """What is learned from the others is how many the server took."""
        window = Window(100)
        while window.size < 100:
            window.grow()
        window.shrink(99)
        for others in range(98, 59, -1):
            window.shrink(others, again=True)
        assert window.size == 50
        round_trip(window)
        assert window.size < 60

    def test_never_closes(self) -> None:
        window = Window(64)
        for _ in range(20):
            window.shrink(0)
        assert window.size == 1
        for _ in range(300):
            window.grow()
        assert window.size == 64


class TestBucket:
    def test_holds_a_rate_evenly(self) -> None:
        """600 a minute: ten at once, then one each tenth of a second."""
        bucket = Bucket(600, now=100.0)
        at, sent = 100.0, []
        for _ in range(30):
            at = max(at, bucket.ready_at(at))
            bucket.take(1, at)
            sent.append(at - 100.0)
        assert sent[:10] == [0.0] * 10
        assert sent[10:] == pytest.approx([0.1 * index for index in range(1, 21)])

    def test_a_slow_rate_lets_one_through_at_a_time(self) -> None:
        bucket = Bucket(6, now=0.0)
        bucket.take(1, 0.0)
        assert bucket.ready_at(0.0) == pytest.approx(10.0)
        assert bucket.ready_at(4.0) == pytest.approx(10.0)

    def test_a_debt_is_waited_for_and_a_refund_counts(self) -> None:
        bucket = Bucket(6000, now=0.0)  # 100 tokens a second
        bucket.take(1100, 0.0)
        assert bucket.ready_at(0.0) == pytest.approx(10.01)
        bucket.take(-500, 0.0)
        assert bucket.ready_at(0.0) == pytest.approx(5.01)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class TestGate:
    async def test_first_come_first_served(self) -> None:
        gate = Gate(1)
        order: list[int] = []

        async def pass_through(number: int) -> None:
            await gate.enter(0)
            order.append(number)
            await asyncio.sleep(0)
            gate.leave()

        await asyncio.gather(*(pass_through(number) for number in range(10)))
        assert order == list(range(10))
        assert gate.in_flight == 0

    async def test_a_pause_holds_everybody(self) -> None:
        clock = Clock()
        gate = Gate(8, clock=clock)
        epochs = [await gate.enter(0) for _ in range(8)]
        assert gate.too_many(epochs[0], 30.0) == 30.0
        for _ in epochs:
            gate.leave()
        waiting = [asyncio.create_task(gate.enter(0)) for _ in range(3)]
        await settle()
        assert gate.in_flight == 0
        assert gate.pause(10.0) is None  # it is longer already
        clock.now += 31
        gate._wake()
        await settle()
        assert all(task.done() for task in waiting)

    async def test_refusals_without_an_answer_between_wait_longer_and_longer(self) -> None:
        clock = Clock()
        gate = Gate(64, clock=clock)
        pauses = []
        for _ in range(12):
            epoch = await gate.enter(0)
            pauses.append(gate.too_many(epoch, None))
            gate.leave()
            clock.now = max(clock.now, gate.paused_until)
        assert pauses[0] is None
        assert all(pause is not None and 0.25 <= pause <= 60 for pause in pauses[1:])
        assert pauses[-1] is not None
        assert pauses[-1] >= 30
        epoch = await gate.enter(0)
        gate.answered()
        assert gate.too_many(epoch, None) is None

    async def test_those_out_together_shrink_it_once(self) -> None:
        gate = Gate(16)
        size = gate.window.size
        epochs = [await gate.enter(0) for _ in range(8)]
        for epoch in epochs:
            gate.too_many(epoch, None)
            gate.leave()
        assert gate.window.size == size / 2

    async def test_tokens_that_were_not_used_come_back(self) -> None:
        clock = Clock()
        gate = Gate(8, tokens_per_minute=6000, clock=clock)
        await gate.enter(1000)
        second = asyncio.create_task(gate.enter(10))
        await settle()
        assert not second.done()
        gate.answered(-950.0)
        gate.leave()
        await settle()
        assert second.done()

    async def test_requests_a_minute(self) -> None:
        """In real time: 20 requests at 1,200 a minute, of which a second's worth goes at once."""
        gate = Gate(64, requests_per_minute=1200)
        loop = asyncio.get_running_loop()
        started = loop.time()
        for _ in range(30):
            await gate.enter(0)
            gate.answered()
            gate.leave()
        assert 0.45 <= loop.time() - started < 2

    async def test_a_cancelled_wait_takes_no_place(self) -> None:
        gate = Gate(1)
        await gate.enter(0)
        gone, stays = asyncio.create_task(gate.enter(0)), asyncio.create_task(gate.enter(0))
        await settle()
        gone.cancel()
        gate.leave()
        await settle()
        assert stays.done()
        assert not stays.cancelled()
        gate.leave()
        assert gate.in_flight == 0

    async def test_a_wait_that_is_cancelled_when_let_out_gives_its_place_back(self) -> None:
        gate = Gate(1)
        await gate.enter(0)
        gone, stays = asyncio.create_task(gate.enter(0)), asyncio.create_task(gate.enter(0))
        await settle()
        gate.leave()
        gone.cancel()
        await settle()
        assert stays.done()
        assert gate.in_flight == 1

    async def test_closing_tells_all_that_wait(self) -> None:
        gate = Gate(1)
        await gate.enter(0)
        waiting = asyncio.create_task(gate.enter(0))
        await settle()
        gate.close(ValueError("over"))
        with pytest.raises(ValueError, match="over"):
            await waiting
        with pytest.raises(ValueError, match="over"):
            await gate.enter(0)
