"""The requirement I15: what becomes of the results of tools, wrapped or with callbacks."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from typing import Any

import pytest
from fake_compressor import FakeCompressor, without_note
from llama_index.core.base.llms.types import ImageBlock, TextBlock
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.tools import FunctionTool, QueryEngineTool, RetrieverTool, ToolOutput
from llama_parts import (
    QUERY,
    Events,
    Recorder,
    asked,
    fake,
    vector_index,
)
from pydantic import BaseModel

from secateurs import Compressor, Report
from secateurs.llama_index import (
    SecateursReportEvent,
    compress_callbacks,
    compress_tool,
)

DEER = "The deer isn't ours, it was written by Ann Smith in a cold winter. "
RAIN = "It rained all day long over the hills and the wind came from the sea. "
LONG = RAIN * 6 + DEER + RAIN * 6
NOTHING = "[no part of this result answers the query]"

# FunctionAgent looks at every attribute of itself, pydantic's deprecated ones included
inspects_itself = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")


class Page(BaseModel):
    """What a tool returns."""

    title: str
    text: str


@dataclass
class Found:
    """What another returns."""

    url: str
    text: str


def tool_of(result: Any, **settings: Any) -> Any:
    """Make a tool that returns this, compressed by a fake compressor."""

    def look(query: str) -> Any:
        """Look it up."""
        return result

    options = {"compressor": FakeCompressor(), "min_tokens": 20, **settings}
    return compress_tool(FunctionTool.from_defaults(look), **options)


async def output_of(tool: Any, **kwargs: Any) -> ToolOutput:
    """Call a tool sync and async; both must give the same."""
    output: ToolOutput = tool.call(**kwargs)
    assert await tool.acall(**kwargs) == output
    return output


@pytest.mark.parametrize(
    ("result", "content"),
    [
        (LONG, DEER),
        (
            {"id": 7, "text": LONG, "url": "http://x/" + "y" * 99},
            {"id": 7, "text": DEER, "url": "http://x/" + "y" * 99},
        ),
        ([LONG, {"more": [LONG, "short"]}, 1.5], [DEER, {"more": [DEER, "short"]}, 1.5]),
        (("it's", LONG), ("it's", DEER)),
        ([LONG, RAIN * 3], [DEER, ""]),
        (RAIN * 9, RAIN * 9),
        ({"text": RAIN * 9}, {"text": RAIN * 9}),
        ({str(number): "a deer" for number in range(90)}, {str(number): "a deer" for number in range(90)}),
        (Page(title="A film", text=LONG), Page(title="A film", text=DEER)),
        (Found("http://x", LONG), Found("http://x", DEER)),
    ],
)
async def test_I15_results_of_a_function(result: Any, content: Any):
    """Of a text the text is cut, of containers and objects the long strings: they stay what they were."""
    output = await output_of(tool_of(result), query="deer")
    left = output.content if content == result else without_note(output.content)
    assert left == str(content)
    assert output.raw_output is result
    if isinstance(content, (dict, list, tuple)):
        assert ast.literal_eval(left) == content
        assert type(ast.literal_eval(output.content)) is type(content)


@pytest.mark.parametrize(("result", "content"), [(RAIN * 9, NOTHING), ({"text": RAIN * 9}, {"text": NOTHING})])
async def test_I15_results_in_which_nothing_passes(result: Any, content: Any):
    """With `when_empty="drop"` a note stands in the place of what goes, and a container stays what it was."""
    output = await output_of(tool_of(result, when_empty="drop"), query="deer")
    assert output.content == str(content)


async def test_I15_a_result_that_holds_itself():
    """An object that goes round in circles is cut like any other."""
    result: dict[str, Any] = {"text": LONG}
    result["again"] = result["and again"] = result
    output = await output_of(tool_of(result), query="deer")
    assert without_note(output.content) == str(result).replace(repr(LONG), repr(DEER))


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ascii_only", [True, False])
async def test_I15_json_stays_json(indent: int | None, ascii_only: bool):
    """Of JSON text the strings of at least 80 characters are cut, and all else stays to the letter."""
    data = {"id": 7, "page": 1.5, "texts": [LONG + "天", "short"], "k" * 90: None, "nested": {"text": RAIN * 3}}
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
    output = await output_of(tool_of(text), query="deer")
    found = json.loads(output.content)
    assert without_note(found.pop("secateurs")) == ""
    assert found == {**data, "texts": [DEER, "short"], "nested": {"text": ""}}
    expected = text.replace(json.dumps(data["texts"][0], ensure_ascii=ascii_only), json.dumps(DEER))
    assert without_note(output.content) == expected.replace(json.dumps(RAIN * 3), '""')
    assert output.raw_output == text


async def test_I15_a_list_of_nodes():
    """Each node is compressed by itself, its metadata stays with it and goes with it; raw_output keeps the nodes."""
    nodes = [
        NodeWithScore(node=TextNode(text=text, id_=str(page), metadata={"page": page}), score=0.5)
        for page, text in enumerate([LONG, RAIN * 9, DEER + RAIN])
    ]
    reports: list[Report] = []
    rendered = "".join(one.node.get_content(metadata_mode="llm") + "\n\n" for one in nodes)
    plain = FunctionTool.from_defaults(lambda query: nodes, name="look", callback=lambda raw: rendered)
    tool = compress_tool(plain, compressor=FakeCompressor(), min_tokens=20, on_report=reports.append)
    output = await output_of(tool, query="deer")
    assert without_note(output.content).rstrip() == f"page: 0\n\n{DEER}\n\npage: 2\n\n{DEER}".rstrip()
    assert output.raw_output is nodes
    assert reports[0].dropped_ids == ("1",)
    assert (await output_of(tool, query="fish")).content == rendered
    drops = compress_tool(plain, compressor=FakeCompressor(), min_tokens=20, when_empty="drop")
    assert (await output_of(drops, query="fish")).content == NOTHING


@pytest.mark.parametrize("text", [LONG, LONG + "\n'A \"line"])
async def test_I15_nodes_as_python_writes_them(text: str):
    """Nodes that a function returns, and Python writes, are cut inside what it wrote."""
    nodes = [NodeWithScore(node=TextNode(text=text, id_="a", metadata={"page": 1}), score=0.5)]
    output = await output_of(tool_of(nodes), query="written")
    assert output.content.startswith("[NodeWithScore(node=TextNode(id_='a'")
    assert "was written by Ann Smith" in output.content
    assert "rained" not in output.content


async def test_I15_other_blocks_stay():
    """Of a list of blocks only the text is cut; an image stays, and a text block in which nothing passes goes."""
    image = ImageBlock(url="http://localhost/deer.png")
    output = await output_of(tool_of([image, TextBlock(text=LONG), TextBlock(text=RAIN * 9)]), query="deer")
    assert output.blocks[0] == image and without_note(output.content) == DEER


async def test_I15_what_is_compressed_stays():
    """The output of a RetrieverTool whose nodes are compressed already is not compressed again."""
    retriever = vector_index().as_retriever(similarity_top_k=3)
    plain = RetrieverTool.from_defaults(retriever, node_postprocessors=[fake()], name="look", description="Look.")
    compressor = FakeCompressor()
    tool = compress_tool(plain, compressor=compressor, min_tokens=0)
    assert (await output_of(tool, input=QUERY)).content == plain.call(input=QUERY).content
    assert not compressor.calls


@pytest.mark.parametrize("mark", [{}, {"status": "compressed"}, "mine"])
async def test_what_only_says_to_be_compressed_is_compressed(mark: object):
    """Nodes whose metadata have our key, and whose text we did not make, are compressed like any others."""
    nodes = [TextNode(text=LONG, metadata={"secateurs": mark}, excluded_llm_metadata_keys=["secateurs"])]
    compressor = FakeCompressor()
    look = FunctionTool.from_defaults(lambda query: nodes, name="look", description="Look.")
    output = await output_of(compress_tool(look, compressor=compressor, min_tokens=0), query="deer")
    assert compressor.calls
    assert "rained" not in output.content


async def test_I15_query_engine_tools(bundled: Compressor):
    """A QueryEngineTool's answer is a text like any other; its response stays in raw_output."""

    class Talker(Recorder):
        def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
            return super().complete(prompt).model_copy(update={"text": LONG})

    engine = RetrieverQueryEngine.from_args(vector_index().as_retriever(), llm=Talker())
    tool = compress_tool(QueryEngineTool.from_defaults(engine, name="ask", description="Ask."), compressor=bundled)
    for way in (tool.call, tool.acall):
        output = await asked(way, input="Who wrote of the deer?")
        assert "written by Ann Smith" in output.content
        assert len(output.content) < len(LONG)
        assert str(output.raw_output) == LONG


# --- callbacks ---


@pytest.mark.parametrize("result", [LONG, {"text": LONG}, [TextBlock(text=LONG)], TextNode(text=LONG)])
async def test_I15_callbacks_of_a_function_tool(result: Any, events: Events):
    """As callbacks it cuts the content for the query they name; raw_output and raw_input stay, sync and async."""

    async def find(title: str) -> Any:
        """Find it."""
        return result

    seen: list[Any] = []

    def query(raw: Any) -> str:
        seen.append(raw)
        return "deer"

    callbacks = compress_callbacks(query, compressor=FakeCompressor(), min_tokens=20)
    plain = FunctionTool.from_defaults(async_fn=find)
    tool = FunctionTool.from_defaults(async_fn=find, **callbacks)
    for way, before in ((tool.call, plain.call(title="A film")), (tool.acall, await plain.acall(title="A film"))):
        output = await asked(way, title="A film")
        assert without_note(output.content) == before.content.replace(LONG, DEER).replace(repr(LONG), repr(DEER))
        assert output.raw_output is result
        assert output.raw_input == before.raw_input
    assert seen == [result, result]
    assert all(event.report.savings.saved > 0 for event in events.of(SecateursReportEvent))
    assert tool.metadata.to_openai_tool() == plain.metadata.to_openai_tool()


@pytest.mark.parametrize(
    ("result", "query"),
    [(LONG, None), (LONG, " "), ("short", "deer"), ([ImageBlock(url="http://x/y"), TextBlock(text=LONG)], "deer")],
)
async def test_I15_callbacks_leave_the_rest(result: Any, query: str | None):
    """Without a query, and for short or mixed results, a FunctionTool's own output stays."""
    callbacks = compress_callbacks(lambda raw: query, compressor=FakeCompressor(), min_tokens=20)
    tool = FunctionTool.from_defaults(lambda title: result, name="look", **callbacks)
    assert await output_of(tool, title="x") == FunctionTool.from_defaults(lambda title: result, name="look").call(
        title="x"
    )


def test_wrong_callbacks():
    """A query that is no function, and a setting nobody knows, are refused where they are passed."""
    with pytest.raises(TypeError, match="lambda result"):
        compress_callbacks("Who wrote it?")  # type: ignore[arg-type]  # the mistake itself
    with pytest.raises(TypeError, match="thresold"):
        compress_callbacks(str, thresold=0.5)  # type: ignore[call-arg]  # the mistake itself


async def test_I11_compressed_tools_have_their_spans(spans: SimpleSpanHandler):
    """A compressed tool and the tool inside it each have their span, in call and acall."""
    await output_of(tool_of(LONG), query="deer")
    names = [span.id_.split("-")[0] for span in spans.completed_spans]
    tools = ("FunctionTool", "CompressingFunctionTool")
    assert names == [f"{tool}.{way}" for way in ("call", "acall") for tool in tools]
