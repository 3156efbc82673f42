"""The LangChain adapters, against LangChain itself."""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
import pickle
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import (
    AsyncCallbackHandler,
    AsyncCallbackManagerForRetrieverRun,
    BaseCallbackHandler,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import BaseDocumentCompressor, BaseDocumentTransformer, Document
from langchain_core.load import dumps, loads
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from pydantic import ValidationError
from test_adapter import FakeCompressor

from secateurs import Compressor, Error, Report, Threshold, TopK
from secateurs.adapter import report_to_dict
from secateurs.langchain import CompressingRetriever, SecateursCompressor

QUERY = "Who wrote The Killing of a Sacred Deer?"
DEER = (
    "The Killing of a Sacred Deer is a film of 2017. The screenplay was written by Yorgos Lanthimos and Efthymis "
    "Filippou. It stars Colin Farrell and Nicole Kidman. The weather in Cincinnati was mild that summer."
)
WRITTEN = "The screenplay was written by Yorgos Lanthimos and Efthymis Filippou. "
WEATHER = "It rained in the north. The wind came from the sea. Farmers were glad of it."


def documents() -> list[Document]:
    """Three documents: one with an answer, one without, one with a nested metadata and an id."""
    return [
        Document(DEER, id="deer", metadata={"source": "wiki", "pages": [1, 2], "nested": {"a": [1]}}),
        Document(WEATHER, id="weather"),
        Document("Yorgos Lanthimos wrote it.", metadata={"relevance_score": 0.25}),
    ]


def fake(**settings: Any) -> SecateursCompressor:
    """Make an adapter around a fake compressor; takes the settings of both."""
    options = {name: settings.pop(name) for name in list(settings) if name in FakeCompressor.__dataclass_fields__}
    return SecateursCompressor(compressor=FakeCompressor(**options), **settings)


async def both(compressor: BaseDocumentCompressor, found: Sequence[Document], query: str) -> list[Document]:
    """Compress sync and async; both must give the same."""
    result = compressor.compress_documents(found, query)
    assert await compressor.acompress_documents(found, query) == result
    return list(result)


class Found(BaseRetriever):
    """Finds the same documents for every query."""

    documents: list[Document]

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return self.documents

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        return self.documents


class Events(BaseCallbackHandler):
    """Collects custom events, and which runs they belong to."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []
        self.runs: list[Any] = []
        self.starts: list[Any] = []

    def on_retriever_start(self, *arguments: Any, run_id: Any, **kwargs: Any) -> None:
        self.starts.append(run_id)

    def on_custom_event(self, name: str, data: Any, *, run_id: Any, **kwargs: Any) -> None:
        self.seen.append((name, data))
        self.runs.append(run_id)


class AsyncEvents(AsyncCallbackHandler):
    """The same, awaited."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []

    async def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
        self.seen.append((name, data))


# --- the compressor ---


async def test_real_documents(bundled: Compressor) -> None:
    """The bundled model keeps the sentence with the answer, verbatim, and leaves out what does not answer."""
    kept = await both(SecateursCompressor(compressor=bundled, threshold=0.5), documents()[:2], QUERY)
    assert [document.id for document in kept] == ["deer"]
    assert WRITTEN in kept[0].page_content
    assert "weather" not in kept[0].page_content
    data = kept[0].metadata["secateurs"]
    assert "".join(DEER[start:end] for start, end in data["spans"]) == kept[0].page_content
    assert data["model"] == "secateurs-xsmall"
    assert data["threshold"] == 0.5


def test_works_as_it_is() -> None:
    """SecateursCompressor() needs no argument and no network."""
    compressor = SecateursCompressor()
    assert WRITTEN in compressor.compress_documents(documents()[:1], QUERY)[0].page_content


def test_signatures() -> None:
    """The methods have exactly the signatures of the base class."""
    for name in ("compress_documents", "acompress_documents"):
        ours = inspect.signature(getattr(SecateursCompressor, name)).parameters.values()
        theirs = inspect.signature(getattr(BaseDocumentCompressor, name)).parameters.values()
        assert [(one.name, one.kind, one.default) for one in ours] == [
            (one.name, one.kind, one.default) for one in theirs
        ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshhold": 0.3},
        {"threshold": 1.5},
        {"threshold": "0.5"},
        {"threshold": True},
        {"on_error": "skip"},
        {"top_k": 0},
        {"top_k": 1.0},
        {"rerank": 1},
        {"rerank": True, "top_n": 0},
        {"top_n": 3},
        {"encoding": "o300k"},
        {"compressor": "xsmall"},
        {"model": 3},
    ],
)
def test_wrong_settings(wrong: dict[str, Any]) -> None:
    """A typo or a wrong value is refused when the compressor is made."""
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        SecateursCompressor(**wrong)


def test_assigned_setting_is_checked() -> None:
    """A setting assigned later is used, and a wrong one is refused by the next call."""
    compressor = fake()
    assert compressor.compress_documents([Document("A deer. No more")], "deer")[0].page_content == "A deer. "
    compressor.threshold = 0.0
    assert compressor.compress_documents([Document("A deer. No more")], "deer")[0].page_content == "A deer. No more"
    compressor.threshold = 7.0
    with pytest.raises(ValueError, match="threshold must be in"):
        compressor.compress_documents([Document("A deer")], "deer")


async def test_inputs_are_untouched(bundled: Compressor) -> None:
    """Inputs stay deeply equal, and outputs share nothing mutable with them."""
    found = documents()
    before = copy.deepcopy(found)
    kept = await both(SecateursCompressor(compressor=bundled, threshold=0.5), found, QUERY)
    assert found == before
    kept[0].metadata["nested"]["a"].append(2)
    kept[0].metadata["pages"].clear()
    assert found == before


async def test_identity_is_kept() -> None:
    """Ids, the user's metadata and the order of documents are kept; any Sequence is taken."""
    found = tuple(documents())
    kept = await both(fake(threshold=0.0), found, QUERY)
    assert [one.id for one in kept] == [one.id for one in found]
    for new, old in zip(kept, found, strict=True):
        assert new is not old
        assert new.metadata == {**new.metadata, **old.metadata}


async def test_subclass_survives() -> None:
    """A subclass of Document keeps its type and its own state, unshared."""

    class Stateful(Document):
        state: dict[str, Any]
        lock: Any = None

    found = Stateful(page_content="A deer. No more", state={"vector": [1.0]})
    [kept] = await both(fake(), [found], "deer")
    assert isinstance(kept, Stateful)
    assert kept.state == found.state
    assert kept.state is not found.state
    locked = found.model_copy(update={"lock": threading.Lock(), "metadata": {"lock": threading.Lock()}})
    assert (await both(fake(), [locked], "deer"))[0].page_content == "A deer. "


def test_relevance_score() -> None:
    """relevance_score is the ranking score, else the best sentence's; the user's own is never overwritten."""
    [ranked] = fake(ranking_score=0.75).compress_documents([Document("A deer. No more")], "deer")
    [best, theirs] = fake().compress_documents(
        [Document("A deer. No more"), Document("A deer", metadata={"relevance_score": 0.25})], "deer"
    )
    assert ranked.metadata["relevance_score"] == 0.75
    assert best.metadata["relevance_score"] == 0.9
    assert theirs.metadata["relevance_score"] == 0.25
    assert type(best.metadata["relevance_score"]) is float


def ranked_documents() -> list[Document]:
    """Documents that are retrieved in one order and rank in another."""
    return [Document(text, id=text.split()[0]) for text in ("a deer", "b deer", "broken", "c deer", "nothing")]


RANKING = {"a": 0.25, "b": 0.5, "c": 0.75, "nothing": 0.99}


async def test_rerank() -> None:
    """With rerank=True documents come back by falling relevance_score, then those without a ranking score."""
    kept = await both(fake(ranking=RANKING, rerank=True, broken="broken"), ranked_documents(), "deer")
    assert [one.page_content for one in kept] == ["c deer", "b deer", "a deer", "broken"]
    assert [one.metadata["relevance_score"] for one in kept[:3]] == [0.75, 0.5, 0.25]
    assert [one.id for one in await both(fake(ranking=RANKING), ranked_documents()[:2], "deer")] == ["a", "b"]


async def test_rerank_over_an_earlier_score() -> None:
    """A relevance_score that was there is kept and does not order documents."""
    found = [
        Document("a deer", metadata={"relevance_score": 0.9}),
        Document("b deer", metadata={"relevance_score": 0.1}),
    ]
    kept = await both(fake(ranking=RANKING, rerank=True), found, "deer")
    assert [one.metadata["relevance_score"] for one in kept] == [0.1, 0.9]
    assert [one.metadata["secateurs"]["ranking_score"] for one in kept] == [0.5, 0.25]


async def test_top_n() -> None:
    """top_n returns the first documents of the order; what it leaves out is dropped and wholly saved."""
    seen: list[Report] = []
    kept = await both(fake(ranking=RANKING, rerank=True, top_n=2, on_report=seen.append), ranked_documents(), "deer")
    assert [one.id for one in kept] == ["c", "b"]
    assert seen[0].dropped_ids == ("a", "broken", "nothing")
    assert seen[0].savings.after == sum(one.metadata["secateurs"]["savings"]["after"] for one in kept)
    assert json.loads(json.dumps(report_to_dict(seen[0])))["dropped_ids"] == ["a", "broken", "nothing"]


async def test_top_n_of_unranked_documents() -> None:
    """Without a ranking head all documents come back in order, whatever top_n says; so they do after a failure."""
    for settings in ({}, {"failure": RuntimeError("no memory")}):
        kept = await both(fake(rerank=True, top_n=1, **settings), ranked_documents()[:2], "deer")
        assert [one.id for one in kept] == ["a", "b"]


async def test_real_rerank(bundled: Compressor) -> None:
    """With the bundled model the document with the answer comes first."""
    compressor = SecateursCompressor(compressor=bundled, threshold=0.0, rerank=True, top_n=1)
    assert [one.id for one in await both(compressor, documents()[1::-1], QUERY)] == ["deer"]


def test_rerank_settings_survive() -> None:
    """rerank and top_n are part of what is serialized, copied and pickled."""
    compressor = SecateursCompressor(rerank=True, top_n=2)
    for clone in CLONES:
        assert (clone(compressor).rerank, clone(compressor).top_n) == (True, 2)


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")  # LangChain says so at every call
async def test_results_serialize(bundled: Compressor) -> None:
    """Results survive JSON and LangChain's own dumps and loads."""
    for document in await both(SecateursCompressor(compressor=bundled, threshold=0.5), documents(), QUERY):
        assert Document.model_validate_json(document.model_dump_json()) == document
        assert loads(dumps(document), allowed_objects=[Document]) == document


async def test_blank_documents(bundled: Compressor) -> None:
    """Blank documents come back as they are, marked so."""
    kept = await both(SecateursCompressor(compressor=bundled), [Document(""), Document(" \n")], QUERY)
    assert [one.page_content for one in kept] == ["", " \n"]
    assert {one.metadata["secateurs"]["reason"] for one in kept} == {"blank"}


@pytest.mark.parametrize("settings", [{"failure": RuntimeError("no memory")}, {}])
async def test_returned_as_they_are(settings: dict[str, Any]) -> None:
    """After a failure with on_error="keep", and for a blank query, the very same documents come back."""
    found = documents()
    kept = await both(fake(**settings), found, "deer" if settings else " ")
    assert all(new is old for new, old in zip(kept, found, strict=True))


async def test_failure_is_raised() -> None:
    """With on_error="raise" a failure is raised, after the report went out."""
    seen: list[Report] = []
    compressor = fake(failure=RuntimeError("no memory"), on_error="raise", on_report=seen.append)
    with pytest.raises(RuntimeError, match="no memory"):
        compressor.compress_documents(documents(), QUERY)
    with pytest.raises(RuntimeError, match="no memory"):
        await compressor.acompress_documents(documents(), QUERY)
    assert len(seen) == 2
    with pytest.raises(Error, match=r"documents\[1\]"):
        fake(broken="rained", on_error="raise").compress_documents(documents(), QUERY)


async def test_failed_document() -> None:
    """A failed document comes back whole, marked, and without a relevance it does not have."""
    kept = await both(fake(broken="rained"), documents(), "deer")
    assert [one.id for one in kept] == ["deer", "weather"]
    assert kept[1].page_content == WEATHER
    assert kept[1].metadata["secateurs"]["status"] == "error"
    assert "relevance_score" not in kept[1].metadata


async def test_token_counts(bundled: Compressor, reference_encodings: dict[str, Any]) -> None:
    """The report's counts equal tiktoken's own, for each document and in total."""
    for name, encoding in reference_encodings.items():
        seen: list[Report] = []
        compressor = SecateursCompressor(threshold=0.5, device="cpu", encoding=name, on_report=seen.append)
        found = [*documents(), Document("<|endoftext|> 中文句子。第二句。")]
        kept = await both(compressor, found, QUERY)
        assert len(seen) == 2
        report = seen[0]
        before = [len(encoding.encode_ordinary(one.page_content)) for one in found]
        after = [len(encoding.encode_ordinary(one.page_content)) for one in kept]
        assert [one.savings.before for one in report.compressions] == before
        assert report.savings.before == sum(before)
        assert report.savings.after == sum(after)
        assert report.savings.exact
        assert report.savings.encoding == name
        assert [one.metadata["secateurs"]["savings"]["after"] for one in kept] == after
        pairs = zip(found, report.compressions, strict=True)
        assert report.dropped_ids == tuple(one.id for one, result in pairs if result.status == "dropped")


async def test_concurrent_calls(bundled: Compressor) -> None:
    """Calls from many tasks and threads at once give what single calls give."""
    compressor = SecateursCompressor(compressor=bundled, threshold=0.5)
    queries = [QUERY, "What was the weather like?", "Who stars in it?", "Where did the wind come from?"]
    single = [compressor.compress_documents(documents(), query) for query in queries]
    several = await asyncio.gather(*(compressor.acompress_documents(documents(), query) for query in queries))
    texts = [[one.page_content for one in result] for result in single]
    assert [[one.page_content for one in result] for result in several] == texts


# --- copies and serialization ---


CLONES = [
    copy.copy,
    copy.deepcopy,
    lambda one: one.model_copy(deep=True),
    lambda one: pickle.loads(pickle.dumps(one)),
    lambda one: SecateursCompressor(**one.model_dump()),
    lambda one: SecateursCompressor.model_validate_json(one.model_dump_json()),
]


@pytest.mark.parametrize("clone", CLONES)
@pytest.mark.parametrize("used", [True, False])
def test_clones(clone: Any, used: bool) -> None:
    """A copy works like its original, whether that one was used before or not."""
    compressor = SecateursCompressor(threshold=0.5, device="cpu")
    expected = compressor.compress_documents(documents(), QUERY) if used else None
    cloned = clone(compressor)
    assert cloned.threshold == 0.5
    assert cloned.compress_documents(documents(), QUERY) == expected or not used


@pytest.mark.parametrize("clone", CLONES)
def test_clones_around_a_compressor(clone: Any, bundled: Compressor) -> None:
    """A copy shares a given compressor; what is rebuilt elsewhere loads the same checkpoint."""
    seen: list[Report] = []
    lock = threading.Lock()

    def report(one: Report) -> None:
        with lock:
            seen.append(one)

    compressor = SecateursCompressor(compressor=bundled, threshold=0.5, on_report=report)
    cloned = clone(compressor)
    assert cloned.compressor in (bundled, None)
    [kept] = cloned.compress_documents(documents()[:1], QUERY)
    assert WRITTEN in kept.page_content
    assert len(seen) == (cloned.on_report is not None)


def test_serialized_checkpoint(tiny_folder: Path, tiny: Compressor) -> None:
    """A serialized adapter names the checkpoint of its compressor, and its encoding."""
    assert SecateursCompressor(compressor=tiny).model_dump()["model"] == str(tiny_folder)
    assert SecateursCompressor(model=tiny_folder).model == str(tiny_folder)
    data = fake(encoding="cl100k_base").model_dump()
    assert data["encoding"] == "cl100k_base"
    assert json.loads(json.dumps(data)) == data
    assert not {"compressor", "on_report"} & set(data)


# --- events ---


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


# --- the retriever ---


async def test_retriever(bundled: Compressor) -> None:
    """The retriever compresses what another finds: sync, async, in batches, over any Runnable."""
    compressor = SecateursCompressor(compressor=bundled, threshold=0.5)
    for found in (Found(documents=documents()), RunnableLambda(lambda query: documents())):
        retriever = CompressingRetriever(retriever=found, compressor=compressor)
        expected = compressor.compress_documents(documents(), QUERY)
        assert retriever.invoke(QUERY) == expected
        assert await retriever.ainvoke(QUERY) == expected
        texts = [(document.id, document.page_content) for document in expected]
        for results in (retriever.batch([QUERY, QUERY]), await retriever.abatch([QUERY, QUERY])):
            assert [[(document.id, document.page_content) for document in found] for found in results] == [texts] * 2


async def test_k() -> None:
    """k, of the retriever or of one call, limits the compressed result."""
    retriever = CompressingRetriever(
        retriever=Found(documents=documents()), compressor=fake(policy=Threshold(0.5) | TopK(1)), k=2
    )
    assert [one.id for one in retriever.invoke("deer")] == ["deer", "weather"]
    for k in (1, 3):
        assert len(retriever.invoke("deer", k=k)) == k
        assert len(await retriever.ainvoke("deer", k=k)) == k
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="k must be at least 1"):
            retriever.invoke("deer", k=wrong)
        with pytest.raises(ValueError, match="k must be at least 1"):
            CompressingRetriever(retriever=Found(documents=[]), k=wrong)


def test_retriever_defaults() -> None:
    """The retriever makes its own compressor, and refuses a setting it does not know."""
    assert isinstance(CompressingRetriever(retriever=Found(documents=[])).compressor, SecateursCompressor)
    with pytest.raises(ValidationError, match="compresor"):
        CompressingRetriever(retriever=Found(documents=[]), compresor=fake())


async def test_nothing_found() -> None:
    """When nothing was found, nothing is compressed."""
    retriever = CompressingRetriever(retriever=Found(documents=[]), compressor=fake())
    assert retriever.invoke("deer") == []
    assert await retriever.ainvoke("deer") == []


# --- inside langchain-classic ---


@pytest.fixture
def classic() -> Any:
    """langchain-classic, which the adapters do not need."""
    return pytest.importorskip("langchain_classic.retrievers", reason="langchain-classic is not installed")


async def test_contextual_compression_retriever(bundled: Compressor, classic: Any) -> None:
    """ContextualCompressionRetriever works with us: sync, async and batch, with the event in its run."""
    compressor = SecateursCompressor(compressor=bundled, threshold=0.5)
    retriever = classic.ContextualCompressionRetriever(
        base_compressor=compressor, base_retriever=Found(documents=documents())
    )
    expected = compressor.compress_documents(documents(), QUERY)
    assert WRITTEN in expected[0].page_content
    assert len(expected) < len(documents()) or expected[0].page_content != DEER
    events = Events()
    assert retriever.invoke(QUERY, config={"callbacks": [events]}) == expected
    assert await retriever.ainvoke(QUERY, config={"callbacks": [events]}) == expected
    assert [name for name, _ in events.seen] == ["secateurs_report"] * 2
    # concurrent calls share forward passes, so their scores agree to 1e-5 and not to the last bit
    texts = [(document.id, document.page_content) for document in expected]
    for results in (retriever.batch([QUERY] * 3), await retriever.abatch([QUERY] * 3)):
        assert [[(document.id, document.page_content) for document in found] for found in results] == [texts] * 3
        scores = [document.metadata["relevance_score"] for found in results for document in found]
        assert scores == pytest.approx([document.metadata["relevance_score"] for document in expected] * 3, abs=1e-5)


async def test_document_compressor_pipeline(bundled: Compressor, classic: Any) -> None:
    """DocumentCompressorPipeline runs us between others, callbacks and all."""
    from langchain_classic.retrievers.document_compressors import DocumentCompressorPipeline

    class Reverse(BaseDocumentTransformer):
        def transform_documents(self, documents: Sequence[Document], **kwargs: Any) -> Sequence[Document]:
            return documents[::-1]

        async def atransform_documents(self, documents: Sequence[Document], **kwargs: Any) -> Sequence[Document]:
            return documents[::-1]

    compressor = SecateursCompressor(compressor=bundled, threshold=0.0)
    pipeline = DocumentCompressorPipeline(transformers=[compressor, Reverse(), fake(threshold=0.0)])
    kept = await both(pipeline, documents(), QUERY)
    assert [one.page_content for one in kept] == [one.page_content for one in documents()[::-1]]
    assert kept[0].metadata["secateurs"]["model"] == "fake-model"
