"""The LlamaIndex adapter's settings and copies, and its place in query engines."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from typing import Any

import pytest
from llama_index.core.base.response.schema import Response
from llama_index.core.callbacks import CallbackManager, LlamaDebugHandler
from llama_index.core.query_engine import CitationQueryEngine, RetrieverQueryEngine
from llama_index.core.response_synthesizers import get_response_synthesizer
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import (
    NodeWithScore,
    QueryBundle,
    TextNode,
)
from llama_parts import Recorder, fake
from pydantic import ValidationError
from structured import ALL
from test_llama_index import CUT, QUERY, WEATHER, WRITTEN, nodes

from secateurs import Compressor, Threshold, TopK
from secateurs.llama_index import SecateursPostprocessor

# --- settings, copies and serialization ---


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshhold": 0.3},
        {"threshold": 1.5},
        {"threshold": True},
        {"on_error": "skip"},
        {"top_k": 0},
        {"max_tokens": -1},
        {"max_total_tokens": -1},
        {"policy": "Treshold(0.5)"},
        {"policy": 0.5},
        {"when_empty": "keep"},
        {"neighbours": -1},
        {"neighbours": (1, 2, 3)},
        {"rerank": 1},
        {"rerank": True, "top_n": 0},
        {"top_n": 3},
        {"encoding": "o300k"},
        {"compressor": "xsmall"},
    ],
)
def test_wrong_settings(wrong: dict[str, Any]) -> None:
    """A typo or a wrong value is refused when the postprocessor is made."""
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        SecateursPostprocessor(**wrong)


CLONES = [
    copy.copy,
    copy.deepcopy,
    lambda one: one.model_copy(deep=True),
    lambda one: pickle.loads(pickle.dumps(one)),
    lambda one: SecateursPostprocessor.from_dict(one.to_dict()),
    lambda one: SecateursPostprocessor.from_json(one.to_json()),
]


@pytest.mark.parametrize("clone", CLONES)
@pytest.mark.parametrize("given", [True, False])
def test_clones(clone: Any, given: bool, bundled: Compressor, caplog: pytest.LogCaptureFixture) -> None:
    """A copied, pickled or rebuilt postprocessor works like its original, and nothing is lost with a warning."""
    caplog.set_level(logging.WARNING)
    handler = LlamaDebugHandler(print_trace_on_end=False)
    settings: dict[str, Any] = {"compressor": bundled} if given else {"device": "cpu"}
    postprocessor = SecateursPostprocessor(
        threshold=0.5, callback_manager=CallbackManager([handler]), on_report=lambda report: None, **settings
    )
    expected = postprocessor.postprocess_nodes(nodes(), query_str=QUERY)
    cloned = clone(postprocessor)
    assert cloned.threshold == 0.5
    assert cloned.compressor in (postprocessor.compressor, None)
    assert cloned.postprocess_nodes(nodes(), query_str=QUERY) == expected
    assert not caplog.records


@pytest.mark.parametrize("budget", [0, 20, 45, 10_000])
async def test_a_budget_over_all_nodes(tiny: Compressor, budget: int) -> None:
    """`max_total_tokens` is spent over the nodes of a call together, as `compress` spends it."""
    texts = [one.node.get_content() for one in nodes()]
    expected = tiny.compress(QUERY, texts, policy=Threshold(0.0), max_total_tokens=budget)
    assert sum(one.savings.after for one in expected) <= budget
    adapter = SecateursPostprocessor(compressor=tiny, threshold=0.0, max_total_tokens=budget)
    kept = adapter.postprocess_nodes(nodes(), query_str=QUERY)
    assert [one.text for one in kept] == [one.text for one in expected if one.status != "dropped"]
    assert await adapter.apostprocess_nodes(nodes(), query_str=QUERY) == kept


async def test_a_mark_where_something_was_cut(tiny: Compressor) -> None:
    """`elision` stands in a node's text where something was cut, as `compress` puts it, and is paid."""
    expected = tiny.compress(QUERY, ALL, policy=Threshold(0.0) & TopK(2), elision="[…]")
    adapter = SecateursPostprocessor(compressor=tiny, threshold=0.0, top_k=2, elision="[…]")
    found = [NodeWithScore(node=TextNode(text=text)) for text in ALL]
    kept = adapter.postprocess_nodes(found, query_str=QUERY)
    assert [one.text for one in kept] == [one.text for one in expected]
    assert [one.metadata["secateurs"]["savings"] for one in kept] == [one.savings.to_dict() for one in expected]
    assert any("[…]" in one.text for one in kept)


def test_to_dict() -> None:
    """to_dict holds the settings as JSON types, under a name of its own."""
    data = SecateursPostprocessor(top_k=3, policy=Threshold(0.2) | TopK(1), neighbours=(1, 0)).to_dict()
    assert json.loads(json.dumps(data)) == data
    assert data == {
        "model": None,
        "device": "auto",
        "policy": "Threshold(0.2) | TopK(1)",
        "revision": None,
        "threshold": None,
        "top_k": 3,
        "max_tokens": None,
        "max_total_tokens": None,
        "elision": None,
        "when_empty": None,
        "neighbours": [1, 0],
        "rerank": False,
        "top_n": None,
        "distinct": False,
        "timeout": None,
        "on_error": "keep",
        "encoding": "o200k_base",
        "class_name": "SecateursPostprocessor",
    }


# --- inside query engines ---


class Found(BaseRetriever):
    """Finds the same nodes for every query."""

    def __init__(self, found: list[NodeWithScore]) -> None:
        self._found = found
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self._found

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self._found


def check_prompt(llm: Recorder) -> None:
    """The LLM saw the kept sentences and the user's metadata, nothing cut and nothing of ours."""
    prompt = "\n".join(llm._prompts)
    assert WRITTEN in prompt
    assert CUT not in prompt
    assert WEATHER not in prompt
    assert "title: A film" in prompt
    for ours in ("secateurs", "ranking_score", "spans"):
        assert ours not in prompt


async def test_retriever_query_engine(bundled: Compressor, llm: Recorder) -> None:
    """RetrieverQueryEngine sends the kept sentences to the LLM, sync and async, and none of our data."""
    postprocessor = SecateursPostprocessor(compressor=bundled, threshold=0.5)
    engine = RetrieverQueryEngine(
        retriever=Found(nodes()),
        response_synthesizer=get_response_synthesizer(llm=llm),
        node_postprocessors=[postprocessor],
    )
    for ask in (engine.query, engine.aquery):
        response = await ask(QUERY) if ask == engine.aquery else ask(QUERY)
        assert isinstance(response, Response)
        assert [one.node_id for one in response.source_nodes] == ["deer"]
        assert response.source_nodes[0].score == 0.8
        assert response.source_nodes[0].metadata["secateurs"]["status"] == "compressed"
        check_prompt(llm)
        llm._prompts.clear()


async def test_all_dropped(llm: Recorder) -> None:
    """When every node is dropped, the synthesizer answers that there is nothing, without asking the LLM."""
    engine = RetrieverQueryEngine(
        retriever=Found(nodes()[1:]),
        response_synthesizer=get_response_synthesizer(llm=llm),
        node_postprocessors=[fake()],
    )
    assert str(engine.query("deer")) == str(await engine.aquery("deer")) == "Empty Response"
    assert llm._prompts == []


async def test_citation_query_engine(bundled: Compressor, llm: Recorder) -> None:
    """CitationQueryEngine cites the kept sentences, sync and async."""
    engine = CitationQueryEngine(
        retriever=Found(nodes()),
        llm=llm,
        node_postprocessors=[SecateursPostprocessor(compressor=bundled, threshold=0.5)],
    )
    for ask in (engine.query, engine.aquery):
        response = await ask(QUERY) if ask == engine.aquery else ask(QUERY)
        assert "Source 1:" in response.source_nodes[0].get_content()
        check_prompt(llm)
        llm._prompts.clear()
