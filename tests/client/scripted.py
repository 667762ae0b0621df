"""An owner that does what a test says, on a real socket: for broken connections and broken replies."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bswirl.project import Project
from bswirl.protocol import LineSocket, Message

Answer = Callable[["Talk", Message, list[Any]], None]


class Talk:
    """One connection of the scripted owner."""

    def __init__(self, raw: socket.socket) -> None:
        self.raw = raw
        self.lines = LineSocket(raw)

    def result(self, request: Message, result: Any) -> None:
        self.lines.send({"id": request["id"], "result": result})


class ScriptedOwner:
    """Serves hello by itself and hands every other request to `answer`, with the rows sent ahead of it."""

    def __init__(self, project: Project, answer: Answer) -> None:
        self.hellos: list[Message] = []
        self._answer = answer
        self._folder = tempfile.TemporaryDirectory(prefix="bs-")
        path = Path(self._folder.name) / "s"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        project.socket_record.write_text(str(path))
        self._talks: list[Talk] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for talk in self._talks:
            talk.lines.close()
        self._folder.cleanup()

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            talk = Talk(raw)
            self._talks.append(talk)
            threading.Thread(target=self._serve, args=(talk,), daemon=True).start()

    def _serve(self, talk: Talk) -> None:
        rows: list[Any] = []
        try:
            while True:
                message = talk.lines.receive()
                if "rows" in message:
                    rows += message["rows"]
                elif message["method"] == "hello":
                    self.hellos.append(message["params"])
                    talk.result(message, {"protocol": 1, "version": "x", "pid": 1, "project": "p"})
                else:
                    self._answer(talk, message, rows)
                    rows = []
        except OSError:
            talk.lines.close()
