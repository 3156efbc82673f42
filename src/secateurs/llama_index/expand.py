"""The tool that gives an agent back what was cut."""

from __future__ import annotations

from typing import Any

from llama_index.core.tools import AsyncBaseTool, ToolMetadata, ToolOutput
from pydantic import BaseModel, Field

from secateurs.adapters.originals import MAX_BYTES, Originals
from secateurs.adapters.tool_output import EXPAND, nothing_kept


class Handle(BaseModel):
    """The arguments of an `ExpandTool`, as an LLM is shown them."""

    handle: str = Field(description="The handle that stands at the end of the cut result.")


class ExpandTool(AsyncBaseTool):
    """Gives an agent back what `compress_tool` cut: the whole output, by the handle at its end.

    Pass it to `compress_tool(tool, expand=...)`, of as many tools as you like, and give it to the agent beside them.
    The originals are in this process's memory. A handle cannot be guessed, and whoever has it has the original:
    LlamaIndex does not tell a tool which conversation it is in, so make one a conversation where those must be apart.

    Args:
        name: The tool's name, for the LLM; it stands at the end of every cut output.
        max_bytes: Forget the outputs longest unused when all together take more memory than this; the newest stays.

    Example:
        >>> expand = ExpandTool()
        >>> expand.call(handle=expand.originals.put("All of it.")).content
        'All of it.'
    """

    def __init__(self, name: str = "expand_tool_result", *, max_bytes: int = MAX_BYTES) -> None:
        self.originals = Originals(max_bytes)
        self._metadata = ToolMetadata(EXPAND, name=name, fn_schema=Handle)

    @property
    def metadata(self) -> ToolMetadata:
        """What an LLM is told of it."""
        return self._metadata

    @property
    def name(self) -> str:
        """The tool's name."""
        return self._metadata.get_name()

    def call(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """Return the original of a cut output.

        Args:
            *args: What stands at its end.
            **kwargs: The same as `handle`; what an LLM invents beside it does no harm.

        Returns:
            All of it; with `is_error`, that nothing is or nothing is any longer kept under this handle.
        """
        handle = str(kwargs.get("handle", args[0] if args else "")).strip()
        text = self.originals.get(handle)
        lost = text is None
        if text is None:
            text = nothing_kept(handle)
        return ToolOutput(self.name, content=text, raw_input={"handle": handle}, raw_output=text, is_error=lost)

    async def acall(self, *args: Any, **kwargs: Any) -> ToolOutput:
        """Do what `call` does."""
        return self.call(*args, **kwargs)
