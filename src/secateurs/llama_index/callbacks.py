"""Compression as the callbacks of a FunctionTool, for tools that are made rather than wrapped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypedDict

from llama_index.core.base.llms.types import ContentBlock, TextBlock
from llama_index.core.schema import BaseNode
from llama_index.core.tools import ToolOutput

from secateurs.adapters.asking import Asking
from secateurs.adapters.fields import takes
from secateurs.llama_index.cutter import Cutter, CutterFields


class Callbacks(TypedDict):
    """The two arguments of `FunctionTool.from_defaults`, by name."""

    callback: Callable[[Any], str | None]
    async_callback: Callable[[Any], Awaitable[str | None]]


@takes(CutterFields)
def compress_callbacks(query: Callable[[Any], str | None], **fields: Any) -> Callbacks:
    r"""Return the callbacks that make a FunctionTool's output compressed.

    A callback is given what the function returned and not what it was asked: where the query is among the arguments,
    `compress_tool` finds it by itself. `raw_output` keeps the original, the content becomes the shorter text; results
    with blocks other than text stay as they are. All else is as for `compress_tool`.

    Args:
        query: Names the query from what the function returned, None or blank for "leave the output".
        **fields: Those of `CutterFields`, as for `compress_tool`.

    Returns:
        `callback` and `async_callback`, for `FunctionTool.from_defaults(..., **compress_callbacks(...))`.

    Raises:
        TypeError, ValueError: As `compress_tool`.

    Example:
        >>> from llama_index.core.tools import FunctionTool
        >>> def look(title: str) -> str:
        ...     "Look it up."
        ...     return "Ann wrote it in 1999. " + "It rained that year. " * 9
        >>> callbacks = compress_callbacks(lambda result: "Who wrote it?", threshold=0.5, min_tokens=1)
        >>> FunctionTool.from_defaults(look, **callbacks).call(title="It").content
        'Ann wrote it in 1999.\n[47 of 63 tokens cut]'
    """
    if not callable(query):
        raise TypeError(f"query must be a function of what the tool returned, got {query!r}: use lambda result: ...")
    cutter = Cutter(CutterFields(**fields))

    def asked(raw_output: Any) -> Asking | None:
        said = query(raw_output)
        return None if said is None else Asking(said)

    def callback(raw_output: Any) -> str | None:
        output = _output(raw_output)
        return None if output is None else _changed(output, cutter.run(output, lambda: asked(raw_output)))

    async def async_callback(raw_output: Any) -> str | None:
        output = _output(raw_output)
        return None if output is None else _changed(output, await cutter.arun(output, lambda: asked(raw_output)))

    return Callbacks(callback=callback, async_callback=async_callback)


def _output(raw_output: Any) -> ToolOutput | None:
    """Return the output a FunctionTool makes of what its function returned; None if it is not text alone."""
    parts = raw_output if isinstance(raw_output, list) else [raw_output]
    blocks: list[ContentBlock]
    if all(isinstance(part, BaseNode) for part in parts):
        blocks = [TextBlock(text=part.get_content()) for part in parts]
    elif all(isinstance(part, TextBlock) for part in parts):
        blocks = list(parts)
    elif any(hasattr(part, "block_type") for part in parts):
        return None
    else:
        blocks = [TextBlock(text=str(raw_output))]
    return ToolOutput(tool_name="", blocks=blocks, raw_input={}, raw_output=raw_output)


def _changed(before: ToolOutput, after: ToolOutput) -> str | None:
    return None if after is before else after.content
