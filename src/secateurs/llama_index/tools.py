"""Tools for LlamaIndex agents whose output is compressed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llama_index.core.tools import (
    AsyncBaseTool,
    BaseTool,
    FunctionTool,
    ToolMetadata,
    ToolOutput,
    adapt_to_async_tool,
)

from secateurs.adapters.asking import Asking, asking, named_query
from secateurs.adapters.fields import hinting, takes
from secateurs.llama_index.cutter import Cutter, CutterFields
from secateurs.llama_index.expand import ExpandTool
from secateurs.llama_index.turns import Said, said_around

QUERY_ARGUMENTS = ("query", "input", "question", "query_str", "search_query", "q")
_NOTHING = Said()


@hinting("compress_tool")
@dataclass(kw_only=True)
class ToolFields(CutterFields):
    """What `compress_tool` takes beside the tool."""

    query: Callable[[Mapping[str, Any]], str | None] | None = None
    """Names the query from the call's keyword arguments, None or blank for "leave the output"."""

    query_arguments: Sequence[str] = QUERY_ARGUMENTS
    """Without `query`: the first of these arguments that is there is the query. Else, where an agent makes the call,
    its arguments, what the model said when it made it and the user's question, all asked together
    (`secateurs.adapters.asking`); elsewhere the only argument that is a string, or the short ones of them, with their
    names. Without any of that the output stays as it is."""


@takes(ToolFields)
def compress_tool(tool: BaseTool, **fields: Any) -> AsyncBaseTool:
    r"""Wrap a tool so that an agent reads its output cut down to what answers the query.

    Name, description, schema, context and callbacks stay the tool's own. Of the output the text blocks are
    compressed: where the raw output is a list of nodes each node by itself, of JSON and of what Python writes of a
    dict, list or object its strings of at least 80 characters, so that it stays valid. `raw_output` keeps the
    original; other blocks and outputs with `is_error` stay as they are, as does an output that would not get shorter
    or consists of nodes that are compressed already. A failure of ours returns the output as it came, unless
    `on_error="raise"`; a failure of the tool passes. The report goes to `on_report` and out as a
    `SecateursReportEvent`.

    Args:
        tool: Any tool, not a plain function. It is not changed.
        **fields: Those of `ToolFields`: a compressor or what to load, what stays, where the query is.

    Returns:
        A tool for `FunctionAgent` and its like; a FunctionTool if it was one.

    Raises:
        TypeError: It is no tool, or a setting is unknown or of the wrong type.
        ValueError: A setting is out of range, or the tool is one that must not be compressed.

    Example:
        >>> def look(query: str) -> str:
        ...     "Look it up."
        ...     return "Ann wrote it in 1999. " + "It rained that year. " * 9
        >>> tool = compress_tool(FunctionTool.from_defaults(look), threshold=0.5, min_tokens=1)
        >>> tool.call(query="Who wrote it?").content
        'Ann wrote it in 1999.\n[47 of 63 tokens cut]'
    """
    if not isinstance(tool, BaseTool):
        raise TypeError(f"tool must be a LlamaIndex tool, got {tool!r}: wrap a function with FunctionTool first.")
    if isinstance(tool, ExpandTool):
        raise ValueError(f"{tool.name} gives back what was cut: pass it as expand=, and to the agent as it is.")
    given = ToolFields(**fields)
    if isinstance(given.query_arguments, str):
        raise TypeError(f"query_arguments must be a list of names, got the string {given.query_arguments!r}")
    cutter = Cutter(replace(given, expand=None) if tool.metadata.return_direct else given)
    asked = _Asked(given.query, tuple(given.query_arguments))
    if isinstance(tool, FunctionTool):
        return CompressingFunctionTool(tool, cutter, asked)
    return CompressingTool(adapt_to_async_tool(tool), cutter, asked)


@dataclass(frozen=True)
class _Asked:
    """Finds the query in the arguments of a call."""

    query: Callable[[Mapping[str, Any]], str | None] | None
    names: Sequence[str]

    def of(self, args: Sequence[Any], kwargs: Mapping[str, Any], said: Said = _NOTHING) -> Asking | None:
        if self.query is not None:
            named = self.query(kwargs)
            return None if named is None else Asking(named)
        texts = [one for one in (*args, *kwargs.values()) if isinstance(one, str)]
        if (args or said == _NOTHING) and len(texts) == 1 and named_query(kwargs, self.names) is None:
            return Asking(texts[0])  # agents name all arguments
        return asking(kwargs, self.names, words=said.words, question=said.question)


class CompressingTool(AsyncBaseTool):
    """Another tool, its output compressed; made by `compress_tool`.

    Attributes:
        tool: The tool inside.
    """

    def __init__(self, tool: AsyncBaseTool, cutter: Cutter, asked: _Asked) -> None:
        self.tool = tool
        self._cutter = cutter
        self._asked = asked

    @property
    def metadata(self) -> ToolMetadata:
        """The wrapped tool's own."""
        return self.tool.metadata

    def call(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """Call the tool and compress its output."""
        return self._cutter.run(self.tool.call(*args, **kwargs), lambda: self._asked.of(args, kwargs))

    async def acall(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """Do what `call` does without blocking the event loop."""
        said = await said_around(kwargs)
        output = await self.tool.acall(*args, **kwargs)
        return await self._cutter.arun(output, lambda: self._asked.of(args, kwargs, said))


class CompressingFunctionTool(FunctionTool):
    """A FunctionTool, its output compressed; agents give it their context as they give it to the tool inside.

    Attributes:
        tool: The tool inside.
    """

    def __init__(self, tool: FunctionTool, cutter: Cutter, asked: _Asked) -> None:
        self.__dict__.update(tool.__dict__)  # everything an agent asks of a FunctionTool, the schema to the context
        self.tool = tool
        self._cutter = cutter
        self._asked = asked

    def call(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """Call the tool and compress its output."""
        return self._cutter.run(self.tool.call(*args, **kwargs), lambda: self._asked.of(args, kwargs))

    async def acall(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """Do what `call` does without blocking the event loop."""
        said = await said_around(kwargs)
        output = await self.tool.acall(*args, **kwargs)
        return await self._cutter.arun(output, lambda: self._asked.of(args, kwargs, said))
