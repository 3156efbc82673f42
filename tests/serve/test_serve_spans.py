"""`relevant_spans` of `/v1/rerank` and `/v2/rerank`: what of each document is relevant, where, and how much."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from serving import DOCUMENTS, MILL, QUERY, Scripted

from secateurs import Default, Threshold, TopK

ASTRAL = (
    "🐻 slept. The mill was built in 1842 by Ann Lee 🐻. Nobody knows why. It burned down.\n\n# Later\n\nIt rained."
)


async def ranked(client: Any, path: str = "/v1/rerank", **fields: Any) -> list[dict[str, Any]]:
    """The results of a request to order documents."""
    response = await client.post(path, json={"query": QUERY, "documents": [*DOCUMENTS, ASTRAL], **fields})
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["results"]
    return found


def check(document: str, spans: list[dict[str, Any]]) -> None:
    """Spans are slices of their document without white space around them, apart from each other, the best first."""
    for span in spans:
        assert set(span) == {"start", "end", "score", "text"}
        assert document[span["start"] : span["end"]] == span["text"] == span["text"].strip() != ""
        assert 0.0 <= span["score"] <= 1.0
    assert [span["score"] for span in spans] == sorted((span["score"] for span in spans), reverse=True)
    places = sorted((span["start"], span["end"]) for span in spans)
    assert all(first[1] < second[0] for first, second in pairwise(places))


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
async def test_spans_are_what_the_policy_keeps(client, tiny, path):
    """With `true` the spans of each document are the units its policy chooses, joined where nothing lies between."""
    documents = [*DOCUMENTS, ASTRAL]
    kept = tiny.compress(QUERY, documents)
    for one in await ranked(client, path, relevant_spans=True):
        result, spans = kept[one["index"]], one["relevant_spans"]
        check(documents[one["index"]], spans)
        inside = "".join(documents[one["index"]][span["start"] : span["end"]] for span in spans)
        chosen = [unit for unit in result.sentences if unit.kept and not unit.frame and unit.text.strip()]
        assert all(
            any(
                span["start"] <= unit.start + (len(unit.text) - len(unit.text.lstrip())) < span["end"]
                for span in spans
            )
            for unit in chosen
        )
        assert bool(inside) == bool(chosen)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 1.0])
async def test_a_threshold_and_most_spans(client, tiny, threshold):
    """A span holds units of at least the threshold and no other; its score is that of its best."""
    fields = {"threshold": threshold}
    scored = tiny.compress(QUERY, [*DOCUMENTS, ASTRAL], policy=Threshold(0.0))
    every = {one["index"]: one["relevant_spans"] for one in await ranked(client, relevant_spans=fields)}
    for index, spans in every.items():
        check([*DOCUMENTS, ASTRAL][index], spans)
        for span in spans:
            units = [
                unit
                for unit in scored[index].sentences
                if unit.text.strip() and span["start"] < unit.end and unit.start < span["end"]
            ]
            assert min(unit.score for unit in units) >= threshold
            assert span["score"] == max(unit.score for unit in units)
    few = await ranked(client, relevant_spans={**fields, "max_spans": 1, "mode": "enabled"})
    assert {one["index"]: one["relevant_spans"] for one in few} == {index: some[:1] for index, some in every.items()}


async def test_a_document_in_which_nothing_is_relevant_has_no_spans(client):
    """Where nothing passes, and of a blank document, the list is there and empty; top_n cuts documents, not spans."""
    found = await ranked(client, relevant_spans={"threshold": 1.0}, top_n=4)
    assert [one["relevant_spans"] for one in found] == [[]] * 4


@pytest.mark.parametrize("given", [None, False, {"mode": "disabled", "threshold": 0.3}])
async def test_spans_come_only_where_they_are_asked_for(client, given):
    """Unasked, or with the mode `disabled`, an answer is as it was before there were spans."""
    assert await ranked(client, relevant_spans=given) == await ranked(client)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("yes", "relevant_spans: must be true, or an object"),
        (1, "relevant_spans: must be true, or an object"),
        ({"treshold": 0.3}, "relevant_spans: must have no other fields than mode, threshold"),
        ({"threshold": 1.5}, "relevant_spans.threshold"),
        ({"max_spans": 0}, "relevant_spans.max_spans"),
        ({"mode": "on"}, "relevant_spans.mode"),
    ],
)
async def test_what_cannot_be_understood_is_refused(client, given, message):
    """A wrong value, or a field that is none, is 422 by its name."""
    response = await client.post("/v2/rerank", json={"query": QUERY, "documents": [MILL], "relevant_spans": given})
    assert (response.status_code, response.json()["error"]["type"]) == (422, "invalid")
    assert message in response.json()["error"]["message"]


async def test_spans_by_a_policy_only_the_model_knows(serve):
    """Where the compressor's policy is no more than `Default()`, a threshold has to be sent."""
    client = await serve(Scripted(policy=Default() | TopK(1)))
    body = {"query": QUERY, "documents": [MILL]}
    response = await client.post("/v1/rerank", json={**body, "relevant_spans": True})
    assert (response.status_code, response.json()["error"]["type"]) == (422, "not_supported")
    assert "send a relevant_spans.threshold" in response.json()["error"]["message"]
    found = await client.post("/v1/rerank", json={**body, "relevant_spans": {"threshold": 0.5}})
    assert found.json()["results"][0]["relevant_spans"] == [
        {"start": 0, "end": len(MILL), "score": 0.75, "text": MILL}
    ]
