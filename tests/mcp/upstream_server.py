"""A server of the SDK's own, for the gateway to stand before: everything a tool may answer with."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import anyio
from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel, Field

RAIN = "It rained all day long over the hills and the wind came from the sea. "
MILL = "The mill was built in 1842 by Ann Lee. "
LOG = "".join(f"06:{n // 60:02d}:{n % 60:02d} INFO wheel {n} turns\n" for n in range(400))
LOG = LOG.replace("06:03:20 INFO wheel 200 turns", "06:03:20 ERROR sluice gate jammed at 40 percent")
ROWS = json.dumps([{"id": n, "name": f"wheel {n}", "state": "swept and dry"} for n in range(80)])
PIXEL = bytes.fromhex("89504e470d0a1a0a")

cancelled: list[str] = []

server = MCPServer("upstream", instructions="Ask for the mill.", log_level="WARNING")


class Weather(BaseModel):
    """What structured tools answer with."""

    days: int
    text: str


@server.tool(title="Read the log")
def read_log(path: Annotated[str, Field(description="Path of a log.")]) -> str:
    """Read a log."""
    return LOG


@server.tool()
def rows() -> CallToolResult:
    """Return JSON in a text block, another block beside it."""
    blocks = [TextContent(type="text", text=ROWS), TextContent(type="text", text="80 rows")]
    return CallToolResult(content=blocks)


@server.tool()
def page(query: str) -> str:
    """Return a long page."""
    return RAIN * 20 + MILL + RAIN * 20


@server.tool()
def picture(query: str) -> list[str | Image]:
    """Return a picture and a long text."""
    return [RAIN * 20 + MILL, Image(data=PIXEL, format="png")]


@server.tool()
def weather(query: str) -> Weather:
    """Return structured content."""
    return Weather(days=3, text=RAIN * 40)


@server.tool()
def fail(query: str) -> str:
    """Fail with a long message."""
    raise ToolError("no such mill. " + RAIN * 40)


@server.tool()
async def slow(query: str, context: Context) -> str:
    """Report progress, then wait to be cancelled."""
    for step in range(3):
        await context.report_progress(step, 3, f"step {step}")
    if query == "forever":
        try:
            await anyio.sleep(60)
        finally:
            cancelled.append(query)
            if "MILL_LOG" in os.environ:
                Path(os.environ["MILL_LOG"]).write_text("cancelled", encoding="utf-8")
    return RAIN * 20 + MILL


@server.resource("mill://rooms")
def rooms() -> str:
    """Return a resource."""
    return RAIN * 40


@server.prompt()
def ask() -> str:
    """Return a prompt."""
    return "Who built the mill?"


if __name__ == "__main__":
    server.run("stdio")
