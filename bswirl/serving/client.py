"""The client that requests go through: together's, on aiohttp's connections, with nothing on by itself."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import together
from httpx_aiohttp import HttpxAiohttpClient

from bswirl import __version__
from bswirl.serving.calls import RefusedError, ServedModel

for _name in ("together", "httpx"):  # at their debug level they tell of prompts and headers
    logging.getLogger(_name).setLevel(logging.WARNING)

_CONNECT_SECONDS = 10.0
_IDLE_SECONDS = 4.0  # servers close after 5 as a rule: better to be first


class Client(together.AsyncTogether):
    """Sends what it is given, once, and nothing that the environment adds to Together's own requests."""

    def __init__(self, model: ServedModel, key: str | None, http: httpx.AsyncClient) -> None:
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": f"bswirl/{__version__} together/{together.__version__}",
        }
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        self._fixed_headers = headers
        super().__init__(
            api_key=key or "", base_url=model.url, max_retries=0, timeout=http.timeout, http_client=http
        )
        self._chat = f"{self.base_url}chat/completions"  # whole: joining the two for each call takes longer

    def __repr__(self) -> str:
        return f"Client({self.base_url})"

    @property
    def default_headers(self) -> dict[str, Any]:
        return self._fixed_headers

    async def ask(self, body: bytes) -> httpx.Response:
        """Posts a chat request. Raises together.APIError where it is not answered with 200."""
        return await self.post(self._chat, content=body, cast_to=httpx.Response)

    async def look(self, path: str) -> httpx.Response:
        """Gets what is at a path of the endpoint. Raises as `ask`."""
        return await self.get(path, cast_to=httpx.Response)

    async def tell(
        self, path: str, body: dict[str, str] | None = None, *, form: bool = False
    ) -> httpx.Response:
        """Posts names and values as JSON, or as a form. Raises as `ask`."""
        headers = {"Content-Type": "multipart/form-data"} if form else {}
        return await self.post(path, body=body, cast_to=httpx.Response, options={"headers": headers})

    @property
    def plain(self) -> httpx.AsyncClient:
        """The connections alone: what goes out here has no key, and may go to other addresses."""
        return self._client


@asynccontextmanager
async def open_client(model: ServedModel, key: str | None) -> AsyncIterator[Client]:
    """The client of a model, through the proxies that the user's environment names.

    It has no time-out for a reply: whoever asks keeps the time. Raises RefusedError where address or proxy
    are none.
    """
    limits = httpx.Limits(max_connections=model.in_flight, keepalive_expiry=_IDLE_SECONDS)
    timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)
    try:
        http = HttpxAiohttpClient(limits=limits, timeout=timeout, follow_redirects=False)
        client = Client(model, key, http)
    except (ValueError, httpx.InvalidURL) as error:
        raise RefusedError(
            f"no connection can be made: {error}", "check `url` in bswirl.toml, and the *_proxy variables"
        ) from error
    async with http:
        yield client
