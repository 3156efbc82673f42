"""A document on its way through the compressor: drafted, then scored, then with fewer and fewer sentences kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from secateurs.model.scorer import WindowScores
from secateurs.policy import best_first, longest_fit
from secateurs.result.compression import Compression
from secateurs.result.savings import TokenCounter
from secateurs.result.span import Sentence, Span
from secateurs.result.token_scores import Floats, OffsetSource, TokenScores
from secateurs.windows.aggregate import Rule, fill_missing
from secateurs.windows.packing import WindowPlan


@dataclass(frozen=True)
class Draft:
    """A document on its way: its spans and windows, or why it will not be compressed, or its scores, if known."""

    query: str
    original: str
    spans: tuple[Span, ...] = ()
    plan: WindowPlan | None = None
    failure: BaseException | None = None
    known: Scored | None = None


@dataclass(frozen=True)
class Scored:
    """A document with sentence scores, before anything is cut."""

    original: str
    sentences: tuple[Sentence, ...]
    ranking_score: float | None
    warnings: tuple[str, ...]
    token_scores: TokenScores | None = None
    policy: str | None = None


def spend(items: Sequence[Scored | Compression], budget: int, count: TokenCounter) -> list[Scored | Compression]:
    """Keep the best of the kept sentences of all documents while their texts count at most `budget` LLM tokens.

    Documents that are already decided (failed ones) and blank ones are not cut; what they cost is spent first.

    Args:
        items: Documents with the sentences a policy kept.
        budget: LLM tokens.
        count: Counts the LLM tokens of a text.

    Returns:
        The documents with fewer sentences kept.
    """
    open_items = [(index, item) for index, item in enumerate(items) if isinstance(item, Scored) and _is_open(item)]
    places = [
        (index, position, sentence)
        for index, item in open_items
        for position, sentence in enumerate(item.sentences)
        if sentence.kept
    ]
    order = best_first([sentence for _, _, sentence in places])
    spent = sum(
        item.savings.after if isinstance(item, Compression) else count(item.original)
        for item in items
        if isinstance(item, Compression) or not _is_open(item)
    )

    def chosen(some: Sequence[int]) -> dict[int, list[int]]:
        by_document: dict[int, list[int]] = {}
        for place in sorted(some):
            by_document.setdefault(places[place][0], []).append(place)
        return by_document

    def cost(some: Sequence[int]) -> int:
        texts = ("".join(places[place][2].text for place in mine) for mine in chosen(some).values())
        return sum(map(count, texts))

    fits = order[: longest_fit(order, budget - spent, cost)]
    stays = {(places[place][0], places[place][1]) for place in fits}
    result = list(items)
    for index, item in open_items:
        flags = [(index, position) in stays for position in range(len(item.sentences))]
        policy = None if item.policy is None else f"{item.policy}, max_total_tokens={budget}"
        result[index] = replace(item, sentences=mark(item.sentences, flags), policy=policy)
    return result


def _is_open(item: Scored) -> bool:
    """Tell whether there is something to decide: a blank document goes back as it is."""
    return bool(item.sentences) and bool(item.original.strip())


def reduce_scores(draft: Draft, windows: Sequence[WindowScores], rule: Rule, locate: OffsetSource | None) -> Scored:
    """Turn the token scores of a document's windows into sentences with scores, all of them kept so far.

    Args:
        draft: The document.
        windows: Scores of its windows.
        rule: Its family's rule.
        locate: Tells where its tokens stand, carried along; None where no single token is scored.

    Returns:
        The document, scored.
    """
    tokens = np.concatenate([window.tokens for window in windows]) if windows else np.zeros(0, dtype=np.float32)
    if draft.plan is None or not windows:  # blank, or nothing the encoder knows
        scores = np.zeros(len(draft.spans))
    else:
        scores = fill_missing(rule(tokens, draft.plan.part_lengths, draft.plan.part_sentences, len(draft.spans)))
    sentences = tuple(
        Sentence(start, end, draft.original[start:end], float(score), kept=True)
        for (start, end), score in zip(draft.spans, scores, strict=True)
    )
    logits = [window.ranking for window in windows if window.ranking is not None]
    ranking = _sigmoid(max(logits)) if logits else None
    warnings = draft.plan.warnings if draft.plan else ()
    token_scores = None if locate is None else _token_scores(draft, tokens, locate)
    return Scored(draft.original, sentences, ranking, warnings, token_scores)


def _token_scores(draft: Draft, tokens: Floats, locate: OffsetSource) -> TokenScores:
    """Keep what the tokens scored, and how many each sentence has."""
    lengths = np.zeros(len(draft.spans), dtype=np.int64)
    if draft.plan is not None:
        np.add.at(lengths, draft.plan.part_sentences, draft.plan.part_lengths)
    ends = np.array([end for _, end in draft.spans], dtype=np.int64)
    return TokenScores(draft.original, ends, lengths, tokens, locate)


def mark(sentences: Sequence[Sentence], flags: Sequence[bool]) -> tuple[Sentence, ...]:
    """Return the sentences with the flags a policy gave them."""
    if len(flags) != len(sentences):
        raise ValueError(f"the policy returned {len(flags)} flags for {len(sentences)} sentences")
    return tuple(replace(sentence, kept=bool(flag)) for sentence, flag in zip(sentences, flags, strict=True))


def _sigmoid(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1.0 + math.exp(logit))
