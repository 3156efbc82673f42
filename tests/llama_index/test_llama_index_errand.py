"""An agent on an errand with long outputs: what the whole conversation costs, and what its requests begin with."""

from __future__ import annotations

from typing import Any

import pytest
from agent_errand import QUESTION, STEPS, Seeker, stable
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, MessageRole, ToolCallBlock
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.tools import FunctionTool

from secateurs import Compressor
from secateurs.llama_index import ExpandTool, compress_tool
from secateurs.result.savings import TokenCounter

# FunctionAgent looks at every attribute of itself, pydantic's deprecated ones included
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")


async def conversation(wrap: Any, extra: list[Any]) -> tuple[Seeker, list[list[bytes]], int]:
    """Run the errand; return who went, the bytes of each request, and the LLM tokens of all of them."""
    seeker, shown, count = Seeker(), list[list[ChatMessage]](), TokenCounter()

    def respond(messages: Any, **_: Any) -> ChatMessage:
        shown.append(list(messages))
        last = messages[-1]
        step = seeker.next(str(last.content) if last.role == MessageRole.TOOL else "")
        if step is None:
            return ChatMessage("A decimal comma; in flour_prices.py.", role="assistant")
        words, tool, arguments = step
        call = ToolCallBlock(tool_call_id=f"call_{len(messages)}", tool_name=tool, tool_kwargs=arguments)
        return ChatMessage(role="assistant", blocks=[call], additional_kwargs={"said": words})

    functions = {
        "list_files": lambda folder, pattern: STEPS[0].output,
        "run": lambda command: STEPS[1].output,
        "fetch": lambda path, grain: STEPS[2].output,
    }
    tools = [wrap(FunctionTool.from_defaults(function, name=name)) for name, function in functions.items()]
    llm = MockFunctionCallingLLM(response_generator=respond)
    await FunctionAgent(tools=[*tools, *extra], llm=llm, streaming=False).run(QUESTION)
    requests = [[message.model_dump_json().encode() for message in messages] for messages in shown]
    return seeker, requests, sum(count(str(message.content or "")) for messages in shown for message in messages)


async def check(compressor: Compressor, **settings: Any) -> tuple[Seeker, int, int]:
    """Run the errand with and without compression; the prefix of every request is that of the one before."""
    _, _, before = await conversation(lambda tool: tool, [])
    expand = ExpandTool()
    options = {"compressor": compressor, "expand": expand, **settings}
    seeker, requests, after = await conversation(lambda tool: compress_tool(tool, **options), [expand])
    assert seeker.at == len(STEPS), "it came to its end"
    assert stable(requests)
    return seeker, before, after


async def test_every_request_begins_with_the_one_before(tiny: Compressor):
    """What a result was cut to never changes, so that a provider's cache of the prefix holds."""
    seeker, before, after = await check(tiny, policy="ToolOutput(200, policy=TopK(5) | Signals())")
    assert after < before or seeker.expanded


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "share"), [({}, 1.0), ({"max_tokens": 800}, 0.5)])
async def test_the_whole_conversation_costs_less(
    bundled: Compressor, settings: dict[str, Any], share: float, capsys: pytest.CaptureFixture[str]
):
    """With the bundled model every fact is there without the whole; 800 tokens a result cost less than half."""
    seeker, before, after = await check(bundled, **settings)
    with capsys.disabled():
        print(f"\nLlamaIndex, {settings}: {before:,} -> {after:,} LLM tokens, expanded {seeker.expanded} times")
    assert after < before * share and seeker.expanded == 0
