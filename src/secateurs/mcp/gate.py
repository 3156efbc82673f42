"""What a request to the server over HTTP passes before the SDK sees it.

A plain ASGI application around the SDK's. There is no authentication, so whoever reaches the port is served; but no
page of another site in a browser of this machine, none without end, and no more callers at once than can be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from secateurs.support.hosts import check_names, is_ours

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_CALLS = 64  # that may be inside; more are told to come again


class Gate:
    """Lets requests through to an application, within limits.

    Args:
        app: The application.
        hosts: Names, beside `localhost` and addresses in numbers, by which the server may be called.
        max_body: Bytes of a body.
        patience: Seconds in which a body has to arrive, and a caller has to take a part of an answer.
        calls: Calls that may be inside at once.

    Raises:
        ValueError: One of the names is none.
    """

    def __init__(
        self, app: App, *, hosts: Iterable[str], max_body: int, patience: float = 30.0, calls: int = _CALLS
    ) -> None:
        self._app = app
        self._hosts = check_names(hosts)
        self._max_body = max_body
        self._patience = patience
        self._calls = calls
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(send, refusal)
        elif scope["method"] != "POST":
            await self._app(scope, receive, self._patient(send))
        else:
            self._inside += 1
            try:
                await self._call(scope, receive, self._patient(send))
            finally:
                self._inside -= 1

    def _refusal(self, scope: Scope) -> _Refusal | None:
        """Return why a request is refused by its head alone."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        # who names none is no browser
        if len(hosts) > 1 or not all(is_ours(host, self._hosts) for host in hosts):
            return _Refusal(421, "this server is not known by that name: start it with --allow-host NAME.")
        if not all(is_ours(_host_of(origin), self._hosts) for origin in origins):
            return _Refusal(403, "pages of other sites may not call this server.")
        if scope["method"] == "POST" and self._inside >= self._calls:
            return _Refusal(429, f"{self._inside} calls are being answered, which is the limit: come again.")
        return None

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(self._patience):
                body = await self._read(receive)
        except TimeoutError:
            await _refuse(send, _Refusal(408, f"the body did not arrive within {self._patience:g} s: send less."))
            return
        if body is None:
            return  # the caller left
        if len(body) > self._max_body:
            await _refuse(send, _Refusal(413, f"the body is larger than {self._max_body:,} bytes: send less."))
            return
        unread = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replay() -> Message:
            return unread.pop() if unread else await receive()

        await self._app(scope, replay, send)

    async def _read(self, receive: Receive) -> bytearray | None:
        """Return a body, or so much of it that it is too large; None if the caller has left."""
        body, more = bytearray(), True
        while more and len(body) <= self._max_body:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return body

    def _patient(self, send: Send) -> Send:
        """Return what sends an answer to a caller who must take each part of it in time."""

        async def sent(message: Message) -> None:
            async with asyncio.timeout(self._patience):
                await send(message)

        return sent


class _Refusal:
    """An answer without a call."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.body = f"secateurs: {message}\n".encode()


async def _refuse(send: Send, refusal: _Refusal) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(refusal.body))]
    if refusal.status == 429:
        headers.append((b"retry-after", b"2"))
    if refusal.status in (408, 413):  # the rest of the body is not waited for
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": refusal.body})


def _host_of(origin: bytes) -> bytes:
    try:
        return urlsplit(origin.decode("latin-1")).netloc.encode("latin-1")
    except ValueError:
        return b""
