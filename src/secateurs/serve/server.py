"""uvicorn with patience that ends, and a graceful end of its own.

uvicorn waits for ever for a caller who sends half a request's head, or never takes an answer; and once it has drained
it kills itself with the signal it got, so that nothing after it runs. Both are put right.
"""

from __future__ import annotations

import math
import socket
import sys
from types import FrameType

from secateurs.errors import Error
from secateurs.support.extras import raise_missing
from secateurs.support.patience import PatientConnection

try:
    import uvicorn
    from fastapi import FastAPI
    from uvicorn.protocols.http.auto import AutoHTTPProtocol
except ModuleNotFoundError as error:
    raise_missing(error, "uvicorn", "fastapi", feature="the HTTP service", extra="serve")

from secateurs.serve.service import Service

_CONNECTIONS = 1_000  # beyond these uvicorn answers 503


class _Patient(PatientConnection, AutoHTTPProtocol):  # type: ignore[misc,valid-type]  # uvicorn chooses the class
    """A connection of this server."""


class _Server(uvicorn.Server):
    """Tells the service when it begins to end, says where it listens, and returns when it has ended."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            print(f"secateurs: {self._service.name} on http://{shown}:{port}", file=sys.stderr, flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._service.draining = True
        self.force_exit = self.should_exit  # a second signal does not wait for anybody
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address; it accepts nobody yet.

    Args:
        host: A name or an address of this machine.
        port: 0 for any free one.

    Raises:
        Error: The address cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise Error(
            f"cannot listen on {host} port {port}: {error.strerror or error}. Choose another --host or --port."
        ) from None
    return bound


def make_server(app: FastAPI) -> uvicorn.Server:
    """Return a server for an application of `create_app`; run it with `server.run(sockets=[listen(...)])`."""
    service: Service = app.state.service
    config = uvicorn.Config(
        app,
        http=_Patient,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=service.settings.idle_timeout,  # type: ignore[arg-type]  # a part of a second will do
        timeout_graceful_shutdown=math.ceil(service.settings.timeout) + 1,
    )
    return _Server(config, service)
