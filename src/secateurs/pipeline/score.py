"""Second step: what the model says of a document's windows becomes the scores of its sentences; numpy only."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from secateurs.model.scorer import WindowScores
from secateurs.pipeline.documents import Draft, Scored
from secateurs.result.span import Sentence
from secateurs.result.token_scores import Floats, OffsetSource, TokenScores
from secateurs.windows.aggregate import Rule, fill_missing


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
    scores = sentence_scores(draft, tokens, rule)
    sentences = tuple(
        Sentence(start, end, draft.original[start:end], float(score), kept=True)
        for (start, end), score in zip(draft.spans, scores, strict=True)
    )
    logits = [window.ranking for window in windows if window.ranking is not None]
    ranking = _sigmoid(max(logits)) if logits else None
    warnings = draft.plan.warnings if draft.plan else ()
    token_scores = None if locate is None else _token_scores(draft, tokens, locate)
    return Scored(draft.original, sentences, ranking, warnings, token_scores)


def sentence_scores(draft: Draft, tokens: Floats, rule: Rule) -> Sequence[float]:
    """Return one score a sentence; zeros for a blank document, and where the encoder knows nothing of it.

    Args:
        draft: The document.
        tokens: Log-odds of its tokens.
        rule: Its family's rule.

    Shape:
        tokens: (tokens,), result: (sentences,).
    """
    if draft.plan is None or not len(tokens):
        return [0.0] * len(draft.spans)
    plan = draft.plan
    return list(map(float, fill_missing(rule(tokens, plan.part_lengths, plan.part_sentences, len(draft.spans)))))


def _token_scores(draft: Draft, tokens: Floats, locate: OffsetSource) -> TokenScores:
    """Keep what the tokens scored, and how many each sentence has."""
    lengths = np.zeros(len(draft.spans), dtype=np.int64)
    if draft.plan is not None:
        np.add.at(lengths, draft.plan.part_sentences, draft.plan.part_lengths)
    ends = np.array([end for _, end in draft.spans], dtype=np.int64)
    return TokenScores(draft.original, ends, lengths, tokens, locate)


def _sigmoid(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1.0 + math.exp(logit))
