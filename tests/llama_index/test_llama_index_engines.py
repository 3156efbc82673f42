"""The requirements I10 to I14 and I16: inside LlamaIndex's engines, tools and traces."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from fake_compressor import FakeCompressor
from llama_index.core.base.llms.types import ChatMessage, CompletionResponse
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler
from llama_index.core.chat_engine import CondensePlusContextChatEngine, ContextChatEngine
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.llms.mock import MockLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.node_parser import SentenceWindowNodeParser
from llama_index.core.postprocessor import (
    LLMRerank,
    LongContextReorder,
    MetadataReplacementPostProcessor,
    SimilarityPostprocessor,
)
from llama_index.core.query_engine import CitationQueryEngine, RetrieverQueryEngine
from llama_index.core.response_synthesizers import get_response_synthesizer
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.tools import QueryEngineTool, RetrieverTool
from llama_parts import CUT, QUERY, WRITTEN, Events, Recorder, asked, both, corpus, fake, vector_index

from secateurs import Compressor, Error, Report, Threshold
from secateurs.adapters.report import report_to_dict
from secateurs.llama_index import SecateursPostprocessor, SecateursReportEvent


@pytest.fixture
def postprocessor(bundled: Compressor) -> SecateursPostprocessor:
    """The postprocessor on the bundled model."""
    return SecateursPostprocessor(compressor=bundled, threshold=0.5, on_error="raise")


def check(llm: Recorder) -> None:
    """The LLM read the answer and its metadata, and nothing that was cut or is ours."""
    shown = llm.shown()
    assert WRITTEN in shown
    assert "title: About the film" in shown
    for gone in (CUT, "Meteorologists", "secateurs", "spans"):
        assert gone not in shown


@pytest.mark.parametrize("way", ["named", "positional"])
async def test_I10_a_retriever_tools_query(way: str):
    """What a RetrieverTool makes of its argument is turned back into the query, sync and async; other text stays."""
    reports: list[Report] = []
    tool = RetrieverTool.from_defaults(
        vector_index().as_retriever(), node_postprocessors=[fake(on_report=reports.append)], name="x", description="y"
    )
    args, kwargs = ((QUERY,), {}) if way == "positional" else ((), {"input": QUERY})
    outputs = [tool.call(*args, **kwargs), await tool.acall(*args, **kwargs)]
    assert outputs[0].raw_input["input"] != QUERY  # LlamaIndex's own description of the call
    assert [report.query for report in reports] == [QUERY, QUERY]
    assert outputs[0].content == outputs[1].content
    others = ("The input is X", "\ninput is X", "input is X\n", "\nquery is X\n", "X\n", "\ninput is \n")
    for query in others:
        fake(on_report=reports.append).postprocess_nodes([NodeWithScore(node=TextNode(text="x"))], query_str=query)
        assert reports[-1].query == query


CASES = {
    "nodes": ({}, False),
    "empty": ({}, False),
    "kept failure": ({"failure": RuntimeError("no memory")}, False),
    "raised failure": ({"failure": RuntimeError("no memory"), "on_error": "raise"}, True),
    "raised for one node": ({"broken": "the", "on_error": "raise"}, True),
}


@pytest.mark.parametrize("case", CASES)
async def test_I11_events_and_spans_are_paired(case: str, events: Events, spans: SimpleSpanHandler):
    """Each call, sync and async, empty or failing, has its start and end event, its legacy event and its span."""
    options, raises = CASES[case]
    found = [] if case == "empty" else vector_index().as_retriever(similarity_top_k=3).retrieve(QUERY)
    debug, reports = LlamaDebugHandler(print_trace_on_end=False), []
    postprocessor = fake(**options, on_report=reports.append, callback_manager=CallbackManager([debug]))
    events._seen.clear()
    spans.completed_spans.clear()
    results = []
    for way in (postprocessor.postprocess_nodes, postprocessor.apostprocess_nodes):
        try:
            results.append(await asked(way, found, query_str=QUERY))
        except (RuntimeError, Error):
            results.append(None)
    assert [result is None for result in results] == [raises] * 2
    seen = events.of(ReRankStartEvent, SecateursReportEvent, ReRankEndEvent)
    assert [type(event) for event in seen] == [ReRankStartEvent, SecateursReportEvent, ReRankEndEvent] * 2
    for (start, told, end), result, report in zip((seen[:3], seen[3:]), results, reports, strict=True):
        assert (start.nodes, start.query.query_str) == (found, QUERY)
        assert (start.model_name, start.top_n) == ("fake-model", len(found))
        assert told.report is report
        assert told.model_dump()["report"]["savings"] == report.savings.to_dict()
        assert end.nodes == (found if result is None else result)
    done = spans.dropped_spans if raises else spans.completed_spans
    assert [span.id_.split("-")[0] for span in done] == [
        "SecateursPostprocessor._postprocess_nodes",
        "SecateursPostprocessor._apostprocess_nodes",
    ]
    pairs = debug.get_event_pairs(CBEventType.RERANKING)
    assert [len(pair) for pair in pairs] == [2, 2]
    for (begun, ended), result in zip(pairs, results, strict=True):
        assert begun.payload[EventPayload.QUERY_STR] == QUERY
        assert begun.payload[EventPayload.MODEL_NAME] == "fake-model"
        assert (ended.payload or {}).get(EventPayload.NODES) == result


async def test_I11_a_tracer_reads_the_savings(events: Events):
    """Our own event class carries the report as JSON: a tracer reads the savings from it, and never the text."""
    await both(fake(), vector_index().as_retriever(similarity_top_k=9).retrieve(QUERY), QUERY)
    event = events.of(SecateursReportEvent)[0]
    assert event.class_name() == "SecateursReportEvent"
    assert event.report.savings.saved > 0
    dumped = event.model_dump(mode="json")
    assert dumped["report"] == report_to_dict(event.report)
    assert dumped["report"]["savings"]["saved"] == event.report.savings.saved
    assert "Meteorologists" not in str(dumped)


async def test_I12_native_async():
    """Awaited, the compressor is awaited: it runs on the event loop's own terms and is not put into a thread."""
    compressor = FakeCompressor()
    found = vector_index().as_retriever().retrieve(QUERY)
    await SecateursPostprocessor(compressor=compressor).apostprocess_nodes(found, query_str=QUERY)
    assert compressor.threads == [threading.current_thread()]


async def test_I12_query_engine(postprocessor: SecateursPostprocessor, llm: Recorder, spans: SimpleSpanHandler):
    """A RetrieverQueryEngine's LLM reads the kept sentences, sync and async, and so does the tool made of it."""
    engine = RetrieverQueryEngine.from_args(
        vector_index().as_retriever(similarity_top_k=2), llm=llm, node_postprocessors=[postprocessor]
    )
    tool = QueryEngineTool.from_defaults(engine, name="ask", description="Ask.")
    for way in (engine.query, engine.aquery, tool.call, tool.acall):
        response = await asked(way, QUERY)
        response = getattr(response, "raw_output", response)
        assert [one.metadata["secateurs"]["status"] for one in response.source_nodes] == ["compressed"]
        check(llm)
    names = [span.id_.split("-")[0] for span in spans.completed_spans]
    assert names.count("SecateursPostprocessor._postprocess_nodes") == 2
    assert names.count("SecateursPostprocessor._apostprocess_nodes") == 2


async def test_I12_chat_engines(postprocessor: SecateursPostprocessor, llm: Recorder):
    """The chat engines' LLM reads the kept sentences of a follow-up question too, in chat and achat."""
    retriever = vector_index().as_retriever(similarity_top_k=2)
    history = [ChatMessage(role="user", content="I saw a film."), ChatMessage(role="assistant", content="Which one?")]
    for kind, message in ((ContextChatEngine, QUERY), (CondensePlusContextChatEngine, "And who wrote it?")):
        memory = ChatMemoryBuffer.from_defaults()  # the default keeps a database open
        engine = kind.from_defaults(retriever, llm=llm, memory=memory, node_postprocessors=[postprocessor])
        for way in (engine.achat, engine.chat):
            response = await asked(way, message, history)
            assert [one.metadata["secateurs"]["status"] for one in response.source_nodes] == ["compressed"]
            assert WRITTEN in response.source_nodes[0].text
            check(llm)


async def test_I12_retriever_tool(postprocessor: SecateursPostprocessor):
    """A RetrieverTool's output is the kept sentences with their metadata, in call and acall."""
    tool = RetrieverTool.from_defaults(
        vector_index().as_retriever(similarity_top_k=2),
        node_postprocessors=[postprocessor],
        name="look",
        description="Look it up.",
    )
    for way in (tool.call, tool.acall):
        output = await asked(way, input=QUERY)
        assert output.content.startswith("title: About the film\npage: 0\n\n")
        assert WRITTEN in output.content
        assert CUT not in output.content
        assert "secateurs" not in output.content


@pytest.mark.parametrize("size", [512, 16])
async def test_I12_citations_are_still_right(size: int, llm: Recorder):
    """Source n of a CitationQueryEngine is source node n, its text verbatim in the source where its metadata says.

    Also where one node is cut into several citations.
    """
    documents = corpus()
    sources = {document.id_: document.text for document in documents}
    engine = CitationQueryEngine.from_args(
        vector_index(documents),
        llm=llm,
        node_postprocessors=[fake(threshold=0.5)],
        citation_chunk_size=size,
        citation_chunk_overlap=0,
        similarity_top_k=3,
    )
    for way in (engine.query, engine.aquery):
        response, shown = await asked(way, "film mill museum"), llm.shown()
        assert str(response) == "an answer [1]"
        for number, one in enumerate(response.source_nodes, start=1):
            head, cited = one.node.get_content().split("\n", 1)
            assert head == f"Source {number}:"
            assert one.node.get_content() in shown
            spans = one.metadata["secateurs"]["source_spans"]
            kept = "".join(sources[one.node.ref_doc_id][start:end] for start, end in spans)
            assert cited.strip() in kept
        assert (len(response.source_nodes) > 2) == (size == 16)
        assert "Meteorologists" not in shown


@pytest.mark.parametrize("keep", ["drop", "best", "original"])
async def test_I13_when_nothing_passes(keep: Any, tiny_folder: Path, llm: Recorder):
    """The synthesizer answers "Empty Response" only where the policy drops; else the LLM reads what it kept.

    The contract decides the default: a document in which nothing passed is left out. Another policy comes with the
    compressor.
    """
    never = Compressor.from_pretrained(tiny_folder, device="cpu", policy=Threshold(1.0, when_empty=keep))
    engine = RetrieverQueryEngine(
        retriever=vector_index().as_retriever(similarity_top_k=1),
        response_synthesizer=get_response_synthesizer(llm=llm),
        node_postprocessors=[SecateursPostprocessor(compressor=never, on_error="raise")],
    )
    whole = engine.retriever.retrieve(QUERY)[0].text
    for way in (engine.query, engine.aquery):
        response, shown = await asked(way, QUERY), llm.shown()
        kept = [one.text for one in response.source_nodes]
        if keep == "drop":
            assert (str(response), kept, shown) == ("Empty Response", [], "")
        else:
            assert (kept == [whole]) == (keep == "original")
            assert f"title: About the film\npage: 0\n\n{kept[0].strip()}" in shown


async def test_I14_engines_assign_their_callback_manager(llm: Recorder):
    """A query engine's and a chat engine's callback manager becomes the postprocessor's, and sees its events."""
    retriever, debug = vector_index().as_retriever(), LlamaDebugHandler(print_trace_on_end=False)
    manager = CallbackManager([debug])
    first, second = fake(), fake()
    query_engine = RetrieverQueryEngine(
        retriever, get_response_synthesizer(llm=llm), node_postprocessors=[first], callback_manager=manager
    )
    chat_engine = ContextChatEngine(
        retriever, llm, ChatMemoryBuffer.from_defaults(), [], node_postprocessors=[second], callback_manager=manager
    )
    assert first.callback_manager is second.callback_manager is manager
    await query_engine.aquery(QUERY)
    await chat_engine.achat(QUERY)
    assert len(debug.get_event_pairs(CBEventType.RERANKING)) == 2


class Ranker(MockLLM):
    """An LLM that ranks the last of its documents first."""

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        many = prompt.count("Document ") - prompt.count("Document <") - 2
        lines = [f"Doc: {number}, Relevance: {number}" for number in range(many, 0, -1)]
        return CompletionResponse(text="\n".join(lines))


async def test_I16_behind_rerankers():
    """Behind LlamaIndex's rerankers the order they made and the scores they gave stay."""
    found = vector_index().as_retriever(similarity_top_k=3).retrieve(QUERY)
    ranked = LLMRerank(llm=Ranker(), top_n=3).postprocess_nodes(found, query_str=QUERY)
    ranked = SimilarityPostprocessor(similarity_cutoff=0.0).postprocess_nodes(ranked, query_str=QUERY)
    assert [one.node.id_ for one in ranked] != [one.node.id_ for one in found]
    kept = await both(fake(threshold=0.0), ranked, QUERY)
    assert [(one.node.id_, one.score) for one in kept] == [(one.node.id_, one.score) for one in ranked]


async def test_I16_before_reordering():
    """LongContextReorder orders compressed nodes as it orders the same nodes whole."""
    found = vector_index(size=32).as_retriever(similarity_top_k=5).retrieve(QUERY)
    whole = LongContextReorder().postprocess_nodes(found, query_str=QUERY)
    cut = LongContextReorder().postprocess_nodes(await both(fake(threshold=0.0), found, QUERY), query_str=QUERY)
    assert [one.node.id_ for one in cut] == [one.node.id_ for one in whole]


@pytest.mark.parametrize("order", ["before", "behind"])
async def test_I16_with_metadata_replacement(order: str):
    """A window put in a sentence's place is compressed if it comes first, and replaces the cut if it comes last.

    A window does not stand where the sentence does, so that no source spans are claimed for it.
    """
    windows = SentenceWindowNodeParser.from_defaults(window_size=1).get_nodes_from_documents(corpus())
    found = [NodeWithScore(node=node, score=0.5) for node in windows if "written" in node.get_content()]
    replace = MetadataReplacementPostProcessor(target_metadata_key="window")
    window = found[0].metadata["window"]
    if order == "before":
        kept = await both(fake(), replace.postprocess_nodes(found), "written Farrell")
        assert [one.text for one in kept] == [window[window.index(" The screenplay") :]]
        assert "source_spans" not in kept[0].metadata["secateurs"]
    else:
        kept = replace.postprocess_nodes(await both(fake(), found, "written"))
        assert [one.text for one in kept] == [window]
        assert kept[0].metadata["secateurs"]["source_spans"]
