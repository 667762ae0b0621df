"""A server with Together's batch API beside its chat: files, a storage, and jobs that pass through stages.

A job's lines are answered, and paid, once it is made; each look at it takes it one stage on.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from tests.serving.server import HANG, Fault, FaultServer, Request, completion, status

STAGES = ("VALIDATING", "IN_PROGRESS")
REACHED = ("list", "file", "storage", "preprocess", "create", "poll", "content")
_FORM = re.compile(rb'name="(\w+)"\r\n\r\n(.*?)\r\n--', re.S)

Line = dict[str, Any]
LineAnswer = str | Sequence[str] | Line | None  # text(s), a whole line, or nothing at all


def failed_line(code: int, message: str) -> Line:
    """A line of the error file."""
    return {"error": {"message": message, "code": code}}


def replied(body: Any, code: int = 200) -> Line:
    """A line of the output file with any body."""
    return {"response": {"status_code": code, "body": body}}


class Batches:
    """The state of the batch API.

    `answer` gets a request's body and how often its last message was paid for before; `fates` are how jobs
    end, in order, the rest COMPLETED. A job that does not complete has answered the first half of its lines.
    """

    def __init__(self, answer: Callable[[Line, int], LineAnswer], fates: Sequence[str] = ()) -> None:
        self.answer = answer
        self.fates = fates
        self.files: dict[str, bytes] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.uploads = 0
        self.paid: Counter[str] = Counter()  # by the request's last message
        self.reached = {stage: threading.Event() for stage in REACHED}
        self.hang_at: str | None = None  # the stage's effect is there, and its answer never comes
        self.cuts = 0  # downloads that end half-way, as if that were all
        self.gone = 0  # downloads that are answered with 404
        self.late = 0  # looks at a complete job that do not name its files yet
        self.extra_output: list[Line] = []
        self._dice = random.Random(3)

    def handle(self, request: Request, url: str) -> Fault:
        stage, fault = self._stage(request, url)
        self.reached[stage].set()
        return HANG if stage == self.hang_at else fault

    def _stage(self, request: Request, url: str) -> tuple[str, Fault]:
        path = request.path.removeprefix("/v1")
        parts = path.strip("/").split("/")
        if request.method == "PUT" and parts[0] == "storage":
            self.files[parts[1]] = request.raw
            return "storage", Fault()
        if path == "/files":
            return "file", self._new_file(request, url)
        if parts[0] == "files" and parts[2] == "preprocess":
            return "preprocess", _json({"id": parts[1], "object": "file"})
        if parts[0] == "files":
            return "content", self._content(parts[1])
        if path == "/batches" and request.method == "POST":
            return "create", self._new_job(request.body)
        if path == "/batches":
            return "list", _json([self._told(job) for job in self.jobs.values()])
        return "poll", self._look(parts[1])

    def _new_file(self, request: Request, url: str) -> Fault:
        form = {name.decode(): value.decode() for name, value in _FORM.findall(request.raw)}
        assert (form["purpose"], form["file_type"]) == ("batch-api", "jsonl"), form
        file_id = f"file-{form['checksum'][:12]}"
        if file_id in self.files:
            assert hashlib.sha256(self.files[file_id]).hexdigest() == form["checksum"]
            return Fault(409, json.dumps({"file_id": file_id}).encode())
        self.uploads += 1
        place = f"{url.removesuffix('/v1')}/storage/{file_id}"
        return Fault(302, b"", {"location": place, "x-together-file-id": file_id})

    def _content(self, file_id: str) -> Fault:
        if self.gone:
            self.gone -= 1
            return status(404, "no such file")
        content = self.files[file_id]
        if self.cuts:
            self.cuts -= 1
            content = content[: len(content) // 2]
        return Fault(body=content)

    def _new_job(self, asked: Line) -> Fault:
        assert asked["endpoint"] == "/v1/chat/completions"
        number = len(self.jobs)
        fate = self.fates[number] if number < len(self.fates) else "COMPLETED"
        job = {"id": f"job-{number}", "input_file_id": asked["input_file_id"], "looks": 0, "fate": fate}
        self.jobs[job["id"]] = job
        if fate not in ("FAILED",):
            self._work(job, self.files[asked["input_file_id"]])
        return _json({"job": self._told(job), "warning": ""})

    def _work(self, job: dict[str, Any], content: bytes) -> None:
        found: dict[str, list[Line]] = {"output": list(self.extra_output), "error": []}
        lines = [json.loads(line) for line in content.splitlines()]
        if job["fate"] != "COMPLETED":
            lines = lines[: len(lines) // 2]
        for line in lines:
            prompt = line["body"]["messages"][-1]["content"]
            said = self.answer(line["body"], self.paid[prompt])
            if isinstance(said, str):
                said = [said] * int(line["body"].get("n") or 1)
            row = said if isinstance(said, dict) or said is None else replied(completion(said))
            if row is not None:
                self.paid[prompt] += "error" not in row
                kind = "error" if "error" in row else "output"
                found[kind].append({"custom_id": line["custom_id"], **row})
        for kind, rows in found.items():
            if rows:
                self._dice.shuffle(rows)
                job[f"{kind}_file_id"] = f"file-{job['id']}-{kind}"
                text = "".join(json.dumps(row) + "\n" for row in rows)
                self.files[job[f"{kind}_file_id"]] = text.encode()

    def _look(self, job_id: str) -> Fault:
        if job_id not in self.jobs:
            return status(404, "no such job")
        job = self.jobs[job_id]
        told = self._told(job)
        job["looks"] += 1
        return _json(told)

    def _told(self, job: dict[str, Any]) -> dict[str, Any]:
        told = {"id": job["id"], "input_file_id": job["input_file_id"], "endpoint": "/v1/chat/completions"}
        if job["looks"] < len(STAGES):
            return {**told, "status": STAGES[job["looks"]], "progress": 50.0 * job["looks"]}
        files: dict[str, Any] = {
            name: job[name] for name in ("output_file_id", "error_file_id") if name in job
        }
        if self.late and job["fate"] == "COMPLETED":
            self.late -= 1
            files = {}
        error: dict[str, Any] = {"error": "the file is wrong"} if job["fate"] == "FAILED" else {}
        return {**told, **files, **error, "status": job["fate"], "progress": 100.0}


def _json(value: Any) -> Fault:
    return Fault(body=json.dumps(value).encode())


class BatchServer(FaultServer):
    """A FaultServer with a batch API."""

    def __init__(
        self, answer: Callable[[Line, int], LineAnswer] | None = None, fates: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.batches = Batches(answer or _echo, fates)

    def _models(self, request: Request) -> Fault:
        return self.batches.handle(request, self.url)


def _echo(body: Line, _: int) -> str:
    return f"reply to: {body['messages'][-1]['content']}"
