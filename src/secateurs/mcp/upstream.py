"""The gateway as a process: the client on our standard streams, the other server on those of a process of ours."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import anyio
from mcp import StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.server.stdio import stdio_server

from secateurs.adapters.agent import AgentSettings
from secateurs.adapters.protocol import CompressorLike
from secateurs.mcp.gateway import Gateway, Streams
from secateurs.policy import Policy


def serve(words: Sequence[str], compressor: CompressorLike, policy: Policy, *, min_tokens: int) -> None:
    """Serve another server's tools until the client is gone; where that server is gone first, end with code 2.

    Args:
        words: The command that starts it; it has this process's environment and error stream.
        compressor: What compresses.
        policy: Which lines stay.
        min_tokens: Results of fewer LLM tokens stay as they are.

    Raises:
        ValueError: The command cannot be started.
    """
    gateway = Gateway(AgentSettings(compressor=compressor, policy=policy), min_tokens=min_tokens)
    anyio.run(_serve, list(words), gateway)


async def _serve(words: list[str], gateway: Gateway) -> None:
    parameters = StdioServerParameters(command=words[0], args=words[1:], env=dict(os.environ))
    try:
        async with stdio_client(parameters) as upstream, stdio_server() as client:
            if await gateway.relay(Streams(*client), Streams(*upstream)):
                _end(words[0])
    except* FileNotFoundError:
        raise ValueError(f"--upstream: there is no command {words[0]!r}. Is it installed, and on PATH?") from None


def _end(command: str) -> NoReturn:
    """End the process: what reads from the client waits for its next message, and nothing wakes it."""
    print(f"secateurs: the server behind --upstream ({command}) ended. What it said is above.", file=sys.stderr)
    sys.stderr.flush()
    os._exit(2)
