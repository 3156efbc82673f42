"""Second step: what the model says of a document's windows becomes the scores of its units; numpy only."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from secateurs.checkpoints import Checkpoint
from secateurs.model.scorer import WindowScores
from secateurs.pipeline.documents import Draft, Scored
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
    return Scored(draft.parts, sentences, ranking, warnings, _token_scores(draft, tokens, checkpoint))


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
    return [0.0 if unit.pure else float(score) for unit, score in zip(units, scores, strict=True)]


def _token_scores(draft: Draft, tokens: Floats, checkpoint: Checkpoint) -> TokenScores | None:
    """Keep what the tokens scored, and how many each unit has."""
    units = draft.parts.units
    locate = checkpoint.offsets(np.array([not unit.pure for unit in units], dtype=np.bool_))
    if locate is None:
        return None
    lengths = np.zeros(len(units), dtype=np.int64)
    if draft.plan is not None:
        np.add.at(lengths, draft.plan.part_sentences, draft.plan.part_lengths)
    ends = np.array([unit.end for unit in units], dtype=np.int64)
    return TokenScores(draft.original, ends, lengths, tokens, locate)


def _sigmoid(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1.0 + math.exp(logit))
