"""What frameworks and users put around a text: never changed, never run, never lost, and no switch."""

from __future__ import annotations

import copy
import json
import logging
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from generated import any_text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.load import dumpd, dumps, load, loads
from llama_index.core.schema import (
    MediaResource,
    Node,
    NodeRelationship,
    NodeWithScore,
    QueryBundle,
    RelatedNodeInfo,
    TextNode,
)
from texts import QUERY, TEXT

from secateurs import Threshold
from secateurs.langchain import SecateursCompressor
from secateurs.llama_index import SecateursPostprocessor

relaxed = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=150)
# What LangChain's `loads` would make objects of, or read from the environment, if metadata ever went through it
FORGED = {
    "lc": 1,
    "type": "constructor",
    "id": ["langchain_core", "prompts", "prompt", "PromptTemplate"],
    "kwargs": {"template": "{x}", "input_variables": ["x"]},
}
SECRET = {"lc": 1, "type": "secret", "id": ["HOME"]}
ODD: list[dict[Any, Any]] = [
    {},
    FORGED,
    SECRET,
    {"nested": {"deep": [FORGED, {"lc": SECRET}]}},
    {"lc": "not a version", "secateurs": "a user's own", "relevance_score": "high"},
    {"numbers": [np.float32(0.5), np.int64(7), np.bool_(True)], "array": np.arange(3), "nan": float("nan")},
    {
        "when": datetime(2026, 1, 1, tzinfo=UTC),
        "id": UUID(int=7),
        "cost": Decimal("1.5"),
        "path": PurePosixPath("/a"),
    },
    {1: "number", None: "none", ("a", 1): "tuple", "": "", "\ud800": "\udc00", "__class__": "x", "__proto__": {}},
    {"set": {1, 2}, "bytes": b"\x00\xff", "ordered": OrderedDict(b=1, a=2), "text": "</s>\u202e\x00"},
    {"secateurs": {"status": "compressed", "spans": "none", "sentences": None, "savings": 1}},
]
SPANS = [
    5,
    "0-3",
    ["a"],
    [[1]],
    [[1, 2, 3]],
    [["0", "3"]],
    [None],
    {"a": 1},
    [[1.5, 2.5]],
    [[5, 1]],
    [[-9, 10**30]],
    True,
]


def same(one: object, other: object) -> bool:
    """Compare values of which numpy's and NaN do not say that they are equal."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(map(repr, one)) == list(map(repr, other)) and all(map(same, one.values(), other.values()))
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray):
        return bool(np.array_equal(one, other))  # type: ignore[arg-type]  # whatever it is
    return type(one) is type(other) and (one == other or (one != one and other != other))


def written(document: Document) -> str:
    """Return what a document says, scores to four digits: threads may differ in how many share a matrix product."""
    return re.sub(r"\b0\.\d{5,}", lambda score: f"{float(score[0]):.4f}", repr(document))


@pytest.fixture(scope="module")
def compressor(tiny):
    return SecateursCompressor(compressor=tiny, threshold=0.5, on_error="raise")


@pytest.fixture(scope="module")
def postprocessor(tiny):
    return SecateursPostprocessor(compressor=tiny, threshold=0.5, on_error="raise")


@pytest.mark.parametrize("metadata", ODD, ids=lambda one: ascii(one)[:50])
async def test_langchain_metadata_comes_back_as_it_was(compressor, metadata):
    """Whatever stands in a document's metadata is neither changed nor read as an object; the result has its equal."""
    documents = [Document(TEXT, metadata=copy.deepcopy(metadata), id="a"), Document("It rained.", metadata=metadata)]
    before = copy.deepcopy(documents)
    results = compressor.compress_documents(documents, QUERY)
    awaited = await compressor.acompress_documents(documents, QUERY)
    assert [written(one) for one in awaited] == [written(one) for one in results]
    for document, was in zip(documents, before, strict=True):
        assert document.page_content == was.page_content
        assert document.id == was.id
        assert same(document.metadata, was.metadata)
    for result in results:
        ours = {"secateurs", "relevance_score"}
        rest = {key: value for key, value in result.metadata.items() if key not in ours}
        assert same(rest, {key: value for key, value in metadata.items() if key not in ours})
        if "secateurs" not in metadata or isinstance(metadata["secateurs"], dict):
            json.dumps(result.metadata["secateurs"], allow_nan=False)
        else:
            assert result.metadata["secateurs"] == metadata["secateurs"]
        assert all(value is not other for value in _mutable(result.metadata) for other in _mutable(metadata))


def _mutable(value: object) -> list[object]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [
        *([value] if isinstance(value, (dict, list, set)) else []),
        *(one for item in inner for one in _mutable(item)),
    ]


@pytest.mark.filterwarnings("ignore:The function `loads?` is in beta")  # LangChain's own, by which documents are read
@pytest.mark.parametrize("metadata", [FORGED, SECRET, {"nested": [FORGED, SECRET]}], ids=["lc", "secret", "nested"])
def test_a_document_with_a_forged_object_survives_a_round_trip(compressor, metadata, monkeypatch):
    """Dumped and loaded by LangChain, a compressed document's forged metadata stays data: no object, no secret."""
    monkeypatch.setenv("HOME", "a secret")
    document = Document(TEXT, metadata=metadata)
    [result] = compressor.compress_documents([document], QUERY) or [document]
    for again in (
        loads(dumps(result), allowed_objects=[Document]),
        load(dumpd(result), allowed_objects=[Document]),
        Document.model_validate_json(result.model_dump_json()),
    ):
        assert again == result
        assert "a secret" not in repr(again)


def test_a_page_content_that_is_no_text_is_named_or_kept(tiny):
    """A document made around the framework's checks is named by its place; with "keep" all come back as they are."""
    documents = [Document(TEXT), Document.model_construct(page_content=b"bytes", metadata={}, id=None)]
    with pytest.raises(TypeError, match=r"documents\[1\] must be a string, got bytes"):
        SecateursCompressor(compressor=tiny, on_error="raise").compress_documents(documents, QUERY)
    kept = SecateursCompressor(compressor=tiny).compress_documents(documents, QUERY)
    assert [id(one) for one in kept] == [id(one) for one in documents]


@dataclass
class _Client:
    """Something that cannot be copied."""

    lock: Any = field(default_factory=threading.Lock)


def nodes_of(metadata: dict[Any, Any]) -> list[NodeWithScore]:
    """A plain node, a node of resources, and one without a score."""
    related = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id="s", metadata={"lc": 1})}
    return [
        NodeWithScore(
            node=TextNode(text=TEXT, id_="a", metadata=metadata, relationships=related, embedding=[0.5]), score=0.5
        ),
        NodeWithScore(node=Node(text_resource=MediaResource(text=TEXT), id_="b", metadata=metadata), score=None),
        NodeWithScore(node=TextNode(text=" ", id_="c", metadata=metadata), score=None),
    ]


@pytest.mark.parametrize("metadata", ODD, ids=lambda one: ascii(one)[:50])
async def test_llama_index_metadata_comes_back_as_it_was(postprocessor, metadata):
    """Whatever stands in a node's metadata is neither changed nor shared; the result has its equal, and the rest."""
    metadata = {str(key).encode("utf-8", "replace").decode(): value for key, value in metadata.items()}
    nodes = nodes_of(copy.deepcopy(metadata))
    before = copy.deepcopy(nodes)
    results = postprocessor.postprocess_nodes(nodes, query_str=QUERY)
    assert len(await postprocessor.apostprocess_nodes(nodes, query_str=QUERY)) == len(results)
    for node, was in zip(nodes, before, strict=True):
        assert node.score == was.score
        assert node.node.get_content() == was.node.get_content()
        assert same(node.node.metadata, was.node.metadata)
        assert node.node.relationships == was.node.relationships
        assert node.node.excluded_llm_metadata_keys == was.node.excluded_llm_metadata_keys
    by_id = {one.node.id_: one for one in nodes}
    for result in results:
        assert result.score == by_id[result.node.id_].score
        rest = {key: value for key, value in result.node.metadata.items() if key != "secateurs"}
        assert same(rest, {key: value for key, value in metadata.items() if key != "secateurs"})
        if result is not by_id[result.node.id_]:
            json.dumps(result.node.metadata["secateurs"], allow_nan=False)
            assert result.node.metadata is not by_id[result.node.id_].node.metadata


@pytest.mark.parametrize("spans", SPANS, ids=repr)
def test_one_nodes_forged_places_do_not_switch_the_others_off(postprocessor, spans, caplog):
    """Places of an earlier compression that are none are ignored: all nodes are compressed, and nothing is logged."""
    true = [[0, len(TEXT)]]
    forgeries = [{"source_spans": spans}, {"source_spans": true, "text_spans": spans}]
    forgeries += [{"source_spans": spans, "text_spans": true}, {"source_spans": spans, "text_spans": spans}]
    nodes = [NodeWithScore(node=TextNode(text=TEXT, metadata={"secateurs": one}), score=0.1) for one in forgeries]
    nodes.append(NodeWithScore(node=TextNode(text=TEXT, start_char_idx=0), score=None))
    with caplog.at_level(logging.WARNING):
        results = postprocessor.postprocess_nodes(nodes, query_str=QUERY)
    assert not caplog.records
    assert len(results) == 5
    assert all(one.node.metadata["secateurs"]["status"] in ("compressed", "unchanged") for one in results)
    assert not any("source_spans" in one.node.metadata["secateurs"] for one in results[:-1])
    assert "source_spans" in results[-1].node.metadata["secateurs"]


def test_one_node_behind_two_scores_is_compressed_twice_and_stays_one(postprocessor):
    """A node that stands in the list twice, or in two lists, comes back as copies; it stays as it was."""
    node = TextNode(text=TEXT, metadata={"a": [1]})
    nodes = [NodeWithScore(node=node, score=0.5), NodeWithScore(node=node, score=None)]
    before = node.model_dump()
    one, other = postprocessor.postprocess_nodes(nodes, query_bundle=QueryBundle(QUERY))
    assert (one.score, other.score) == (0.5, None)
    assert one.node is not other.node is not node
    one.node.metadata["a"].append(2)
    assert node.model_dump() == before
    assert other.node.metadata["a"] == [1]


def test_what_cannot_be_copied_is_shared_and_costs_nobody_a_result(compressor, postprocessor):
    """Metadata with a lock in it is passed on, and every document is compressed."""
    metadata = {"client": _Client(), "a": 1}
    documents = [Document(TEXT, metadata=metadata), Document(TEXT)]
    assert [one.metadata["secateurs"]["status"] for one in compressor.compress_documents(documents, QUERY)]
    nodes = [NodeWithScore(node=TextNode(text=TEXT, metadata=metadata)), NodeWithScore(node=TextNode(text=TEXT))]
    results = postprocessor.postprocess_nodes(nodes, query_str=QUERY)
    assert results[0].node.metadata["client"] is metadata["client"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(["lc", "type", "id", "kwargs", "secateurs", "relevance_score", "source"]) | st.text(max_size=6)
inputs = st.lists(st.tuples(any_text, st.dictionaries(keys, values, max_size=4)), max_size=5)


@relaxed
@given(inputs, st.floats(0, 1), any_text)
def test_the_langchain_adapter_is_pure(tiny, given_, threshold, query):
    """Any texts, any metadata: inputs stay, the order and ids too, and each result is its own document, cut."""
    adapter = SecateursCompressor(compressor=tiny, threshold=threshold, on_error="raise")
    documents = [Document(text, metadata=metadata, id=str(i)) for i, (text, metadata) in enumerate(given_)]
    before = copy.deepcopy(documents)
    results = adapter.compress_documents(documents, query)
    for document, was in zip(documents, before, strict=True):
        assert (document.page_content, document.id) == (was.page_content, was.id)
        assert same(document.metadata, was.metadata)
    ids = [int(one.id or 0) for one in results]
    assert ids == sorted(set(ids))
    if not query.strip():
        assert all(one is other for one, other in zip(results, documents, strict=True))
        return
    expected = tiny.compress(query, [one.page_content for one in documents], policy=Threshold(threshold))
    assert ids == [index for index, one in enumerate(expected) if one.status != "dropped"]
    for result in results:
        index = int(result.id or 0)
        assert result.page_content == expected[index].text
        for key, value in given_[index][1].items():
            assert key == "secateurs" or same(result.metadata[key], value)


@relaxed
@given(
    inputs, st.floats(0, 1), any_text.filter(lambda text: bool(text.strip())), st.floats(allow_nan=False) | st.none()
)
def test_the_llama_index_adapter_is_pure(tiny, given_, threshold, query, score):
    """Any texts, any metadata, any score: nodes stay, the order and ids too, and each result is its own node, cut."""
    adapter = SecateursPostprocessor(compressor=tiny, threshold=threshold, on_error="raise")
    nodes = [
        NodeWithScore(node=TextNode(text=text, metadata=metadata, id_=str(i)), score=score)
        for i, (text, metadata) in enumerate(given_)
    ]
    before = copy.deepcopy(nodes)
    results = adapter.postprocess_nodes(nodes, query_bundle=QueryBundle(query))
    for node, was in zip(nodes, before, strict=True):
        assert (node.node.get_content(), node.node.id_, node.score) == (
            was.node.get_content(),
            was.node.id_,
            was.score,
        )
        assert same(node.node.metadata, was.node.metadata)
    ids = [int(one.node.id_) for one in results]
    assert ids == sorted(set(ids))
    for result in results:
        assert result.score == score
        for key, value in given_[int(result.node.id_)][1].items():
            assert key == "secateurs" or same(result.node.metadata[key], value)
