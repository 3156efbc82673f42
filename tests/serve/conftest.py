"""A service in the test's own process, and one behind a real socket; both on the tiny checkpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from serving import running

from secateurs import Compressor
from secateurs.serve import ServiceSettings, create_app


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Any]]:
    """Return a function that starts a service without a socket and returns a client of it."""
    async with AsyncExitStack() as stack:

        async def start(compressor: Any, **settings: Any) -> httpx.AsyncClient:
            app = create_app(compressor, ServiceSettings(**settings))
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx.ASGITransport(app)
            return await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://service"))

        yield start


@pytest.fixture
async def client(serve: Callable[..., Any], tiny: Compressor) -> httpx.AsyncClient:
    """A client of a service on the tiny checkpoint."""
    return await serve(tiny)


@pytest.fixture(scope="session")
def address(tiny: Compressor) -> Iterator[str]:
    """The address of a service on the tiny checkpoint, behind a real socket."""
    with running(tiny) as url:
        yield url
