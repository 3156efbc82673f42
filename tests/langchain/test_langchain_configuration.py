"""What is configured wrong is heard of, in LangChain: a document is never passed through for ever in silence."""

from __future__ import annotations

from typing import Any

import pytest
from agent_parts import call, returning, script
from langchain.agents import create_agent
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda

from secateurs import CheckpointError, Compressor
from secateurs.langchain import CompressingRetriever, SecateursCompressor, create_compressing_retriever_tool
from secateurs.langchain.middleware import ContextCompressionMiddleware

QUERY = "Who built it?"
FOUND = [Document("Ann built it. It rained that year.")]


@pytest.mark.parametrize("wrong", ["nope/nope", "/no/such/folder"])
async def test_a_checkpoint_that_is_not_there_is_raised_at_first_use(wrong: str, caplog: pytest.LogCaptureFixture):
    """Compressor, retriever, step of a pipe and tool raise it, whatever `on_error` says, and log nothing."""
    compressor = SecateursCompressor(model=wrong)
    found: Any = RunnableLambda(lambda query: FOUND)
    tool = create_compressing_retriever_tool(found, "look", "Look it up.", compressor=compressor)
    calls = [
        lambda: compressor.compress_documents(FOUND, QUERY),
        lambda: CompressingRetriever(retriever=found, compressor=compressor).invoke(QUERY),
        lambda: compressor.as_runnable().invoke({"query": QUERY, "documents": FOUND}),
        lambda: tool.invoke({"query": QUERY}),
        compressor.check,
    ]
    for one in calls:
        with pytest.raises(CheckpointError, match=wrong):
            one()
    with pytest.raises(CheckpointError, match=wrong):
        await compressor.acompress_documents(FOUND, QUERY)
    assert compressor.compress_documents([], QUERY) == []
    assert compressor.compress_documents(FOUND, " ") == FOUND
    assert not caplog.records


@pytest.mark.parametrize("ephemeral", [False, True])
async def test_the_middleware_raises_it_too(ephemeral: bool):
    """An agent whose middleware has no model stops, and does not go on with results nobody cuts."""
    text = "Ann built it. It rained that year. " * 30
    cutting = ContextCompressionMiddleware(model="nope/nope", ephemeral=ephemeral)
    agent = create_agent(script(call("look", query=QUERY)), [returning(text)], middleware=[cutting])
    with pytest.raises(CheckpointError, match="nope/nope"):
        await agent.ainvoke({"messages": [HumanMessage(QUERY)]})
    with pytest.raises(CheckpointError, match="nope/nope"):
        ContextCompressionMiddleware(model="nope/nope").check()


def test_a_check_passes_where_all_is_well(tiny: Compressor):
    """`check` is silent where a document can be read."""
    SecateursCompressor(compressor=tiny).check()
    ContextCompressionMiddleware(compressor=tiny).check()
