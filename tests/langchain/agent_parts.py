"""Chat models, tools and middleware shared by the tests of agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import pytest
from fake_compressor import FakeCompressor
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import BaseTool, InjectedToolCallId, tool
from pydantic import Field

pytest.importorskip(
    "langchain.agents", reason="the middleware is for langchain's agents, which the agents extra brings"
)

from langchain.agents import create_agent

from secateurs.langchain.middleware import ContextCompressionMiddleware

QUERY = "deer"
DEER = "The deer was written by Ann Smith in a cold winter. "
RAIN = "It rained all day long over the hills and the wind came from the sea. "
LONG = RAIN * 6 + DEER + RAIN * 6


class Script(BaseChatModel):
    """Says what its script says, in order, and records what it was shown."""

    says: list[AIMessage]
    shown: list[list[AnyMessage]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "script"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[Any], *arguments: Any, **kwargs: Any) -> ChatResult:
        self.shown.append(list(messages))
        return ChatResult(generations=[ChatGeneration(message=self.says[len(self.shown) - 1])])


def call(name: str, number: int = 1, **arguments: Any) -> AIMessage:
    """Make a message that calls a tool."""
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": f"call_{number}"}])


def returning(content: Any, **fields: Any) -> BaseTool:
    """Make a tool `look` that returns a tool message."""

    @tool
    def look(query: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> ToolMessage:
        """Look it up."""
        return ToolMessage(content, tool_call_id=tool_call_id, name="look", **fields)

    return look


def middleware(fake: FakeCompressor | None = None, **settings: Any) -> ContextCompressionMiddleware:
    """Make the middleware around a fake compressor."""
    return ContextCompressionMiddleware(compressor=fake or FakeCompressor(), **{"min_tokens": 20, **settings})


def script(*says: AIMessage) -> Script:
    return Script(says=[*says, AIMessage("Ann.")])


async def run(found: BaseTool, *, human: str = "Who wrote it?", **settings: Any) -> ToolMessage:
    """Run an agent that calls a tool once in all four ways; they must agree; return the tool message in its state."""
    results, ours = [], middleware(**settings)  # one for all: its handles are its own
    for way in ("invoke", "ainvoke", "stream", "astream"):
        agent = create_agent(script(call("look", query=QUERY)), [found], middleware=[ours])
        start = {"messages": [HumanMessage(human)]}
        if way == "invoke":
            final = agent.invoke(start)
        elif way == "ainvoke":
            final = await agent.ainvoke(start)
        elif way == "stream":
            final = list(agent.stream(start, stream_mode="values"))[-1]
        else:
            final = [one async for one in agent.astream(start, stream_mode="values")][-1]
        results.append(next(one for one in final["messages"] if isinstance(one, ToolMessage)))
    assert all(one.model_copy(update={"id": results[0].id}) == results[0] for one in results)
    return results[0]
