"""The agent middleware, in agents whose chat model follows a script."""

from __future__ import annotations

import copy
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import BaseTool, InjectedToolCallId, create_retriever_tool, tool
from langchain_core.vectorstores import InMemoryVectorStore
from pydantic import Field
from test_adapter import FakeCompressor

from secateurs import Compressor
from secateurs.langchain.contents import split_content
from secateurs.langchain.originals import Originals
from secateurs.langchain.tool_results import Cuts

pytest.importorskip("langchain", reason="the middleware is for langchain's agents, which the agents extra brings")

from typing import Annotated

from langchain.agents import create_agent
from langchain.agents.middleware import ClearToolUsesEdit, ContextEditingMiddleware, SummarizationMiddleware
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command

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
    results = []
    for way in ("invoke", "ainvoke", "stream", "astream"):
        agent = create_agent(script(call("look", query=QUERY)), [found], middleware=[middleware(**settings)])
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


# --- what is compressed ---


async def test_L14_a_string_is_cut_in_every_way_of_running():
    """invoke, ainvoke, stream and astream give the same cut result, with id, name and tool_call_id kept."""
    message = await run(returning(LONG, id="kept"), expand=None)
    assert message.content == DEER
    assert (message.id, message.name, message.tool_call_id, message.status) == ("kept", "look", "call_1", "success")


async def test_L15_only_text_blocks_change():
    """Of content blocks the text is cut; images and annotated text stay as they are, other keys of a block too."""
    image = {"type": "image", "base64": "QUJD", "mime_type": "image/png"}
    cited = {"type": "text", "text": LONG, "annotations": [{"start_index": 3}]}
    text = {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}
    message = await run(returning([text, image, cited, {"type": "text", "text": RAIN * 2}]), expand=None)
    assert message.content == [{**text, "text": DEER}, image, cited]
    alone = await run(returning([image]))
    assert alone.content == [image]
    assert not alone.response_metadata


async def test_L15_json_stays_valid():
    """Of JSON the long strings are cut; keys, numbers, short strings and layout stay to the letter."""
    source = f'{{ "id": 1.50, "big": 1e400,\n "text": {json.dumps(LONG)}, "url": "https://{"a" * 90}", "é": "é" }}'
    message = await run(returning(source), expand=None)
    assert message.content == source.replace(LONG, DEER)
    cut = await run(returning(source))
    assert json.loads(str(cut.content))["text"].startswith(DEER)


async def test_a_dict_result_stays_json():
    """A tool that returns a dict gives the model JSON, cut in its long strings."""

    @tool
    def look(query: str) -> dict[str, Any]:
        """Look it up."""
        return {"rows": [{"text": LONG}, {"text": RAIN * 3}], "n": 2}

    assert json.loads(str((await run(look, expand=None)).content)) == {"rows": [{"text": DEER}, {"text": ""}], "n": 2}


async def test_L15_errors_are_untouched():
    """A result with status error is not touched."""
    message = await run(returning(LONG, status="error"))
    assert message.content == LONG
    assert not message.response_metadata


async def test_L15_command_results():
    """The tool message inside a Command is cut; its other updates and the Command itself stay."""

    @tool
    def look(query: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
        """Look it up."""
        return Command(update={"messages": [ToolMessage(LONG, tool_call_id=tool_call_id, id="x")], "extra": 1})

    assert (await run(look, expand=None)).content == DEER


@pytest.mark.parametrize("form", ["dict", "list", "several"])
async def test_L15_nothing_around_a_tool_message_changes(form: str):
    """Of a Command, or of several results, only tool messages are cut, and what came in stays as it was."""
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
    cut = said.model_copy(update={"content": DEER})
    first = result[0] if form == "several" else result
    messages = first.update if form == "list" else first.update["messages"]
    assert [(one.type, one.content) for one in messages if one is not human] == [("tool", cut.content)]
    assert any(one is human for one in messages)
    if form == "several":
        assert (first.goto, first.update["extra"], result[1].content) == ("there", 1, DEER)


async def test_L16_documents_in_the_artifact_are_cut_one_by_one():
    """Each Document in the content is cut by itself, with what stands around them kept and the artifact untouched."""
    found = [Document(LONG, id="a"), Document(RAIN * 4, id="b"), Document(DEER + RAIN, id="c")]
    fake = FakeCompressor()
    content = "Found:\n" + "\n\n".join(one.page_content for one in found)
    message = await run(returning(content, artifact=found), fake=fake, expand=None)
    assert message.content == "Found:\n" + DEER + "\n\n" + DEER
    assert message.artifact == found
    assert fake.calls[0] == [one.page_content for one in found]
    assert [one["status"] for one in message.response_metadata["secateurs"]["documents"]] == [
        "compressed",
        "dropped",
        "compressed",
    ]


async def test_documents_that_are_not_in_the_content_do_not_matter():
    """Where the content was made otherwise, it is cut as one text."""
    fake = FakeCompressor()
    message = await run(returning(LONG, artifact=[Document("Elsewhere.")]), fake=fake, expand=None)
    assert message.content == DEER
    assert fake.calls[0] == [LONG]


async def test_nothing_passes():
    """A result in which nothing answers is not blank, but says so."""
    message = await run(returning(RAIN * 9), expand=None)
    assert message.content == "[no part of this result answers the query]"


@pytest.mark.parametrize("settings", [{"exclude": ["look"]}, {"include": ["other"]}, {"min_tokens": 5000}])
async def test_L17_include_exclude_and_minimum(settings: dict[str, Any]):
    """Results of tools left out, and those below the minimum size, stay as they are without asking the model."""
    fake = FakeCompressor()
    assert (await run(returning(LONG), fake=fake, **settings)).content == LONG
    assert not fake.calls


async def test_never_longer():
    """A result that would not get shorter stays as it is."""
    text = DEER + "It rained. "
    assert (await run(returning(text), min_tokens=1)).content == text


# --- the query ---


@pytest.mark.parametrize(
    ("settings", "query"),
    [
        ({}, QUERY),
        ({"query_arguments": ["missing"]}, "Who wrote it?"),
        ({"query": lambda request: request.tool_call["args"]["query"] + "!"}, "deer!"),
    ],
)
async def test_L17_where_the_query_comes_from(settings: dict[str, Any], query: str):
    """The query is a tool argument, else the last human message, or what a callable says."""
    reports: list[Any] = []
    await run(returning(LONG), on_report=reports.append, **settings)
    assert {report.query for report in reports} == {query}


@pytest.mark.parametrize("query", [lambda request: None, lambda request: " "])
async def test_no_query_no_change(query: Callable[[Any], str | None]):
    """A callable that names no query leaves the result as it is."""
    assert (await run(returning(LONG), query=query)).content == LONG


# --- what is said about it ---


async def test_L19_savings_in_the_metadata_and_on_the_stream():
    """The savings, exact and of the very text the model sees, stand in response_metadata and go to the stream."""
    agent = create_agent(script(call("look", query=QUERY)), [returning(LONG)], middleware=[middleware()])
    events = list(agent.stream({"messages": [HumanMessage("Who?")]}, stream_mode=["custom", "values"]))
    [told] = [data["secateurs"] for mode, data in events if mode == "custom"]
    message = events[-1][1]["messages"][2]
    data = message.response_metadata["secateurs"]
    assert told["savings"] == data["savings"]
    assert (told["tool"], told["tool_call_id"], told["error"]) == ("look", "call_1", None)
    count = middleware()._count
    assert (data["savings"]["before"], data["savings"]["after"]) == (count(LONG), count(message.content))
    assert data["query"] == QUERY
    assert "".join(LONG[start:end] for start, end in data["documents"][0]["spans"]) == DEER
    json.dumps(data)


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


def test_L16_the_agent_gets_the_original_back():
    """The handle at the end of a cut result brings all of it back, which is not cut again."""
    handle = Originals().put(LONG)
    model = script(call("look", query=QUERY), call("expand_tool_result", 2, handle=handle))
    agent = create_agent(
        model, [returning(LONG)], middleware=[middleware(name="second", expand=None, exclude=["look"]), middleware()]
    )
    messages = agent.invoke({"messages": [HumanMessage("Which deer?")]})["messages"]
    assert (
        messages[2].content == f'{DEER}\n[cut to the query; expand_tool_result(handle="{handle}") returns all of it]'
    )
    assert messages[4].content == LONG


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


def test_L18_what_was_written_stays():
    """A later turn never rewrites an earlier tool message: each prompt begins with the one before it."""
    model = script(call("look", query=QUERY), AIMessage("Ann."), call("look", 2, query="wind"))
    agent = create_agent(model, [returning(LONG)], middleware=[middleware()], checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    agent.invoke({"messages": [HumanMessage("Who?")]}, config)
    state = agent.get_state(config).values["messages"]
    agent.invoke({"messages": [HumanMessage("And the wind?")]}, config)
    assert agent.get_state(config).values["messages"][: len(state)] == state
    for before, after in zip(model.shown, model.shown[1:], strict=False):
        assert after[: len(before)] == before


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_L18_ephemeral(way: str):
    """In ephemeral mode the model sees the short view, the same at every turn, and the state keeps the original."""
    fake = FakeCompressor()
    model = script(call("look", query=""), AIMessage("Ann."))
    agent = create_agent(
        model, [returning(LONG)], middleware=[middleware(fake, ephemeral=True)], checkpointer=InMemorySaver()
    )
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


def test_views_are_bounded():
    """Ephemeral mode remembers the last views only."""
    from secateurs.langchain.tool_results import Cut

    cuts, message = Cuts(most=1), ToolMessage("a", tool_call_id="1")
    cuts.put(message, "x", Cut())
    cuts.put(message, "y", Cut())
    assert (cuts.get(message, "x"), cuts.get(message, "y")) == (None, Cut())


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("ephemeral", [True, False])
def test_L19_next_to_langchains_own(first: bool, ephemeral: bool):
    """Before or behind SummarizationMiddleware and ContextEditingMiddleware, all of them do their work."""
    summary = SummarizationMiddleware(script(), trigger=("messages", 6), keep=("messages", 2))
    editing = ContextEditingMiddleware(edits=[ClearToolUsesEdit(trigger=1, keep=1)])
    own = middleware(ephemeral=ephemeral)
    model = script(call("look", query=QUERY), call("look", 2, query=QUERY), call("look", 3, query=QUERY))
    stack = [own, summary, editing] if first else [summary, editing, own]
    agent = create_agent(model, [returning(LONG).model_copy()], middleware=stack)
    final = agent.invoke({"messages": [HumanMessage("Who?")]})["messages"]
    assert final[-1].content == "Ann."
    last = [one for one in model.shown[2] if isinstance(one, ToolMessage)]
    assert [str(one.content).startswith(DEER) for one in last][-1]


def test_L17_two_in_one_agent():
    """Two of them with different names live in one agent, each for its own tools."""
    stack = [middleware(name="a", include=["look"]), middleware(name="b", exclude=["look"], expand="expand_b")]
    agent = create_agent(script(call("look", query=QUERY)), [returning(LONG)], middleware=stack)
    messages = agent.invoke({"messages": [HumanMessage("Who?")]})["messages"]
    assert messages[2].content.count("returns all of it") == 1


# --- failure ---


async def test_C14_fails_open(caplog: pytest.LogCaptureFixture):
    """A failure of the model returns the result as it came, and says so in the log and on the stream."""
    with caplog.at_level(logging.CRITICAL):
        message = await run(returning(LONG), fake=FakeCompressor(failure=RuntimeError("no")))
    assert message.content == LONG
    agent = create_agent(
        script(call("look", query=QUERY)),
        [returning(LONG)],
        middleware=[middleware(FakeCompressor(failure=RuntimeError("no")))],
    )
    [told] = agent.stream({"messages": [HumanMessage("Who?")]}, stream_mode="custom")
    assert told["secateurs"]["error"] == "RuntimeError: no"


async def test_C14_a_broken_callable_fails_open():
    """A query callable that raises leaves the result as it is, or raises with on_error='raise'."""

    def broken(request: Any) -> str:
        raise KeyError("query")

    assert (await run(returning(LONG), query=broken)).content == LONG
    with pytest.raises(KeyError):
        await run(returning(LONG), query=broken, on_error="raise")
    with pytest.raises(RuntimeError):
        await run(returning(LONG), fake=FakeCompressor(failure=RuntimeError("no")), on_error="raise")


async def test_a_tools_own_failure_passes():
    """What a tool raises is not swallowed."""

    @tool
    def look(query: str) -> str:
        """Look it up."""
        raise LookupError("gone")

    with pytest.raises(LookupError):
        await run(look)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"threshold": 2.0}, ValueError),
        ({"include": "look"}, TypeError),
        ({"min_tokens": -1}, ValueError),
        ({"query": "query"}, TypeError),
        ({"on_error": "ignore"}, ValueError),
    ],
)
def test_wrong_settings(settings: dict[str, Any], error: type[Exception]):
    """A wrong setting is an error when the middleware is made."""
    with pytest.raises(error):
        middleware(**settings)


def test_missing_langchain():
    """Without langchain, importing the middleware names the extra, and the other adapters still import."""
    code = (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('langchain', 'langgraph'): raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Block())\n"
        "import secateurs.langchain\n"
        "from secateurs import MissingExtraError\n"
        "try:\n"
        "    import secateurs.langchain.middleware\n"
        "except MissingExtraError as error:\n"
        "    assert error.extra == 'agents', error\n"
        "else:\n"
        "    raise SystemExit('imported')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- contents ---


@pytest.mark.parametrize(
    "content",
    [
        "",
        " ",
        "plain",
        '"' + RAIN * 3 + '"',
        "[1, 2",
        "{}",
        json.dumps([LONG, {LONG: LONG}]),
        [],
        ["a", {"type": "x"}],
    ],
)
def test_a_content_comes_back_whole(content: Any):
    """Taken apart and put together with its own texts, a content is the same."""
    parts = split_content(content)
    assert parts.rebuild(parts.texts) == content


@pytest.mark.parametrize("value", ['say "deer" \\ now. ' * 9, "鹿は走る。" * 20, "\ud800 " * 50, "a\nb\t" * 40])
def test_json_strings_are_written_as_they_were(value: str):
    """What is cut out of a JSON string is escaped again, and valid UTF-8."""
    for ascii_only in (True, False):
        source = json.dumps({"text": value, value: 1}, ensure_ascii=ascii_only)
        parts = split_content(source)
        assert parts.texts == (value,)
        assert json.loads(str(parts.rebuild([value[:40]])))["text"] == value[:40]


# --- the real thing ---


def test_a_scripted_agent_over_a_vector_store(bundled: Compressor):
    """An agent over a real vector store and the bundled model answers from cut results, with the savings reported."""
    text = (
        "The Killing of a Sacred Deer is a film of 2017. The screenplay was written by Yorgos Lanthimos and Efthymis "
        "Filippou. It stars Colin Farrell and Nicole Kidman. The weather in Cincinnati was mild that summer."
    )
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
    store.add_documents([Document(text), Document("It rained in the north. Farmers were glad of it. " * 5)])
    look = create_retriever_tool(store.as_retriever(), "look", "Look up.", response_format="content_and_artifact")
    reports: list[Any] = []
    own = ContextCompressionMiddleware(compressor=bundled, threshold=0.5, min_tokens=20, on_report=reports.append)
    model = script(call("look", query="Who wrote The Killing of a Sacred Deer?"))
    message = create_agent(model, [look], middleware=[own]).invoke({"messages": [HumanMessage("Who?")]})["messages"][
        2
    ]
    assert "Efthymis Filippou" in message.content
    assert "Farmers" not in message.content
    assert message.response_metadata["secateurs"]["savings"]["saved"] > 0
    assert reports[0].savings.saved > 0
    assert model.shown[1][2].content == message.content
