"""Spans: what a call was given, what became of it, in OpenInference's words, told to whoever listens."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from fake_compressor import FakeCompressor

trace = pytest.importorskip("opentelemetry.trace", reason="opentelemetry's API is not installed")
sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="opentelemetry's SDK is not installed")

from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402 - only where it is installed
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402 - the same
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult  # noqa: E402 - the same

from secateurs import Compressor  # noqa: E402 - the same
from secateurs.adapters.runner import Runner  # noqa: E402 - the same
from secateurs.adapters.settings import Settings  # noqa: E402 - the same

QUERY = "Which deer?"
TEXTS = ["The deer sleeps. It rained all day", "It rained", "A deer runs"]
IDS = ["a", None, "c"]
RANKED = FakeCompressor(ranking={"The": 0.2, "A": 0.9})


class Switch(Sampler):
    """Listens while these tests run: a provider is there for the whole process."""

    on = True

    def should_sample(self, *arguments: Any, **options: Any) -> SamplingResult:
        return SamplingResult(Decision.RECORD_AND_SAMPLE if self.on else Decision.DROP)

    def get_description(self) -> str:
        return "while these tests run"


@pytest.fixture(scope="module")
def exporter() -> Iterator[InMemorySpanExporter]:
    """Listen, for as long as this module's tests run."""
    found = InMemorySpanExporter()
    switch = Switch()
    provider = sdk.TracerProvider(sampler=switch)
    provider.add_span_processor(SimpleSpanProcessor(found))
    trace.set_tracer_provider(provider)
    yield found
    switch.on = False


@pytest.fixture
def told(exporter: InMemorySpanExporter) -> InMemorySpanExporter:
    """What is told in one test."""
    exporter.clear()
    return exporter


async def both(settings: Settings, query: str = QUERY, texts: Any = TEXTS, ids: Any = IDS) -> None:
    """Run sync and async."""
    Runner().run(settings, query, texts, ids)
    await Runner().arun(settings, query, texts, ids)


async def test_a_call_is_a_span_in_openinferences_words(told: InMemorySpanExporter):
    """Kind, query, documents in and out in their order, model, top_n and tokens are told, sync and async alike."""
    await both(Settings(compressor=RANKED, rerank=True, top_n=2))
    first, second = told.get_finished_spans()
    assert (first.name, dict(first.attributes)) == (second.name, dict(second.attributes))
    found = dict(first.attributes)
    assert first.name == "secateurs"
    assert first.status.is_ok
    savings = Runner().run(Settings(compressor=RANKED, rerank=True, top_n=2), QUERY, TEXTS, IDS).report.savings
    counts = {f"llm.token_count.{name}": getattr(savings, name) for name in ("before", "after", "saved")}
    assert 0 < savings.after < savings.before
    assert json.loads(found.pop("metadata")) == {**counts, "encoding": "o200k_base"}
    assert found == {
        "openinference.span.kind": "RERANKER",
        "reranker.query": QUERY,
        "input.value": QUERY,
        "input.mime_type": "text/plain",
        "reranker.model_name": "fake-model",
        "reranker.top_k": 2,
        "reranker.input_documents.0.document.id": "a",
        "reranker.input_documents.0.document.content": TEXTS[0],
        "reranker.input_documents.1.document.content": TEXTS[1],
        "reranker.input_documents.2.document.id": "c",
        "reranker.input_documents.2.document.content": TEXTS[2],
        "reranker.output_documents.0.document.id": "c",
        "reranker.output_documents.0.document.content": TEXTS[2],
        "reranker.output_documents.0.document.score": 0.9,
        "reranker.output_documents.1.document.id": "a",
        "reranker.output_documents.1.document.content": "The deer sleeps. ",
        "reranker.output_documents.1.document.score": 0.2,
        **counts,
    }


async def test_a_failure_is_told(told: InMemorySpanExporter):
    """A call that failed is a span with an error's status, raised or not; so is one that was stopped."""
    await both(Settings(compressor=FakeCompressor(failure=RuntimeError("no\nmemory"))))
    await both(Settings(compressor=FakeCompressor(failure=RuntimeError("no")), on_error="raise"))
    with pytest.raises(KeyboardInterrupt):
        Runner().run(Settings(compressor=FakeCompressor(failure=KeyboardInterrupt())), QUERY, TEXTS, IDS)
    spans = told.get_finished_spans()
    assert [one.status.is_ok for one in spans] == [False] * 5
    assert spans[0].status.description.startswith("RuntimeError: no")
    assert spans[-1].status.description.startswith("KeyboardInterrupt")
    assert spans[0].attributes["reranker.output_documents.2.document.content"] == TEXTS[2], "they went back whole"


async def test_a_span_stands_in_the_one_around_it(told: InMemorySpanExporter):
    """The span's parent is the caller's current one, and that is current again afterwards, also among tasks."""
    tracer = trace.get_tracer("test")

    async def call(name: str) -> None:
        with tracer.start_as_current_span(name) as outer:
            await Runner().arun(Settings(compressor=FakeCompressor()), QUERY, TEXTS, IDS)
            assert trace.get_current_span() is outer

    await asyncio.gather(*(call(f"task {number}") for number in range(5)))
    spans = {one.context.span_id: one for one in told.get_finished_spans()}
    ours = [one for one in spans.values() if one.name == "secateurs"]
    assert sorted(spans[one.parent.span_id].name for one in ours) == [f"task {number}" for number in range(5)]


@pytest.mark.parametrize("which", ["INPUTS", "OUTPUTS"])
async def test_texts_can_be_kept_out(told: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch, which: str):
    """OpenInference's own variables keep the query and documents, or what became of them, out of a span."""
    monkeypatch.setenv(f"OPENINFERENCE_HIDE_{which}", "true")
    await both(Settings(compressor=RANKED))
    for one in told.get_finished_spans():
        side = "input" if which == "INPUTS" else "output"
        assert not any(name.startswith(f"reranker.{side}") and name.endswith("content") for name in one.attributes)
        assert ("reranker.query" in one.attributes) is (which == "OUTPUTS")
        assert one.attributes["llm.token_count.saved"] > 0


async def test_many_documents_never_push_out_what_matters(told: InMemorySpanExporter):
    """However many documents a call has, its kind, query and tokens are told."""
    await both(Settings(compressor=RANKED, rerank=True, top_n=300), texts=["A deer \ud800"] * 300, ids=["x"] * 300)
    for one in told.get_finished_spans():
        assert one.dropped_attributes == 0
        assert one.attributes["openinference.span.kind"] == "RERANKER"
        assert one.attributes["reranker.query"] == QUERY
        assert "\ud800" not in "".join(map(str, one.attributes.values())), "no exporter could write it"


async def test_both_frameworks_and_the_service_tell(told: InMemorySpanExporter, tiny: Compressor):
    """LangChain's compressor, LlamaIndex's postprocessor and each request to the service are such a span."""
    langchain = pytest.importorskip("secateurs.langchain", reason="langchain-core is not installed")
    llama_index = pytest.importorskip("secateurs.llama_index", reason="llama-index-core is not installed")
    httpx = pytest.importorskip("httpx", reason="the extra serve is not installed")
    from langchain_core.documents import Document
    from llama_index.core.schema import NodeWithScore, TextNode

    from secateurs.serve import create_app

    document = Document(TEXTS[0], id="a")
    langchain.SecateursCompressor(compressor=RANKED).compress_documents([document], QUERY)
    nodes = [NodeWithScore(node=TextNode(text=TEXTS[0], id_="a"), score=0.5)]
    await llama_index.SecateursPostprocessor(compressor=RANKED).apostprocess_nodes(nodes, query_str=QUERY)
    first, second = told.get_finished_spans()
    assert dict(first.attributes) == dict(second.attributes)
    assert first.attributes["reranker.output_documents.0.document.content"] == "The deer sleeps. "
    told.clear()

    transport = httpx.ASGITransport(app=create_app(tiny))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        body = {"query": QUERY, "documents": TEXTS, "rerank": True, "top_n": 1, "threshold": 0}
        answer = await client.post("/v1/compress", json=body)
        await client.post("/v1/rerank", json={"query": QUERY, "documents": TEXTS, "top_n": 2})
    ours = [one for one in told.get_finished_spans() if one.name == "secateurs"]  # FastAPI has spans of its own
    compressed, ranked = (dict(one.attributes) for one in ours)
    (document,) = answer.json()["documents"]
    assert compressed["reranker.query"] == QUERY
    assert compressed["reranker.top_k"] == 1
    assert compressed["reranker.output_documents.0.document.content"] == document["text"]
    assert compressed["llm.token_count.after"] == answer.json()["savings"]["after"]
    assert ranked["reranker.output_documents.1.document.content"] in TEXTS
    assert "reranker.output_documents.2.document.content" not in ranked


async def test_a_listener_that_breaks_breaks_nothing():
    """What a span's listener raises costs no call anything."""

    class Broken(sdk.SpanProcessor):
        def on_end(self, span: Any) -> None:
            raise RuntimeError("the collector is away")

    trace.get_tracer_provider().add_span_processor(Broken())
    outcome = Runner().run(Settings(compressor=FakeCompressor()), QUERY, TEXTS, IDS)
    assert outcome.report.error is None
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_without_the_api_nothing_is_told_and_nothing_breaks():
    """Where opentelemetry is not installed an adapter works; importing ours loads none of it."""
    code = (
        "import sys\n"
        "from secateurs.adapters.runner import Runner\n"
        "from secateurs.adapters.settings import Settings\n"
        "assert not any(name.startswith('opentelemetry') for name in sys.modules)\n"
        "sys.modules['opentelemetry'] = None\n"
        "outcome = Runner().run(Settings(), 'Who wrote it?', ['Ann wrote it. It rained.'], ['a'])\n"
        "assert outcome.report.error is None and outcome.returned, outcome.report\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
