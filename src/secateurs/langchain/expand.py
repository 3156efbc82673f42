"""The tool that gives an agent back what was cut."""

from __future__ import annotations

from typing import Annotated

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, InjectedToolCallId, StructuredTool

from secateurs.adapters.metadata import METADATA_KEY, remember_made
from secateurs.adapters.originals import Originals
from secateurs.adapters.tool_output import EXPAND, nothing_kept
from secateurs.langchain.tool_results import conversation


def expand_tool(originals: Originals, name: str) -> BaseTool:
    """Make the tool that returns originals; its results carry our key, so that nothing compresses them again."""

    def expand(handle: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> ToolMessage:
        text = originals.get(handle.strip(), conversation())
        if text is None:
            return ToolMessage(nothing_kept(handle), tool_call_id=tool_call_id, name=name, status="error")
        mark = {"status": "expanded", "handle": handle.strip()}
        remember_made(text, mark)
        return ToolMessage(text, tool_call_id=tool_call_id, name=name, response_metadata={METADATA_KEY: mark})

    async def aexpand(handle: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> ToolMessage:
        return expand(handle, tool_call_id)

    return StructuredTool.from_function(expand, aexpand, name=name, description=EXPAND)
