"""Tools for LlamaIndex agents whose output is compressed."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from llama_index.core.llms import TextBlock
from llama_index.core.schema import NodeWithScore
from llama_index.core.tools import (
    AsyncBaseTool,
    BaseTool,
    FunctionTool,
    ToolMetadata,
    ToolOutput,
    adapt_to_async_tool,
)
from llama_index_instrumentation import get_dispatcher

from secateurs.adapter import Outcome, Runner
from secateurs.adapter_settings import CompressorLike, OnError, OnReport, Settings
from secateurs.llama_index.events import SecateursReportEvent
from secateurs.llama_index.nodes import clean_query, text_of
from secateurs.policy import check_count
from secateurs.savings import TokenCounter

QUERY_ARGUMENTS = ("query", "input", "question", "query_str", "search_query", "q")

_NOTHING = "[no part of this result answers the query]"

_dispatcher = get_dispatcher(__name__)
_log = logging.getLogger(__name__)


class AdapterFields(TypedDict, total=False):
    """The settings of `secateurs.adapter_settings.Settings` that a tool has, by name."""

    compressor: CompressorLike | None
    model: str | None
    device: str
    threshold: float | None
    top_k: int | None
    max_tokens: int | None
    on_error: OnError
    encoding: str
    on_report: OnReport | None


def compress_tool(
    tool: BaseTool,
    *,
    query: Callable[[Mapping[str, Any]], str | None] | None = None,
    query_arguments: Sequence[str] = QUERY_ARGUMENTS,
    min_tokens: int = 200,
    **settings: Unpack[AdapterFields],
) -> AsyncBaseTool:
    """Wrap a tool so that an agent reads its output cut down to what answers the query.

    Name, description, schema, context and callbacks stay the tool's own. Of the output the text blocks are
    compressed, where the raw output is a list of nodes each node by itself; `raw_output` keeps the original, other
    blocks, JSON and outputs with `is_error` stay as they are, as does an output that would not get shorter. A failure
    of ours returns the output as it came, unless `on_error="raise"`; a failure of the tool passes. The report goes to
    `on_report` and out as a `SecateursReportEvent`.

    Args:
        tool: Any tool, not a plain function. It is not changed.
        query: Names the query from the call's keyword arguments, None or blank for "leave the output".
        query_arguments: Without `query`: the first of these arguments that is there is the query, else the only
            argument that is a string, else there is none and the output stays as it is.
        min_tokens: Outputs of fewer LLM tokens stay as they are.
        **settings: `compressor`, `model`, `device`, `threshold`, `top_k`, `max_tokens`, `on_error`, `encoding`,
            `on_report`; see `secateurs.adapter_settings.Settings`.

    Returns:
        A tool for `FunctionAgent` and its like; a FunctionTool if it was one.

    Raises:
        TypeError: It is no tool, or a setting is unknown or of the wrong type.
        ValueError: A setting is out of range.

    Example:
        >>> def look(query: str) -> str:
        ...     "Look it up."
        ...     return "Ann wrote it in 1999. It rained that year."
        >>> tool = compress_tool(FunctionTool.from_defaults(look), threshold=0.5, min_tokens=1)
        >>> tool.call(query="Who wrote it?").content
        'Ann wrote it in 1999. '
    """
    if not isinstance(tool, BaseTool):
        raise TypeError(f"tool must be a LlamaIndex tool, got {tool!r}: wrap a function with FunctionTool first.")
    if isinstance(query_arguments, str):
        raise TypeError(f"query_arguments must be a list of names, got the string {query_arguments!r}")
    unknown = set(settings) - set(AdapterFields.__annotations__)
    if unknown:
        raise TypeError(f"unknown settings {sorted(unknown)}: use {', '.join(AdapterFields.__annotations__)}.")
    check_count(min_tokens, "min_tokens", least=0)
    cutter = _Cutter(Settings(**settings), query, tuple(query_arguments), min_tokens)
    if isinstance(tool, FunctionTool):
        return CompressingFunctionTool(tool, cutter)
    return CompressingTool(adapt_to_async_tool(tool), cutter)


class CompressingTool(AsyncBaseTool):
    """Another tool, its output compressed; made by `compress_tool`."""

    def __init__(self, tool: AsyncBaseTool, cutter: _Cutter) -> None:
        self.tool = tool
        self._cutter = cutter

    @property
    def metadata(self) -> ToolMetadata:
        """The wrapped tool's own."""
        return self.tool.metadata

    def call(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """Call the tool and compress its output."""
        return self._cutter.run(self.tool.call(*args, **kwargs), args, kwargs)

    async def acall(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """Do what `call` does without blocking the event loop."""
        return await self._cutter.arun(await self.tool.acall(*args, **kwargs), args, kwargs)


class CompressingFunctionTool(FunctionTool):
    """A FunctionTool, its output compressed; agents give it their context as they give it to the tool inside."""

    def __init__(self, tool: FunctionTool, cutter: _Cutter) -> None:
        self.__dict__.update(tool.__dict__)  # everything an agent asks of a FunctionTool, the schema to the context
        self.tool = tool
        self._cutter = cutter

    def call(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """Call the tool and compress its output."""
        return self._cutter.run(self.tool.call(*args, **kwargs), args, kwargs)

    async def acall(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """Do what `call` does without blocking the event loop."""
        return await self._cutter.arun(await self.tool.acall(*args, **kwargs), args, kwargs)


@dataclass(frozen=True)
class _Piece:
    """A text to compress: where it stands in which block, and the node's id if it is a node's."""

    block: int
    start: int
    end: int
    text: str
    id: str | None = None


@dataclass(frozen=True)
class _Job:
    """One output to compress."""

    output: ToolOutput
    query: str
    pieces: list[_Piece]
    before: int

    @property
    def texts(self) -> list[str]:
        return [piece.text for piece in self.pieces]

    @property
    def ids(self) -> list[str | None]:
        return [piece.id for piece in self.pieces]


class _Cutter:
    """Compresses outputs of one tool."""

    def __init__(
        self,
        settings: Settings,
        query: Callable[[Mapping[str, Any]], str | None] | None,
        query_arguments: Sequence[str],
        min_tokens: int,
    ) -> None:
        self._settings = settings
        self._query = query
        self._query_arguments = query_arguments
        self._min_tokens = min_tokens
        self._count = TokenCounter(settings.encoding)
        self._runner = Runner()

    def run(self, output: ToolOutput, args: Sequence[Any], kwargs: Mapping[str, Any]) -> ToolOutput:
        job = self._job(output, args, kwargs)
        if job is None:
            return output
        return self._finish(job, self._runner.run(self._settings, job.query, job.texts, job.ids))

    async def arun(self, output: ToolOutput, args: Sequence[Any], kwargs: Mapping[str, Any]) -> ToolOutput:
        job = await asyncio.to_thread(self._job, output, args, kwargs)  # counting a long output takes a while
        if job is None:
            return output
        outcome = await self._runner.arun(self._settings, job.query, job.texts, job.ids)
        return await asyncio.to_thread(self._finish, job, outcome)

    def _job(self, output: ToolOutput, args: Sequence[Any], kwargs: Mapping[str, Any]) -> _Job | None:
        try:
            if output.is_error:
                return None
            query = self._query(kwargs) if self._query is not None else self._query_of(args, kwargs)
            if query is None or not query.strip():
                return None
            before, pieces = self._count(output.content), _pieces(output)
            if not pieces or before < self._min_tokens:
                return None
            return _Job(output, clean_query(query), pieces, before)
        except Exception as error:
            self._give_up(error)
            return None

    def _query_of(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
        for name in self._query_arguments:
            if isinstance(kwargs.get(name), str) and kwargs[name].strip():
                return str(kwargs[name])
        texts = [one for one in (*args, *kwargs.values()) if isinstance(one, str)]
        return texts[0] if len(texts) == 1 else None

    def _finish(self, job: _Job, outcome: Outcome) -> ToolOutput:
        _dispatcher.event(SecateursReportEvent(report=outcome.report))
        outcome.check()
        try:
            found = outcome.report.compressions
            if all(one.text == one.original for one in found):
                return job.output
            texts = [one.text for one in found]
            if not any(text.strip() for text in texts):
                texts[-1] = _NOTHING
            shorter = _rebuilt(job, texts)
            return shorter if self._count(shorter.content) < job.before else job.output
        except Exception as error:
            self._give_up(error)
            return job.output

    def _give_up(self, error: Exception) -> None:
        if self._settings.on_error == "raise":
            raise error
        _log.warning("a tool's output is returned as it is: %s: %s", type(error).__name__, error, exc_info=error)


def _pieces(output: ToolOutput) -> list[_Piece]:
    pieces = []
    for index, block in enumerate(output.blocks):
        if isinstance(block, TextBlock) and block.text.strip() and not _is_json(block.text):
            whole = [_Piece(index, 0, len(block.text), block.text)]
            pieces += _node_pieces(index, block.text, output.raw_output) or whole
    return pieces


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[", '"')):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _node_pieces(block: int, text: str, raw_output: object) -> list[_Piece]:
    """Return where the nodes' own texts stand in a text, one after the other; nothing if one of them does not."""
    if not isinstance(raw_output, list) or not all(isinstance(one, NodeWithScore) for one in raw_output):
        return []
    pieces, at = [], 0
    for scored in raw_output:
        own = text_of(scored.node)
        if own is None:
            continue
        own = own.strip()  # as LlamaIndex does where it writes a node with its metadata
        start = text.find(own, at)
        if start < 0:
            return []
        at = start + len(own)
        pieces.append(_Piece(block, start, at, own, scored.node.id_))
    return pieces


def _rebuilt(job: _Job, texts: Sequence[str]) -> ToolOutput:
    """Return a copy of the output with other texts; a block that became blank is left out."""
    new: dict[int, list[str]] = {}
    at: dict[int, int] = {}
    sources = {index: block.text for index, block in enumerate(job.output.blocks) if isinstance(block, TextBlock)}
    for piece, text in zip(job.pieces, texts, strict=True):
        source = sources[piece.block]
        new.setdefault(piece.block, []).extend([source[at.get(piece.block, 0) : piece.start], text])
        behind = source[piece.end :]
        at[piece.block] = piece.end + (0 if text.strip() else len(behind) - len(behind.lstrip()))
    blocks = []
    for index, block in enumerate(job.output.blocks):
        if index not in new or not isinstance(block, TextBlock):
            blocks.append(block)
            continue
        text = "".join([*new[index], block.text[at[index] :]])
        if text.strip():
            blocks.append(block.model_copy(update={"text": text}))
    return job.output.model_copy(update={"blocks": blocks})
