"""What a trace shows of compression."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fake_compressor import FakeCompressor
from langchain_core.documents import BaseDocumentCompressor
from langchain_core.runnables import Runnable, RunnableLambda, RunnablePassthrough
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from retrieval_parts import AsyncEvents, Events, Found, documents, fake

from secateurs import Compression, Report
from secateurs.adapters.report import report_to_dict
from secateurs.langchain import CompressingRetriever, SecateursCompressor


async def test_event() -> None:
    """The report goes out as one custom event of the retriever's run, sync and async."""
    reports: list[Report] = []
    retriever = CompressingRetriever(
        retriever=Found(documents=documents()), compressor=fake(on_report=reports.append)
    )
    for handler in (Events(), AsyncEvents()):
        await retriever.ainvoke("deer", config={"callbacks": [handler]})
        assert handler.seen == [("secateurs_report", report_to_dict(reports[-1]))]
    handler = Events()
    retriever.invoke("deer", config={"callbacks": [handler]})
    assert handler.seen == [("secateurs_report", report_to_dict(reports[-1]))]
    assert handler.runs == handler.starts[:1]
    assert handler.seen[0][1]["savings"]["saved"] > 0


async def test_no_event_without_a_run() -> None:
    """Outside a run nothing goes out and nothing is raised, with a list of handlers or with none."""
    handler = Events()
    for callbacks in (None, [], [handler]):
        assert fake().compress_documents(documents(), "deer", callbacks=callbacks)
        assert await fake().acompress_documents(documents(), "deer", callbacks=callbacks)
    assert handler.seen == []


def test_event_inside_a_runnable() -> None:
    """Called inside a Runnable without callbacks, the event belongs to that run."""
    handler = Events()
    chain = RunnableLambda(lambda query: fake().compress_documents(documents(), query))
    chain.invoke("deer", config={"callbacks": [handler]})
    assert [name for name, _ in handler.seen] == ["secateurs_report"]


# --- the run ---


def compressing_retriever(compressor: BaseDocumentCompressor) -> Runnable[Any, Any]:
    return CompressingRetriever(retriever=Found(documents=documents()), compressor=compressor)


def classic_retriever(compressor: BaseDocumentCompressor) -> Runnable[Any, Any]:
    retrievers = pytest.importorskip("langchain_classic.retrievers", reason="langchain-classic is not installed")
    found = Found(documents=documents())
    return retrievers.ContextualCompressionRetriever(base_compressor=compressor, base_retriever=found)


def pipe(compressor: SecateursCompressor) -> Runnable[Any, Any]:
    return {"query": RunnablePassthrough(), "documents": Found(documents=documents())} | compressor.as_runnable()


def agent(compressor: SecateursCompressor) -> Runnable[Any, Any]:
    parts = pytest.importorskip("agent_parts", reason="langchain's agents are not installed")
    model = parts.script(parts.call("look", query="deer"))
    middleware = parts.middleware(compressor.compressor, on_error=compressor.on_error, min_tokens=1)
    made = parts.create_agent(model, [parts.returning(documents()[0].page_content * 9)], middleware=[middleware])
    return RunnableLambda(lambda query: {"messages": [parts.HumanMessage(query)]}) | made


WAYS = [compressing_retriever, classic_retriever, pipe, agent]
CALLERS = {compressing_retriever: "CompressingRetriever", classic_retriever: "ContextualCompressionRetriever"}
CALLERS |= {pipe: "SecateursCompressor", agent: "tools"}


def runs_of(run: Any) -> Iterator[Any]:
    """A run and those in it."""
    yield run
    for one in run.child_runs:
        yield from runs_of(one)


def trace(collector: RunCollectorCallbackHandler) -> list[tuple[str, Any]]:
    """The runs called "secateurs", each with the name of the run it is in."""
    found = [one for root in collector.traced_runs for one in runs_of(root)]
    return [(one.name, run) for one in found for run in one.child_runs if run.name == "secateurs"]


async def called(way: Callable[..., Any], how: str, callbacks: list[Any], **settings: Any) -> None:
    """Call a chain once."""
    chain, config = way(fake(**settings)), {"callbacks": callbacks}
    _ = chain.invoke("deer", config) if how == "invoke" else await chain.ainvoke("deer", config)


@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_trace_shows_the_savings(way: Callable[..., Any], how: str):
    """Wherever it is called from, a trace has one run named "secateurs" in the caller's, with the savings in JSON."""
    collector, events = RunCollectorCallbackHandler(), Events()
    await called(way, how, [collector, events])
    [(caller, run)] = trace(collector)
    assert caller == CALLERS[way]
    assert run.inputs["query"] == "deer"
    assert run.outputs["savings"]["saved"] > 0
    assert json.loads(json.dumps(run.outputs)) == run.outputs
    assert run.error is None
    assert run.start_time <= run.end_time
    assert events.seen == [("secateurs_report", run.outputs)]
    assert events.runs == [run.parent_run_id]


@pytest.mark.parametrize("way", WAYS)
async def test_astream_events(way: Callable[..., Any]):
    """astream_events shows the run's start and end, and the custom event between them, all with their parents."""
    chain = way(fake())
    seen = [event async for event in chain.astream_events("deer", version="v2")]
    ours = [event for event in seen if event["name"] in ("secateurs", "secateurs_report")]
    assert [event["event"] for event in ours] == ["on_chain_start", "on_custom_event", "on_chain_end"]
    start, event, end = ours
    assert event["run_id"] == start["parent_ids"][-1]
    assert start["data"]["input"]["query"] == "deer"
    assert event["data"] == end["data"]["output"]
    assert event["data"]["savings"]["saved"] > 0


@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_trace_shows_a_failure(way: Callable[..., Any], how: str):
    """A failure ends the run with the reason in its output, or as its error with on_error="raise"."""
    collector = RunCollectorCallbackHandler()
    await called(way, how, [collector], failure=RuntimeError("no memory"))
    with pytest.raises(RuntimeError, match="no memory"):
        await called(way, how, [collector], failure=RuntimeError("no memory"), on_error="raise")
    (_, kept), (_, raised) = trace(collector)
    assert kept.outputs["error"] == "RuntimeError: no memory"
    assert kept.error is None
    assert "no memory" in raised.error


@pytest.mark.parametrize("way", WAYS)
async def test_a_trace_shows_a_cancellation(way: Callable[..., Any]):
    """A cancelled call ends with CancelledError at once, and so does its run."""

    class Broken(RunCollectorCallbackHandler):
        def _on_chain_error(self, run: Any) -> None:  # LangChain's retrievers leave their own run open when cancelled
            broken[run.name] = run.error

    class Slow(FakeCompressor):
        async def acompress(self, *arguments: Any, **options: Any) -> list[Compression]:
            began.set()
            await asyncio.sleep(60)
            raise AssertionError

    began, broken = asyncio.Event(), {}
    chain = way(SecateursCompressor(compressor=Slow()))
    task = asyncio.create_task(chain.ainvoke("deer", {"callbacks": [Broken()]}))
    await asyncio.wait_for(began.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "CancelledError" in broken["secateurs"]


async def test_no_run_without_a_run():
    """Outside a run, and for what needs no compression, a trace shows nothing."""
    collector = RunCollectorCallbackHandler()
    for callbacks in (None, [], [collector]):
        fake().compress_documents(documents(), "deer", callbacks=callbacks)
        await fake().acompress_documents(documents(), "deer", callbacks=callbacks)
    chain = CompressingRetriever(retriever=Found(documents=[]), compressor=fake())
    chain.invoke("deer", {"callbacks": [collector]})
    assert trace(collector) == []
