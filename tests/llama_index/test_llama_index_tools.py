"""Tools with compressed output, called directly and by an agent whose LLM follows a script."""

import json
import logging
from typing import Any

import pytest
from fake_compressor import FakeCompressor, with_note
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, MessageRole, TextBlock, ToolCallBlock
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.indices import VectorStoreIndex
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.tools import BaseTool, FunctionTool, RetrieverTool, ToolMetadata, ToolOutput
from llama_index.core.workflow import Context
from llama_parts import Events

from secateurs import Compressor, Report, Threshold, TopK
from secateurs.llama_index import SecateursPostprocessor, SecateursReportEvent, compress_callbacks, compress_tool
from secateurs.llama_index.nodes import clean_query

DEER = "The deer was written by Ann Smith in a cold winter. "
RAIN = "It rained all day long over the hills and the wind came from the sea. "
LONG = RAIN * 6 + DEER + RAIN * 6


# FunctionAgent looks at every attribute of itself, pydantic's deprecated ones included
inspects_itself = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")


def look(query: str) -> str:
    """Look it up."""
    return LONG


def wrapped(found: Any = look, fake: FakeCompressor | None = None, **settings: Any) -> Any:
    """Wrap a function or a tool around a fake compressor."""
    tool = found if isinstance(found, BaseTool) else FunctionTool.from_defaults(found)
    return compress_tool(tool, compressor=fake or FakeCompressor(), **{"min_tokens": 20, **settings})


async def both(tool: Any, *args: Any, **kwargs: Any) -> ToolOutput:
    """Call sync and async; both must give the same."""
    output = tool.call(*args, **kwargs)
    assert await tool.acall(*args, **kwargs) == output
    assert tool(*args, **kwargs) == output
    return output


class Found(BaseRetriever):
    """Finds the same nodes for every query."""

    _nodes: list[NodeWithScore]

    def __init__(self, *texts: str) -> None:
        super().__init__()
        self._nodes = [
            NodeWithScore(node=TextNode(text=text, id_=str(index), metadata={"page": index}), score=0.5)
            for index, text in enumerate(texts)
        ]

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self._nodes


# --- what is compressed ---


async def test_I15_a_function_tool(events: Events):
    """The content is cut, raw_output and raw_input keep the original, and the report goes out once a call."""
    reports: list[Report] = []
    plain = FunctionTool.from_defaults(look)
    output = await both(wrapped(plain, on_report=reports.append), query="deer")
    before = plain.call(query="deer")
    assert output.content == with_note(DEER, LONG)
    assert (output.raw_output, output.raw_input, output.tool_name) == (LONG, before.raw_input, "look")
    assert plain.call(query="deer").content == LONG
    assert [report.query for report in reports] == ["deer"] * 3
    assert [event.report for event in events.of(SecateursReportEvent)] == reports


async def test_a_budget_for_a_whole_output(tiny: Compressor):
    """`max_total_tokens` is spent over all nodes of a tool's output together."""
    plain = RetrieverTool.from_defaults(Found(DEER + RAIN * 9, RAIN * 9))
    reports: list[Report] = []
    tool = compress_tool(
        plain, compressor=tiny, threshold=0.0, max_total_tokens=40, min_tokens=1, on_report=reports.append
    )
    await both(tool, query="deer")
    assert {0 < sum(one.savings.after for one in report.compressions) <= 40 for report in reports} == {True}


async def test_a_mark_where_something_was_cut(tiny: Compressor):
    """`elision` stands in a tool's output where something was cut, through callbacks as well."""
    expected = tiny.compress("deer", [LONG], policy=Threshold(0.0) & TopK(1), elision="[…]")[0]
    assert "[…]" in expected.text
    options = {"compressor": tiny, "threshold": 0.0, "top_k": 1, "elision": "[…]", "min_tokens": 1}
    output = await both(compress_tool(FunctionTool.from_defaults(look), **options), query="deer")
    assert output.content == with_note(expected.text, LONG)
    callbacks = compress_callbacks(lambda result: "deer", **options)
    output = await both(FunctionTool.from_defaults(look, **callbacks), query="deer")
    assert output.content == with_note(expected.text, LONG)


async def test_I15_what_an_agent_sees_of_the_tool():
    """Name, description, schema, context parameter, partial parameters and callbacks stay the tool's own."""

    async def find(ctx: Context[Any], query: str, extra: int) -> str:
        """Find it."""
        return LONG

    plain = FunctionTool.from_defaults(
        async_fn=find, name="finder", partial_params={"extra": 1}, return_direct=True, callback=lambda raw: raw + DEER
    )
    tool = wrapped(plain)
    assert isinstance(tool, FunctionTool)
    assert tool.metadata == plain.metadata
    assert tool.metadata.to_openai_tool() == plain.metadata.to_openai_tool()
    assert (tool.requires_context, tool.ctx_param_name) == (True, "ctx")
    assert (tool.partial_params, tool.real_fn) == (plain.partial_params, find)
    assert (await tool.acall(ctx=None, query="deer", extra=1)).content == with_note(DEER * 2, LONG + DEER)


async def test_I15_errors_are_untouched():
    """An output with is_error is not touched, and what a tool raises passes."""
    failed = ToolOutput("look", content=LONG, raw_input={}, raw_output=None, is_error=True)
    tool = wrapped(FunctionTool.from_defaults(look, callback=lambda raw: failed))
    assert tool.call(query="deer") is failed

    def broken(query: str) -> str:
        """Break."""
        raise LookupError("gone")

    with pytest.raises(LookupError):
        wrapped(broken).call(query="deer")
    with pytest.raises(LookupError):
        await wrapped(broken).acall(query="deer")


async def test_I15_any_tool():
    """A tool that is not async becomes one; its output is cut too."""

    class Sync(BaseTool):
        @property
        def metadata(self) -> ToolMetadata:
            return ToolMetadata("Look it up.", name="sync")

        def __call__(self, input: Any) -> ToolOutput:
            return ToolOutput("sync", content=LONG, raw_input={}, raw_output=LONG)

    tool = wrapped(Sync())
    assert tool.metadata.name == "sync"
    assert (await both(tool, "deer")).content == with_note(DEER, LONG)
    assert (await both(tool, input="deer")).content == with_note(DEER, LONG)


async def test_only_text_blocks_change():
    """Images and their like stay as they are, and a text block in which nothing passes is left out."""
    image = ImageBlock(url="http://localhost/deer.png")

    def blocks(query: str) -> list[Any]:
        """Look it up."""
        return [image, TextBlock(text=LONG), TextBlock(text=RAIN * 3)]

    left = TextBlock(text=with_note(DEER, LONG + "\n" + RAIN * 3))
    assert (await both(wrapped(blocks), query="deer")).blocks == [image, left]


async def test_json_stays_json():
    """Of JSON the long strings are cut, each by itself; all else stays to the letter, the note a member of its own.

    What would not be JSON any more, cut by a compressor that knows no better, stays as it is.
    """
    text = '{"id": 7, "page": 1.50, "texts": [%s, "short"],  "%s": null}' % (json.dumps(LONG), "key " * 40)  # noqa: UP031 - braces
    output = await both(wrapped(lambda query: text), query="deer")
    cut, note = output.content.rsplit(', "secateurs": ', 1)
    assert cut + "}" == text.replace(json.dumps(LONG), json.dumps(DEER))
    assert json.loads(note[:-1]).endswith(" tokens cut]")
    fake, short = FakeCompressor(), json.dumps({str(index): "a deer. It rained. " for index in range(90)})
    assert (await both(wrapped(lambda query: short, fake), query="deer")).content == short
    assert fake.calls[0] == [short]


async def test_nothing_passes():
    """An output in which nothing answers stays as it is; a note stands in its place only where that was asked for."""
    assert (await both(wrapped(lambda query: RAIN * 9), query="deer")).content == RAIN * 9
    output = await both(wrapped(lambda query: RAIN * 9, when_empty="drop"), query="deer")
    assert output.content == "[no part of this result answers the query]"


@pytest.mark.parametrize("settings", [{"min_tokens": 5000}, {"query": lambda kwargs: None}, {"threshold": 0.0}])
async def test_left_as_it_is(settings: dict[str, Any]):
    """Small outputs, those without a query and those of which nothing is cut come back as they are."""
    assert (await both(wrapped(**settings), query="deer")).content == LONG


@pytest.mark.parametrize(
    ("kwargs", "settings", "query"),
    [
        ({"query": "a", "other": "b"}, {}, "a"),
        ({"title": "c", "year": 3}, {}, "c"),
        ({"title": "c", "place": "d"}, {}, "title: c, place: d"),
        ({"days": [1, 2], "deep": {"a": 1}}, {}, "days: 1, 2"),
        ({"deep": {"a": 1}}, {}, None),
        ({"title": "c", "place": "d"}, {"query_arguments": ["place"]}, "d"),
        ({"title": "c", "place": "d"}, {"query": lambda kwargs: kwargs["title"] + "!"}, "c!"),
        ({"query": " ", "n": 1}, {}, None),
    ],
)
async def test_where_the_query_comes_from(kwargs: dict[str, Any], settings: dict[str, Any], query: str | None):
    """The query is a named argument, else the only string, else what all say, or what a callable says."""
    reports: list[Report] = []

    def any_look(**kwargs: Any) -> str:
        """Look it up."""
        return LONG

    await both(wrapped(any_look, on_report=reports.append, **settings), **kwargs)
    assert {report.query for report in reports} == ({query} if query else set())


# --- RetrieverTool ---


async def test_retriever_tool_is_cut_node_by_node():
    """Nodes are compressed one by one, their metadata in the content stays, and raw_output keeps the nodes."""
    fake, retriever = FakeCompressor(), Found(LONG, DEER + RAIN)
    plain = RetrieverTool.from_defaults(retriever, name="look", description="Look it up.")
    output = await both(wrapped(plain, fake), input="deer")
    assert fake.calls[0] == [LONG.strip(), (DEER + RAIN).strip()]
    assert output.content.rpartition("[")[0] == f"page: 0\n\n{DEER}\n\npage: 1\n\n{DEER}\n\n"
    assert output.raw_output == retriever._nodes


@pytest.mark.parametrize("way", ["call", "acall"])
async def test_I10_the_mangled_query_is_cleaned(way: str):
    """Inside a RetrieverTool the postprocessor compresses for the query that was asked."""
    reports: list[Report] = []
    postprocessor = SecateursPostprocessor(compressor=FakeCompressor(), on_report=reports.append)
    tool = RetrieverTool.from_defaults(Found(LONG), node_postprocessors=[postprocessor], name="x", description="y")
    output = tool.call(input="who is\nthe deer") if way == "call" else await tool.acall(input="who is\nthe deer")
    assert [report.query for report in reports] == ["who is\nthe deer"]
    assert DEER in output.content


@pytest.mark.parametrize(
    "query", ["input is X", "\ninput is X", "input is X\n", "\ninput is \n", "\nquery is X\n", " \ninput is X\n"]
)
def test_I10_other_queries_stay(query: str):
    """Only the exact form is a mangled query."""
    assert clean_query(query) == query


# --- failure ---


async def test_C14_fails_open(caplog: pytest.LogCaptureFixture, events: Events):
    """A failure of ours returns the output as it came, with the reason in the report, or raises by choice."""
    fake = FakeCompressor(failure=RuntimeError("no"))

    def broken(kwargs: Any) -> str:
        raise KeyError("query")

    with caplog.at_level(logging.CRITICAL):
        assert (await both(wrapped(fake=fake), query="deer")).content == LONG
        assert (await both(wrapped(query=broken), query="deer")).content == LONG
    assert events.of(SecateursReportEvent)[0].report.error == "RuntimeError: no"
    with pytest.raises(RuntimeError):
        await wrapped(fake=fake, on_error="raise").acall(query="deer")
    with pytest.raises(KeyError):
        wrapped(query=broken, on_error="raise").call(query="deer")


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"threshold": 2.0}, ValueError),
        ({"query_arguments": "query"}, TypeError),
        ({"min_tokens": -1}, ValueError),
        ({"rerank": True}, TypeError),
    ],
)
def test_wrong_settings(settings: dict[str, Any], error: type[Exception]):
    """A wrong setting is an error when the tool is wrapped."""
    with pytest.raises(error):
        wrapped(**settings)


def test_a_function_is_no_tool():
    """A plain function is refused by name."""
    with pytest.raises(TypeError, match="FunctionTool"):
        compress_tool(look)  # type: ignore[arg-type]  # the mistake itself


# --- agents ---


def scripted(shown: list[list[ChatMessage]], **kwargs: Any) -> MockFunctionCallingLLM:
    """Make an LLM that calls `look` once, then answers, and records what it was shown."""

    def say(messages: Any, **_: Any) -> ChatMessage:
        shown.append(list(messages))
        if any(message.role == MessageRole.TOOL for message in messages):
            return ChatMessage(role="assistant", content="Ann.")
        call = ToolCallBlock(tool_call_id="1", tool_name="look", tool_kwargs=kwargs)
        return ChatMessage(role="assistant", blocks=[call])

    return MockFunctionCallingLLM(response_generator=say)


@inspects_itself
async def test_I15_a_function_agent():
    """A FunctionAgent's LLM reads the cut output of a tool that gets its context; the result keeps the original."""

    async def find(ctx: Context[Any], query: str) -> str:
        """Find it."""
        await ctx.store.set("asked", query)
        return LONG

    shown: list[list[ChatMessage]] = []
    tool = wrapped(FunctionTool.from_defaults(async_fn=find, name="look"))
    agent = FunctionAgent(tools=[tool], llm=scripted(shown, query="deer"), streaming=False)
    response = await agent.run("Who wrote it?")
    assert str(response) == "Ann."
    assert [message.content for message in shown[-1] if message.role == MessageRole.TOOL] == [with_note(DEER, LONG)]
    assert response.tool_calls[0].tool_output.raw_output == LONG


@inspects_itself
async def test_a_function_agent_over_a_vector_store(bundled: Compressor):
    """An agent over a real vector store and the bundled model answers from cut output, with the savings reported."""
    text = (
        "The Killing of a Sacred Deer is a film of 2017. The screenplay was written by Yorgos Lanthimos and Efthymis "
        "Filippou. It stars Colin Farrell and Nicole Kidman. The weather in Cincinnati was mild that summer."
    )
    other = "It rained in the north. Farmers were glad of it. " * 5
    index = VectorStoreIndex(
        [TextNode(text=text), TextNode(text=other)], embed_model=MockEmbedding(embed_dim=4), llm=None
    )
    reports: list[Report] = []
    plain = RetrieverTool.from_defaults(index.as_retriever(), name="look", description="Look it up.")
    tool = compress_tool(plain, compressor=bundled, threshold=0.5, min_tokens=20, on_report=reports.append)
    shown: list[list[ChatMessage]] = []
    llm = scripted(shown, input="Who wrote The Killing of a Sacred Deer?")
    await FunctionAgent(tools=[tool], llm=llm, streaming=False).run("Who?")
    [content] = [message.content for message in shown[-1] if message.role == MessageRole.TOOL]
    assert "Efthymis Filippou" in str(content)
    assert "Farmers" not in str(content)
    assert reports[0].savings.saved > 0
