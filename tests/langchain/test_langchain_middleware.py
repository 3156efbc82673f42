"""The agent middleware: what it cuts, for which query, and what becomes of failures."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from agent_parts import DEER, LONG, QUERY, RAIN, call, middleware, returning, run, script
from fake_compressor import FakeCompressor, with_note
from langchain.agents import create_agent
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.prebuilt.tool_node import ToolCallRequest

from secateurs import Compressor, Threshold, TopK
from secateurs.langchain.middleware import ContextCompressionMiddleware
from secateurs.result.savings import TokenCounter


async def test_a_dict_result_stays_json():
    """A tool that returns a dict gives the model JSON, cut in its long strings."""

    @tool
    def look(query: str) -> dict[str, Any]:
        """Look it up."""
        return {"rows": [{"text": LONG}, {"text": RAIN * 3}], "n": 2}

    found = json.loads(str((await run(look, expand=None)).content))
    assert found.pop("secateurs").endswith(" tokens cut]")
    assert found == {"rows": [{"text": DEER}, {"text": ""}], "n": 2}


async def test_documents_that_are_not_in_the_content_do_not_matter():
    """Where the content was made otherwise, it is cut as one text."""
    fake = FakeCompressor()
    message = await run(returning(LONG, artifact=[Document("Elsewhere.")]), fake=fake, expand=None)
    assert message.content == with_note(DEER, LONG)
    assert fake.calls[0] == [LONG]


async def test_nothing_passes():
    """A result in which nothing answers stays as it is; a note stands in its place only where that was asked for."""
    assert (await run(returning(RAIN * 9))).content == RAIN * 9
    message = await run(returning(RAIN * 9), expand=None, when_empty="drop")
    assert message.content == "[no part of this result answers the query]"


async def test_never_longer():
    """A result that would not get shorter stays as it is."""
    text = DEER + "It rained. "
    assert (await run(returning(text), min_tokens=1)).content == text


async def test_a_mark_where_something_was_cut(tiny: Compressor):
    """`elision` stands in a tool result where something was cut."""
    message = await run(returning(LONG), fake=tiny, threshold=0.0, top_k=1, elision="[…]", expand=None)
    expected = tiny.compress("deer", [LONG], policy=Threshold(0.0) & TopK(1), elision="[…]")[0]
    assert message.content == with_note(expected.text, LONG)
    assert "[…]" in message.content


async def test_a_budget_for_a_whole_result(tiny: Compressor):
    """`max_total_tokens` is spent over all texts of a result together."""
    blocks = [{"type": "text", "text": DEER + RAIN * 9}, {"type": "text", "text": RAIN * 9}]
    message = await run(returning(blocks), fake=tiny, threshold=0.0, max_total_tokens=60, expand=None)
    kept = [block["text"] for block in message.content]
    assert kept != [block["text"] for block in blocks]
    count = TokenCounter("o200k_base")
    assert 0 < sum(count(text.partition("\n[")[0]) for text in kept) <= 60, "the note comes on top"


# --- the query ---


@pytest.mark.parametrize("query", [lambda request: None, lambda request: " "])
async def test_no_query_no_change(query: Callable[[Any], str | None]):
    """A callable that names no query leaves the result as it is."""
    assert (await run(returning(LONG), query=query)).content == LONG


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


@pytest.mark.parametrize("ephemeral", [True, False])
async def test_C14_a_timeout_fails_open(tiny: Compressor, caplog: pytest.LogCaptureFixture, ephemeral: bool):
    """A result that is not compressed in time comes as it was, said on the stream, and in the log once."""
    own = ContextCompressionMiddleware(compressor=tiny, timeout=1e-9, min_tokens=20, ephemeral=ephemeral)
    model = script(call("look", query=QUERY), call("look", 2, query=QUERY))
    agent = create_agent(model, [returning(LONG)], middleware=[own])
    start: Any = {"messages": [HumanMessage("Who?")]}
    told = [one async for one in agent.astream(start, stream_mode="custom")]
    assert all(one["secateurs"]["error"].startswith("TimeoutError") for one in told)
    assert {one.content for shown in model.shown for one in shown if isinstance(one, ToolMessage)} == {LONG}
    assert len(caplog.records) == 1
    with pytest.raises(TimeoutError):
        await run(returning(LONG), fake=tiny, timeout=1e-9, on_error="raise")


async def test_C14_a_broken_stream(caplog: pytest.LogCaptureFixture):
    """A stream writer that raises costs no result, and the log says so once."""

    class Runtime:
        def stream_writer(self, data: Any) -> None:
            raise BrokenPipeError

    look: Any = {"name": "look", "args": {"query": QUERY}, "id": "1", "type": "tool_call"}
    request, own = ToolCallRequest(look, None, {"messages": []}, Runtime()), middleware(expand=None)
    for _ in range(2):
        said = own.wrap_tool_call(request, lambda request: ToolMessage(LONG, tool_call_id="1"))
        assert said.content == with_note(DEER, LONG)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


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
