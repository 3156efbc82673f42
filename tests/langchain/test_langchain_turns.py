"""The agent middleware over the turns of an agent: savings told, originals got back, nothing rewritten."""

from __future__ import annotations

from typing import Any

import pytest
from agent_parts import LONG, QUERY, call, middleware, returning, run, script
from fake_compressor import FakeCompressor
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from secateurs.adapters.originals import Originals
from secateurs.langchain.tool_results import Cuts


class Events(BaseCallbackHandler):
    """Collects custom events."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []

    def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
        self.seen.append((name, data["savings"]["saved"] > 0))


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
@pytest.mark.parametrize("ephemeral", [True, False])
async def test_the_report_goes_out_as_an_event(way: str, ephemeral: bool):
    """The report is a custom event of the run, so that traces show the savings."""
    events = Events()
    stack = [middleware(ephemeral=ephemeral)]
    agent = create_agent(script(call("look", query=QUERY)), [returning(LONG)], middleware=stack)
    start, config = {"messages": [HumanMessage("Who?")]}, {"callbacks": [events]}
    _ = agent.invoke(start, config) if way == "invoke" else await agent.ainvoke(start, config)
    assert events.seen == [("secateurs_report", True)]


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_many_calls_in_one_turn(way: str):
    """Tool calls of one message run side by side; each result is cut for its own query."""
    words = {f"word{number}": f"The word{number} is here. " for number in range(8)}
    text = "".join(words.values()) * 2
    says = AIMessage(
        "", tool_calls=[{"name": "look", "args": {"query": word}, "id": word, "type": "tool_call"} for word in words]
    )
    agent = create_agent(script(says), [returning(text)], middleware=[middleware(expand=None)])
    start = {"messages": [HumanMessage("Who?")]}
    final = agent.invoke(start) if way == "invoke" else await agent.ainvoke(start)
    cut = {one.tool_call_id: one.content for one in final["messages"] if isinstance(one, ToolMessage)}
    assert cut == {word: sentence * 2 for word, sentence in words.items()}


async def test_what_is_compressed_already_stays():
    """Documents that a compressing retriever returned are not compressed again."""
    fake = FakeCompressor()
    found = [Document(LONG, metadata={"secateurs": {}})]
    assert (await run(returning(LONG, artifact=found), fake=fake)).content == LONG
    assert not fake.calls


# --- getting it back ---


def test_the_model_is_offered_the_handle_only():
    """The expand tool's schema has one argument, and its name can be chosen."""
    [tool] = middleware(expand="whole").tools
    assert (tool.name, list(tool.tool_call_schema.model_fields)) == ("whole", ["handle"])
    assert middleware(expand=None).tools == []


async def test_an_unknown_handle():
    """A handle that is not kept is an error the model can read."""
    model = script(call("expand_tool_result", handle="nothing"))
    agent = create_agent(model, [], middleware=[middleware()])
    message = (await agent.ainvoke({"messages": [HumanMessage("Who?")]}))["messages"][2]
    assert message.status == "error"
    assert "Call the tool" in message.content


def test_originals_are_bounded():
    """The texts longest unused are forgotten first, so that the rest fits."""
    originals = Originals(max_characters=10)
    first, second = originals.put("aaaaa"), originals.put("bbbbb")
    assert originals.get(first) == "aaaaa"
    third = originals.put("ccc")
    assert [originals.get(one) for one in (first, second, third)] == ["aaaaa", None, "ccc"]


# --- over many turns ---


def test_views_are_bounded():
    """Ephemeral mode remembers the last views only."""
    from secateurs.adapters.asking import Asking
    from secateurs.langchain.tool_results import Cut

    cuts, message = Cuts(most=1), ToolMessage("a", tool_call_id="1")
    cuts.put(message, Asking("x"), Cut())
    cuts.put(message, Asking("y"), Cut())
    assert (cuts.get(message, Asking("x")), cuts.get(message, Asking("y"))) == (None, Cut())
