"""Asks a service from threads and from event loops, over connections that stay open.

Whoever asks, one deadline holds for all of it: connecting, sending, the answer to its last byte, and sending again.
"""

from __future__ import annotations

import asyncio
import json
import os
import weakref
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from secateurs.errors import Error, OverloadedError, in_short, printable, shorten
from secateurs.remote.background import Background
from secateurs.support.extras import raise_missing
from secateurs.support.fork import ForkLock

try:
    import httpx
except ModuleNotFoundError as error:
    raise_missing(error, "httpx", feature="RemoteCompressor", extra="serve")

_KEPT_OPEN = 20.0  # seconds an idle connection is kept; the service closes it after 30
_CONNECT = 5.0  # seconds to reach the service, at most
_CONNECTIONS = httpx.Limits(max_connections=256, max_keepalive_connections=64, keepalive_expiry=_KEPT_OPEN)
# Bytes of an answer, at most: a unit of a document takes some hundred, and may be of a character or two
_ANSWER = 32 * 2**20
_ANSWER_TIMES = 64
_SAID = 1_000  # characters of what a service says is wrong that get into a message
_BROKEN = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)  # as when an idle connection was just closed


@dataclass(frozen=True)
class _OfLoop:
    """The client of one event loop, and what closes it when the loop ends."""

    client: httpx.AsyncClient
    closing: AsyncGenerator[None]


@dataclass(frozen=True)
class _Answer:
    """What came back: the status, and the body as bytes."""

    status: int
    content: bytes


@dataclass
class _Seen:
    """What httpcore tells of one request: whether a connection was made for it."""

    connected: bool = False

    async def look(self, event: str, facts: dict[str, Any]) -> None:
        self.connected = self.connected or event.startswith("connection.connect")


class Client:
    """One service, asked from anywhere: threads share connections, and so do the tasks of an event loop.

    Args:
        base_url: Where the service is.
        api_key: Its key; None for none.

    Raises:
        ValueError: The address is none.
    """

    def __init__(self, base_url: str, api_key: str | None) -> None:
        try:
            httpx.URL(base_url)
        except httpx.InvalidURL as error:
            raise ValueError(f"base_url must be an address such as http://localhost:8080: {error}") from None
        self._options: dict[str, Any] = {
            "base_url": base_url,
            "headers": {} if api_key is None else {b"Authorization": f"Bearer {api_key}".encode()},
            "limits": _CONNECTIONS,
            # no certificates where there are none to check: reading all that are trusted takes longer than a request
            "verify": base_url.startswith("https://"),
        }
        self._url = base_url
        self._lock = ForkLock()
        self._background: Background | None = None
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _OfLoop] = weakref.WeakKeyDictionary()

    def post(self, path: str, body: dict[str, Any], timeout: float) -> Any:
        """Send JSON, and return the answer's.

        Args:
            path: Such as `/v1/compress`.
            body: JSON types; no lone surrogates.
            timeout: Seconds it may take in all, from connecting to the last byte of the answer.

        Raises:
            TimeoutError: There was no answer in time.
            OverloadedError: Too much is waiting at the service.
            ValueError: The service does not want this request.
            Error: Anything else that is not the answer.
        """
        return self._read(self._waiting().run(self._exchange(path, _encode(body), timeout)))

    async def apost(self, path: str, body: dict[str, Any], timeout: float) -> Any:
        """Do what `post` does without blocking the event loop; cancelled, it hangs up."""
        return self._read(await self._exchange(path, _encode(body), timeout))

    def close(self) -> None:
        """Close the connections; those of an event loop that runs are closed by it, soon."""
        with self._lock:
            background, self._background = self._background, None
            held = list(self._loops.items())
            self._loops.clear()
        if background is not None:
            background.close()
        for loop, one in held:
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(_finish(one.closing), loop)

    def _waiting(self) -> Background:
        """Return the loop on which those are served who wait for it."""
        with self._lock:
            if self._background is None or self._background.process != os.getpid():  # a fork has no threads
                self._background = Background()
            return self._background

    async def _exchange(self, path: str, content: bytes, timeout: float) -> _Answer:
        """Send bytes and take the answer, by one deadline."""
        try:
            async with asyncio.timeout(timeout):
                client = await self._aget()
                return await self._send(client, path, content, httpx.Timeout(None, connect=min(timeout, _CONNECT)))
        except httpx.HTTPError as error:
            raise self._failure(error, timeout) from error
        except TimeoutError:
            raise _too_late(self._url, timeout) from None

    async def _send(self, client: httpx.AsyncClient, path: str, content: bytes, patience: httpx.Timeout) -> _Answer:
        """Send a request; again where a connection that was idle turns out to be closed, and only there."""
        while True:
            seen = _Seen()
            request = client.build_request(
                "POST", path, content=content, headers=_HEADERS, timeout=patience, extensions={"trace": seen.look}
            )
            try:
                response = await client.send(request, stream=True)
            except _BROKEN:
                if seen.connected:  # a new connection: it was this request that broke it
                    raise
                continue
            try:
                return _Answer(response.status_code, await self._take(response, len(content)))
            finally:
                await response.aclose()

    async def _take(self, response: httpx.Response, sent: int) -> bytes:
        """Return an answer's bytes, so many as an answer to this request may have."""
        kind = response.headers.get("content-encoding", "identity").lower()
        if kind not in ("identity", "gzip", ""):  # others unfold a kilobyte to gigabytes
            raise Error(f"{self._url} answered in the encoding {in_short(kind)}: it was asked for plain or gzip.")
        most = _ANSWER + _ANSWER_TIMES * sent
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > most:
                raise Error(f"the answer of {self._url} has more than {most:,} bytes to {sent:,} that were sent.")
        return bytes(body)

    async def _aget(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        with self._lock:
            one = self._loops.get(loop)
            if one is None:
                client = httpx.AsyncClient(**self._options)
                one = self._loops[loop] = _OfLoop(client, _until_the_end(client))
                for other in [other for other in self._loops if other.is_closed()]:
                    del self._loops[other]
            else:
                return one.client
        await anext(one.closing)
        return one.client

    def _failure(self, error: httpx.HTTPError, timeout: float) -> Exception:
        if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError):
            return Error(
                f"nothing answers at {self._url} ({error or 'no connection'}): is the service running there?"
            )
        if isinstance(error, httpx.TimeoutException):
            return _too_late(self._url, timeout)
        return Error(f"the connection to {self._url} broke ({type(error).__name__}: {error}).")

    def _read(self, answer: _Answer) -> Any:
        try:
            data = json.loads(answer.content, parse_constant=_no_number)
        except (ValueError, RecursionError):
            data = None
        if answer.status == 200 and data is not None:
            return data
        shown = answer.content[:100].decode("utf-8", "replace")
        said = _message(data) or f"something that is not this service's, {shown!r}"
        message = f"{self._url} answered {answer.status}: {shorten(printable(said), _SAID)}"
        if answer.status == 429:
            return _raise(OverloadedError(message))
        if answer.status in (408, 504):
            return _raise(TimeoutError(message))
        return _raise(ValueError(message) if answer.status == 422 else Error(message))


_HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "gzip"}


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _encode(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _message(data: Any) -> str | None:
    try:
        return str(data["error"]["message"])
    except (TypeError, KeyError, IndexError):
        return None


def _raise(error: Exception) -> Any:
    raise error


def _too_late(url: str, timeout: float) -> TimeoutError:
    return TimeoutError(f"no answer from {url} within {timeout:g} seconds: raise the timeout, or send less at once.")


async def _until_the_end(client: httpx.AsyncClient) -> AsyncGenerator[None]:
    """Close a client when its event loop ends: a loop finishes the asynchronous generators it has begun."""
    try:
        yield
    finally:
        await client.aclose()


async def _finish(closing: AsyncGenerator[None]) -> None:
    await closing.aclose()
