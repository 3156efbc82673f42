"""The steps around the forward pass, timed one by one: the pipeline's own functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from secateurs.bench.clock import timed
from secateurs.bench.corpus import Corpus
from secateurs.bench.variants import Floats
from secateurs.checkpoints import Checkpoint
from secateurs.pipeline.cut import cut
from secateurs.pipeline.documents import Draft, Scored
from secateurs.pipeline.draft import plan
from secateurs.pipeline.score import unit_scores
from secateurs.result.join import Parts
from secateurs.result.savings import TokenCounter
from secateurs.result.span import Sentence
from secateurs.segment import get_cutter
from secateurs.windows.aggregate import Rule, fill_missing, mean_scores
from secateurs.windows.packing import Window

POOLED_TOKENS, POOLED_SENTENCES = 100_000, 4_000

Scores = NDArray[np.float64]
_CPU = torch.device("cpu")  # these steps end on the host, whatever the model runs on


@dataclass(frozen=True)
class Prepared:
    """Documents that are ready for the encoder.

    Attributes:
        drafts: The documents, with their windows.
        split: Seconds that splitting took.
        tokenize: Seconds that tokenizing and laying out windows took.
    """

    drafts: tuple[Draft, ...]
    split: float
    tokenize: float

    @property
    def windows(self) -> list[Window]:
        """The windows of all documents, in document order."""
        return [window for draft in self.drafts for window in windows_of(draft)]


def windows_of(draft: Draft) -> tuple[Window, ...]:
    """Return the windows of a document; a blank one has none."""
    return draft.plan.windows if draft.plan else ()


def prepare(checkpoint: Checkpoint, corpus: Corpus) -> Prepared:
    """Split and tokenize; the query once."""
    cutter = get_cutter()
    parts = timed(lambda: [Parts(document, tuple(cutter(document))) for document in corpus.documents], _CPU)

    def plan_all() -> list[Draft]:
        query = checkpoint.encode_query(corpus.query)
        return [Draft(own, plan(own.original, own.units, query, checkpoint)) for own in parts.result]

    drafts = timed(plan_all, _CPU)
    return Prepared(tuple(drafts.result), parts.seconds, drafts.seconds)


def pool(rule: Rule, prepared: Prepared, log_odds: Sequence[Floats]) -> list[Scores]:
    """Make sentence scores of token scores.

    Args:
        rule: The family's rule.
        prepared: The documents.
        log_odds: Of each window's document tokens, windows in order.

    Returns:
        The sentence scores of each document.
    """
    waiting = iter(log_odds)
    scores = []
    for draft in prepared.drafts:
        tokens = np.concatenate([np.zeros(0, np.float32), *(next(waiting) for _ in windows_of(draft))])
        scores.append(np.array(unit_scores(draft, tokens, rule)))
    return scores


def cut_seconds(drafts: Sequence[Draft], count: TokenCounter) -> float:
    """Return the seconds that cutting and counting takes, if every other sentence stays."""
    documents = [_halved(draft) for draft in drafts]
    return timed(lambda: [cut(document, count) for document in documents], _CPU).seconds


def _halved(draft: Draft) -> Scored:
    sentences = tuple(
        Sentence(unit.start, unit.end, draft.original[unit.start : unit.end], 0.5, kept=True)
        for unit in draft.parts.units
    )
    document = Scored(draft.parts, sentences, None, ())
    return document.choose([place % 2 == 0 for place in range(len(document.choices))])


def pooling_seconds() -> float:
    """Return the seconds from 100,000 token scores to 4,000 sentence scores."""
    rng = np.random.default_rng(0)
    odds = rng.normal(size=POOLED_TOKENS).astype(np.float32)
    lengths = np.full(POOLED_SENTENCES, POOLED_TOKENS // POOLED_SENTENCES, dtype=np.int64)
    owners = np.arange(POOLED_SENTENCES, dtype=np.int64)
    return timed(lambda: fill_missing(mean_scores(odds, lengths, owners, POOLED_SENTENCES)), _CPU).seconds
