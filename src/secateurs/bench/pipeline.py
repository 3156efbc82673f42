"""The steps around the forward pass one by one, as the compressor takes them."""

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
from secateurs.result.savings import TokenCounter
from secateurs.result.span import Span
from secateurs.segment import check_tiling, get_segmenter
from secateurs.windows.aggregate import Rule, fill_missing, mean_scores
from secateurs.windows.packing import Window, WindowPlan

POOLED_TOKENS, POOLED_SENTENCES = 100_000, 4_000

Scores = NDArray[np.float64]
_CPU = torch.device("cpu")  # these steps end on the host, whatever the model runs on


@dataclass(frozen=True)
class Prepared:
    """Documents that are ready for the encoder.

    Attributes:
        plans: The windows of each document.
        sentences: Sentences of each document.
        split: Seconds that splitting took.
        tokenize: Seconds that tokenizing and laying out windows took.
    """

    plans: tuple[WindowPlan, ...]
    sentences: tuple[int, ...]
    split: float
    tokenize: float

    @property
    def windows(self) -> list[Window]:
        """The windows of all documents, in document order."""
        return [window for plan in self.plans for window in plan.windows]


def prepare(checkpoint: Checkpoint, corpus: Corpus) -> Prepared:
    """Split and tokenize; the query once."""
    spans = timed(lambda: _split(corpus.documents), _CPU)
    plans = timed(lambda: _plan(checkpoint, corpus, spans.result), _CPU)
    return Prepared(tuple(plans.result), tuple(map(len, spans.result)), spans.seconds, plans.seconds)


def _split(documents: Sequence[str]) -> list[list[Span]]:
    segment = get_segmenter()
    return [check_tiling(segment(document), document) for document in documents]


def _plan(checkpoint: Checkpoint, corpus: Corpus, spans: Sequence[Sequence[Span]]) -> list[WindowPlan]:
    query = checkpoint.encode_query(corpus.query)
    plans = []
    for document, own in zip(corpus.documents, spans, strict=True):
        sentences = checkpoint.encode_sentences([document[start:end] for start, end in own])
        plans.append(checkpoint.layout.plan(query, sentences))
    return plans


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
    for plan, sentences in zip(prepared.plans, prepared.sentences, strict=True):
        tokens = np.concatenate([np.zeros(0, np.float32), *(next(waiting) for _ in plan.windows)])
        scores.append(fill_missing(rule(tokens, plan.part_lengths, plan.part_sentences, sentences)))
    return scores


def count_seconds(documents: Sequence[str], count: TokenCounter) -> float:
    """Return the seconds that counting LLM tokens takes: of each document, and of half of it, as if cut."""
    texts = [text for document in documents for text in (document, document[: len(document) // 2])]
    return timed(lambda: [count(text) for text in texts], _CPU).seconds


def pooling_seconds() -> float:
    """Return the seconds from 100,000 token scores to 4,000 sentence scores."""
    rng = np.random.default_rng(0)
    odds = rng.normal(size=POOLED_TOKENS).astype(np.float32)
    lengths = np.full(POOLED_SENTENCES, POOLED_TOKENS // POOLED_SENTENCES, dtype=np.int64)
    owners = np.arange(POOLED_SENTENCES, dtype=np.int64)
    return timed(lambda: fill_missing(mean_scores(odds, lengths, owners, POOLED_SENTENCES)), _CPU).seconds
