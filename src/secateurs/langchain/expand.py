"""The tool that gives an agent back what was cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, InjectedToolCallId, StructuredTool

from secateurs.adapters.metadata import METADATA_KEY, remember_made
from secateurs.adapters.originals import Originals
from secateurs.adapters.tool_output import EXPAND, nothing_kept
from secateurs.langchain.tool_results import conversation


def expand_tool(originals: Originals, name: str) -> BaseTool:
    """Make the tool that returns originals; its results carry our key, so that nothing compresses them again."""
    give = _Give(originals, name)
    return StructuredTool.from_function(give.expand, give.aexpand, name=name, description=EXPAND)


@dataclass(frozen=True)
class _Give:
    """Gives originals back; methods, not functions, as only these are copied together with what they read."""

    originals: Originals
    name: str

    def expand(self, handle: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> ToolMessage:
        text = self.originals.get(handle.strip(), conversation())
        if text is None:
            return ToolMessage(nothing_kept(handle), tool_call_id=tool_call_id, name=self.name, status="error")
        mark = {"status": "expanded", "handle": handle.strip()}
        remember_made(text, mark)
        return ToolMessage(text, tool_call_id=tool_call_id, name=self.name, response_metadata={METADATA_KEY: mark})

    async def aexpand(self, handle: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> ToolMessage:
        return self.expand(handle, tool_call_id)
