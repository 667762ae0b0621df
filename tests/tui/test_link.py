"""Which answers are shown: of each screen's requests of one kind the newest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

from textual.message_pump import MessagePump

from bswirl_tui.link import Link


class Node:
    """Does what it is to call later at once."""

    def call_later(self, callback: Callable[[], Any]) -> bool:
        callback()
        return True


class Busy:
    """Does it when it comes to its turn."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], Any]] = []

    def call_later(self, callback: Callable[[], Any]) -> bool:
        self.waiting.append(callback)
        return True


def answers(*requests: tuple[MessagePump, str]) -> list[str]:
    """What is shown of requests with one key, which all wait behind another."""
    shown: list[str] = []
    free, over = threading.Event(), threading.Event()
    link = Link(cast(MessagePump, Node()), lambda: 1 / 0)  # type: ignore[arg-type, return-value]

    def failed(error: object) -> None:
        shown.append(str(error))

    first = cast(MessagePump, Node())
    link.run_beside(first, "wait", lambda: free.wait(20), lambda _: None, failed)
    for node, words in requests:
        link.run_beside(node, "log", lambda words=words: words, shown.append, failed)  # type: ignore[misc]
    link.run_beside(first, "end", over.set, lambda _: None, failed)
    free.set()
    assert over.wait(20)
    link.stop()
    return shown


def test_newest_of_one_screen() -> None:
    one = cast(MessagePump, Node())
    assert answers((one, "a"), (one, "b")) == ["b"]


def test_screens_do_not_silence_each_other() -> None:
    """One that was left for the tree waits for its answer as well as the one in sight."""
    one, two = cast(MessagePump, Node()), cast(MessagePump, Node())
    assert answers((one, "a"), (two, "b"), (one, "c")) == ["b", "c"]


def test_answer_that_waits_for_its_turn_is_out_of_date_too() -> None:
    """A newer request of a busy screen silences it, as one that had still waited for the owner."""
    shown: list[str] = []
    busy, over = Busy(), threading.Event()
    link = Link(cast(MessagePump, busy), lambda: 1 / 0)  # type: ignore[arg-type, return-value]

    def ask(words: str) -> None:
        over.clear()
        link.run_beside(cast(MessagePump, busy), "tree", lambda: words, shown.append, lambda _: None)
        end = cast(MessagePump, Node())
        link.run_beside(end, "end", lambda: None, lambda _: over.set(), lambda _: None)
        assert over.wait(20)

    ask("a")
    ask("b")
    for callback in busy.waiting:
        callback()
    link.stop()
    assert shown == ["b"]
    assert link.idle
