"""The requirement I15: agents that follow a script, and the way back to what was cut."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from fake_compressor import FakeCompressor, without_note
from llama_index.core.agent.workflow import FunctionAgent, ToolCallResult
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import FunctionTool, RetrieverTool, ToolOutput
from llama_index.core.workflow import Context
from llama_parts import (
    CUT,
    QUERY,
    WRITTEN,
    Events,
    asked,
    calls,
    says,
    scripted,
    vector_index,
)

from secateurs import Compressor
from secateurs.adapters.originals import Originals
from secateurs.llama_index import (
    ExpandTool,
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


# --- the way back ---


async def test_I15_expand():
    """The handle at the end of a cut output gives all of it back; an unknown one is an error that says what to do."""
    expand = ExpandTool("more")
    output = await output_of(tool_of(LONG, expand=expand), query="deer")
    [handle] = re.findall(r'more\(handle="(\w+)"\)', output.content)
    assert output.content.startswith(DEER)
    for way in (expand.call, expand.acall):
        back = await asked(way, handle=f" {handle}\n")
        assert (back.content, back.is_error, back.tool_name) == (LONG, False, "more")
        lost = await asked(way, handle="nothing")
        assert lost.is_error
        assert "Call the tool" in lost.content
    assert expand.metadata.get_parameters_dict()["required"] == ["handle"]
    cut = await output_of(tool_of(json.dumps({"text": LONG}), expand=expand), query="deer")
    assert json.loads(cut.content)["text"] == DEER and "more(" in json.loads(cut.content)["secateurs"]
    assert (await output_of(tool_of("A deer", expand=expand), query="deer")).content == "A deer"


def test_expand_in_the_wrong_place():
    """ExpandTool itself is not wrapped, nothing else is an expand tool, and an answer to the user has no handle."""
    with pytest.raises(ValueError, match="pass it as expand="):
        compress_tool(ExpandTool())
    with pytest.raises(TypeError, match="ExpandTool"):
        tool_of(LONG, expand="more")
    direct = FunctionTool.from_defaults(lambda query: LONG, name="look", return_direct=True)
    tool = compress_tool(direct, compressor=FakeCompressor(), expand=ExpandTool())
    assert without_note(tool.call(query="deer").content) == DEER


def test_originals_are_forgotten_oldest_first():
    """Past the limit the text longest unused goes, never the newest."""
    originals = Originals(max_bytes=1200)
    first, second = originals.put("a" * 4), originals.put("b" * 4)
    assert originals.get(first)
    third = originals.put("c" * 4)
    assert (originals.get(first), originals.get(second), originals.get(third)) == ("aaaa", None, "cccc")
    assert originals.get(originals.put("d" * 4000))


# --- agents ---


@inspects_itself
@pytest.mark.filterwarnings("ignore:Skipping serialization of known unserializable key. memory")  # LlamaIndex's own
@pytest.mark.parametrize("wrapped_as", ["tool", "callbacks"])
async def test_I15_a_scripted_agent(wrapped_as: str, bundled: Compressor, events: Events):
    """Over a real vector index an agent answers from compressed tool output, gets back a cut, and savings are told.

    Its context goes through JSON between two questions, as in a workflow that is stored.
    """
    index, expand, reports = vector_index(size=256), ExpandTool(), []
    retriever = index.as_retriever(similarity_top_k=2)
    options: dict[str, Any] = {
        "compressor": bundled,
        "threshold": 0.5,
        "min_tokens": 20,
        "expand": expand,
        "on_report": reports.append,
    }
    if wrapped_as == "tool":
        plain = RetrieverTool.from_defaults(retriever, name="look", description="Look it up.")
        look: Any = compress_tool(plain, **options)
    else:

        def find(input: str) -> str:
            """Look it up."""
            return "".join(one.text for one in retriever.retrieve(input))

        look = FunctionTool.from_defaults(find, name="look", **compress_callbacks(lambda raw: QUERY, **options))
    llm = scripted(
        lambda seen: calls("look", input=QUERY),
        lambda seen: calls(expand.name, handle=re.findall(r'handle="(\w+)"', seen[0])[0]),
        lambda seen: says(f"{WRITTEN} {seen[0]} [{len(seen[1])}]"),
    )
    memory = ChatMemoryBuffer.from_defaults()
    agent = FunctionAgent(tools=[look, expand], llm=llm, streaming=False)
    context: Context[Any] = Context(agent)
    handler = agent.run("Who wrote the film?", ctx=context, memory=memory)
    results = [event async for event in handler.stream_events() if isinstance(event, ToolCallResult)]
    answer = str(await handler)
    shown, whole = (one.tool_output.content for one in results)
    assert WRITTEN in shown
    assert shown in answer
    assert CUT not in shown
    assert CUT in whole
    assert results[0].tool_output.raw_output != shown
    [report] = reports
    assert report.savings.saved > 0
    assert [event.report for event in events.of(SecateursReportEvent)] == reports
    assert events.of(SecateursReportEvent)[0].tool_name == ("look" if wrapped_as == "tool" else None)
    again = Context.from_dict(agent, json.loads(json.dumps(context.to_dict())))
    assert WRITTEN in str(await agent.run("And now?", ctx=again, memory=ChatMemoryBuffer.from_defaults()))


@inspects_itself
async def test_I15_an_agent_reads_errors_whole():
    """What a failing tool tells an agent is not cut."""

    def broken(query: str) -> str:
        """Break."""
        raise LookupError(LONG)

    compressor = FakeCompressor()
    tool = compress_tool(FunctionTool.from_defaults(broken), compressor=compressor, min_tokens=0)
    llm = scripted(lambda seen: calls("broken", query="deer"), lambda seen: says(seen[0]))
    agent = FunctionAgent(tools=[tool], llm=llm, streaming=False)
    assert str(await agent.run("What?", memory=ChatMemoryBuffer.from_defaults())) == LONG
    assert not compressor.calls
