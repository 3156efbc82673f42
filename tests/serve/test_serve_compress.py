"""`POST /v1/compress`: what the compressor would have said, as JSON."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from laws import check_alike
from serving import DOCUMENTS, MILL, QUERY, Scripted
from structured import ALL, MARKDOWN

from secateurs import Compressor, Error, Neighbours, Policy, Threshold, TokenBudget, TopK
from secateurs.adapters.choice import Asked
from secateurs.result.savings import TokenCounter
from secateurs.serve.policies import read_policy
from secateurs.serve.refusal import RefusalError
from secateurs.serve.steps import at_every_threshold

PAIRS = [("Who built the mill?", MILL), ("What causes tides?", DOCUMENTS[1]), ("Who built the mill?", DOCUMENTS[2])]


async def ask(client: Any, **body: Any) -> Any:
    """Compress, and return the answer."""
    response = await client.post("/v1/compress", json=body)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize(
    ("fields", "policy"),
    [
        ({}, None),
        ({"threshold": 0.93}, Threshold(0.93)),
        ({"threshold": 1}, Threshold(1.0)),
        ({"top_k": 1}, Threshold(0.5) & TopK(1)),
        ({"threshold": 0.1, "top_k": 1, "max_tokens": 9}, Threshold(0.1) & TopK(1) & TokenBudget(9)),
        ({"policy": "Threshold(0.99) | TopK(1)"}, Threshold(0.99) | TopK(1)),
        ({"policy": "Default() & TopK(1)"}, Threshold(0.5) & TopK(1)),
        ({"policy": "TopK(2) | Neighbours(before=1)", "max_tokens": 12}, (TopK(2) | Neighbours()) & TokenBudget(12)),
        ({"policy": "TopK(2)", "threshold": 0.2}, TopK(2) & Threshold(0.2)),
        ({"neighbours": 1}, Threshold(0.5) | Neighbours(1, 1)),
        ({"threshold": 0.99, "neighbours": [1, 0]}, Threshold(0.99) | Neighbours(1, 0)),
        ({"threshold": 1, "when_empty": "best"}, Threshold(1.0, when_empty="best")),
        ({"threshold": 1, "when_empty": "original"}, Threshold(1.0, when_empty="original")),
    ],
)
async def test_an_answer_is_what_the_compressor_says(client, tiny: Compressor, fields, policy):
    """The documents of an answer are the results of the same call in process, scores to 1e-5."""
    answer = await ask(client, query=QUERY, documents=DOCUMENTS, **fields)
    results = tiny.compress(QUERY, DOCUMENTS, policy=policy)
    check_alike(answer["documents"], [{"index": index, **one.to_dict()} for index, one in enumerate(results)])
    assert answer["savings"] == sum(one.savings for one in results).to_dict()
    assert answer["policy"] == repr(policy or tiny.policy)
    assert answer["model"] == tiny.checkpoint.name


async def test_pairs_of_many_queries_in_one_request(client, tiny: Compressor):
    """Pairs are compressed as `compress_pairs` does, with one budget for all of them."""
    answer = await ask(client, pairs=PAIRS, max_total_tokens=20)
    results = tiny.compress_pairs(PAIRS, max_total_tokens=20)
    assert [one["text"] for one in answer["documents"]] == [one.text for one in results]
    assert answer["savings"]["after"] <= 20


async def test_one_budget_for_all_documents(client, tiny: Compressor):
    """`max_total_tokens` is spent over the documents of a query together."""
    answer = await ask(client, query=QUERY, documents=DOCUMENTS[:3], max_total_tokens=15)
    results = tiny.compress(QUERY, DOCUMENTS[:3], max_total_tokens=15)
    assert [one["text"] for one in answer["documents"]] == [one.text for one in results]


async def test_documents_come_back_in_order_of_relevance(client, tiny: Compressor):
    """`rerank` orders documents by falling ranking score, the dropped ones last; what `top_n` leaves out is saved."""
    results = tiny.compress(QUERY, DOCUMENTS[:4], policy=Threshold(0.0))
    scored = sorted(range(3), key=lambda index: -(results[index].ranking_score or 0.0))
    answer = await ask(client, query=QUERY, documents=DOCUMENTS[:4], threshold=0, rerank=True)
    assert [one["index"] for one in answer["documents"]] == [*scored, 3]
    few = await ask(client, query=QUERY, documents=DOCUMENTS[:4], threshold=0, rerank=True, top_n=1)
    assert [one["index"] for one in few["documents"]] == scored[:1]
    assert few["savings"]["before"] == answer["savings"]["before"]
    assert few["savings"]["after"] == few["documents"][0]["savings"]["after"]
    none = await ask(client, query=QUERY, documents=DOCUMENTS[:4], threshold=1, rerank=True, top_n=1)
    dropped = [one["index"] for one in none["documents"] if one["status"] == "dropped"]
    assert dropped == [0, 1, 2], "what was dropped says so, whatever comes back"


async def test_what_a_request_does_not_say_the_service_says(serve, client, tiny: Compressor):
    """A budget, an order and one copy can be the service's own; a request may decline each, and pairs keep theirs."""
    own = {"max_total_tokens": 30, "rerank": True, "top_n": 2, "distinct": True}
    set_so = await serve(tiny, **own)
    assert (await set_so.get("/v1/models")).json()["data"][0]["defaults"] == own
    body = {"query": QUERY, "documents": [*DOCUMENTS[:3], MILL], "threshold": 0}
    assert await ask(set_so, **body) == await ask(client, **body, **own)
    declined = {"rerank": False, "distinct": False, "max_total_tokens": 1_000}
    assert await ask(set_so, **body, **declined) == await ask(client, **body)
    pairs = {"pairs": PAIRS, "distinct": False}
    assert await ask(set_so, **pairs) == await ask(client, **pairs, max_total_tokens=30)
    first = await ask(set_so, **body, top_n=1)
    assert sum(one["status"] != "dropped" for one in first["documents"]) == 1
    refused = await set_so.post("/v1/compress", json={**body, "rerank": False, "top_n": 1})
    assert "top_n needs rerank" in refused.json()["error"]["message"]


async def test_an_order_needs_a_model_that_ranks(serve):
    """A service that is to order documents and cannot says so when it starts, and not to every caller."""
    with pytest.raises(Error, match="has no ranking head"):
        await serve(Scripted(ranking_score=None), rerank=True)
    with pytest.raises(ValueError, match="top_n=1 needs rerank=True"):
        await serve(Scripted(), top_n=1)


async def test_null_is_a_blank_document_where_that_is_said(client):
    """With `none_as_blank` null is a blank document, among documents and in pairs; its place stays."""
    for body in ({"query": QUERY, "documents": [None, MILL]}, {"pairs": [[QUERY, None], [QUERY, MILL]]}):
        answer = await ask(client, **body, none_as_blank=True)
        first, second = answer["documents"]
        assert (first["index"], first["reason"], second["index"]) == (0, "blank", 1)
        refused = await client.post("/v1/compress", json=body)
        assert refused.status_code == 422
        assert "none_as_blank reads null as a blank document, got" in refused.json()["error"]["message"]


async def test_what_is_not_wanted_is_not_returned(client):
    """Texts, spans and scores can be left out; offsets stay, and statuses and savings always."""
    wanted = {"return_texts": False, "return_spans": False}
    only_scores = (await ask(client, query=QUERY, documents=[MILL], **wanted))["documents"][0]
    assert not {"text", "spans", "steps", "kept_up_to", "gaps", "units"} & set(only_scores)
    assert set(only_scores["sentences"][0]) == {"start", "end", "score", "kept"}
    only_text = (await ask(client, query=QUERY, documents=[MILL], return_scores=False))["documents"][0]
    assert "sentences" not in only_text
    assert {"text", "spans", "status", "savings"} <= set(only_text)


async def test_steps_say_what_each_threshold_leaves(client, tiny: Compressor):
    """With return_steps a document has what it becomes at every threshold, and its token count there."""
    answer = await ask(client, query=QUERY, documents=[MILL, MARKDOWN], return_steps=True)
    for found, document, many in zip(answer["documents"], (MILL, MARKDOWN), (2, 10), strict=True):
        expected = at_every_threshold(tiny.compress(QUERY, [document])[0], TokenCounter()).to_dict()
        check_alike({name: found[name] for name in expected}, expected)
        assert len(found["steps"]) == many


async def test_units_say_what_each_is_and_needs(client, tiny: Compressor):
    """With return_units each unit has its kind and the units it needs, a comma where it goes with its unit."""
    answer = await ask(client, query=QUERY, documents=ALL, return_units=True)
    for found, result in zip(answer["documents"], tiny.compress(QUERY, ALL), strict=True):
        for one, unit in zip(found["units"], result.parts.units, strict=True):
            assert (one["kind"], one["frame"]) == (unit.kind, list(unit.frame))
            assert (one.get("comma"), one.get("until")) == (unit.comma, unit.until)


@pytest.mark.parametrize("elision", [None, "[…]"])
async def test_a_mark_where_something_was_cut(client, tiny: Compressor, elision):
    """`elision` stands where something was cut, is counted, and is named in the answer."""
    answer = await ask(client, query=QUERY, documents=[MARKDOWN], top_k=2, elision=elision)
    result = tiny.compress(QUERY, [MARKDOWN], policy=Threshold(0.5) & TopK(2), elision=elision)[0]
    assert answer["elision"] == elision
    assert answer["documents"][0]["text"] == result.text
    assert answer["savings"]["after"] == result.savings.after
    assert ("[…]" in result.text) == (elision is not None)


@pytest.mark.parametrize("elision", ["", " ", "a\nb", "\ud800", "…" * 101, 3, ["[…]"]])
async def test_a_mark_that_is_none(client, elision):
    """A mark that is blank, not printable, too long or no text is 422 with what is wrong."""
    content = json.dumps({"query": QUERY, "documents": [MILL], "elision": elision})
    response = await client.post("/v1/compress", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert "elision: " in response.json()["error"]["message"]


@pytest.mark.parametrize("body", [{"query": QUERY, "documents": []}, {"pairs": []}])
async def test_no_documents_give_no_results(client, body):
    """An empty list is answered with an empty list."""
    answer = await ask(client, **body)
    assert answer["documents"] == []
    assert answer["savings"]["before"] == 0


async def test_lone_surrogates_come_back_as_they_were_sent(client):
    """Half a surrogate pair in a document is no reason to refuse it; the answer is UTF-8, and verbatim."""
    documents = ["The mill \ud800. 水车 burned.", "\udfff"]
    content = json.dumps({"query": "mill \udc00?", "documents": documents, "threshold": 0})
    response = await client.post("/v1/compress", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 200
    answer = json.loads(response.content.decode("utf-8", "strict"))
    assert [one["text"] for one in answer["documents"]] == documents


async def test_text_outside_ascii_is_sent_as_it_is(client):
    """Chinese takes three bytes a character in an answer, not six."""
    response = await client.post("/v1/compress", json={"query": QUERY, "documents": [DOCUMENTS[2]], "threshold": 0})
    assert "水车" in response.content.decode()


async def test_a_document_that_fails_does_not_fail_its_request(serve, tiny_folder):
    """One document's failure is its own: it comes back whole, with its reason, and status 200."""

    def segment(text: str) -> list[tuple[int, int]]:
        if "broken" in text:
            raise RuntimeError("no sentences")
        return [(0, len(text))] if text else []

    with Compressor.from_pretrained(tiny_folder, device="cpu", segmenter=segment) as compressor:
        client = await serve(compressor)
        answer = await ask(client, query=QUERY, documents=["is broken.", MILL])
        highlights = await client.post("/v1/highlight", json={"queries": [QUERY], "texts": ["is broken.", MILL]})
    failed, worked = answer["documents"]
    assert failed["status"] == "error"
    assert failed["text"] == "is broken."
    assert "no sentences" in failed["reason"]
    assert worked["status"] != "error"
    assert [one["error"] is None for one in highlights.json()["results"][0]] == [False, True]


async def test_requests_are_worked_on_together(serve):
    """A request does not wait for the one before it: the compressor has them at once, and can batch them."""
    compressor = Scripted()
    client = await serve(compressor)
    compressor.held = True
    calls = [asyncio.create_task(ask(client, query=QUERY, documents=[MILL])) for _ in range(5)]
    while compressor.at_once < 5:
        await asyncio.sleep(0.005)
    compressor.held = False
    assert all(answer["documents"] for answer in await asyncio.gather(*calls))


async def test_tokens_are_counted_in_the_encoding_asked_for(serve, tiny_folder):
    """Another encoding counts otherwise and cuts the same."""
    with Compressor.from_pretrained(tiny_folder, device="cpu") as compressor:
        client = await serve(compressor)
        answer = await ask(client, query=QUERY, documents=[DOCUMENTS[2]], encoding="cl100k_base")
    saved = answer["savings"]
    assert saved["encoding"] == "cl100k_base"
    assert saved["before"] == TokenCounter("cl100k_base")(DOCUMENTS[2]) != TokenCounter()(DOCUMENTS[2])


async def test_a_compressor_is_asked_once_for_each_encoding(serve):
    """One compressor serves an encoding; the service's own needs no other."""
    scripted = Scripted()
    client = await serve(scripted)
    for encoding in ("cl100k_base", "o200k_base", "cl100k_base", None):
        answer = await ask(client, query=QUERY, documents=[MILL], encoding=encoding)
        assert answer["savings"]["encoding"] == (encoding or "o200k_base")
    assert scripted.counted == ["cl100k_base"]


async def test_many_queries_are_one_call(serve):
    """Pairs of many queries go to the compressor together, those of one query as its documents."""
    scripted = Scripted()
    client = await serve(scripted)
    await ask(client, pairs=PAIRS)
    await ask(client, pairs=[PAIRS[0], PAIRS[2]])
    assert scripted.queries == [[query for query, _ in PAIRS]]


@pytest.mark.parametrize(
    "policy",
    [Threshold(0.1), Threshold(0.2, when_empty="original"), (Threshold(0.2) | Neighbours(1, 2)) & TopK(3)],
)
def test_default_stands_for_any_policy(policy: Policy):
    """`Default()` is the service's own policy wherever it stands."""
    assert read_policy(Asked(policy="Default()"), policy) == policy
    assert read_policy(Asked(policy="Default() & TokenBudget(9)"), policy) == policy & TokenBudget(9)
    assert read_policy(Asked(), policy) == policy


def test_a_threshold_leaves_the_services_own_policy_as_it_is():
    """A request's threshold takes the place of the own policy's, and all else of it stays."""
    own = Threshold(0.2) | Neighbours(1, 2)
    assert read_policy(Asked(threshold=0.5), own) == Threshold(0.5) | Neighbours(1, 2)
    assert read_policy(Asked(threshold=0.5, top_k=3), own & TopK(9)) == (Threshold(0.5) | Neighbours(1, 2)) & TopK(
        9
    ) & TopK(3)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "Threshold(2)",
        "Threshold()",
        "__import__('os').system('true')",
        "TopK(1) | TokenBudget(3)",
        "TopK(1)\0",
        "TopK(\ud800)",
        "-" * 900 + "TopK(1)",
        "(" * 400,
        "TopK(1) & " * 99 + "TopK(1)",
        "TopK(1) & " * 16 + "TopK(1)",
        "Neighbours(before=1000000)",
        "x" * 2000,
    ],
)
def test_a_policy_that_is_none_or_asks_too_much_is_refused(source):
    """What is not a policy, or asks for more work than a request may, is 422 with what is wrong."""
    with pytest.raises(RefusalError, match=r"^policy: ") as found:
        read_policy(Asked(policy=source), Threshold(0.1))
    assert found.value.status == 422
