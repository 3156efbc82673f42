"""A gateway: another MCP server's tools, their results compressed, and a tool that gives the originals back.

    secateurs mcp --upstream 'npx some-server --its options'

It stands between a client and that server and hands on every message as it is, whatever it says: schemas, errors,
images, progress, cancellation, resources, prompts, in every version of the protocol. It changes two answers. That to
`tools/list` names one tool more; in that to `tools/call` text blocks are cut, each other block and the structured
content stay. And it answers calls of its own tool by itself.

What cannot be compressed is handed on as it came.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import anyio
import anyio.abc
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from secateurs.adapters.agent import AgentSettings
from secateurs.adapters.asking import QUERY_ARGUMENTS, Asking, asking
from secateurs.adapters.originals import Originals
from secateurs.adapters.runner import Runner
from secateurs.adapters.streams import split_texts
from secateurs.adapters.tool_output import EXPAND, Delivery, Job, Shortener, WayBack, nothing_kept

_log = logging.getLogger(__name__)

NAME = "expand"
_OTHERWISE = "secateurs_expand"  # where the server has a tool of that name itself
_HANDLE = {"type": "string", "description": "The handle that stands at the end of the cut result."}

Id = int | str
Send = Callable[[SessionMessage], Awaitable[None]]


class Sink(Protocol):
    """Takes messages."""

    async def send(self, item: SessionMessage, /) -> None:
        """Take one."""


class Streams(NamedTuple):
    """The two ends of a connection, as the SDK's transports give them.

    Attributes:
        read: Messages, in order; what could not be read is an exception.
        write: Takes messages.
    """

    read: AsyncIterable[SessionMessage | Exception]
    write: Sink


@dataclass(frozen=True)
class _Call:
    """A request whose answer is changed.

    Attributes:
        tool: Which tool is called; None for `tools/list`.
        arguments: Its arguments.
    """

    tool: str | None
    arguments: Mapping[str, Any]


class Gateway:
    """Compresses the results of one server's tools for one client.

    Args:
        settings: What compresses, and how.
        min_tokens: Results of fewer LLM tokens stay as they are.
        originals: Where originals are kept.
        query_arguments: Names of arguments that hold a query.

    Raises:
        ValueError, TypeError: `min_tokens` is no count.
    """

    def __init__(
        self,
        settings: AgentSettings,
        *,
        min_tokens: int = 200,
        originals: Originals | None = None,
        query_arguments: tuple[str, ...] = QUERY_ARGUMENTS,
    ) -> None:
        self._settings = settings
        self._names = query_arguments
        self._runner = Runner()
        self._min_tokens = min_tokens
        self._originals = originals or Originals()
        self._calls: dict[Id, _Call] = {}
        self._work: dict[Id, anyio.CancelScope] = {}
        self._rename(NAME)

    def _rename(self, name: str) -> None:
        self._name = name
        self._shortener = Shortener(
            self._settings.encoding,
            min_tokens=self._min_tokens,
            way_back=WayBack(name, self._originals),
            drops=self._settings.drops,
        )

    async def relay(self, client: Streams, server: Streams) -> bool:
        """Hand messages on until one of the two sides is gone.

        Args:
            client: Reads from the client and writes to it.
            server: Reads from the server and writes to it.

        Returns:
            Whether it was the server.
        """
        left = []
        async with anyio.create_task_group() as group:

            async def down() -> None:
                async for message in client.read:
                    if isinstance(message, SessionMessage):
                        await self._from_client(message, client.write.send, server.write.send)
                group.cancel_scope.cancel()

            async def up() -> None:
                async for message in server.read:
                    if isinstance(message, SessionMessage):
                        await self._from_server(message, client.write.send, group)
                left.append(server)
                group.cancel_scope.cancel()

            group.start_soon(down)
            group.start_soon(up)
        return bool(left)

    async def _from_client(self, message: SessionMessage, answer: Send, forward: Send) -> None:
        said = message.message
        if isinstance(said, JSONRPCRequest) and said.method == "tools/call":
            params = said.params or {}
            tool, arguments = str(params.get("name")), params.get("arguments")
            arguments = arguments if isinstance(arguments, dict) else {}
            if tool == self._name:
                await answer(SessionMessage(self._expanded(said, str(arguments.get("handle", "")).strip())))
                return
            self._calls[said.id] = _Call(tool, arguments)
        elif isinstance(said, JSONRPCRequest) and said.method == "tools/list":
            self._calls[said.id] = _Call(None, {})
        elif isinstance(said, JSONRPCNotification) and said.method == "notifications/cancelled":
            self._cancel((said.params or {}).get("requestId"))
        await forward(message)

    def _cancel(self, number: object) -> None:
        """Forget a request: what is still compressed for it never will be sent."""
        if isinstance(number, (int, str)):
            self._calls.pop(number, None)
            if number in self._work:
                self._work[number].cancel()

    async def _from_server(self, message: SessionMessage, forward: Send, group: anyio.abc.TaskGroup) -> None:
        said = message.message
        call = None
        if isinstance(said, (JSONRPCResponse, JSONRPCError)) and said.id is not None:  # 0 is an id, and many's first
            call = self._calls.pop(said.id, None)
        if call is None or not isinstance(said, JSONRPCResponse):
            await forward(message)
        elif call.tool is None:
            await forward(replace(message, message=said.model_copy(update={"result": self._listed(said.result)})))
        else:
            group.start_soon(self._deliver, message, said, call, forward)  # others need not wait for it

    def _listed(self, result: dict[str, Any]) -> dict[str, Any]:
        """Return a list of tools with ours on its last page."""
        tools = result.get("tools")
        if not isinstance(tools, list):
            return result
        if any(isinstance(tool, dict) and tool.get("name") == NAME for tool in tools):
            self._rename(_OTHERWISE)
        if result.get("nextCursor"):
            return result
        schema = {"type": "object", "properties": {"handle": _HANDLE}, "required": ["handle"]}
        hints = {"readOnlyHint": True, "openWorldHint": False}
        ours = {"name": self._name, "description": EXPAND, "inputSchema": schema, "annotations": hints}
        return {**result, "tools": [*tools, ours]}

    def _expanded(self, request: JSONRPCRequest, handle: str) -> JSONRPCResponse:
        text = self._originals.get(handle)
        block = {"type": "text", "text": nothing_kept(handle) if text is None else text}
        result = {"content": [block], "isError": text is None, "resultType": "complete"}
        return JSONRPCResponse(jsonrpc="2.0", id=request.id, result=result)

    async def _deliver(self, message: SessionMessage, said: JSONRPCResponse, call: _Call, forward: Send) -> None:
        with anyio.CancelScope() as scope:
            self._work[said.id] = scope
            result = said.result
            try:
                result = await self._compressed(said.result, call)
            except Exception:
                _log.exception("a result of %s is handed on as it is", call.tool)
            finally:
                self._work.pop(said.id, None)
            await forward(replace(message, message=said.model_copy(update={"result": result})))

    def _job(self, asked: Asking, texts: Sequence[str | None]) -> Job[list[str]] | None:
        return self._shortener.job(asked, _shown(texts), split_texts(texts))

    async def _compressed(self, result: dict[str, Any], call: _Call) -> dict[str, Any]:
        content = result.get("content")
        if not isinstance(content, list) or result.get("isError"):
            return result
        texts = [_text(block) for block in content]
        asked = asking(call.arguments, self._names) or Asking(str(call.tool).replace("_", " "))
        job = await anyio.to_thread.run_sync(self._job, asked, texts)
        if job is None:
            return result
        delivery = Delivery(self._shortener, job, _shown)
        await self._runner.arun(
            self._settings, asked.query, job.parts.texts, job.parts.ids, asking=asked, delivered=delivery
        )
        if delivery.shorter is None:
            return result
        made = delivery.shorter.output
        blocks = [
            block if text is None else {**block, "text": new}
            for block, text, new in zip(content, texts, made, strict=False)
            if text is None or new.strip()
        ]
        return {**result, "content": [*blocks, *({"type": "text", "text": one} for one in made[len(content) :])]}


def _text(block: object) -> str | None:
    """Return the text of a block that may be cut; None for images, resources, links and all others."""
    if not isinstance(block, dict) or block.get("type") != "text":
        return None
    text = block.get("text")
    return text if isinstance(text, str) and text.strip() else None


def _shown(texts: Sequence[str | None]) -> str:
    return "\n".join(text for text in texts if text)
