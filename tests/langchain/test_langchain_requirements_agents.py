"""What those who build LangChain agents may count on, L14 to L19: each docstring says its requirement."""

from __future__ import annotations

import copy
import json
from itertools import pairwise
from typing import Annotated, Any

import pytest
from agent_parts import DEER, LONG, QUERY, RAIN, call, middleware, returning, run, script
from fake_compressor import FakeCompressor, without_note
from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    ClearToolUsesEdit,
    ContextEditingMiddleware,
    SummarizationMiddleware,
)
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command

from secateurs.result.savings import TokenCounter


async def test_L14_a_string_is_cut_in_every_way_of_running():
    """A tool's text is cut for the agent in every way of running, and the message keeps id, name and call id."""
    message = await run(returning(LONG, id="kept"), expand=None)
    assert without_note(message.content) == DEER
    assert (message.id, message.name, message.tool_call_id, message.status) == ("kept", "look", "call_1", "success")


async def test_L15_only_text_blocks_change():
    """Of a tool's content blocks only plain text is cut: images and annotated text stay, and a block's other keys."""
    image = {"type": "image", "base64": "QUJD", "mime_type": "image/png"}
    cited = {"type": "text", "text": LONG, "annotations": [{"start_index": 3}]}
    text = {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}
    message = await run(returning([text, image, cited, {"type": "text", "text": RAIN * 2}]), expand=None)
    first, *others = message.content
    assert {**first, "text": without_note(first["text"])} == {**text, "text": DEER} and others == [image, cited]
    alone = await run(returning([image]))
    assert alone.content == [image]
    assert not alone.response_metadata


async def test_L15_json_stays_valid():
    """A tool's JSON stays valid: long strings in it are cut, all else stays to the letter."""
    source = f'{{ "id": 1.50, "big": 1e400,\n "text": {json.dumps(LONG)}, "url": "https://{"a" * 90}", "é": "é" }}'
    message = await run(returning(source), expand=None)
    assert without_note(message.content) == source.replace(LONG, DEER)
    cut = await run(returning(source))
    assert json.loads(str(cut.content))["text"].startswith(DEER)


async def test_L15_errors_are_untouched():
    """A tool's error reaches the agent whole."""
    message = await run(returning(LONG, status="error"))
    assert message.content == LONG
    assert not message.response_metadata


async def test_L15_command_results():
    """Of a tool that returns a Command the tool message is cut; its other updates stay."""

    @tool
    def look(query: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
        """Look it up."""
        return Command(update={"messages": [ToolMessage(LONG, tool_call_id=tool_call_id, id="x")], "extra": 1})

    assert without_note((await run(look, expand=None)).content) == DEER


@pytest.mark.parametrize("form", ["dict", "list", "several"])
async def test_L15_nothing_around_a_tool_message_changes(form: str):
    """Of a Command, or of several results, only tool messages are cut, and the objects that came in do not change."""
    said, human = ToolMessage(LONG, tool_call_id="1"), HumanMessage(LONG)
    came: Any = Command(update={"messages": [said, human], "extra": 1}, goto="there")
    if form == "list":
        came = Command(update=[human, said])
    elif form == "several":
        came = [came, said]
    before = copy.deepcopy(came)
    look = {"name": "look", "args": {"query": QUERY}, "id": "1", "type": "tool_call"}
    request = ToolCallRequest(look, None, {"messages": []}, None)
    own = middleware(expand=None)
    result: Any = own.wrap_tool_call(request, lambda request: came)

    async def handler(request: ToolCallRequest) -> Any:
        return came

    assert await own.awrap_tool_call(request, handler) == result
    assert came == before
    first = result[0] if form == "several" else result
    messages = first.update if form == "list" else first.update["messages"]
    assert [(one.type, without_note(one.content)) for one in messages if one is not human] == [("tool", DEER)]
    assert any(one is human for one in messages)
    if form == "several":
        assert (first.goto, first.update["extra"], without_note(result[1].content)) == ("there", 1, DEER)


async def test_L16_documents_in_the_artifact_are_cut_one_by_one():
    """A tool that returns Documents has each of them scored and cut by itself; its artifact keeps the originals."""
    found = [Document(LONG, id="a"), Document(RAIN * 4, id="b"), Document(DEER + RAIN, id="c")]
    fake = FakeCompressor()
    content = "Found:\n" + "\n\n".join(one.page_content for one in found)
    message = await run(returning(content, artifact=found), fake=fake, expand=None)
    assert without_note(message.content) == "Found:\n" + DEER + "\n\n" + DEER
    assert message.artifact == found
    assert fake.calls[0] == [one.page_content for one in found]
    assert [one["status"] for one in message.response_metadata["secateurs"]["documents"]] == [
        "compressed",
        "dropped",
        "compressed",
    ]


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_L16_the_agent_gets_the_original_back(way: str):
    """An agent can read what was cut: the handle at a result's end brings all of it back, which is not cut again."""
    ours = middleware()
    handle = ours._originals.handle(LONG)
    model = script(call("look", query=QUERY), call("expand_tool_result", 2, handle=handle))
    agent = create_agent(
        model, [returning(LONG)], middleware=[middleware(name="second", expand=None, exclude=["look"]), ours]
    )
    start = {"messages": [HumanMessage("Which deer?")]}
    messages = (agent.invoke(start) if way == "invoke" else await agent.ainvoke(start))["messages"]
    saved = messages[2].response_metadata["secateurs"]["savings"]["saved"]
    note = f'[{saved} of 217 tokens cut; expand_tool_result(handle="{handle}") returns all of it]'
    assert messages[2].content == f"{DEER}\n{note}"
    assert TokenCounter()(messages[2].content) == 217 - saved
    assert messages[4].content == LONG


@pytest.mark.parametrize("settings", [{"exclude": ["look"]}, {"include": ["other"]}, {"min_tokens": 5000}])
async def test_L17_include_exclude_and_minimum(settings: dict[str, Any]):
    """The user says which tools are cut, and from which size on; what is left out costs no forward pass."""
    fake = FakeCompressor()
    assert (await run(returning(LONG), fake=fake, **settings)).content == LONG
    assert not fake.calls


@pytest.mark.parametrize(
    ("settings", "query"),
    [
        ({}, QUERY),
        ({"query_arguments": ["missing"]}, "query: deer"),
        ({"query": lambda request: request.tool_call["args"]["query"] + "!"}, "deer!"),
    ],
)
async def test_L17_where_the_query_comes_from(settings: dict[str, Any], query: str):
    """The query is a named argument of the tool call, else first what all of them say, or what a function says."""
    reports: list[Any] = []
    await run(returning(LONG), on_report=reports.append, **settings)
    assert {report.query for report in reports} == {query}


def test_L17_two_in_one_agent():
    """Two middlewares with different names can serve one agent, each for its own tools."""
    with pytest.raises(AssertionError, match="duplicate middleware"):
        create_agent(script(), [], middleware=[middleware(), middleware()])
    stack = [middleware(name="a", include=["look"]), middleware(name="b", exclude=["look"], expand="expand_b")]
    agent = create_agent(script(call("look", query=QUERY)), [returning(LONG)], middleware=stack)
    messages = agent.invoke({"messages": [HumanMessage("Who?")]})["messages"]
    assert messages[2].content.count("returns all of it") == 1


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_L18_what_was_written_stays(way: str):
    """Prompt caches hold: a later turn never rewrites an earlier tool message, each prompt begins with the last."""
    model = script(call("look", query=QUERY), AIMessage("Ann."), call("look", 2, query="wind"))
    agent = create_agent(model, [returning(LONG)], middleware=[middleware()], checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    states: list[Any] = []
    for human in ("Who?", "And the wind?"):
        start = {"messages": [HumanMessage(human)]}
        _ = agent.invoke(start, config) if way == "invoke" else await agent.ainvoke(start, config)
        states.append(agent.get_state(config).values["messages"])
    for grown in (model.shown, states):
        written = [[one.model_dump_json() for one in messages] for messages in grown]
        assert all(after[: len(before)] == before for before, after in pairwise(written))
    cut = [one.content for one in states[-1] if isinstance(one, ToolMessage)]
    assert [one.startswith(DEER) for one in cut] == [True, False]


class Watching(AgentMiddleware):
    """Keeps what it was asked, to see whether those behind it changed it."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, list[Any]]] = []

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        self.asked.append((request, list(request.messages)))
        return handler(request)

    async def awrap_model_call(self, request: Any, handler: Any) -> Any:
        self.asked.append((request, list(request.messages)))
        return await handler(request)


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_L18_ephemeral(way: str):
    """With `ephemeral=True` only the model's view is cut, the same at every turn; the state keeps the original."""
    fake, watching = FakeCompressor(), Watching()
    model = script(call("look", query=""), AIMessage("Ann."))
    stack = [watching, middleware(fake, ephemeral=True)]
    agent = create_agent(model, [returning(LONG)], middleware=stack, checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    for human in ("Which deer?", "And the wind?"):
        start = {"messages": [HumanMessage(human)]}
        final = agent.invoke(start, config) if way == "invoke" else await agent.ainvoke(start, config)
        assert final["messages"][2].content == LONG
        assert not final["messages"][2].response_metadata
    views = [shown[2] for shown in model.shown[1:]]
    assert len(views) == 2
    assert views[0] == views[1]
    assert str(views[0].content).startswith(DEER)
    assert views[0].response_metadata["secateurs"]["query"] == "Which deer?"
    assert len(fake.calls) == 1
    assert all(request.messages == messages for request, messages in watching.asked)
    assert watching.asked[-1][0].messages[2].content == LONG


async def test_L19_savings_in_the_metadata_and_on_the_stream():
    """What a cut result saves, counted on what the model sees, stands in response_metadata and goes to the stream."""
    agent = create_agent(script(call("look", query=QUERY)), [returning(LONG)], middleware=[middleware()])
    events = list(agent.stream({"messages": [HumanMessage("Who?")]}, stream_mode=["custom", "values"]))
    [told] = [data["secateurs"] for mode, data in events if mode == "custom"]
    message = events[-1][1]["messages"][2]
    data = message.response_metadata["secateurs"]
    assert told["savings"] == data["savings"]
    assert (told["tool"], told["tool_call_id"], told["error"]) == ("look", "call_1", None)
    count = TokenCounter()
    assert (data["savings"]["before"], data["savings"]["after"]) == (count(LONG), count(message.content))
    assert data["query"] == QUERY
    assert "".join(LONG[start:end] for start, end in data["documents"][0]["spans"]) == DEER
    json.dumps(data)


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("ephemeral", [True, False])
async def test_L19_next_to_langchains_own(first: bool, ephemeral: bool, way: str):
    """Before or behind LangChain's SummarizationMiddleware and ContextEditingMiddleware all do their work."""
    summary = SummarizationMiddleware(script(), trigger=("messages", 6), keep=("messages", 2))
    editing = ContextEditingMiddleware(edits=[ClearToolUsesEdit(trigger=1, keep=1)])
    own = middleware(ephemeral=ephemeral)
    model = script(call("look", query=QUERY), call("look", 2, query=QUERY), call("look", 3, query=QUERY))
    stack = [own, summary, editing] if first else [summary, editing, own]
    agent = create_agent(model, [returning(LONG)], middleware=stack)
    start = {"messages": [HumanMessage("Who?")]}
    final = (agent.invoke(start) if way == "invoke" else await agent.ainvoke(start))["messages"]
    assert final[-1].content == "Ann."
    assert str(final[2].content).startswith(LONG if ephemeral else DEER)
    results = [[one for one in shown if isinstance(one, ToolMessage)] for shown in model.shown]
    assert all(str(shown[-1].content).startswith(DEER) for shown in results[1:])
    assert results[2][0].content == "[cleared]"
    assert "summary of the conversation" in str(model.shown[3][0].content)
