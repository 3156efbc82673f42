"""The OpenProvence layout: hotchpotch's pruners, zilliz's bilingual highlighter, and the bundled model.

A complete sequence-classification model under `ranking_model.` and a token head under `pruning_head.`. The backbone
is described by `base_model_config`. Sentences are tokenized one by one, nothing is put between them; a sentence's
score is the mean of its tokens' probabilities.

Not copied from the reference: ranges shifted by a title, a context looked for inside the query, windows one token
too long with four control tokens, and silent random weights.

Source: github.com/hotchpotch/open_provence (MIT).
"""

from __future__ import annotations

import re

from secateurs.checkpoints.backbones import BACKBONES, TOWER_NAMES, read_tower
from secateurs.checkpoints.family import Blueprint, Family, Published, RawConfig, Shapes
from secateurs.checkpoints.files import need
from secateurs.errors import CheckpointError, in_short
from secateurs.model.encoders import EncoderConfig
from secateurs.model.similarity import SimilarityConfig
from secateurs.policy import Threshold
from secateurs.windows.aggregate import mean_scores

DEFAULT_THRESHOLD = 0.1
DEFAULT_MAX_LENGTH = 512
_HEAD = {"pruning_head.classifier": "pruning", "pruning_head": "pruning"}


def _read(config: RawConfig, where: str, present: Shapes) -> Blueprint:
    base = config.get("base_model_config")
    kind = base.get("model_type") if isinstance(base, dict) else None
    if not isinstance(base, dict) or not isinstance(kind, str) or kind not in BACKBONES:
        raise CheckpointError(
            f"{where}: 'base_model_config' must describe the backbone with a 'model_type' of "
            f"{', '.join(BACKBONES)}, got {in_short(kind)}."
        )
    backbone = BACKBONES[kind]
    # Older checkpoints lack the prefix, all of them or none.
    prefix = "ranking_model." if any(name.startswith("ranking_model.") for name in present) else ""
    shape = backbone.read(base, where)
    return Blueprint(
        shape=shape,
        names={**{prefix + theirs: ours for theirs, ours in backbone.names.items()}, **_HEAD, **TOWER_NAMES},
        max_length=_max_length(config, where),
        default_policy=Threshold(_threshold(config, where)),
        similarity=_tower(config, shape, where),
    )


def _tower(config: RawConfig, shape: EncoderConfig, where: str) -> SimilarityConfig | None:
    """Read the tower beside the encoder, which is an addition of ours to the layout; None where there is none."""
    tower = config.get("similarity")
    if tower is None:
        return None
    if not isinstance(tower, dict) or shape.kind != "post-norm":
        raise CheckpointError(
            f"{where}: 'similarity' must describe a tower of BERT layers beside an encoder of such, got "
            f"{in_short(tower)} beside {shape.kind!r}."
        )
    found = read_tower(tower, shape.layers, where)
    if max(found.begin, found.end) >= shape.vocab_size or min(found.begin, found.end) < 0:
        raise CheckpointError(f"{where}: control tokens of 'similarity' are beyond the vocabulary.")
    return found


def _max_length(config: RawConfig, where: str) -> int:
    return DEFAULT_MAX_LENGTH if config.get("max_length") is None else int(need(config, "max_length", int, where))


def _threshold(config: RawConfig, where: str) -> float:
    """Return the checkpoint's own threshold; the key is misspelt in the layout, the right spelling is accepted."""
    for key in ("default_threadshold", "default_threshold"):
        if config.get(key) is not None:
            value = float(need(config, key, float, where))
            if not 0.0 <= value <= 1.0:
                raise CheckpointError(f"{where}: {key!r} is {value}, expected a probability in [0, 1].")
            return value
    return DEFAULT_THRESHOLD


FAMILY = Family(
    name="openprovence",
    model_type="open_provence",
    licence="MIT",
    read=_read,
    rule=mean_scores,
    ranked=False,
    part_of_window=0.5,
    # Written by one training option; the reference never reads them when it scores.
    ignored=re.compile(r"pruning_head\.pooling_weights\..*"),
    published=(
        Published("hotchpotch/open-provence-reranker-xsmall-v1", "30M", "English, Japanese", 512, 0.1),
        Published("hotchpotch/open-provence-reranker-v1", "130M", "English, Japanese", 512, 0.1),
        Published("hotchpotch/open-provence-reranker-v1-gte-modernbert-base", "149M", "English", 512, 0.1),
        Published("hotchpotch/open-provence-reranker-large-v1", "310M", "English, Japanese", 512, 0.1),
        Published("zilliz/semantic-highlight-bilingual-v1", "0.6B", "English, Chinese", 8192, 0.1),
    ),
)
