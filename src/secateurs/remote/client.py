"""Asks a service from threads and from event loops, over connections that stay open."""

from __future__ import annotations

import asyncio
import json
import os
import weakref
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from secateurs.errors import Error, OverloadedError
from secateurs.support.extras import raise_missing
from secateurs.support.fork import ForkLock

try:
    import httpx
except ModuleNotFoundError as error:
    raise_missing(error, "httpx", feature="RemoteCompressor", extra="serve")

_KEPT_OPEN = 20.0  # seconds an idle connection is kept; the service closes it after 30
_CONNECT = 5.0  # seconds to reach the service, at most
_CONNECTIONS = httpx.Limits(max_connections=256, max_keepalive_connections=64, keepalive_expiry=_KEPT_OPEN)
_BROKEN = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)  # as when an idle connection was just closed


@dataclass(frozen=True)
class _OfLoop:
    """The client of one event loop, and what closes it when the loop ends."""

    client: httpx.AsyncClient
    closing: AsyncGenerator[None]


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
            "headers": {} if api_key is None else {"Authorization": f"Bearer {api_key}"},
            "limits": _CONNECTIONS,
            # no certificates where there are none to check: reading all that are trusted takes longer than a request
            "verify": base_url.startswith("https://"),
        }
        self._url = base_url
        self._lock = ForkLock()
        self._process = os.getpid()
        self._direct: httpx.Client | None = None
        self._closing: weakref.finalize[[], Client] | None = None
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _OfLoop] = weakref.WeakKeyDictionary()

    def post(self, path: str, body: dict[str, Any], timeout: float) -> Any:
        """Send JSON, and return the answer's.

        Args:
            path: Such as `/v1/compress`.
            body: JSON types; no lone surrogates.
            timeout: Seconds to wait.

        Raises:
            TimeoutError: There was no answer in time.
            OverloadedError: Too much is waiting at the service.
            ValueError: The service does not want this request.
            Error: Anything else that is not the answer.
        """
        client, content = self._get(), _encode(body)
        patience = httpx.Timeout(timeout, connect=min(timeout, _CONNECT))
        try:
            try:
                response = client.post(path, content=content, headers=_JSON, timeout=patience)
            except _BROKEN:
                response = client.post(path, content=content, headers=_JSON, timeout=patience)
        except httpx.HTTPError as error:
            raise self._failure(error, timeout) from error
        return self._read(response)

    async def apost(self, path: str, body: dict[str, Any], timeout: float) -> Any:
        """Do what `post` does without blocking the event loop; cancelled, it hangs up."""
        client, content = await self._aget(), _encode(body)
        patience = httpx.Timeout(None, connect=min(timeout, _CONNECT))
        try:
            async with asyncio.timeout(timeout):
                try:
                    response = await client.post(path, content=content, headers=_JSON, timeout=patience)
                except _BROKEN:
                    response = await client.post(path, content=content, headers=_JSON, timeout=patience)
        except httpx.HTTPError as error:
            raise self._failure(error, timeout) from error
        except TimeoutError:
            raise _too_late(self._url, timeout) from None
        return self._read(response)

    def close(self) -> None:
        """Close the connections; those of an event loop that runs are closed by it, soon."""
        with self._lock:
            if self._closing is not None:
                self._closing()
            self._direct = self._closing = None
            held = list(self._loops.items())
            self._loops.clear()
        for loop, one in held:
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(_finish(one.closing), loop)

    def _get(self) -> httpx.Client:
        with self._lock:
            if self._direct is None or self._process != os.getpid():  # a fork's connections are its parent's
                self._process = os.getpid()
                self._direct = httpx.Client(**self._options)
                self._closing = weakref.finalize(self, self._direct.close)
            return self._direct

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

    def _read(self, response: httpx.Response) -> Any:
        try:
            data = json.loads(response.content)
        except ValueError:
            data = None
        if response.status_code == 200 and data is not None:
            return data
        said = _message(data) or f"something that is not this service's, {response.text[:100]!r}"
        message = f"{self._url} answered {response.status_code}: {said}"
        if response.status_code == 429:
            return _raise(OverloadedError(message))
        if response.status_code in (408, 504):
            return _raise(TimeoutError(message))
        return _raise(ValueError(message) if response.status_code == 422 else Error(message))


_JSON = {"Content-Type": "application/json"}


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
