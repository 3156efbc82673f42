"""What comes over HTTP reaches the SDK only from where it may, at a pace, and no more than can be answered."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest
from test_mcp_command import (
    docs,  # noqa: F401 - a fixture
    served,  # noqa: F401 - a fixture
)

from secateurs.mcp.gate import Gate

INITIALIZE = (
    b'{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", '
    b'"capabilities": {}, "clientInfo": {"name": "a client", "version": "1"}}}'
)


class Application:
    """What stands behind the gate: says what it was given, when it is let."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.let = asyncio.Event()
        self.let.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        self.bodies.append(message.get("body", b""))
        await self.let.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"answer"})


async def ask(
    gate: Gate,
    *,
    method: str = "POST",
    headers: tuple[tuple[bytes, bytes], ...] = ((b"host", b"127.0.0.1:8765"),),
    parts: tuple[bytes | None, ...] = (b"{}",),
    takes: bool = True,
) -> int | None:
    """Send a request in parts, None for a caller who sends nothing more; return the status of its answer."""
    statuses: list[int] = []
    rest = [*parts]

    async def receive() -> dict[str, Any]:
        part = rest.pop(0) if rest else None
        if part is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": part, "more_body": bool(rest)}

    async def send(message: dict[str, Any]) -> None:
        if not takes:
            await asyncio.Event().wait()
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await gate({"type": "http", "method": method, "path": "/mcp", "headers": list(headers)}, receive, send)
    return statuses[0] if statuses else None


def gate_of(app: Application, **limits: Any) -> Gate:
    return Gate(app, hosts=["pruner.example"], max_body=limits.pop("max_body", 1000), **limits)


HOSTS = {
    b"127.0.0.1:8765": 200,
    b"127.0.0.2": 200,
    b"[::1]:8765": 200,
    b"localhost": 200,
    b"LOCALHOST:1": 200,
    b"192.168.1.7:8765": 200,
    b"pruner.example:8765": 200,
    b"evil.example": 421,
    b"127.0.0.1.evil.example": 421,
    b"localhost.evil.example:8765": 421,
    b"localhost:8765@evil.example": 421,
    b"": 421,
}


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_only_names_of_ours_are_served(method):
    """A page that has its own name lead here (DNS rebinding) is refused, and nothing of its body is read."""
    for host, status in HOSTS.items():
        app = Application()
        assert await ask(gate_of(app), method=method, headers=((b"host", host),)) == status
        assert bool(app.bodies) == (status == 200)
    two = ((b"host", b"localhost"), (b"host", b"evil.example"))
    assert await ask(gate_of(Application()), method=method, headers=two) == 421


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (b"http://127.0.0.1:8765", 200),
        (b"https://pruner.example", 200),
        (b"http://localhost:6274", 200),
        (b"https://evil.example", 403),
        (b"http://localhost@evil.example", 403),
        (b"null", 403),
        (b"http://[", 403),
    ],
)
async def test_pages_of_other_sites_are_refused(origin, status):
    """What a browser sends for a page of another site is answered with 403, whatever address it called."""
    app = Application()
    assert await ask(gate_of(app), headers=((b"host", b"127.0.0.1"), (b"origin", origin))) == status
    assert len(app.bodies) == (status == 200)


async def test_a_body_must_come_in_time():
    """A caller who dribbles, or stops in the middle, is told so and holds nothing any longer."""
    app = Application()
    gate = gate_of(app, patience=0.2, calls=1)
    for _ in range(3):
        assert await asyncio.wait_for(ask(gate, parts=(b"{", None)), 5) == 408
    assert await ask(gate, parts=(b"{", b"}")) == 200
    assert app.bodies == [b"{}"]


async def test_a_body_is_not_read_past_its_limit():
    """More than may come is refused as soon as it is there."""
    app = Application()
    assert await ask(gate_of(app), parts=(b"x" * 1000,)) == 200
    assert await ask(gate_of(app), parts=(b"x" * 600, b"x" * 600, None)) == 413
    assert len(app.bodies) == 1


async def test_no_more_calls_than_can_be_are_let_in():
    """Beyond the limit a call is told to come again; a place is free as soon as one is answered or has failed."""
    app = Application()
    gate = gate_of(app, calls=3)
    app.let.clear()
    inside = [asyncio.create_task(ask(gate)) for _ in range(3)]
    await until(lambda: len(app.bodies) == 3)
    assert await ask(gate) == 429
    inside[0].cancel()
    await asyncio.gather(inside[0], return_exceptions=True)
    another = asyncio.create_task(ask(gate))
    await until(lambda: len(app.bodies) == 4)
    assert await ask(gate) == 429
    app.let.set()
    assert await asyncio.gather(*inside[1:], another) == [200, 200, 200]
    assert await ask(gate) == 200


async def test_an_answer_must_be_taken_in_time():
    """A caller who never reads holds no place for ever."""
    gate = gate_of(Application(), patience=0.2, calls=1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ask(gate, takes=False), 5)
    assert await ask(gate) == 200


async def test_other_traffic_passes():
    """The server's own start and end go through to the application."""
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    await Gate(app, hosts=[], max_body=1)({"type": "lifespan"}, None, None)
    assert seen == ["lifespan"]


HEADS = {
    "Host: {}": 200,
    "Host: localhost:{}": 200,
    "Host: evil.example:{}": 421,
    "Host: {}\r\nOrigin: http://evil.example": 403,
}


def test_the_real_server_has_the_gate(served):  # noqa: F811 - the fixture
    """Over a socket a right name is answered by the SDK, and a wrong one by the gate."""
    address = served[1].removeprefix("http://").removesuffix("/mcp")
    host, port = address.split(":")
    for head, status in HEADS.items():
        lines = [
            "POST /mcp HTTP/1.1",
            head.format(port if "localhost" in head or "evil.example:" in head else address),
            "Content-Type: application/json",
            "Accept: application/json, text/event-stream",
            f"Content-Length: {len(INITIALIZE)}",
            "Connection: close",
        ]
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + INITIALIZE)
            answer = connection.recv(65536)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), head


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not met():
            await asyncio.sleep(0.005)
