"""Rows in, columns out. Whatever is wrong with one row is that row's alone, and never raised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from secateurs.adapters.order import in_order
from secateurs.errors import own_failure
from secateurs.policy import Distinct, ranks
from secateurs.result.compression import Compression
from secateurs.result.savings import TokenCounter
from secateurs.support.arguments import check_query

if TYPE_CHECKING:
    from secateurs.compressor import Compressor
    from secateurs.policy import Policy

Cells = Mapping[str, Any]

COLUMNS = (
    *("text", "status", "reason", "ranking_score", "warnings"),
    *("spans", "sentences", "scores", "frames", "savings"),
)
ORDER = "order"


@dataclass(frozen=True, slots=True)
class Together:
    """What is asked of the documents of one row together.

    Attributes:
        max_total_tokens: Keep at most this many LLM tokens of all of them.
        rerank: Whether to say in which order they come back.
        top_n: How many come back.
        distinct: Whether one copy stays of what several of them say.
    """

    max_total_tokens: int | None = None
    rerank: bool = False
    top_n: int | None = None
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """A document that did not get as far as the model.

    Attributes:
        document: What stood in its place.
        reason: Why, as in `Compression.reason`.
    """

    document: object
    reason: str


def compress_rows(
    compressor: Compressor,
    queries: Sequence[object],
    documents: Sequence[object],
    policy: Policy,
    *,
    elision: str | None = None,
    together: Together = Together(),
) -> list[Cells]:
    """Compress one document, or a list of documents, for the query of each row.

    All rows are batched together, but where each has a budget of its own, keeps one copy, or lets documents compete.

    Args:
        compressor: Compresses.
        queries: A query a row.
        documents: A document, or a list of documents, a row.
        policy: Which sentences stay.
        elision: What stands where something was cut; None for the compressor's own.
        together: What is asked of the documents of a row together.

    Returns:
        For each row the values of `COLUMNS`, as JSON types: `sentences` and `spans` are [start, end] pairs in code
        points, `scores` holds one probability a sentence, `frames` the indices of those kept as frame alone. A row
        with a list of documents has lists of those, one entry a document. What is no query or no document has
        `status` `"error"` and, where it is a text, itself as `text`. With `rerank` there is `ORDER`, too: the indices
        of the documents that come back, the best first.
    """
    drafts = [_drafts(query, value) for query, value in zip(queries, documents, strict=True)]
    options = {"policy": policy} if elision is None else {"policy": policy, "elision": elision}
    count = TokenCounter(compressor.encoding)
    rows: list[Cells] = []
    for value, found in zip(documents, _results(compressor, drafts, options, together), strict=True):
        cells = [_cells(one, count) for one in found]
        many = isinstance(value, list)
        row = {name: [cell[name] for cell in cells] if many else cells[0][name] for name in COLUMNS}
        rows.append({**row, ORDER: _order(found, together)} if together.rerank else row)
    return rows


def _results(
    compressor: Compressor,
    drafts: Sequence[Sequence[tuple[str, str] | Failed]],
    options: Mapping[str, Any],
    together: Together,
) -> list[list[Compression | Failed]]:
    """Return what becomes of each document of each row."""
    each = [[one for one in row if not isinstance(one, Failed)] for row in drafts]
    if together.max_total_tokens is None and not together.distinct and not ranks(options["policy"]):
        done = _compress(compressor, [pair for pairs in each for pair in pairs], options)
    else:  # one call spends one budget, and knows one row's documents
        asked = {**options, "max_total_tokens": together.max_total_tokens}
        if together.distinct:
            asked["distinct"] = Distinct(by_ranking=together.rerank)
        done = [one for pairs in each for one in _compress(compressor, pairs, asked)]
    rest = iter(done)
    return [[one if isinstance(one, Failed) else next(rest) for one in row] for row in drafts]


def _order(found: Sequence[Compression | Failed], together: Together) -> list[int]:
    """Return the indices of the documents that come back, best first; those that failed have no score."""
    scored = [None if isinstance(one, Failed) else one for one in found]
    return [one.index for one in in_order(scored, rerank=True, top_n=together.top_n)]


def _drafts(query: object, value: object) -> list[tuple[str, str] | Failed]:
    """Return a (query, document) pair for each document, or what is wrong."""
    documents = value if isinstance(value, list) else [value]
    try:
        check_query(query)
    except (TypeError, ValueError) as error:
        return [Failed(document, _reason(error)) for document in documents]
    return [_draft(str(query), document) for document in documents]


def _draft(query: str, document: object) -> tuple[str, str] | Failed:
    if isinstance(document, str):
        return query, document
    return Failed(document, f"error: TypeError: the document must be a string, got {type(document).__name__}")


def _compress(
    compressor: Compressor, pairs: Sequence[tuple[str, str]], options: Mapping[str, Any]
) -> list[Compression | Failed]:
    """Compress pairs; where that fails as a whole, halve them until what fails is alone."""
    results: list[Compression | Failed] = []
    waiting = [pairs] if pairs else []
    while waiting:
        some = waiting.pop()
        try:
            results += compressor.compress_pairs(some, **options)
        except BaseException as error:
            failure = own_failure(error)
            if len(some) == 1:
                results.append(Failed(some[0][1], _reason(failure)))
            else:
                middle = len(some) // 2
                waiting += [some[middle:], some[:middle]]
    return results


def _reason(error: BaseException) -> str:
    return f"error: {type(error).__name__}: {error}"


def _cells(result: Compression | Failed, count: TokenCounter) -> Cells:
    if isinstance(result, Failed):
        text = result.document if isinstance(result.document, str) else None
        tokens = _tokens(text, count)
        savings = count.savings(tokens, tokens, exact=True)
        empty: dict[str, Any] = {name: [] for name in ("warnings", "spans", "sentences", "scores", "frames")}
        failed = {"status": "error", "reason": result.reason, "ranking_score": None, "savings": savings.to_dict()}
        return {**empty, **failed, "text": text}
    facts = result.to_dict()
    sentences = facts.pop("sentences")
    return {
        **facts,
        "sentences": [[one["start"], one["end"]] for one in sentences],
        "scores": [one["score"] for one in sentences],
        "frames": [index for index, one in enumerate(sentences) if "frame" in one],
    }


def _tokens(text: str | None, count: TokenCounter) -> int:
    try:
        return 0 if text is None else count(text)
    except BaseException as error:
        own_failure(error)
        return 0
