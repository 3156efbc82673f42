"""Provence: naver's English pruner on DeBERTa-v3.

`deberta.*` with three heads beside it: `token_classifier` keeps tokens, `pooler` and `classifier` rank. The query is
lower-cased and loses its ASCII punctuation, as in training. A sentence is kept if the share of its tokens above the
threshold exceeds the threshold.

Licence: CC BY-NC-ND 4.0 by the current licence file (older texts say BY-NC and BY): not for commercial use, and
converted weights may not be passed on.

Not copied from the reference: kept text decoded from token ids (ours is sliced from the source), a literal control
token in the text, the score of a document that is dropped.

Source: github.com/naver/bergen, scripts/provence; Chirkova et al. 2025.
"""

from __future__ import annotations

import string

from secateurs.checkpoints.backbones import DEBERTA_NAMES, read_deberta
from secateurs.checkpoints.family import Blueprint, Family, Published, RawConfig, Shapes, spaced
from secateurs.policy import Threshold
from secateurs.windows.aggregate import vote_scores

DEFAULT_THRESHOLD = 0.1
NAMES = {
    **DEBERTA_NAMES,
    "pooler.dense": "ranking.dense",
    "classifier": "ranking.classifier",
    "token_classifier": "pruning",
}
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def _read(config: RawConfig, where: str, present: Shapes) -> Blueprint:
    shape = read_deberta(config, where)
    return Blueprint(shape, NAMES, shape.max_tokens, Threshold(DEFAULT_THRESHOLD))


def normalize_query(query: str) -> str:
    """Lower-case, remove ASCII punctuation, collapse white space; a query of nothing else stays as it is.

    Example:
        >>> normalize_query("What's  an API?")
        'whats an api'
    """
    return " ".join(query.lower().translate(_PUNCTUATION).split()) or query


FAMILY = Family(
    name="provence",
    model_type="Provence",
    licence="CC BY-NC-ND 4.0",
    read=_read,
    rule=vote_scores,
    query=normalize_query,
    sentences=spaced,
    published=(Published("naver/provence-reranker-debertav3-v1", "435M", "English", 512, DEFAULT_THRESHOLD),),
)
