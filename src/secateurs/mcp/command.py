"""`secateurs mcp`: serve compression to agents; nothing heavy is imported before it is called."""

from __future__ import annotations

import shlex
import signal
import socket
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from secateurs.adapters.choice import Asked, choose_for_tools
from secateurs.adapters.options import Revision
from secateurs.policy import Default
from secateurs.support.arguments import check_count, check_elision
from secateurs.support.hosts import check_names

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer


_SESSIONS = 1_000  # of clients that have come and not gone; those of an older protocol hold one each
_CONNECTIONS = 1_000  # beyond these uvicorn answers 503
_IDLE = 60  # seconds that a connection may be without a request


class Transport(StrEnum):
    """How clients reach the server."""

    stdio = "stdio"
    streamable_http = "streamable-http"


class WhenEmpty(StrEnum):
    """What to do with a document in which nothing passes."""

    drop = "drop"
    best = "best"
    original = "original"


def mcp(  # noqa: PLR0913 - a command's options are its interface
    root: Annotated[
        list[Path] | None,
        typer.Option(help="A folder whose text files agents may read; may be repeated. [default: none]"),
    ] = None,
    transport: Annotated[
        Transport, typer.Option(help="stdio: the client starts this command; streamable-http: it connects to a port.")
    ] = Transport.stdio,
    model: Annotated[str | None, typer.Option(help="Hub id or folder of a checkpoint. [default: bundled]")] = None,
    revision: Revision = None,
    threshold: Annotated[float | None, typer.Option(help="Keep sentences with at least this score, 0 to 1.")] = None,
    elision: Annotated[str | None, typer.Option(help="Stands where something was cut, such as […].")] = None,
    policy: Annotated[
        str | None, typer.Option(help='Which lines stay, such as "ToolOutput(3500)". [default: ToolOutput()]')
    ] = None,
    when_empty: Annotated[
        WhenEmpty | None,
        typer.Option(help="Where nothing passes: drop, best or original. [default: all if short, else the best]"),
    ] = None,
    encoding: Annotated[str, typer.Option(help="tiktoken encoding that counts the tokens.")] = "o200k_base",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    host: Annotated[str, typer.Option(help="Address to listen on; there is no authentication.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 8765,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A name, beside localhost, by which clients may call it; others get 421. Repeat for more."),
    ] = None,
    max_bytes: Annotated[int, typer.Option(help="Bytes of the longest text or file that is compressed.")] = 1_000_000,
    upstream: Annotated[
        str | None,
        typer.Option(help="A command that starts another MCP server: serve its tools, their results compressed."),
    ] = None,
    min_tokens: Annotated[int, typer.Option(help="With --upstream: shorter results stay as they are.")] = 200,
) -> None:
    """Serve compression to agents over the Model Context Protocol: text, files under --root, and what was cut.

    With --upstream it stands before another server instead, over stdio: that server's tools, errors, images, progress
    and everything else pass as they are, long results are cut to what the call asked for, and a tool `expand` gives
    the originals back.
    """
    check_count(max_bytes, "--max-bytes", least=1)
    check_count(min_tokens, "--min-tokens", least=0)
    words = None if upstream is None else _words(upstream, transport, root)
    asked = Asked(policy=policy, threshold=threshold, when_empty=when_empty.value if when_empty else None)
    choose_for_tools(asked, Default())  # before the model loads
    check_elision(elision)
    from secateurs.mcp import make_server
    from secateurs.mcp.files import Folders

    Folders(root or (), max_bytes)
    hosts = check_names((*(allow_host or ()), *(() if ":" in host else (host,))))
    listening = None if transport is Transport.stdio else _listen(host, port)
    from secateurs.compressor import Compressor  # what is wrong is told before torch is loaded

    compressor = Compressor.from_pretrained(
        model, revision=revision, device=device, encoding=encoding, elision=elision, mapped=False
    )
    if words is not None:
        from secateurs.mcp.upstream import serve

        serve(words, compressor, choose_for_tools(asked, compressor.policy), min_tokens=min_tokens)
        return
    server = make_server(
        compressor, policy=choose_for_tools(asked, compressor.policy), roots=root or (), max_bytes=max_bytes
    )
    if listening is None:
        server.run("stdio")
    else:
        _serve(server, hosts, listening, max_bytes)


def _words(upstream: str, transport: Transport, root: list[Path] | None) -> list[str]:
    """Return the words of a command line."""
    try:
        words = shlex.split(upstream)
    except ValueError as error:
        raise ValueError(f"--upstream {upstream!r} is no command line: {error}.") from None
    if not words:
        raise ValueError("--upstream is blank: name the command that starts the other server.")
    if transport is not Transport.stdio or root:
        raise ValueError(
            "--upstream serves that server's tools alone, over stdio: leave --root and --transport out, or start a "
            "server of its own for them."
        )
    return words


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise OSError(
            f"cannot listen on {host} port {port}: {error.strerror or error}. Pass another --port or --host; "
            "--port 0 takes a free one."
        ) from None


def _serve(server: MCPServer, hosts: Iterable[str], listening: socket.socket, max_bytes: int) -> None:
    """Serve until interrupted."""
    import uvicorn
    from mcp.server.transport_security import DEFAULT_MAX_REQUEST_BODY_SIZE, TransportSecuritySettings
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    from secateurs.mcp.gate import Gate
    from secateurs.support.patience import PatientConnection

    class Patient(PatientConnection, AutoHTTPProtocol):  # type: ignore[misc,valid-type]  # uvicorn chooses the class
        """A connection of this server."""

    class Interruptible(uvicorn.Server):
        """Knows what ended it."""

        interrupted = False

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            self.interrupted |= sig == signal.SIGINT
            super().handle_exit(sig, frame)

    address, port = listening.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    print(f"secateurs: serving http://{shown}:{port}/mcp", file=sys.stderr, flush=True)
    if not address.startswith("127.") and address != "::1":
        print(
            "secateurs: there is no authentication: whoever reaches this port may use the tools, files included",
            file=sys.stderr,
            flush=True,
        )
    body = max(DEFAULT_MAX_REQUEST_BODY_SIZE, 8 * max_bytes)  # JSON may write a byte as six
    app = server.streamable_http_app(
        max_request_body_size=body,
        max_sessions=_SESSIONS,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),  # the gate has its own
    )
    config = uvicorn.Config(
        Gate(app, hosts=hosts, max_body=body),
        http=Patient,
        ws="none",
        log_level="warning",
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_IDLE,
    )
    served = Interruptible(config)
    served.run(sockets=[listening])
    if served.interrupted:  # where the parent ignores SIGINT, as nohup's does, uvicorn ends as if nothing had been
        raise KeyboardInterrupt
