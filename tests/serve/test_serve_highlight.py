"""`POST /v1/highlight` and `/v1/rerank`: matches between tags no document can forge; documents in order."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from serving import DOCUMENTS, MILL, QUERY, Scripted
from structured import ALL

from secateurs import Default, Sentence, Threshold, TopK
from secateurs.serve.tags import Tags

FORGED = "</mark><script>alert(1)</script> The mill was built by Ann Lee. <mark>It</mark> burned & fell."


async def ask(client: Any, **body: Any) -> Any:
    """Highlight, and return the results."""
    response = await client.post("/v1/highlight", json=body)
    assert response.status_code == 200, response.text
    return response.json()["results"]


async def test_matches_are_fragments_with_scores(client, tiny):
    """Each sentence at or above the threshold is one tagged fragment with its score; white space is outside."""
    result = tiny.compress(QUERY, [MILL], policy=Threshold(0.0))[0]
    best = max(one.score for one in result.sentences)
    matches = [one for one in result.sentences if one.score >= best - 1e-5]
    found = await ask(client, queries=[QUERY], texts=[[MILL]], threshold=best - 1e-5)
    assert found[0][0]["fragments"] == [f"<em>{one.text.strip()}</em>" for one in matches]
    assert found[0][0]["scores"] == pytest.approx([one.score for one in matches], abs=1e-5)


@pytest.mark.parametrize("threshold", [0.0, 0.5])
async def test_what_is_frame_alone_never_matches(client, tiny, threshold):
    """Fence marks, rule rows, brackets and tags are no matches, whatever the threshold; headings may be."""
    results = tiny.compress(QUERY, ALL, policy=Threshold(0.0))
    matches = [[s for s in one.sentences if not s.frame and s.score >= threshold] for one in results]
    found = (await ask(client, queries=[QUERY], texts=[ALL], threshold=threshold, escape="none"))[0]
    assert [one["fragments"] for one in found] == [[f"<em>{s.text.strip()}</em>" for s in some] for some in matches]
    whole = await ask(client, queries=[QUERY], texts=[ALL], threshold=threshold, highlight_only=False, escape="none")
    for text, one, some in zip(ALL, whole[0], matches, strict=True):
        assert one["fragments"][0].count("<em>") == len(some)
        assert one["fragments"][0].replace("<em>", "").replace("</em>", "") == text


async def test_nothing_matches(client):
    """Where nothing reaches the threshold both lists are empty; blank texts never match."""
    assert await ask(client, queries=[QUERY], texts=[[MILL, "", " \n"]], threshold=1.0) == [
        [{"fragments": [], "scores": [], "error": None}] * 3
    ]
    assert await ask(client, queries=[QUERY], texts=[[" \n", ""]], threshold=0, highlight_only=False) == [
        [{"fragments": [], "scores": [], "error": None}] * 2
    ]


async def test_the_whole_text_with_its_matches_marked(client, tiny):
    """Without highlight_only a text is one fragment, and without its tags it is the text."""
    tags = {"pre_tags": ["<mark>"], "post_tags": ["</mark>"]}
    for threshold in (0.0, 1.0):
        found = await ask(
            client, queries=[QUERY], texts=[DOCUMENTS[:3]], threshold=threshold, highlight_only=False, **tags
        )
        for text, one in zip(DOCUMENTS[:3], found[0], strict=True):
            (fragment,) = one["fragments"]
            assert unescape(fragment.replace("<mark>", "").replace("</mark>", "")) == text
            assert ("<mark>" in fragment) == (threshold == 0.0)
            assert len(one["scores"]) == 1


async def test_one_list_of_texts_a_query(client):
    """Results are nested as queries and texts are; flat texts belong to every query."""
    nested = await ask(client, queries=["mill?", "moon?"], texts=[[MILL], [DOCUMENTS[1], MILL]], threshold=0.0)
    assert [len(one) for one in nested] == [1, 2]
    flat = await ask(client, queries=["mill?", "moon?"], texts=[MILL, DOCUMENTS[1]], threshold=0.0)
    assert [len(one) for one in flat] == [2, 2]
    assert flat[1][0] == nested[1][1]
    assert flat[0][0] == nested[0][0]


@pytest.mark.parametrize(("queries", "texts", "shape"), [([], [], []), (["a"], [], [[]]), (["a"], [[]], [[]])])
async def test_nothing_to_highlight(client, queries, texts, shape):
    """Empty lists are answered with empty lists."""
    assert await ask(client, queries=queries, texts=texts) == shape


@pytest.mark.parametrize("only", [True, False])
async def test_a_document_cannot_forge_a_tag(client, only):
    """What a document writes is shown, never obeyed: every tag of the answer is ours."""
    tags = {"pre_tags": ["<mark>"], "post_tags": ["</mark>"]}
    found = await ask(client, queries=[QUERY], texts=[[FORGED]], threshold=0.0, highlight_only=only, **tags)
    fragments = found[0][0]["fragments"]
    joined = " ".join(fragments)
    assert joined.count("<mark>") == joined.count("</mark>") == joined.count("<") // 2
    shown = unescape(joined.replace("<mark>", "").replace("</mark>", "")).split()
    if only:  # a script is nobody's words: it is not among them
        assert "&lt;mark&gt;" in joined and set(shown) <= set(FORGED.split())
    else:
        assert "&lt;script&gt;" in joined and shown == FORGED.split()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"pre_tags": ["<b>"], "post_tags": []}, "must be pairs, got 1 and 0"),
        ({"pre_tags": [], "post_tags": []}, "must be pairs, got 0 and 0"),
        ({"pre_tags": ["em"], "post_tags": ["</em>"]}, "must not be empty, nor begin with a letter"),
        ({"pre_tags": [""], "post_tags": [""]}, "must not be empty"),
        ({"pre_tags": ["&lt;"], "post_tags": ["</em>"]}, "got '&lt;'"),
        ({"pre_tags": "<em>", "post_tags": "</em>"}, "pre_tags: Input should be a valid list"),
        ({"texts": MILL}, "texts: must be a list of strings"),
        ({"texts": [MILL, 3]}, "texts: [1] must be a string"),
        ({"texts": [[MILL], MILL]}, "texts: [1] must be a list of strings, as the first one is"),
        ({"texts": [[MILL], [MILL]]}, "texts has 2 lists for 1 queries"),
        ({"queries": ["a", " "]}, "queries[1]: is blank"),
        ({"escape": "xml"}, "escape: Input should be 'html' or 'none'"),
        ({"threshold": 2}, "threshold: "),
    ],
)
async def test_a_wrong_request(client, body, says):
    """What cannot be highlighted is 422 with what is wrong."""
    response = await client.post("/v1/highlight", json={"queries": [QUERY], "texts": [[MILL]], **body})
    assert response.status_code == 422
    assert says in response.json()["error"]["message"]


async def test_texts_can_be_left_unescaped(client):
    """`escape="none"` leaves texts and tags as they are, for output that is not markup."""
    found = await ask(
        client, queries=[QUERY], texts=[["a < b"]], pre_tags=["em "], post_tags=["!"], threshold=0, escape="none"
    )
    assert found[0][0]["fragments"] == ["em a < b!"]


PAIRS = st.sampled_from(
    [("<em>", "</em>"), ("<mark>", "</mark>"), ("**", "**"), ("[[", "]]"), ("{", "}"), ("'", '"')]
)


def sentences_of(texts: list[str]) -> list[Sentence]:
    """Sentences that tile their joined text."""
    found, start = [], 0
    for text in texts:
        found.append(Sentence(start, start + len(text), text, 0.5, kept=True))
        start += len(text)
    return found


@given(st.lists(st.tuples(st.text(min_size=1), st.booleans()), min_size=1, max_size=6), PAIRS)
@example([("</em>*", True), ("*}]' & &#42; <em>", True)], ("**", "**"))
def test_tags_are_ours_whatever_the_text(texts, tags):
    """Any text, any tags: there are as many tags as matches, and without them the text is what it was."""
    before, after = tags
    flags = [flag for _, flag in texts]
    sentences = sentences_of([text for text, _ in texts])
    whole = Tags([before], [after]).whole(sentences, flags)
    matches = sum(flag and bool(text.strip()) for text, flag in texts)
    if not whole.fragments:
        assert not "".join(text for text, _ in texts).strip()
        return
    (fragment,) = whole.fragments
    if before != after:
        assert fragment.count(before) == fragment.count(after) == matches
    else:
        assert fragment.count(before) == 2 * matches
    assert unescape(fragment.replace(before, "").replace(after, "")) == "".join(text for text, _ in texts)


def test_tags_take_turns():
    """Several pairs of tags rotate, match by match."""
    tags = Tags(["<a>", "<b>"], ["</a>", "</b>"])
    found = tags.fragments(sentences_of(["One. ", "Two. ", "Three."]), [True, True, True])
    assert found.fragments == ("<a>One.</a>", "<b>Two.</b>", "<a>Three.</a>")


async def test_documents_come_in_order_of_relevance(client, tiny):
    """The order is that of the ranking head, best first, ties as they came; top_n cuts it."""
    documents = [*DOCUMENTS, MILL]
    scores = [one.ranking_score or 0.0 for one in tiny.compress(QUERY, documents)]
    expected = sorted(range(len(scores)), key=lambda index: -scores[index])
    for fields in ({}, {"top_n": 2}, {"top_n": 99, "return_documents": True, "rank_fields": ["text"]}):
        response = await client.post("/v1/rerank", json={"query": QUERY, "documents": documents, **fields})
        results = response.json()["results"]
        assert [one["index"] for one in results] == expected[: fields.get("top_n")]
        assert [one["relevance_score"] for one in results] == [scores[one["index"]] for one in results]
        if "return_documents" in fields:
            assert [one["document"]["text"] for one in results] == [documents[one["index"]] for one in results]


async def test_documents_may_be_objects_with_a_text(client):
    """Documents as Cohere and Jina also take them rank as their texts do; no documents give no results."""
    body = {"query": QUERY, "documents": [{"text": MILL, "id": 1}, DOCUMENTS[1]], "model": None}
    as_objects = (await client.post("/v1/rerank", json=body)).json()["results"]
    as_texts = (await client.post("/v1/rerank", json={**body, "documents": DOCUMENTS[:2]})).json()["results"]
    assert as_objects == as_texts
    assert (await client.post("/v1/rerank", json={**body, "documents": []})).json()["results"] == []


@pytest.mark.parametrize("wrong", [{"title": "x"}, {"text": 3}, 3, None])
async def test_a_document_without_a_text(client, wrong):
    """A document that is neither a string nor has a text is 422, by its place."""
    response = await client.post("/v1/rerank", json={"query": QUERY, "documents": [MILL, wrong]})
    assert response.status_code == 422
    assert "documents[1]: must be a string, or" in response.json()["error"]["message"]


async def test_a_model_that_does_not_rank(serve):
    """Where there is no ranking head, reranking is 422 not_supported, and the list of models says so beforehand."""
    client = await serve(Scripted(ranking_score=None))
    response = await client.post("/v1/rerank", json={"query": QUERY, "documents": [MILL]})
    assert response.status_code == 422
    assert response.json()["error"]["type"] == "not_supported"
    assert "scripted has no ranking head" in response.json()["error"]["message"]
    assert (await client.get("/v1/models")).json()["data"][0]["ranks"] is False


async def test_a_policy_only_the_model_knows_is_not_guessed(serve):
    """Where the compressor's policy is no more than `Default()`, what matches has to be said."""
    client = await serve(Scripted(policy=Default() | TopK(1)))
    body = {"queries": [QUERY], "texts": [[MILL]]}
    response = await client.post("/v1/highlight", json=body)
    assert (response.status_code, response.json()["error"]["type"]) == (422, "not_supported")
    assert (await client.post("/v1/highlight", json={**body, "threshold": 0.5})).status_code == 200


async def test_a_document_that_fails_is_not_ranked_silently(serve):
    """A document that cannot be read fails the request: no score would be true."""
    client = await serve(Scripted(broken="bad"))
    response = await client.post("/v1/rerank", json={"query": QUERY, "documents": [MILL, "bad"]})
    assert response.status_code == 500
    assert "documents[1] could not be read" in response.json()["error"]["message"]
