"""The owner's parts put together: store, writer, tailer, connections; from the lock to the clean end."""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import suppress

import duckdb

from bswirl.owner.adoption import finish_registrations
from bswirl.owner.audit_queue import AuditQueue
from bswirl.owner.connection import Connection
from bswirl.owner.counting import Counting
from bswirl.owner.endpoint import listen, may_enter, peer_groups, peer_uid, record_socket, shared_group
from bswirl.owner.events import Hub
from bswirl.owner.tailer import Tailer
from bswirl.owner.writer import WriterThread
from bswirl.project import Project, load_settings
from bswirl.store.database import Cursor, open_database
from bswirl.store.draw_mirror import recover_draws
from bswirl.store.imports import end_interrupted_imports
from bswirl.store.judges import apply_ranking
from bswirl.store.labels import recover_labels
from bswirl.store.mirror import Mirror
from bswirl.store.writing import Changes, StoreWriter

END_PATIENCE_SECONDS = 5.0  # for requests that are being answered

_log = logging.getLogger(__name__)


class Owner:
    """Serves a project until it is told to stop or has been idle. The caller holds the owner's lock."""

    def __init__(self, project: Project) -> None:
        """Opens the store and brings it up to date. Raises InputError where it cannot be used."""
        self.project = project
        self.hub = Hub()
        self.failure: str | None = None
        self._stop = threading.Event()
        self._connections: dict[Connection, threading.Thread] = {}
        self._lock = threading.Lock()
        ranking = load_settings(project).ranking
        self._database = open_database(project.store_file, project.state_folder / "tmp")
        self._mirrors = Mirror(project.labels_file), Mirror(project.draws_file, "draw")
        self._store = StoreWriter(self._database, *self._mirrors)
        for recover, path in ((recover_draws, project.draws_file), (recover_labels, project.labels_file)):
            if replayed := recover(self._store):
                _log.info("%d lines came back from %s", replayed, path)
        with self._store.transaction():
            apply_ranking(self._store, ranking)
            end_interrupted_imports(self._store)
        self.writer = WriterThread(self._store, self._publish, self._fail)
        self._own_cursors = [self.cursor() for _ in range(3)]
        self.counting = Counting(self._own_cursors[0], self.writer)
        self.tailer = Tailer(project, self._own_cursors[1], self.writer)
        self.audit_queue = AuditQueue(self._own_cursors[2], self.writer)

    def cursor(self) -> Cursor:
        """A cursor for one thread."""
        with self._lock:
            return self._database.cursor()

    def request_stop(self) -> None:
        """Makes `serve` end soon; any thread may call it."""
        self._stop.set()

    def serve(self, idle_seconds: float) -> None:
        """Answers clients and follows runs; returns after a stop, a failure, or that long with neither.

        Raises InputError where no socket can be had. Everything is closed afterwards.
        """
        listener: socket.socket | None = None
        self.writer.start()
        try:
            listener, path = listen(self.project)
            finish_registrations(self.project, self.writer)
            self.tailer.start()
            threading.Thread(target=self._accept, args=[listener], name="accept", daemon=True).start()
            record_socket(self.project, path)
            _log.info("serving %s at %s", self.project.root, path)
            self._wait(idle_seconds)
        finally:
            self._stop.set()
            if listener is not None:
                self.project.socket_record.unlink(missing_ok=True)
                path.unlink(missing_ok=True)
                with suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)
                listener.close()
            self._end()

    def _wait(self, idle_seconds: float) -> None:
        """Until a stop is requested, or nobody was connected and no run alive for that long."""
        idle_since = time.monotonic()
        while not self._stop.wait(min(1.0, max(0.05, idle_seconds / 10))):
            with self._lock:
                in_use = bool(self._connections)
            if in_use or self.tailer.has_live_runs:
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since >= idle_seconds:
                _log.info("idle for %.0f s", idle_seconds)
                return

    def _end(self) -> None:
        """Lets requests finish for a while, then closes everything."""
        deadline = time.monotonic() + END_PATIENCE_SECONDS
        with self._lock:
            connections = dict(self._connections)
        while any(connection.busy for connection in connections) and time.monotonic() < deadline:
            time.sleep(0.02)
        for connection in connections:
            connection.close()
        self.tailer.stop()
        self.writer.stop()
        for thread in connections.values():
            thread.join(END_PATIENCE_SECONDS)
        for cursor in (*self._own_cursors, self._store.cursor, self._database):
            with suppress(duckdb.Error):
                cursor.close()
        for mirror in self._mirrors:
            mirror.close()
        _log.info("ended")

    def _accept(self, listener: socket.socket) -> None:
        group = shared_group(self.project)
        while not self._stop.is_set():
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            uid, gid = peer_uid(raw)
            if not may_enter(uid, gid, group) and group not in peer_groups(raw):
                _log.warning("user %d was turned away", uid)
                raw.close()
                continue
            connection = Connection(self, raw, uid)
            thread = threading.Thread(target=self._serve, args=[connection], name="connection", daemon=True)
            with self._lock:
                self._connections[connection] = thread
            thread.start()

    def _serve(self, connection: Connection) -> None:
        try:
            connection.serve()
        except Exception:  # noqa: BLE001 - one connection must not end the others
            _log.exception("a connection failed")
        finally:
            with self._lock:
                self._connections.pop(connection, None)

    def _publish(self, changes: Changes) -> None:
        if "runs" in changes.topics:
            self.tailer.notice()
        self.hub.publish(changes)

    def _fail(self, reason: str) -> None:
        self.failure = reason
        self._stop.set()
