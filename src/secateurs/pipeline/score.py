"""Second step: what the model says of a document's windows becomes the scores of its units; numpy only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from secateurs.checkpoints import Checkpoint
from secateurs.model.scorer import WindowScores
from secateurs.pipeline.documents import Draft, Failed, Scored
from secateurs.pipeline.draft import readable
from secateurs.pipeline.sift import SKIPPED
from secateurs.result.span import Sentence
from secateurs.result.token_scores import Floats, TokenScores
from secateurs.windows.aggregate import Rule, fill_missing


def reduce_scores(draft: Draft, windows: Sequence[WindowScores], checkpoint: Checkpoint) -> Scored:
    """Turn the token scores of a document's windows into units with scores, all of them kept so far.

    Args:
        draft: The document.
        windows: Scores of its windows.
        checkpoint: Whose rule.

    Returns:
        The document, scored.
    """
    tokens = np.concatenate([window.tokens for window in windows]) if windows else np.zeros(0, dtype=np.float32)
    sentences = tuple(
        Sentence(unit.start, unit.end, draft.original[unit.start : unit.end], score, True, unit.pure)
        for unit, score in zip(draft.parts.units, unit_scores(draft, tokens, checkpoint.family.rule), strict=True)
    )
    logits = [window.ranking for window in windows if window.ranking is not None]
    ranking = _sigmoid(max(logits)) if logits else None
    warnings = draft.plan.warnings if draft.plan else ()
    signs = None
    if draft.sifted is not None:
        warnings, signs = (*warnings, SKIPPED), draft.sifted.signs
    found = _token_scores(draft, tokens, checkpoint)
    return Scored(draft.parts, sentences, ranking, warnings, found, signs=signs)


def best_of(first: Scored | Failed, others: Sequence[tuple[Scored | Failed, float]]) -> Scored | Failed:
    """Return a document with the best of the scores that several queries gave each unit.

    Args:
        first: The document, scored for its query.
        others: The same, each scored for a further query, with what those scores are multiplied by.

    Returns:
        It; token scores are those of the first query. The failure, where one of them failed.
    """
    if not others or isinstance(first, Failed):
        return first
    scores = [one.score for one in first.sentences]
    ranking, warnings = first.ranking_score, first.warnings
    for other, weight in others:
        if isinstance(other, Failed):
            return other
        scores = [max(score, weight * one.score) for score, one in zip(scores, other.sentences, strict=True)]
        if ranking is not None and other.ranking_score is not None:
            ranking = max(ranking, weight * other.ranking_score)
        warnings = tuple(dict.fromkeys((*warnings, *other.warnings)))
    pairs = zip(first.sentences, scores, strict=True)
    sentences = tuple(one if one.score == score else replace(one, score=score) for one, score in pairs)
    return replace(first, sentences=sentences, ranking_score=ranking, warnings=warnings)


def unit_scores(draft: Draft, tokens: Floats, rule: Rule) -> list[float]:
    """Return one score a unit; zeros for pure frame, a blank document, and where the encoder knows nothing of it.

    Args:
        draft: The document.
        tokens: Log-odds of its tokens.
        rule: Its family's rule.

    Shape:
        tokens: (tokens,), result: (units,).
    """
    units, plan = draft.parts.units, draft.plan
    if plan is None or not len(tokens):
        return [0.0] * len(units)
    scores = fill_missing(rule(tokens, plan.part_lengths, plan.part_sentences, len(units)))
    found = [0.0 if unit.pure else float(score) for unit, score in zip(units, scores, strict=True)]
    return found if draft.sifted is None else draft.sifted.filled(found)


def _token_scores(draft: Draft, tokens: Floats, checkpoint: Checkpoint) -> TokenScores | None:
    """Keep what the tokens scored, and how many each unit has."""
    units = draft.parts.units
    locate = checkpoint.offsets(readable(units, draft.sifted))
    if locate is None:
        return None
    lengths = np.zeros(len(units), dtype=np.int64)
    if draft.plan is not None:
        np.add.at(lengths, draft.plan.part_sentences, draft.plan.part_lengths)
    ends = np.array([unit.end for unit in units], dtype=np.int64)
    return TokenScores(draft.original, ends, lengths, tokens, locate)


def _sigmoid(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1.0 + math.exp(logit))
