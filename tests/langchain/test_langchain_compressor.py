"""The document compressor, against LangChain itself."""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
import threading
from typing import Any

import pytest
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import ValidationError
from retrieval_parts import DEER, QUERY, WEATHER, WRITTEN, both, documents, fake
from structured import ALL

from secateurs import Compressor, Error, Report, Threshold, TopK
from secateurs.adapters.report import report_to_dict
from secateurs.langchain import SecateursCompressor


async def test_real_documents(bundled: Compressor) -> None:
    """The bundled model keeps the sentence with the answer, verbatim, and leaves out what does not answer."""
    kept = await both(SecateursCompressor(compressor=bundled, threshold=0.5), documents()[:2], QUERY)
    assert [document.id for document in kept] == ["deer"]
    assert WRITTEN in kept[0].page_content
    assert "weather" not in kept[0].page_content
    data = kept[0].metadata["secateurs"]
    assert "".join(DEER[start:end] for start, end in data["spans"]).rstrip() == kept[0].page_content
    assert data["model"] == "secateurs-xsmall"
    assert data["threshold"] == 0.5


def test_works_as_it_is() -> None:
    """SecateursCompressor() needs no argument and no network."""
    compressor = SecateursCompressor()
    assert WRITTEN in compressor.compress_documents(documents()[:1], QUERY)[0].page_content


@pytest.mark.parametrize("budget", [0, 20, 45, 10_000])
async def test_a_budget_over_all_documents(tiny: Compressor, budget: int) -> None:
    """`max_total_tokens` is spent over the documents of a call together, as `compress` spends it, in a pipe too."""
    texts = [one.page_content for one in documents()]
    expected = tiny.compress(QUERY, texts, policy=Threshold(0.0), max_total_tokens=budget)
    assert sum(one.savings.after for one in expected) <= budget
    wanted = [one.text for one in expected if one.status != "dropped"]
    adapter = SecateursCompressor(compressor=tiny, threshold=0.0, max_total_tokens=budget)
    kept = await both(adapter, documents(), QUERY)
    assert [one.page_content for one in kept] == wanted
    step = SecateursCompressor(compressor=tiny, threshold=0.0).as_runnable()
    configured = step.with_config(configurable={"max_total_tokens": budget})
    kept = configured.invoke({"query": QUERY, "documents": documents()})
    assert [one.page_content for one in kept] == wanted


@pytest.mark.parametrize("elision", [None, "[…]"])
async def test_units_come_with_their_frames(tiny: Compressor, elision: str | None) -> None:
    """Lists, tables, JSON and HTML stay well-formed, as `compress` makes them, and metadata tells what is frame."""
    expected = tiny.compress(QUERY, ALL, policy=Threshold(0.0) & TopK(2), elision=elision)
    adapter = SecateursCompressor(compressor=tiny, threshold=0.0, top_k=2, elision=elision)
    kept = await both(adapter, [Document(text) for text in ALL], QUERY)
    assert [one.page_content for one in kept] == [one.text for one in expected]
    told = [[unit.get("frame", False) for unit in one.metadata["secateurs"]["sentences"]] for one in kept]
    assert told == [[unit.frame for unit in one.sentences] for one in expected]
    assert any(map(any, told))


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
