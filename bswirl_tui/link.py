"""The app's way to the owner: calls run in threads of their own, results come back to the UI loop."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from textual.message import Message
from textual.message_pump import MessagePump

from bswirl.errors import BswirlError

if TYPE_CHECKING:
    from bswirl.client import Client

T = TypeVar("T")
Lane = Literal["quick", "slow", "audit", "status"]
RETRY_SECONDS = 2.0


class ProjectChanged(Message):
    """Other clients, runs or this app changed the project. `None` means: perhaps everything."""

    def __init__(
        self, topics: frozenset[str], questions: frozenset[int] | None, runs: frozenset[int] | None
    ) -> None:
        super().__init__()
        self.topics = topics
        self.questions = questions
        self.runs = runs

    @classmethod
    def everything(cls) -> ProjectChanged:
        return cls(
            frozenset(("questions", "labels", "verdicts", "runs", "metrics", "selections")), None, None
        )

    @classmethod
    def between(cls, read: Mapping[str, Any], told: Mapping[str, Any]) -> ProjectChanged | None:
        """What the owner changed after `read` and nobody here was told; both are its `pid` and `told`."""
        if read["pid"] != told["pid"]:
            return cls.everything()
        before = read.get("told", {})
        topics = {topic for topic, times in told["told"].items() if times != before.get(topic)}
        return cls(frozenset(topics), None, None) if topics else None

    def merged(self, other: ProjectChanged) -> ProjectChanged:
        """Both changes as one."""

        def both(one: frozenset[int] | None, two: frozenset[int] | None) -> frozenset[int] | None:
            return None if one is None or two is None else one | two

        return ProjectChanged(
            self.topics | other.topics, both(self.questions, other.questions), both(self.runs, other.runs)
        )

    def touches(self, question_id: int) -> bool:
        """Whether what is shown of that question may have changed."""
        about = self.topics & {"questions", "labels", "verdicts"}
        return bool(about) and (self.questions is None or question_id in self.questions)


class LinkChanged(Message):
    """The owner can be reached, or cannot."""

    def __init__(self, connected: bool, problem: str = "") -> None:
        super().__init__()
        self.connected = connected
        self.problem = problem


@dataclass(slots=True)
class _Job:
    key: str
    node: MessagePump
    work: Callable[[Callable[[], Client]], Any]  # gets a way to the worker's client
    done: Callable[[Any], None]
    failed: Callable[[BswirlError], None]
    stale: bool = False


class _Worker(threading.Thread):
    """One thread with one connection, doing jobs in the order they came."""

    def __init__(self, name: str, link: Link) -> None:
        super().__init__(name=f"bswirl-{name}", daemon=True)
        self._link = link
        self._jobs: deque[_Job] = deque()
        self._answered: list[_Job] = []  # whose answers wait for their node's turn
        self._wake = threading.Condition()
        self._ended = False
        self._client: Client | None = None

    def put(self, job: _Job) -> None:
        """Queues a job. One of the same node and key that has not reported yet never will."""
        with self._wake:
            for waiting in (*self._jobs, *self._answered):
                waiting.stale |= waiting.key == job.key and waiting.node is job.node
            self._jobs.append(job)
            self._wake.notify()

    @property
    def idle(self) -> bool:
        """Whether it has nothing to do."""
        return not self._jobs

    def end(self) -> None:
        with self._wake:
            self._ended = True
            self._wake.notify()

    def run(self) -> None:
        while (job := self._next()) is not None:
            if not job.stale:
                self._carry_out(job)
            with self._wake:
                self._jobs.popleft()
            self._link.settled()
        if self._client is not None:
            self._client.close()

    def reported(self, job: _Job) -> None:
        """Its answer has had its turn, or never gets one."""
        with self._wake:
            self._answered.remove(job)

    def _next(self) -> _Job | None:
        """The next job, which stays in the queue while it runs; None at the end."""
        with self._wake:
            while not self._jobs and not self._ended:
                self._wake.wait()
            return None if self._ended else self._jobs[0]

    def _connected(self) -> Client:
        if self._client is None:
            self._client = self._link.connect()
            self._link.reads_from(self.name, self._client.owner)
        return self._client

    def _carry_out(self, job: _Job) -> None:
        with self._wake:
            self._answered.append(job)
        try:
            result = job.work(self._connected)
        except BswirlError as error:
            self._link.deliver(self, job, job.failed, error)
        except Exception as error:  # noqa: BLE001  (no failure of a call may end the app)
            unexpected = BswirlError(f"unexpected error: {type(error).__name__}: {error}", "try again")
            self._link.deliver(self, job, job.failed, unexpected)
        else:
            self._link.deliver(self, job, job.done, result)


class Link:
    """Every call to the owner, from one app. `connect` makes a client and may take its time."""

    def __init__(self, app: MessagePump, connect: Callable[[], Client]) -> None:
        self._app = app
        self.connect = connect
        self._workers: dict[str, _Worker] = {}
        self._stop = threading.Event()
        self._open = 0
        self._counting = threading.Lock()
        self._listener: threading.Thread | None = None
        self._read_from: dict[str, Mapping[str, Any]] = {}  # by worker, until changes are listened to

    @property
    def idle(self) -> bool:
        """Whether no call is under way and no result waits to be shown."""
        return self._open == 0

    def keeps_up(self, lane: Lane) -> bool:
        """Whether everything that was asked in that lane has been answered."""
        return lane not in self._workers or self._workers[lane].idle

    def start(self) -> None:
        """Begins to listen for changes."""
        self._listener = threading.Thread(target=self._listen, name="bswirl-events", daemon=True)
        self._listener.start()

    def reads_from(self, worker: str, owner: Mapping[str, Any]) -> None:
        """Notes how far the owner was, as it said at hello, when a worker began to read."""
        self._read_from[worker] = owner

    def stop(self) -> None:
        """Ends every thread; what was asked and not answered is dropped."""
        self._stop.set()
        for worker in self._workers.values():
            worker.end()

    def request(
        self,
        node: MessagePump,
        key: str,
        work: Callable[[Client], T],
        done: Callable[[T], None],
        failed: Callable[[BswirlError], None],
        *,
        lane: Lane = "quick",
    ) -> None:
        """Runs `work` off the UI loop, then `done` or `failed` on it, in `node`'s turn.

        Of a node's requests with the same key only the newest reports. Work that takes long belongs in the
        slow lane.
        """
        self._put(lane, _Job(key, node, lambda client: work(client()), done, failed))

    def run_beside(
        self,
        node: MessagePump,
        key: str,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[BswirlError], None],
        *,
        lane: str = "files",
    ) -> None:
        """As `request`, for work that needs no owner; each `lane` is a thread of its own."""
        self._put(lane, _Job(key, node, lambda _: work(), done, failed))

    def _put(self, lane: str, job: _Job) -> None:
        with self._counting:
            self._open += 1
        worker = self._workers.get(lane)
        if worker is None:
            worker = self._workers[lane] = _Worker(lane, self)
            worker.start()
        worker.put(job)

    def deliver(self, worker: _Worker, job: _Job, callback: Callable[[Any], None], value: Any) -> None:
        """Brings a result to the UI loop, unless a newer request has made it stale."""
        with self._counting:
            self._open += 1

        def show() -> None:
            worker.reported(job)
            try:
                if not job.stale and not self._stop.is_set():
                    callback(value)
            finally:
                self.settled()

        try:
            taken = job.node.call_later(show)
        except RuntimeError:  # the loop has ended
            taken = False
        if not taken:
            worker.reported(job)
            self.settled()

    def settled(self) -> None:
        """One thing less to wait for."""
        with self._counting:
            self._open -= 1

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                with self.connect() as client:
                    for event in client.events(self._stop):
                        self._tell(event)
            except BswirlError as error:
                self._tell({"event": "disconnected", "message": str(error)})
            except Exception as error:  # noqa: BLE001  (the listener must outlive any broken connection)
                self._tell({"event": "disconnected", "message": f"{type(error).__name__}: {error}"})
            self._stop.wait(RETRY_SECONDS)

    def _tell(self, event: dict[str, Any]) -> None:
        if self._stop.is_set():
            return
        match event.get("event"):
            case "connected":
                self._app.post_message(LinkChanged(True))
                begun, self._read_from = self._read_from, {}
                for read in begun.values():
                    if missed := ProjectChanged.between(read, event):
                        self._app.post_message(missed)
            case "disconnected":
                self._app.post_message(LinkChanged(False, str(event.get("message", ""))))
            case "changed":
                questions, runs = event.get("questions"), event.get("runs")
                self._app.post_message(
                    ProjectChanged(
                        frozenset(event.get("topics", ())),
                        None if questions is None else frozenset(questions),
                        None if runs is None else frozenset(runs),
                    )
                )
