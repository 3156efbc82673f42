"""What a tool's output is asked for where an agent makes the call: its arguments, the model's words, the question."""

import logging
from collections.abc import Sequence
from typing import Any

import pytest
from fake_compressor import FakeCompressor
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import ChatMessage, TextBlock, ToolCallBlock
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.tools import FunctionTool, ToolOutput
from llama_index.core.workflow import Context, StartEvent, StopEvent, Workflow, step
from llama_parts import says

from secateurs import Compression, Policy, Report
from secateurs.llama_index import compress_tool

# agents look at every attribute of themselves, pydantic's deprecated ones included
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")

WORDS = "I look where the deer is."
QUESTION = "Who was Ann Smith?"
LONG = "The deer is here. " + "It rained all day long over the hills. " * 12


class Asked(FakeCompressor):
    """Notes all that it is asked, and what each is worth."""

    also: Any = None

    def compress(
        self,
        query: str,
        documents: Sequence[str],
        *,
        policy: Policy | None = None,
        also: dict[str, float] | None = None,
    ) -> list[Compression]:
        self.also = {query: 1.0, **(also or {})}
        return super().compress(query, documents, policy=policy)

    async def acompress(self, query: str, documents: Sequence[str], **options: Any) -> list[Compression]:
        return self.compress(query, documents, **options)


def read(path: str) -> str:
    """Read a file."""
    return LONG


async def read_with(ctx: Context[Any], path: str) -> str:
    """Read a file."""
    return LONG


def made(kind: str, compressor: Asked, **settings: Any) -> Any:
    """Return a tool `read` whose output is compressed."""
    tool = (
        FunctionTool.from_defaults(async_fn=read_with, name="read")
        if kind == "with its context"
        else FunctionTool.from_defaults(read, name="read")
    )
    return compress_tool(tool, compressor=compressor, min_tokens=1, **settings)


def calling(**arguments: Any) -> MockFunctionCallingLLM:
    """Return an LLM that says something and calls `read`, then answers."""
    call = ToolCallBlock(tool_call_id="1", tool_name="read", tool_kwargs=arguments)
    turns = [ChatMessage(role="assistant", blocks=[TextBlock(text=WORDS), call]), says("Ann.")]
    return MockFunctionCallingLLM(response_generator=lambda messages, **_: turns.pop(0))


@pytest.mark.parametrize("kind", ["plain", "with its context"])
@pytest.mark.parametrize("team", [True, False])
async def test_an_agents_call_asks_all_three(kind: str, team: bool):
    """Arguments, the model's words and the question are asked together, of one agent and of several."""
    compressor = Asked()
    agent = FunctionAgent(name="one", tools=[made(kind, compressor)], llm=calling(path="a.py"), streaming=False)
    runs: Any = AgentWorkflow(agents=[agent]) if team else agent
    assert str(await runs.run(QUESTION)) == "Ann."
    assert compressor.also == {"path: a.py": 1.0, WORDS: 0.9, QUESTION: 0.8}


@pytest.mark.filterwarnings("ignore:is_running called from within a step")  # LlamaIndex's own
async def test_a_react_agents_thought():
    """What a ReActAgent thinks when it calls a tool counts as its words."""
    compressor = Asked()
    turns = [
        f'Thought: {WORDS}\nAction: read\nAction Input: {{"path": "a.py"}}',
        "Thought: I can answer without using any more tools.\nAnswer: Ann.",
    ]
    llm = MockFunctionCallingLLM(response_generator=lambda messages, **_: says(turns.pop(0)))
    agent = ReActAgent(tools=[made("plain", compressor)], llm=llm, streaming=False)
    assert str(await agent.run(QUESTION)) == "Ann."
    assert compressor.also == {"path: a.py": 1.0, WORDS: 0.9, QUESTION: 0.8}


@pytest.mark.parametrize("settings", [{"query": lambda arguments: "deer"}, {"query_arguments": ["path"]}])
async def test_what_is_named_as_the_query_stands_alone(settings: dict[str, Any]):
    """A query that was named, by a function or an argument, is asked alone in an agent, too."""
    compressor = Asked()
    agent = FunctionAgent(tools=[made("plain", compressor, **settings)], llm=calling(path="deer"), streaming=False)
    await agent.run(QUESTION)
    assert compressor.also == {"deer": 1.0}


class OfOnesOwn(Workflow):
    """A workflow that is no agent, and calls a tool."""

    tool: Any = None

    @step
    async def only(self, ctx: Context[Any], ev: StartEvent) -> StopEvent:
        await ctx.store.set("user_msg_str", 7)
        output: ToolOutput = await self.tool.acall(path="deer")
        return StopEvent(result=output.content)


async def test_outside_of_an_agent(caplog: pytest.LogCaptureFixture):
    """Called directly, or in a workflow that is no agent, the only text among the arguments is the query."""
    compressor, reports = Asked(), list[Report]()
    tool = made("plain", compressor, on_report=reports.append)
    direct = (await tool.acall(path="deer")).content
    assert compressor.also == {"deer": 1.0} and direct.startswith("The deer is here. \n[")
    flow = OfOnesOwn()
    flow.tool = tool
    assert await flow.run() == direct
    assert [report.query for report in reports] == ["deer", "deer"]
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]
