"""OpenSearch semantic highlighter: BERT whose head reads the mean vector of each sentence.

`bert.*` and `classifier`, two rows. Nothing in such a checkpoint tells it from an ordinary two-class BERT, so it is
loaded only where the caller names the family. Query and document are token types 0 and 1. A sentence is kept from
0.5 on; if none is, the best one from 0.05 on.

Not copied from the reference: sentences that exist only as padding; windows that overlap by 128 tokens, which score
a sentence several times and from fragments; the fall-back in every window (ours acts once a document).

Source: github.com/opensearch-project/opensearch-py-ml (Apache-2.0).
"""

from __future__ import annotations

import re

from secateurs.checkpoints.backbones import BERT_LAYERS, read_bert
from secateurs.checkpoints.family import Blueprint, Family, Published, RawConfig, Shapes
from secateurs.policy import Threshold, TopK
from secateurs.windows.aggregate import head_scores

DEFAULT_THRESHOLD = 0.5
FALL_BACK = 0.05
MAX_LENGTH = 510  # of 512 positions; the reference cuts its windows there
NAMES = {**{f"bert.{theirs}": ours for theirs, ours in BERT_LAYERS.items()}, "classifier": "pruning"}


def _read(config: RawConfig, where: str, present: Shapes) -> Blueprint:
    return Blueprint(
        shape=read_bert(config, where),
        names=NAMES,
        max_length=MAX_LENGTH,
        default_policy=Threshold(DEFAULT_THRESHOLD) | (TopK(1) & Threshold(FALL_BACK)),
    )


FAMILY = Family(
    name="opensearch",
    model_type="bert",
    licence="Apache-2.0",
    read=_read,
    rule=head_scores,
    reads_tokens=False,
    detected=False,
    ranked=False,
    ignored=re.compile(r"bert\.pooler\..*"),  # trained for another task, never read
    published=(
        Published(
            "opensearch-project/opensearch-semantic-highlighter-v1", "110M", "English", MAX_LENGTH, DEFAULT_THRESHOLD
        ),
    ),
)
