"""What every request passes before it reaches a route, and every answer on its way out.

A plain ASGI application around the routes: it knows the hosts and the key, how large a body may be and how long it
may take, notices that a caller has left, and says what browsers may do with an answer. Whatever goes wrong ends here.

A body is read of who may have an answer made of it, and of nobody else: not before the host and the key were right,
and at no address that takes none.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from hashlib import sha256
from typing import Any

from secateurs.serve.metrics import Metrics
from secateurs.serve.refusal import RefusalError
from secateurs.serve.settings import ServiceSettings
from secateurs.support.hosts import check_names, is_ours

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = logging.getLogger(__name__)

_OPEN = ("/", "/healthz", "/readyz", "/openapi.json")  # without a key: nothing of a caller's, and no model
_WITH_BODY = (
    "/v1/compress",
    "/v1/highlight",
    "/v1/rerank",
    "/v2/rerank",
)  # by POST; of no other request is a body read
_LEFT = 499  # the status that is counted for a caller who left; nobody sees it
_BODIES = 16  # times the largest body: bytes of bodies that are held at once
_FREE = 65_536  # bytes of each body that count for nothing there: large ones that dribble keep no small one out

_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
}


class Gate:
    """Lets requests through to an application, within limits.

    Args:
        app: The application.
        settings: The limits.
        metrics: Where requests are counted.
    """

    def __init__(self, app: App, *, settings: ServiceSettings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._key = None if settings.api_key is None else _digest(settings.api_key.encode())
        self._hosts = None if settings.hosts is None else check_names(settings.hosts)
        self._held = 0  # bytes of bodies, of all requests; of each body what goes beyond the free part

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        reply = _Reply(send, self._settings.body_timeout)
        try:
            await self._serve(scope, receive, reply)
        except _CallerLeftError:
            reply.status = _LEFT
        except RefusalError as refusal:
            await reply.refuse(refusal)
        except Exception:
            _log.exception("a request to %r failed", scope["path"])
            if reply.status is not None:
                raise  # half an answer is out: the connection must break
            message = "something went wrong in the service; its log says what."
            await reply.refuse(RefusalError(500, "internal", message))
        finally:
            seconds = time.perf_counter() - started
            self._metrics.request(_path(scope), reply.status or _LEFT, seconds)

    async def _serve(self, scope: Scope, receive: Receive, reply: _Reply) -> None:
        headers = dict(scope["headers"])
        self._check_host(scope)
        self._check_key(scope, headers.get(b"authorization", b""))
        if scope["method"] != "POST" or _path(scope) not in _WITH_BODY:
            await self._app(scope, _no_body(), reply)
            return
        declared = headers.get(b"content-length", b"")
        if declared.isdigit() and (len(declared) > 18 or int(declared) > self._settings.max_body):
            raise self._too_large()
        body = bytearray()
        try:
            await self._read(receive, body)
        except BaseException:
            self._held -= _counted(body)
            raise
        held, content = _counted(body), bytes(body)
        del body  # or every large body would be held twice
        try:
            await self._answer(scope, content, receive, reply)
        finally:
            self._held -= held

    def _check_host(self, scope: Scope) -> None:
        if self._hosts is None:
            return
        named = [value for name, value in scope["headers"] if name == b"host"]
        # who names none is no browser
        if len(named) > 1 or not all(is_ours(host, self._hosts) for host in named):
            raise RefusalError(
                421,
                "wrong_host",
                "this service is not known by that name: call it at 127.0.0.1 or localhost, or start it with "
                "--allow-host NAME.",
            )

    def _check_key(self, scope: Scope, given: bytes) -> None:
        if self._key is None or _path(scope) in _OPEN:
            return
        kind, _, key = given.partition(b" ")
        # of digests, so that neither the time nor the length tells how much of a key was right
        if not hmac.compare_digest(_digest(key.strip()), self._key) or kind.lower() != b"bearer":
            raise RefusalError(
                401,
                "unauthorized",
                "the API key is missing or wrong: send it as `Authorization: Bearer KEY`.",
                headers={"WWW-Authenticate": "Bearer"},
            )

    async def _read(self, receive: Receive, body: bytearray) -> None:
        """Read a body, at most as large and as slow as is allowed."""
        try:
            async with asyncio.timeout(self._settings.body_timeout):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _CallerLeftError
                    chunk = message.get("body", b"")
                    self._held -= _counted(body)
                    body += chunk
                    self._held += _counted(body)
                    more = message.get("more_body", False)
                    if len(body) > self._settings.max_body:
                        raise self._too_large()
                    if _counted(body) and self._held > _BODIES * self._settings.max_body:
                        raise RefusalError.overloaded("too many large requests are arriving.", 2)
        except TimeoutError:
            raise RefusalError(
                408,
                "too_slow",
                f"the body did not arrive within {self._settings.body_timeout:g} s: send less at once.",
                headers={"Connection": "close"},
            ) from None

    async def _answer(self, scope: Scope, body: bytes, receive: Receive, reply: _Reply) -> None:
        """Run the application; stop it when the caller leaves."""
        left = asyncio.ensure_future(_left(receive))
        unread = [body]

        async def replay() -> Message:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            await asyncio.shield(left)
            return {"type": "http.disconnect"}

        work = asyncio.ensure_future(self._app(scope, replay, reply))
        try:
            await asyncio.wait({work, left}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and not reply.complete:
                raise _CallerLeftError
            await work
        finally:
            left.cancel()
            work.cancel()
            await asyncio.gather(work, left, return_exceptions=True)

    def _too_large(self) -> RefusalError:
        most = self._settings.max_body
        return RefusalError(
            413, "too_large", f"the body is larger than {most:,} bytes: send fewer documents at once."
        )


class _CallerLeftError(Exception):
    """Nobody waits for the answer any more."""


class _Reply:
    """Sends an answer, with our headers, to a caller who must take it in time."""

    def __init__(self, send: Send, patience: float) -> None:
        self._send = send
        self._patience = patience
        self.status: int | None = None
        self.complete = False

    async def __call__(self, message: Message) -> None:
        """Pass on a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            named = {name.lower() for name, _ in headers}
            message["headers"] = headers + [pair for pair in _HEADERS.items() if pair[0] not in named]
        elif not message.get("more_body", False):
            self.complete = True
        async with asyncio.timeout(self._patience):
            await self._send(message)

    async def refuse(self, refusal: RefusalError) -> None:
        """Send a refusal, unless an answer has begun."""
        if self.status is not None:
            return
        body = refusal.body()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **refusal.headers}
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await self({"type": "http.response.start", "status": refusal.status, "headers": encoded})
        await self({"type": "http.response.body", "body": body})


def _counted(body: bytearray) -> int:
    return max(0, len(body) - _FREE)


def _no_body() -> Receive:
    """Return what tells an application that there is no body, whatever the caller sends."""
    told = iter(({"type": "http.request", "body": b"", "more_body": False},))

    async def receive() -> Message:
        return next(told, {"type": "http.disconnect"})

    return receive


async def _left(receive: Receive) -> None:
    """Return when the caller has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _path(scope: Scope) -> str:
    """Return the address within this application, wherever it is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()
