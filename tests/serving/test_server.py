"""The server of the tests does what it is told."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http.client import IncompleteRead, RemoteDisconnected

import pytest

from tests.serving.server import DROP, HALF, HANG, FaultServer, status


def ask(server: FaultServer, text: str, timeout: float = 5, **more: object) -> dict[str, object]:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}], **more}).encode()
    request = urllib.request.Request(f"{server.url}/chat/completions", body, {"authorization": "Bearer k"})
    with urllib.request.urlopen(request, timeout=timeout) as response:
        return json.load(response)


def test_replies_faults_and_what_was_paid() -> None:
    faults = {1: status(429, headers={"retry-after": "3"}), 2: HALF, 3: DROP, 4: HANG}
    with FaultServer(faults=faults) as server:
        said = ask(server, "hello", n=2)
        assert [choice["message"]["content"] for choice in said["choices"]] == ["reply to: hello"] * 2
        with pytest.raises(urllib.error.HTTPError) as caught:
            ask(server, "slow down")
        assert (caught.value.code, caught.value.headers["retry-after"]) == (429, "3")
        with pytest.raises(IncompleteRead):
            ask(server, "half")
        with pytest.raises((RemoteDisconnected, ConnectionResetError)):
            ask(server, "drop")
        with pytest.raises(TimeoutError):
            ask(server, "hang", timeout=0.2)
        ask(server, "hello", n=2)
        assert [request.prompt for request in server.completed] == ["hello", "hello"]
        assert list(server.paid().values()) == [2]
        assert server.requests[0].headers["authorization"] == "Bearer k"
        port = server.port
    with pytest.raises(urllib.error.URLError):
        ask(server, "gone")
    with FaultServer(port=port) as again:
        assert again.url == server.url
        assert ask(again, "back")["choices"]
