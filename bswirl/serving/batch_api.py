"""Together's batch API: files go up, jobs are made of them and looked after, files come down.

A file goes up in three steps, as the `together` client has it: the endpoint names an address in its storage,
the file is put there without the key, and the endpoint is told so.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx
import together

from bswirl.errors import BswirlError
from bswirl.serving.calls import Call, RefusedError, ServedModel
from bswirl.serving.client import Client
from bswirl.serving.ending import Ending
from bswirl.serving.reading import without_key
from bswirl.serving.setbacks import Setback, of_exception, of_status, shown_url, timed_out

T = TypeVar("T")

PURPOSE = "batch-api"
ENDPOINT = "/v1/chat/completions"
OVER = ("COMPLETED", "FAILED", "EXPIRED", "CANCELLED")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_TRANSFER_SECONDS = 3600.0  # for a file
_MOST_HOPS = 3
_BLOCK = 1 << 20
_MOST_SAID = 300
_NO_CALL = Call((), 0)  # what is said of parameters means none of these requests


@dataclass(frozen=True, slots=True)
class Job:
    """A batch job as the server tells it. `progress` is in percent."""

    job_id: str
    status: str  # in capitals
    input_file: str | None
    output_file: str | None
    error_file: str | None
    progress: float
    error: str


@dataclass(frozen=True, slots=True)
class Pace:
    """How patiently a server is asked, in seconds."""

    first: float = 30.0  # between two looks at a job; it grows
    longest: float = 300.0
    settle: float = 1.0  # without a new call, until those that wait are sent off
    again: float = 2.0  # before a request that failed is made again; it doubles
    lost: float = 1800.0  # without one answer, until the run ends
    tries: int = 3  # batches that one call may be in


class BatchApi:
    """Asks until there is an answer.

    Raises RefusedError where there will be none, BswirlError once `Pace.lost` is over, and whatever the run
    ends with.
    """

    def __init__(
        self, model: ServedModel, client: Client, key: str | None, ending: Ending, pace: Pace
    ) -> None:
        self._model = model
        self._client = client
        self._key = key
        self._ending = ending
        self._pace = pace

    async def jobs(self) -> list[Job]:
        """All jobs that the server lists. Raises RefusedError where it has no batch API."""
        words = f"{shown_url(self._model.url)} has no batch API"
        answer = await self._insist(
            lambda: self._client.look("/batches"),
            missing=(words, "leave out --batch, or use an endpoint with one"),
        )
        listed = _parsed(answer)
        if isinstance(listed, dict):
            listed = listed.get("data")
        if not isinstance(listed, list):
            raise RefusedError(f"{words}: it lists no jobs", "leave out --batch")
        return [job for told in listed if (job := _job(told, self._key)) is not None]

    async def upload(self, path: Path) -> str:
        """The file's id at the server. The same content may get the id that it has there already."""
        return await self._insist(lambda: self._upload(path), seconds=_TRANSFER_SECONDS)

    async def create(self, file_id: str, known: set[str]) -> Job:
        """The job of a file: one that the server has and that is not among the `known`, else a new one."""

        async def once() -> httpx.Response | Job:
            for job in await self.jobs():  # also after a request that broke off: it may have arrived
                if job.input_file == file_id and job.job_id not in known:
                    return job
            asked = {"endpoint": ENDPOINT, "input_file_id": file_id, "completion_window": "24h"}
            return await self._client.tell("/batches", asked)

        found = await self._insist(once)
        if isinstance(found, Job):
            return found
        answer = _parsed(found)
        job = _job(answer.get("job", answer) if isinstance(answer, dict) else None, self._key)
        if job is None:
            raise RefusedError(
                f"{shown_url(self._model.url)} made a job of which it does not tell the name",
                "`bswirl runs resume` looks for it in the server's list",
            )
        return job

    async def job(self, job_id: str) -> Job:
        """How a job stands."""
        words = f"{shown_url(self._model.url)} does not know batch job {job_id}"
        remedy = "without that batch's lines in the run's batches.jsonl, its calls are asked anew"
        answer = await self._insist(lambda: self._client.look(f"/batches/{job_id}"), missing=(words, remedy))
        found = _job(_parsed(answer), self._key)
        if found is None or found.job_id != job_id:
            raise RefusedError(f"{shown_url(self._model.url)} tells nothing of batch job {job_id}", remedy)
        return found

    async def download(self, file_id: str, path: Path) -> bool:
        """Puts the content of a file of the server's there; False where the server has it no longer."""
        return await self._insist(lambda: self._download(file_id, path), seconds=_TRANSFER_SECONDS)

    async def _upload(self, path: Path) -> str:
        content = await asyncio.to_thread(path.read_bytes)
        asked = {
            "purpose": PURPOSE,
            "file_name": path.name,
            "file_type": "jsonl",
            "checksum": hashlib.sha256(content).hexdigest(),
        }
        try:
            answer = await self._client.tell("/files", asked, form=True)
        except together.APIStatusError as error:
            answer = error.response
            if answer.status_code == 409:  # it is there already
                there = _parsed(answer)
                return self._checked_id(there.get("file_id") if isinstance(there, dict) else None)
            if not 300 <= answer.status_code < 400:
                raise
        place, file_id = answer.headers.get("location"), answer.headers.get("x-together-file-id")
        if not place:
            raise RefusedError(
                f"{shown_url(self._model.url)} takes no files as Together's batch API does",
                "leave out --batch",
            )
        file_id = self._checked_id(file_id)
        put = await self._client.plain.put(
            self._checked_place(place), content=content, follow_redirects=False
        )
        if put.status_code not in (200, 201, 204):
            raise _StorageError(f"the server's storage answers {put.status_code} to a file")
        await self._client.tell(f"/files/{file_id}/preprocess")
        return file_id

    async def _download(self, file_id: str, path: Path) -> bool:
        url, headers = f"{self._model.url}/files/{file_id}/content", dict(self._client.default_headers)
        headers = {**headers, "Accept": "application/binary"}
        for _ in range(_MOST_HOPS):
            async with self._client.plain.stream(
                "GET", url, headers=headers, follow_redirects=False
            ) as answer:
                if 300 <= answer.status_code < 400 and answer.headers.get("location"):
                    url = self._checked_place(urljoin(url, answer.headers["location"]))
                    headers = {}  # no key for the storage
                    continue
                if answer.status_code in (404, 410):
                    return False
                if answer.status_code != 200:
                    content = await answer.aread()
                    raise _StatusError(answer.status_code, content, answer.headers.raw)
                await _keep(answer.aiter_bytes(_BLOCK), path)
            if _is_cut(path):
                raise _StorageError("a file of the server's came cut off")
            return True
        raise _StorageError("the server's storage sends on and on")

    def _checked_id(self, file_id: Any) -> str:
        if isinstance(file_id, str) and _ID.fullmatch(file_id):
            return file_id
        raise RefusedError(f"{shown_url(self._model.url)} gives no name to a file", "leave out --batch")

    def _checked_place(self, place: str) -> str:
        """An address in the storage; encrypted, unless the endpoint itself is not."""
        scheme = urlsplit(place).scheme
        if scheme == "https" or (scheme == "http" and urlsplit(self._model.url).scheme == "http"):
            return place
        raise RefusedError("the server names a storage without encryption for a batch", "leave out --batch")

    async def _insist(
        self,
        request: Callable[[], Awaitable[T]],
        *,
        missing: tuple[str, str] | None = None,
        seconds: float | None = None,
    ) -> T:
        """Makes the request until it works. `missing`: what a 404 means, and the remedy."""
        started, turn = time.monotonic(), 0
        while True:
            setback = await self._attempt(request, seconds or self._model.timeout, missing)
            if not isinstance(setback, Setback):
                return setback
            if setback.then != "again":
                raise RefusedError(setback.message, setback.remedy)
            wait = min(self._pace.longest, self._pace.again * 2**turn)
            if time.monotonic() + wait - started > self._pace.lost:
                raise BswirlError(f"given up for now: {setback.message}", "`bswirl runs resume` goes on")
            turn += 1
            await self._ending.sleep(max(setback.wait or 0.0, wait * random.uniform(0.5, 1)))

    async def _attempt(
        self, request: Callable[[], Awaitable[T]], seconds: float, missing: tuple[str, str] | None
    ) -> T | Setback:
        try:
            async with asyncio.timeout(seconds):
                return await request()
        except TimeoutError:
            return timed_out(self._model)
        except together.APIStatusError as error:
            answer = error.response
            failed = _StatusError(answer.status_code, answer.content, answer.headers.raw)
        except _StatusError as error:
            failed = error
        except (RefusedError, BswirlError):
            raise
        except _StorageError as error:
            return Setback("again", without_key(str(error), self._key))
        except (together.TogetherError, httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise  # this machine's disk
            return of_exception(error, self._model, self._key)
        if missing is not None and failed.code in (404, 405, 501):
            return Setback("end", missing[0], remedy=missing[1])
        return of_status(
            failed.code, failed.content, failed.headers, _NO_CALL, self._model, (), self._key, time.time()
        )


class _StatusError(Exception):
    def __init__(self, code: int, content: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        super().__init__(code)
        self.code, self.content, self.headers = code, content, headers


class _StorageError(Exception):
    pass


async def _keep(blocks: AsyncIterator[bytes], path: Path) -> None:
    with path.open("wb") as file:
        async for block in blocks:
            await asyncio.to_thread(file.write, block)


def _is_cut(path: Path) -> bool:
    """Whether the last of a file's JSON lines is not whole."""
    with path.open("rb") as file:
        last = b"".join(deque(file, maxlen=1))
    try:
        return bool(last.strip()) and json.loads(last) is None
    except (ValueError, RecursionError):
        return True


def _parsed(answer: httpx.Response) -> Any:
    """Raises httpx.DecodingError, which is worth another attempt, where it is no JSON."""
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError) as error:
        raise httpx.DecodingError("the answer is no JSON") from error


def _job(told: Any, key: str | None) -> Job | None:
    if not isinstance(told, dict) or not isinstance(told.get("id"), str) or not _ID.fullmatch(told["id"]):
        return None

    def file(name: str) -> str | None:
        value = told.get(name)
        return value if isinstance(value, str) and _ID.fullmatch(value) else None

    status, error = told.get("status"), told.get("error")
    progress = told.get("progress")
    percent = float(progress) if isinstance(progress, int | float) else 0.0
    return Job(
        told["id"],
        status.upper()[:40] if isinstance(status, str) else "",
        file("input_file_id"),
        file("output_file_id"),
        file("error_file_id"),
        min(100.0, percent) if percent > 0 else 0.0,  # NaN is nothing
        without_key(" ".join(str(error).split()), key)[:_MOST_SAID] if error else "",
    )
