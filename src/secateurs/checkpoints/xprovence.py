"""XProvence: naver's multilingual pruner on XLM-RoBERTa.

`roberta.*` and `token_classifier`; the ranking head is either `roberta.pooler` with `classifier`, or
`classifier.dense` with `classifier.out_proj`: the same arithmetic under two names. One separator stands between
query and document, where XLM-RoBERTa's own pairs have two. The rule is Provence's; the query stays as it is.

Licence: CC BY-NC-ND 4.0: not for commercial use, and converted weights may not be passed on.

Source: the model cards, and code that runs the published files; the authors' own code was not available.
"""

from __future__ import annotations

from dataclasses import replace

from secateurs.checkpoints.backbones import ROBERTA_NAMES, read_xlm_roberta
from secateurs.checkpoints.family import Blueprint, Family, Published, RawConfig, Shapes, spaced
from secateurs.errors import CheckpointError
from secateurs.policy import Threshold
from secateurs.windows.aggregate import vote_scores
from secateurs.windows.packing import Template

DEFAULT_THRESHOLD = 0.3
_CHINESE = (
    '"Lost in Compression" (arXiv 2608.26175, known here by a digest) reports that at its aggressive threshold it'
    " empties 92 % of Chinese contexts; v1 has no language gap there. Not reproduced here. Choose a threshold on your"
    " own data: secateurs evaluate DATA --model MODEL --calibrate"
)
_POOLER = {"roberta.pooler.dense": "ranking.dense", "classifier": "ranking.classifier"}
_BGE = {"classifier.dense": "ranking.dense", "classifier.out_proj": "ranking.classifier"}


def _read(config: RawConfig, where: str, present: Shapes) -> Blueprint:
    shape = read_xlm_roberta(config, where)
    heads = [head for head in (_POOLER, _BGE) if any(name.rpartition(".")[0] in head for name in present)]
    if len(heads) > 1:
        raise CheckpointError(
            f"{where}: the weights beside it hold two ranking heads, {' + '.join(_POOLER)} and {' + '.join(_BGE)}: "
            "which one was trained cannot be known. Remove the tensors of the other one."
        )
    names = {**ROBERTA_NAMES, **(heads[0] if heads else _POOLER), "token_classifier": "pruning"}
    return Blueprint(shape, names, shape.max_tokens, Threshold(DEFAULT_THRESHOLD))


def one_separator(template: Template) -> Template:
    """Return the template with one separator between query and document."""
    return replace(template, between=template.between[:1])


FAMILY = Family(
    name="xprovence",
    model_type="XProvence",
    licence="CC BY-NC-ND 4.0",
    read=_read,
    rule=vote_scores,
    template=one_separator,
    sentences=spaced,
    published=(
        Published("naver/xprovence-reranker-bgem3-v1", "568M", "16 languages", 8192, DEFAULT_THRESHOLD),
        Published("naver/xprovence-reranker-bgem3-v2", "568M", "16 languages", 8192, DEFAULT_THRESHOLD, _CHINESE),
    ),
)
