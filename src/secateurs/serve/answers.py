"""Results as the bodies of answers; large ones are made on threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any
from uuid import uuid4

from secateurs.adapters.order import in_order, spared
from secateurs.policy import Candidates, Policy
from secateurs.remote.units import write_units
from secateurs.result.compression import Compression
from secateurs.result.savings import TokenCounter
from secateurs.serve.effort import Effort
from secateurs.serve.refusal import RefusalError, encode
from secateurs.serve.schemas import CompressRequest, RerankRequest
from secateurs.serve.steps import at_every_threshold, parts_of
from secateurs.serve.tags import Tags


@dataclass(frozen=True)
class Highlighting:
    """How to highlight.

    Attributes:
        tags: What to put around matches.
        policy: Which sentences match.
        count: Counts LLM tokens, for policies that ask.
        only: Whether only matches are returned.
    """

    tags: Tags
    policy: Policy
    count: TokenCounter
    only: bool

    def show(self, result: Compression) -> dict[str, Any]:
        """Return the highlights of one text."""
        if result.status == "error":
            return {"fragments": [], "scores": [], "error": result.reason}
        matches = set(_matches(result, self.policy, self.count))
        shape = self.tags.fragments if self.only else self.tags.whole
        found = shape(result.sentences, [index in matches for index in range(len(result.sentences))])
        return {"fragments": list(found.fragments), "scores": list(found.scores), "error": None}


@dataclass(frozen=True)
class Finding:
    """How to find the relevant spans of a document.

    Attributes:
        policy: Which sentences are relevant.
        count: Counts LLM tokens, for policies that ask.
        most: How many spans a document, at most; None for all.
    """

    policy: Policy
    count: TokenCounter
    most: int | None = None

    def spans(self, result: Compression) -> list[dict[str, Any]]:
        """Return the spans of one document, the best first: what is relevant without a gap is one span.

        White space around a span is no part of it.
        """
        found: list[dict[str, Any]] = []
        units = _matches(result, self.policy, self.count)
        for _, run in groupby(enumerate(units), key=lambda numbered: numbered[1] - numbered[0]):
            some = [result.sentences[index] for _, index in run]
            text = result.original[some[0].start : some[-1].end]
            start = some[0].start + len(text) - len(text.lstrip())
            text = text.strip()
            if text:
                score = max(one.score for one in some)
                found.append({"start": start, "end": start + len(text), "score": score, "text": text})
        return sorted(found, key=lambda span: -span["score"])[: self.most]


def _matches(result: Compression, policy: Policy, count: TokenCounter) -> list[int]:
    """Return the units that match, in order; what is frame and nothing else never does."""
    if not result.original.strip():
        return []
    parts = parts_of(result)
    some = Candidates(
        [result.sentences[index] for index in parts.choices],
        lambda places: parts.text(parts.closure(parts.choices[place] for place in places)),
    )
    flags = policy(some, count)
    return [index for index, flag in zip(parts.choices, flags, strict=True) if flag]


def compressed(
    body: CompressRequest,
    facts: dict[str, str | None],
    count: TokenCounter,
    results: Sequence[Compression],
    effort: Effort,
) -> bytes:
    """Return the answer to a request to compress.

    Args:
        body: The request, in which everything is said.
        facts: The answer's own fields: the model, the policies, the elision mark.
        count: Counts LLM tokens as the results' savings do.
        results: One a document.
        effort: What making it may cost.

    Raises:
        CancelledError: Nobody waits for it any more.
    """
    order = in_order(results, rerank=bool(body.rerank), top_n=body.top_n)
    dropped = [index for index, one in enumerate(results) if one.status == "dropped"]
    places = [*(one.index for one in order), *dropped] if body.rerank else range(len(results))
    # written document by document: while one piece of JSON is made, no other thread of this process runs
    documents = [encode(_document(body, count, index, results[index], effort)) for index in places]
    savings = spared(results, order, count.encoding).to_dict()
    head, tail = encode(facts)[:-1], encode({"savings": savings})[1:]
    return b"".join((head, b',"documents":[', b",".join(documents), b"],", tail))


def _document(
    body: CompressRequest, count: TokenCounter, index: int, result: Compression, effort: Effort
) -> dict[str, Any]:
    effort.check()
    document = {"index": index, **result.to_dict()}
    if not body.return_texts:
        del document["text"]
        for sentence in document["sentences"]:
            del sentence["text"]
    if not body.return_spans:
        del document["spans"]
    if not body.return_scores:
        del document["sentences"]
    if body.return_steps:
        document.update(at_every_threshold(result, count, effort).to_dict())
    if body.return_units:
        document["units"] = write_units(parts_of(result))
    return document


def highlighted(
    model: str, how: Highlighting, sizes: Sequence[int], results: Sequence[Compression], effort: Effort
) -> bytes:
    """Return the answer to a request to highlight.

    Args:
        model: The model's name.
        how: How to highlight.
        sizes: How many texts each query has.
        results: One a text, every sentence kept.
        effort: What making it may cost.

    Raises:
        CancelledError: Nobody waits for it any more.
    """
    rest = iter(results)
    found = []
    for size in sizes:
        shown = []
        for result in islice(rest, size):
            effort.check()
            shown.append(encode(how.show(result)))
        found.append(b"[" + b",".join(shown) + b"]")
    return b"".join((encode({"model": model})[:-1], b',"results":[', b",".join(found), b"]}"))


def ranked(
    body: RerankRequest, model: str, finding: Finding | None, results: Sequence[Compression], effort: Effort
) -> bytes:
    """Return the answer to a request to order documents.

    Args:
        body: The request.
        model: The model's name.
        finding: How to find relevant spans; None where none are asked for.
        results: One a document.
        effort: What making it may cost.

    Raises:
        RefusalError: 500; a document failed, and there is no honest place for it.
        CancelledError: Nobody waits for it any more.
    """
    for index, one in enumerate(results):
        if one.status == "error":
            raise RefusalError(500, "internal", f"documents[{index}] could not be read: {one.reason}")
    scores = [one.ranking_score or 0.0 for one in results]
    order = sorted(range(len(scores)), key=lambda index: -scores[index])[: body.top_n]
    items: list[dict[str, Any]] = [{"index": index, "relevance_score": scores[index]} for index in order]
    if body.return_documents:
        for item in items:
            item["document"] = {"text": body.documents[item["index"]]}
    written = []
    for item in items:
        effort.check()
        if finding is not None:
            item["relevant_spans"] = finding.spans(results[item["index"]])
        written.append(encode(item))
    head = encode({"id": uuid4().hex, "model": model})[:-1]
    return b"".join((head, b',"results":[', b",".join(written), b"]}"))
