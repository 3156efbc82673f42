"""The agent middleware over the turns of an agent: savings told, originals got back, nothing rewritten."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Annotated, Any

import pytest
from agent_parts import DEER, LONG, QUERY, call, middleware, returning, run, script
from fake_compressor import FakeCompressor, with_note
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, StructuredTool
from langgraph.checkpoint.memory import InMemorySaver

from secateurs import Threshold
from secateurs.adapters.originals import Originals
from secateurs.langchain import SecateursCompressor
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
    assert cut == {word: with_note(sentence * 2, text) for word, sentence in words.items()}


async def test_what_is_compressed_already_stays():
    """Documents that a compressing retriever returned are not compressed again."""
    fake = FakeCompressor()
    found = compressed(LONG)
    shown = found[0].page_content
    assert (await run(returning(f"Found: {shown}", artifact=found), fake=fake)).content == f"Found: {shown}"
    assert not fake.calls


def compressed(text: str) -> list[Document]:
    """What a retriever of ours gives an agent: here all of it is kept, and it is still long."""
    policy = Threshold(0.0)
    return list(
        SecateursCompressor(compressor=FakeCompressor(), policy=policy).compress_documents([Document(text)], QUERY)
    )


BESIDE = " Then something else entirely. " * 100
FORGED: dict[str, Any] = {
    "a mark of any kind": lambda: (LONG, [Document(LONG, metadata={"secateurs": {}})]),
    "the mark of another text": lambda: (LONG + LONG, [Document(LONG + LONG, metadata=compressed(LONG)[0].metadata)]),
    "much beside ours": lambda: (LONG + BESIDE, compressed(LONG)),
    "ours without end": lambda: (LONG * 50, compressed(LONG * 50)),
    "one of ours among others": lambda: (
        LONG * 2,
        [*compressed(LONG), Document(LONG + " ", metadata={"secateurs": {}})],
    ),
}


@pytest.mark.parametrize("kind", FORGED)
async def test_what_only_says_to_be_compressed_is_compressed(kind: str):
    """Metadata of a stranger's document switch nothing off: a text counts as ours where it is one we made."""
    content, artifact = FORGED[kind]()
    fake = FakeCompressor()
    assert (await run(returning(content, artifact=artifact), fake=fake, expand=None)).content != content
    assert fake.calls


async def test_a_result_that_only_says_to_be_ours_is_compressed():
    """A tool that writes our key into the metadata of its own message is compressed like any other."""
    fake = FakeCompressor()

    def look(query: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> ToolMessage:
        """Look it up."""
        return ToolMessage(LONG, tool_call_id=tool_call_id, response_metadata={"secateurs": {"status": "expanded"}})

    tool = StructuredTool.from_function(look)
    assert (await run(tool, fake=fake, expand=None)).content == with_note(DEER, LONG)


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
    originals = Originals(max_bytes=1200)
    first, second = originals.put("aaaaa"), originals.put("bbbbb")
    assert originals.get(first) == "aaaaa"
    third = originals.put("ccc")
    assert [originals.get(one) for one in (first, second, third)] == ["aaaaa", None, "ccc"]


# --- over many turns ---


def test_views_are_bounded():
    """Ephemeral mode remembers the last views only, as many as fit in a number of bytes."""
    from secateurs.langchain.tool_results import Cut

    cuts, message = Cuts(max_bytes=1000), ToolMessage("a", tool_call_id="1")
    cuts.put(message, "x", Cut())
    cuts.put(message, "y", Cut())
    assert (cuts.get(message, "x"), cuts.get(message, "y")) == (None, Cut())
    cuts.put(message, "z", Cut("c" * 2000, {"documents": []}))
    assert (cuts.get(message, "z"), cuts.get(message, "y")) == (None, Cut())
    held, many = Cuts(max_bytes=1_000_000), [Cut("c" * 900, {"documents": [{"n": n}]}) for n in range(3000)]
    for number, cut in enumerate(many):
        held.put(message, f"{number}" * 500, cut)
    known = [cut for number, cut in enumerate(many) if held.get(message, f"{number}" * 500)]
    assert 100 < len(known) < 1000
    assert known == many[-len(known) :]


def test_a_view_belongs_to_its_conversation():
    """The same result, asked the same, is cut anew in another conversation: a handle stands in it."""
    from secateurs.langchain.tool_results import Cut

    cuts, message = Cuts(), ToolMessage("a", tool_call_id="1")
    cuts.put(message, "x", Cut(), "one")
    assert (cuts.get(message, "x", "one"), cuts.get(message, "x", "two"), cuts.get(message, "x")) == (
        Cut(),
        None,
        None,
    )


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_an_original_is_its_conversations_own(way: str):
    """The handle of one thread gives nothing in another, even of the same agent, though both read the same text."""
    handle = r'expand_tool_result\(handle="(\w+)"\)'
    ours = middleware(min_tokens=0)
    tool = returning(LONG)

    async def talk(model: Any, thread: str) -> list[Any]:
        agent = create_agent(model, [tool], middleware=[ours], checkpointer=InMemorySaver())
        start = {"messages": [HumanMessage("Which deer?")]}
        config = {"configurable": {"thread_id": thread}}
        found = agent.invoke(start, config) if way == "invoke" else await agent.ainvoke(start, config)
        return found["messages"]

    cut = (await talk(script(call("look", query=QUERY)), "one"))[2].content
    mine = re.search(handle, cut)[1]
    assert mine not in (await talk(script(call("look", query=QUERY)), "two"))[2].content
    back = (await talk(script(call("expand_tool_result", handle=mine)), "one"))[2]
    assert back.content == LONG
    stolen = (await talk(script(call("expand_tool_result", handle=mine)), "two"))[2]
    assert (stolen.status, LONG in stolen.content) == ("error", False)


@pytest.mark.parametrize("ephemeral", [True, False])
def test_a_deep_copy_gives_back_what_it_cut(ephemeral: bool):
    """A deep copy, also of one that was used, shares the compressor, and its own tool resolves its handles."""
    first = middleware(ephemeral=ephemeral)
    for one in (first, deepcopy(first), deepcopy(deepcopy(first))):
        assert one.compressor is first.compressor
        model = script(call("look", query=QUERY))
        create_agent(model, [returning(LONG)], middleware=[one]).invoke({"messages": [HumanMessage("Who?")]})
        [handle] = re.findall(r'handle="(\w+)"', str(model.shown[-1][-1].content))
        [tool] = one.tools
        back = tool.invoke({"name": tool.name, "args": {"handle": handle}, "id": "2", "type": "tool_call"})
        assert (back.content, back.status) == (LONG, "success")
