"""An agent on an errand with long outputs: what the whole conversation costs, and what its requests begin with."""

from __future__ import annotations

from typing import Any

import pytest
from agent_errand import QUESTION, STEPS, Seeker, stable
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import StructuredTool
from pydantic import Field

from secateurs import Compressor
from secateurs.result.savings import TokenCounter

pytest.importorskip("langchain.agents", reason="the middleware is for langchain's agents")

from langchain.agents import create_agent

from secateurs.langchain.middleware import ContextCompressionMiddleware


class Errand(BaseChatModel):
    """A chat model that knows its errand, and records every request."""

    seeker: Any = Field(default_factory=Seeker)
    shown: list[list[AnyMessage]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "errand"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[Any], *arguments: Any, **kwargs: Any) -> ChatResult:
        self.shown.append(list(messages))
        read = messages[-1].text if isinstance(messages[-1], ToolMessage) else ""
        step = self.seeker.next(read)
        if step is None:
            said = AIMessage("A decimal comma; in flour_prices.py.")
        else:
            words, tool, args = step
            said = AIMessage(words, tool_calls=[{"name": tool, "args": args, "id": f"call_{len(messages)}"}])
        return ChatResult(generations=[ChatGeneration(message=said)])


def tools() -> list[StructuredTool]:
    """The tools of the errand; each returns its long output whatever it is asked."""
    arguments = {
        "list_files": lambda folder, pattern: STEPS[0].output,
        "run": lambda command: STEPS[1].output,
        "fetch": lambda path, grain: STEPS[2].output,
    }
    return [
        StructuredTool.from_function(function, name=name, description=name) for name, function in arguments.items()
    ]


def conversation(middleware: list[Any]) -> tuple[Errand, int]:
    """Run the errand; return the model and the LLM tokens of all its requests."""
    model, count = Errand(), TokenCounter()
    create_agent(model, tools(), middleware=middleware).invoke({"messages": [HumanMessage(QUESTION)]})
    return model, sum(count(message.text) for shown in model.shown for message in shown)


def check(compressor: Compressor, **settings: Any) -> tuple[Errand, int, int]:
    """Run the errand with and without compression; the prefix of every request is that of the one before."""
    _, before = conversation([])
    model, after = conversation([ContextCompressionMiddleware(compressor=compressor, **settings)])
    assert model.seeker.at == len(STEPS), "it came to its end"
    assert stable([[message.model_dump_json().encode() for message in shown] for shown in model.shown])
    return model, before, after


@pytest.mark.parametrize("ephemeral", [False, True])
def test_every_request_begins_with_the_one_before(tiny: Compressor, ephemeral: bool):
    """What a result was cut to never changes, so that a provider's cache of the prefix holds."""
    model, before, after = check(tiny, ephemeral=ephemeral, policy="ToolOutput(200, policy=TopK(5) | Signals())")
    assert after < before or model.seeker.expanded


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "share"), [({}, 1.0), ({"max_tokens": 800}, 0.5)])
def test_the_whole_conversation_costs_less(
    bundled: Compressor, settings: dict[str, Any], share: float, capsys: pytest.CaptureFixture[str]
):
    """With the bundled model every fact is there without the whole; 800 tokens a result cost less than half."""
    model, before, after = check(bundled, **settings)
    with capsys.disabled():
        print(f"\nLangChain, {settings}: {before:,} -> {after:,} LLM tokens, expanded {model.seeker.expanded} times")
    assert after < before * share and model.seeker.expanded == 0
