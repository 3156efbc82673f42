"""The LlamaIndex adapter, against LlamaIndex itself."""

from __future__ import annotations

import asyncio
import copy
import json
from typing import Any

import pytest
from fake_compressor import FakeCompressor
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.schema import (
    Document,
    ImageNode,
    IndexNode,
    MediaResource,
    MetadataMode,
    Node,
    NodeRelationship,
    NodeWithScore,
    QueryBundle,
    RelatedNodeInfo,
    TextNode,
)
from llama_parts import Events, both, fake

from secateurs import Compressor, Error, Report
from secateurs.adapters.report import report_to_dict
from secateurs.llama_index import SecateursPostprocessor, SecateursReportEvent

QUERY = "Who wrote The Killing of a Sacred Deer?"
DEER = (
    "The Killing of a Sacred Deer is a film of 2017. The screenplay was written by Yorgos Lanthimos and Efthymis "
    "Filippou. It stars Colin Farrell and Nicole Kidman. The weather in Cincinnati was mild that summer."
)
WRITTEN = "The screenplay was written by Yorgos Lanthimos and Efthymis Filippou."
CUT = "The weather in Cincinnati"
WEATHER = "It rained in the north. The wind came from the sea. Farmers were glad of it."


def nodes() -> list[NodeWithScore]:
    """A node with everything a node can have, and one without an answer."""
    full = TextNode(
        text=DEER,
        id_="deer",
        metadata={"title": "A film", "nested": {"a": [1]}},
        excluded_llm_metadata_keys=["nested"],
        excluded_embed_metadata_keys=["title"],
        embedding=[0.5, 0.25],
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id="source")},
        start_char_idx=100,
        end_char_idx=100 + len(DEER),
        text_template="{metadata_str} | {content}",
        mimetype="text/markdown",
    )
    return [NodeWithScore(node=full, score=0.8), NodeWithScore(node=TextNode(text=WEATHER, id_="weather"), score=0.7)]


# --- nodes ---


async def test_real_nodes(bundled: Compressor) -> None:
    """The bundled model keeps the sentence with the answer, verbatim, and leaves out what does not answer."""
    [kept] = await both(SecateursPostprocessor(compressor=bundled, threshold=0.5), nodes(), QUERY)
    assert WRITTEN in kept.text
    assert CUT not in kept.text
    data = kept.metadata["secateurs"]
    assert "".join(DEER[start:end] for start, end in data["spans"]).rstrip() == kept.text
    assert [DEER[start - 100 : end - 100] for start, end in data["source_spans"]] == [kept.text]
    assert data["model"] == "secateurs-xsmall"
    assert data["threshold"] == 0.5
    assert json.loads(json.dumps(data)) == data


def test_works_as_it_is() -> None:
    """SecateursPostprocessor() needs no argument and no network."""
    kept = SecateursPostprocessor().postprocess_nodes(nodes(), query_str=QUERY)
    assert WRITTEN in kept[0].text


async def test_inputs_are_untouched() -> None:
    """Input nodes and query stay deeply equal, hashes too, and outputs share no metadata with them."""
    found, query = nodes(), QueryBundle("deer", embedding=[0.1])
    before, hashes, query_before = copy.deepcopy(found), [one.node.hash for one in found], copy.deepcopy(query)
    postprocessor = fake(threshold=0.0)
    kept = postprocessor.postprocess_nodes(found, query)
    kept += await postprocessor.apostprocess_nodes(found, query)
    for one in kept:
        one.metadata.get("nested", {}).clear()
        one.node.excluded_llm_metadata_keys.clear()
        one.node.relationships.clear()
        one.score = 0.0
    assert found == before
    assert [one.node.hash for one in found] == hashes
    assert query == query_before


async def test_node_is_kept() -> None:
    """Everything but text, metadata and excluded keys is kept, the retrieval score too, and the order."""
    found = nodes()
    kept = await both(fake(threshold=0.0), found, "deer")
    changed = {"text", "metadata", "excluded_llm_metadata_keys", "excluded_embed_metadata_keys"}
    for new, old in zip(kept, found, strict=True):
        assert new is not old
        assert new.node is not old.node
        assert new.score == old.score
        assert new.node.model_dump(exclude=changed) == old.node.model_dump(exclude=changed)
        assert new.metadata == {**old.metadata, "secateurs": new.metadata["secateurs"]}


def ranked_nodes() -> list[NodeWithScore]:
    """Nodes that are retrieved in one order and rank in another, one without text among them."""
    found = [
        NodeWithScore(node=TextNode(text=text, id_=text.split()[0]), score=score)
        for text, score in (("a deer", 0.9), ("b deer", 0.8), ("c deer", None), ("nothing", 0.6))
    ]
    return [NodeWithScore(node=ImageNode(id_="image", image_url="http://localhost/deer.png"), score=0.95), *found]


RANKING = {"a": 0.25, "b": 0.5, "c": 0.75, "nothing": 0.99}


async def test_rerank() -> None:
    """With rerank=True order and score follow the ranking score, a Python float; what has none comes after, as is."""
    found = ranked_nodes()
    before = copy.deepcopy(found)
    kept = await both(fake(ranking=RANKING, rerank=True, on_error="raise"), found, "deer")
    assert [(one.node.id_, one.score) for one in kept] == [("c", 0.75), ("b", 0.5), ("a", 0.25), ("image", 0.95)]
    assert all(type(one.score) is float for one in kept)
    assert kept[-1] is found[0]
    assert found == before


async def test_retrieval_score_is_kept() -> None:
    """The score a reranked node was retrieved with is in its metadata, as JSON and in no prompt."""
    kept = await both(fake(ranking=RANKING, rerank=True), ranked_nodes(), "deer")
    assert [one.metadata["secateurs"]["retrieval_score"] for one in kept[:-1]] == [None, 0.8, 0.9]
    assert "retrieval_score" not in kept[1].node.get_content(MetadataMode.LLM)
    assert TextNode.from_json(kept[1].node.to_json()) == kept[1].node
    in_place = await both(fake(ranking=RANKING), ranked_nodes(), "deer")
    assert [one.score for one in in_place] == [0.95, 0.9, 0.8, None]
    assert not any("retrieval_score" in one.metadata["secateurs"] for one in in_place[1:])


async def test_unranked_nodes_keep_order_and_score() -> None:
    """Without a ranking head rerank=True changes neither order nor score, and top_n cuts nothing."""
    kept = await both(fake(rerank=True, top_n=1), ranked_nodes(), "deer")
    assert [(one.node.id_, one.score) for one in kept] == [("image", 0.95), ("a", 0.9), ("b", 0.8), ("c", None)]
    assert not any("retrieval_score" in one.metadata["secateurs"] for one in kept[1:])


async def test_top_n(events: Events) -> None:
    """top_n returns the first nodes of the order, is in the start event, and what it leaves out is dropped."""
    postprocessor = fake(ranking=RANKING, rerank=True, top_n=2)
    kept = await both(postprocessor, ranked_nodes(), "deer")
    assert [one.node.id_ for one in kept] == ["c", "b"]
    start, event, end = events.of(ReRankStartEvent, SecateursReportEvent, ReRankEndEvent)[:3]
    assert start.top_n == 2
    assert event.report.dropped_ids == ("image", "a", "nothing")
    assert event.report.savings.after == sum(one.metadata["secateurs"]["savings"]["after"] for one in kept)
    assert end.nodes == kept
    assert postprocessor.postprocess_nodes(ranked_nodes(), query_str=" ") == ranked_nodes()


async def test_real_rerank(bundled: Compressor) -> None:
    """With the bundled model the node with the answer comes first, with the model's score."""
    postprocessor = SecateursPostprocessor(compressor=bundled, threshold=0.0, rerank=True, top_n=1)
    [kept] = await both(postprocessor, nodes()[::-1], QUERY)
    assert kept.node.id_ == "deer"
    assert kept.score == kept.metadata["secateurs"]["ranking_score"]
    assert kept.metadata["secateurs"]["retrieval_score"] == 0.8


@pytest.mark.parametrize("mode", [MetadataMode.LLM, MetadataMode.EMBED])
async def test_metadata_leaks_nowhere(mode: MetadataMode) -> None:
    """Neither the LLM's nor the embedding's text shows our data: just the user's metadata and the kept text."""
    found = nodes()[:1]
    [kept] = await both(fake(), found, "deer")
    expected = found[0].node.get_content(mode).replace(DEER, kept.text).strip()
    assert kept.node.get_content(mode) == expected
    assert kept.text != DEER
    [twice] = await both(fake(), [kept], "deer")
    assert twice.node.excluded_llm_metadata_keys == ["nested", "secateurs"]


async def test_only_text_is_scored() -> None:
    """The model sees a node's text without metadata and templates."""
    compressor = FakeCompressor()
    await both(SecateursPostprocessor(compressor=compressor), nodes(), "deer")
    assert compressor.calls == [[DEER, WEATHER]] * 2


async def test_kinds_of_nodes() -> None:
    """Text is found in every kind of text node; what has no text of its own passes as it is, and in its place."""
    reports: list[Report] = []
    image = MediaResource(url="http://localhost/deer.png")
    text = "A deer. No more"
    found: list[Any] = [
        ImageNode(text=text, image_url="http://localhost/deer.png"),
        TextNode(text=text),
        Node(text_resource=MediaResource(text=text), image_resource=image),
        Document(text=text, metadata={"a": 1}),
        TextNode(text=" \n"),
        Node(text_resource=MediaResource(text=text, mimetype="text/plain")),
        Node(image_resource=image),
        IndexNode(text=text, index_id="index", obj=TextNode(text="behind it")),
        TextNode(text="nothing"),
    ]
    before = copy.deepcopy(found)
    scored = [NodeWithScore(node=node, score=0.5) for node in found]
    kept = await both(fake(on_report=reports.append), scored, "deer")
    assert [one.node.id_ for one in kept] == [node.id_ for node in found[:-1]]
    assert found == before
    for index, new in enumerate(kept):
        if index in (0, 2, 4, 6):
            assert new is scored[index]
        else:
            assert new.get_content(MetadataMode.NONE) == "A deer. "
            assert type(new.node) is type(found[index])
    assert kept[7].node.obj is found[7].obj
    assert kept[5].node.text_resource.mimetype == "text/plain"
    assert len(reports[0].compressions) == 5
    assert reports[0].dropped_ids == (found[-1].id_,)


@pytest.mark.parametrize("query", [None, "", " \n"])
async def test_no_query(query: str | None) -> None:
    """Without a query, or with a blank one, the very same nodes come back; both queries are an error."""
    found = nodes()
    kept = await both(fake(on_error="raise"), found, query)
    assert all(new is old for new, old in zip(kept, found, strict=True))
    with pytest.raises(ValueError, match="Cannot specify both"):
        fake().postprocess_nodes(found, QueryBundle("a"), "b")


async def test_no_nodes() -> None:
    """No nodes in, no nodes out, no model call."""
    assert await both(SecateursPostprocessor(model="/no/such/folder", on_error="raise"), [], QUERY) == []


async def test_nodes_serialize(bundled: Compressor) -> None:
    """Results survive JSON, with scores that are Python floats."""
    for kept in await both(SecateursPostprocessor(compressor=bundled, threshold=0.5), nodes(), QUERY):
        assert type(kept.score) is float
        assert TextNode.from_json(kept.node.to_json()) == kept.node


# --- failure and report ---


async def test_failure_is_kept() -> None:
    """After a failure with on_error="keep" the very same nodes come back; a failed node comes back whole."""
    found = nodes()
    kept = await both(fake(failure=RuntimeError("no memory")), found, QUERY)
    assert all(new is old for new, old in zip(kept, found, strict=True))
    kept = await both(fake(broken="rained"), found, "deer")
    assert [one.metadata["secateurs"]["status"] for one in kept] == ["compressed", "error"]
    assert kept[1].text == WEATHER


async def test_failure_is_raised(events: Events) -> None:
    """With on_error="raise" a failure is raised, after report and events went out."""
    seen: list[Report] = []
    postprocessor = fake(failure=RuntimeError("no memory"), on_error="raise", on_report=seen.append)
    with pytest.raises(RuntimeError, match="no memory"):
        postprocessor.postprocess_nodes(nodes(), query_str=QUERY)
    with pytest.raises(RuntimeError, match="no memory"):
        await postprocessor.apostprocess_nodes(nodes(), query_str=QUERY)
    assert len(seen) == 2
    names = [type(event).__name__ for event in events.of(ReRankStartEvent, SecateursReportEvent, ReRankEndEvent)]
    assert names == ["ReRankStartEvent", "SecateursReportEvent", "ReRankEndEvent"] * 2
    with pytest.raises(Error, match=r"documents\[1\]"):
        fake(broken="rained", on_error="raise").postprocess_nodes(nodes(), query_str=QUERY)


async def test_token_counts(bundled: Compressor, reference_encodings: dict[str, Any]) -> None:
    """The report's counts equal tiktoken's own, for each node and in total."""
    for name, encoding in reference_encodings.items():
        seen: list[Report] = []
        postprocessor = SecateursPostprocessor(threshold=0.5, device="cpu", encoding=name, on_report=seen.append)
        found = [*nodes(), NodeWithScore(node=Document(text="<|endoftext|> 中文句子。第二句。"))]
        kept = await both(postprocessor, found, QUERY)
        before = [len(encoding.encode_ordinary(one.get_content())) for one in found]
        after = [len(encoding.encode_ordinary(one.get_content())) for one in kept]
        assert len(seen) == 2
        assert [one.savings.before for one in seen[0].compressions] == before
        assert seen[0].savings.before == sum(before)
        assert seen[0].savings.after == sum(after)
        assert seen[0].savings.exact
        assert [one.metadata["secateurs"]["savings"]["after"] for one in kept] == after


@pytest.mark.parametrize("query", ["deer", None])
@pytest.mark.parametrize("found", [nodes(), []])
async def test_events(events: Events, query: str | None, found: list[NodeWithScore]) -> None:
    """Every call sends start, report and end once, and the report event is the report, JSON when dumped."""
    seen: list[Report] = []
    kept = await both(fake(on_report=seen.append), found, query)
    start, report, end = events.of(ReRankStartEvent, SecateursReportEvent, ReRankEndEvent)[:3]
    assert start.nodes == found
    assert start.model_name == "fake-model"
    assert start.top_n == len(found)
    assert report.report is seen[0]
    assert report.model_dump()["report"] == report_to_dict(seen[0])
    assert report.model_dump()["class_name"] == "SecateursReportEvent"
    assert json.loads(report.model_dump_json())["report"] == report_to_dict(seen[0])
    assert end.nodes == kept
    assert len(events.of(ReRankStartEvent, SecateursReportEvent, ReRankEndEvent)) == 6


async def test_cancelled_call_ends(events: Events) -> None:
    """A cancelled call passes the cancellation on, and sends its end event."""

    class Slow(FakeCompressor):
        async def acompress(self, *arguments: Any, **options: Any) -> Any:
            await asyncio.sleep(60)

    postprocessor = SecateursPostprocessor(compressor=Slow())
    task = asyncio.create_task(postprocessor.apostprocess_nodes(nodes(), query_str="deer"))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(events.of(ReRankStartEvent)) == len(events.of(ReRankEndEvent)) == 1


async def test_spans(spans: SimpleSpanHandler) -> None:
    """Both ways have their span."""
    await both(fake(), nodes(), "deer")
    names = [span.id_.split("-")[0] for span in spans.completed_spans]
    assert names == ["SecateursPostprocessor._postprocess_nodes", "SecateursPostprocessor._apostprocess_nodes"]


async def test_legacy_callbacks() -> None:
    """The older callback system sees one reranking event a call."""
    handler = LlamaDebugHandler(print_trace_on_end=False)
    postprocessor = fake()
    postprocessor.callback_manager = CallbackManager([handler])
    kept = await both(postprocessor, nodes(), "deer")
    pairs = handler.get_event_pairs(CBEventType.RERANKING)
    assert len(pairs) == 2
    start, end = pairs[0]
    assert start.payload[EventPayload.QUERY_STR] == "deer"
    assert start.payload[EventPayload.TOP_K] == 2
    assert end.payload[EventPayload.NODES] == kept
