"""What LlamaIndex's users may count on, I3 to I9: what becomes of nodes.

Each docstring says its requirement, the number only orders them. I1, I2 and I10 to I16 are in the other files of this
folder.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from fake_compressor import FakeCompressor
from llama_index.core.schema import (
    Document,
    ImageDocument,
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
from llama_parts import CUT, QUERY, WRITTEN, both, corpus, fake, vector_index
from structured import ALL

from secateurs import Compression, Compressor, Report, Savings
from secateurs.llama_index import SecateursPostprocessor
from secateurs.llama_index.nodes import places


async def test_I3_inputs_are_untouched():
    """The nodes and the query that came in stay deeply equal, hashes too; what comes out shares nothing mutable.

    But for a node's embedding, a vector nobody changes in place: copying it would cost more than the rest.
    """
    index = vector_index()
    query = QueryBundle(QUERY, embedding=index._embed_model.get_query_embedding(QUERY))
    found = index.as_retriever(similarity_top_k=9).retrieve(query)
    before, hashes = copy.deepcopy((found, query)), [one.node.hash for one in found]
    postprocessor = fake(threshold=0.0)
    for kept in (
        postprocessor.postprocess_nodes(found, query),
        await postprocessor.apostprocess_nodes(found, query),
    ):
        for new, old in zip(kept, found, strict=True):
            assert new is not old
            assert new.node is not old.node
            assert new.node.embedding is old.node.embedding  # shallow: vectors are not copied
            new.node.metadata["title"] = new.node.metadata["secateurs"]["spans"] = "changed"
            new.node.excluded_llm_metadata_keys.append("changed")
            new.node.excluded_embed_metadata_keys.append("changed")
            new.node.relationships.clear()
            new.score = -1.0
    assert (found, query) == before
    assert [one.node.hash for one in found] == hashes


async def test_I4_the_node_keeps_its_place():
    """A cut node keeps all that says what it is and where it stood: id, relationships, offsets, templates, embedding.

    Its kept spans are given in the chunk; what stands in its text, in the source it was cut from and in the text.
    """
    documents = corpus()
    sources = {document.id_: document.text for document in documents}
    found = vector_index(documents, size=48).as_retriever(similarity_top_k=9).retrieve("mill film rain")
    assert len({one.node.ref_doc_id for one in found}) < len(found)
    for one in found:
        one.node.excluded_llm_metadata_keys = ["page"]
        one.node.text_template = "{metadata_str} | {content}"
        one.node.mimetype = "text/markdown"
    kept = await both(fake(), found, "mill film rain")
    before = {one.node.id_: one.node for one in found}
    changed = {"text", "metadata", "excluded_llm_metadata_keys", "excluded_embed_metadata_keys"}
    for node in (one.node for one in kept):
        old, data = before[node.id_], node.metadata["secateurs"]
        assert node.model_dump(exclude=changed) == old.model_dump(exclude=changed)
        assert set(old.excluded_llm_metadata_keys) <= set(node.excluded_llm_metadata_keys)
        assert "".join(old.text[start:end] for start, end in data["spans"]) == node.text
        source = sources[node.ref_doc_id]
        assert "".join(source[start:end] for start, end in data["source_spans"]) == node.text
        assert "".join(node.text[start:end] for start, end in data["text_spans"]) == node.text
    assert any(one.node.start_char_idx and one.text != before[one.node.id_].text for one in kept)


async def test_I4_compressed_twice():
    """A node that is compressed twice still says where in the source its text stands."""
    source = "It rained. A deer runs. The deer sleeps. It snowed. No deer. "
    node = TextNode(text=source[11:], start_char_idx=11, end_char_idx=len(source))
    [once] = await both(fake(), [NodeWithScore(node=node)], "deer runs sleeps")
    [twice] = await both(fake(), [once], "sleeps no")
    assert twice.text == "The deer sleeps. No deer. "
    assert [source[start:end] for start, end in twice.metadata["secateurs"]["source_spans"]] == [
        "The deer sleeps. ",
        "No deer. ",
    ]


@pytest.mark.parametrize("elision", [None, "[…]"])
@pytest.mark.parametrize("document", ALL)
async def test_I4_what_joins_units_is_of_no_place(tiny, document: str, elision: str | None):
    """Of lists, tables, JSON and HTML, too, every word has its place, compressed again or not; joints have none."""
    source = f"Before. {document} Behind."
    node = TextNode(text=document, start_char_idx=8, end_char_idx=8 + len(document))
    twice = False
    for kept_most in (6, 3, 1):
        postprocessor = SecateursPostprocessor(compressor=tiny, top_k=kept_most, threshold=0.0, elision=elision)
        [kept] = await both(postprocessor, [NodeWithScore(node=node)], QUERY)
        data, text = kept.metadata["secateurs"], kept.text
        found = [text[start:end] for start, end in data["text_spans"]]
        assert found == [source[start:end] for start, end in data["source_spans"]]
        assert all(found)
        assert _inkless(text, data["text_spans"], elision)
        twice |= node.metadata != {} and text != node.text
        node = kept.node
    assert twice


def _inkless(text: str, spans: list[list[int]], mark: str | None) -> bool:
    """Whether there is nothing but white space, quote marks and elision marks outside of spans."""
    borders = [0, *(place for span in spans for place in span), len(text)]
    outside = "".join(text[start:end] for start, end in zip(borders[::2], borders[1::2], strict=True))
    return not (outside.replace(mark, "") if mark else outside).replace(">", "").strip()


@pytest.mark.parametrize(
    ("node", "spans"),
    [
        (TextNode(text="A deer. ", start_char_idx=5), [[5, 13]]),
        (TextNode(text="A deer. ", start_char_idx=5, end_char_idx=13), [[5, 13]]),
        (TextNode(text="A deer. ", start_char_idx=5, end_char_idx=99), None),
        (TextNode(text="A deer. ", end_char_idx=8), None),
        (TextNode(text="A deer. ", start_char_idx=5, metadata={"secateurs": "mine"}), None),
        (Document(text="A deer. "), None),
    ],
)
async def test_I4_no_place_is_invented(node: Any, spans: list[list[int]] | None):
    """A node that does not know its place, or whose text no longer stands there, has no spans in the source."""
    whole = Compression("A deer. ", "A deer. ", (), Savings(3, 3), "unchanged", "nothing_cut")
    assert places(node, whole) == ({} if spans is None else {"source_spans": spans, "text_spans": [[0, 8]]})
    [kept] = await both(fake(), [NodeWithScore(node=node)], "deer")
    assert kept.metadata["secateurs"].get("source_spans") == spans


def spans(sources: Any, texts: Any) -> dict[str, Any]:
    return {"secateurs": {"source_spans": sources, "text_spans": texts}}


@pytest.mark.parametrize(
    ("metadata", "fine"),
    [
        (spans([[5, 10], [20, 25]], [[0, 5], [6, 11]]), True),
        (spans([[20, 25], [5, 10]], [[0, 5], [6, 11]]), False),  # against the order of the text
        (spans([[5, 10], [8, 13]], [[0, 5], [6, 11]]), False),  # one over the other
        (spans([[4, 9], [20, 25]], [[0, 5], [6, 11]]), False),  # before the chunk
        (spans([[5, 10], [96, 101]], [[0, 5], [6, 11]]), False),  # behind it
        (spans([[-5, 0], [20, 25]], [[0, 5], [6, 11]]), False),
        (spans([[10**400, 10**400 + 5], [20, 25]], [[0, 5], [6, 11]]), False),
        (spans([[5, 10], [20, 25]], [[0, 5], [5, 10]]), False),  # not all of the text
        (spans([[5, 10]] * 200_000, [[0, 5]] * 200_000), False),
        (spans([[5, 5]] * 10, [[0, 0]] * 10), False),
        (spans([[True, 10]], [[0, 9]]), False),
        (spans([["5", "10"]], [[0, 5]]), False),
    ],
)
def test_spans_of_a_stranger_are_believed_where_they_can_be_true(metadata: dict[str, Any], fine: bool):
    """What metadata say of places is in order, apart, within the node's chunk and of its text, or it is nothing."""
    text = "A dee runs!"
    node = TextNode(text=text, start_char_idx=5, end_char_idx=100, metadata=metadata)
    whole = Compression(text, text, (), Savings(3, 3), "unchanged", "nothing_cut")
    assert bool(places(node, whole)) == fine
    assert places(TextNode(text=text, metadata=metadata), whole) == {}


@pytest.mark.parametrize("start", [-5, 10**400])
def test_a_place_that_no_document_has_is_none(start: int):
    """A node that says to begin before its document, or beyond any, has no spans."""
    whole = Compression("A deer. ", "A deer. ", (), Savings(3, 3), "unchanged", "nothing_cut")
    assert places(TextNode(text="A deer. ", start_char_idx=start), whole) == {}


PIXEL = b"R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"  # a GIF, as ImageDocument wants it


def kinds() -> list[NodeWithScore]:
    """One node of every kind, those without text of their own among them."""
    text, data = "A deer runs. No more", {"title": "About it"}
    url = "http://localhost/deer.png"
    image = MediaResource(url=url)
    nodes: list[Any] = [
        TextNode(text=text, metadata=data),
        ImageNode(text=text, image_url=url, metadata=data),
        Document(text=text, metadata=data),
        Node(image_resource=image, metadata=data),
        IndexNode(text=text, index_id="index", obj=TextNode(text="behind it"), metadata=data),
        Node(text_resource=MediaResource(text=text, mimetype="text/plain"), metadata=data),
        Node(text_resource=MediaResource(text=text), image_resource=image, metadata=data),
        TextNode(text=" \n", metadata=data),
        ImageDocument(text=text, image=PIXEL, metadata=data),
    ]
    return [NodeWithScore(node=node, score=0.5) for node in nodes]


@pytest.mark.parametrize("mode", [MetadataMode.LLM, MetadataMode.EMBED])
async def test_I5_our_data_is_in_no_rendering(mode: MetadataMode):
    """Our data is in no prompt and no embedding: both read the user's metadata and the kept text, for every node."""
    for new, old in zip(await both(fake(), kinds(), "deer"), kinds(), strict=True):
        shown = new.node.get_content(mode)
        assert "secateurs" not in shown
        assert "spans" not in shown
        assert shown == old.node.get_content(mode).replace("A deer runs. No more", "A deer runs. ").strip() or (
            "secateurs" not in new.node.metadata
        )
        if "secateurs" in new.node.metadata:
            assert new.node.excluded_llm_metadata_keys.count("secateurs") == 1
            assert new.node.excluded_embed_metadata_keys.count("secateurs") == 1


async def test_I6_metadata_is_neither_scored_nor_repeated(bundled: Compressor):
    """A node's own text is scored, not its metadata; an LLM reads the metadata once and then the kept sentences."""
    found = vector_index().as_retriever(similarity_top_k=9).retrieve(QUERY)
    compressor = FakeCompressor()
    await both(SecateursPostprocessor(compressor=compressor), found, QUERY)
    assert compressor.calls[0] == [one.node.get_content(MetadataMode.NONE) for one in found]
    kept = await both(SecateursPostprocessor(compressor=bundled, threshold=0.5), found, QUERY)
    assert WRITTEN in kept[0].text
    assert CUT not in kept[0].text
    for one in kept:
        assert "title:" not in one.text
        shown = one.node.get_content(MetadataMode.LLM)
        assert shown == f"title: {one.metadata['title']}\npage: {one.metadata['page']}\n\n{one.text}".strip()


async def test_I7_every_kind_of_node():
    """Nodes of text are cut; those with an image, and blank ones, pass as they are, each in its place."""
    found = kinds()
    before = copy.deepcopy(found)
    kept = await both(fake(), found, "deer")
    cut = [type(one.node) for one in kept if "secateurs" in one.metadata]
    assert cut == [TextNode, Document, IndexNode, Node]
    for new, old in zip(kept, found, strict=True):
        assert type(new.node) is type(old.node)
        if "secateurs" in new.metadata:
            assert new.get_content(MetadataMode.NONE) == "A deer runs. "
        else:
            assert new is old
    assert found == before


async def test_I8_scores_are_floats():
    """The retrieval score stays; `rerank=True` replaces it and stores both; a score is a float, never numpy's."""
    found = [NodeWithScore(node=TextNode(text=text, id_=text)) for text in ("a deer", "b deer", "c deer")]
    for one, score in zip(found, (np.float32(0.25), np.float64(0.5), None), strict=True):
        one.score = score  # type: ignore[assignment]  # as rerankers do
    kept = await both(fake(), found, "deer")
    assert [(one.score, type(one.score)) for one in kept] == [(0.25, float), (0.5, float), (None, type(None))]
    ranked = await both(fake(ranking={"a": 0.1, "b": 0.9, "c": 0.5}, rerank=True), found, "deer")
    assert [one.score for one in ranked] == [0.9, 0.5, 0.1]
    stored = [one.metadata["secateurs"]["retrieval_score"] for one in ranked]
    assert stored == [0.5, None, 0.25]
    assert {type(score) for score in stored} == {float, type(None)}
    for one in [*kept, *ranked]:
        assert json.loads(one.to_json())["score"] == one.score
        assert TextNode.from_json(one.node.to_json()) == one.node


@pytest.mark.parametrize("query", [None, "", " \n\t"])
async def test_I9_without_a_query(query: str | None):
    """Without a query, or with a blank one, the very nodes come back and no model runs; two queries are an error."""
    found = vector_index().as_retriever(similarity_top_k=9).retrieve(QUERY)
    reports: list[Report] = []
    compressor = FakeCompressor(failure=RuntimeError("called"))
    postprocessor = SecateursPostprocessor(compressor=compressor, on_error="raise", on_report=reports.append)
    kept = await both(postprocessor, found, query)
    assert all(new is old for new, old in zip(kept, found, strict=True))
    assert not compressor.calls
    assert [report.savings.saved for report in reports] == [0, 0]
    for bundle in (QueryBundle(""), QueryBundle(None)):  # type: ignore[arg-type]  # what an image query has
        assert postprocessor.postprocess_nodes(found, bundle) == found
    with pytest.raises(ValueError, match="Cannot specify both"):
        postprocessor.postprocess_nodes(found, QueryBundle("a"), "b")
    with pytest.raises(ValueError, match="Cannot specify both"):
        await postprocessor.apostprocess_nodes(found, QueryBundle("a"), "b")


def test_relationships_are_not_shared():
    """A cut node's relationships are its own: to change them changes nothing of the node that came in."""
    node = TextNode(text="A deer. It", relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id="source")})
    [kept] = fake().postprocess_nodes([NodeWithScore(node=node)], query_str="deer")
    assert kept.node.relationships == node.relationships
    assert kept.node.relationships is not node.relationships
