"""The OpenProvence layout: hotchpotch's pruners, zilliz's bilingual highlighter, and the bundled model.

A complete sequence-classification model under `ranking_model.` and a token head under `pruning_head.`. The backbone
is described by `base_model_config`. Sentences are tokenized one by one, nothing is put between them; a sentence's
score is the mean of its tokens' probabilities.

Source: github.com/hotchpotch/open_provence (MIT).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from secateurs.checkpoints.backbones import BACKBONES, Backbone
from secateurs.checkpoints.files import need
from secateurs.errors import CheckpointError

DEFAULT_THRESHOLD = 0.1
DEFAULT_MAX_LENGTH = 512
_HEAD = {"pruning_head.classifier": "pruning", "pruning_head": "pruning"}
# Written by one training option; the reference never reads them when it scores.
IGNORED_PREFIX = "pruning_head.pooling_weights."


def backbone(config: Mapping[str, Any], where: str) -> Backbone:
    """Return the kind of encoder a checkpoint holds."""
    base = config.get("base_model_config")
    kind = base.get("model_type") if isinstance(base, dict) else None
    if kind not in BACKBONES:
        raise CheckpointError(
            f"{where}: 'base_model_config' must describe the backbone with a 'model_type' of "
            f"{', '.join(BACKBONES)}, got {kind!r}."
        )
    return BACKBONES[kind]


def base_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the backbone's own config; the label count is the outer one's, where it is given."""
    return dict(config["base_model_config"])


def names(config: Mapping[str, Any], where: str, present: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Return the table of tensor names, with or without the prefix that older checkpoints lack."""
    legacy = not any(name.startswith("ranking_model.") for name in present)
    prefix = "" if legacy else "ranking_model."
    return {**{prefix + theirs: ours for theirs, ours in backbone(config, where).names.items()}, **_HEAD}


def max_length(config: Mapping[str, Any], where: str) -> int:
    """Return the window the checkpoint was made for, in encoder tokens."""
    return DEFAULT_MAX_LENGTH if config.get("max_length") is None else int(need(config, "max_length", int, where))


def default_threshold(config: Mapping[str, Any]) -> float:
    """Return the checkpoint's own threshold; the key is misspelt in the layout, the right spelling is accepted."""
    for key in ("default_threadshold", "default_threshold"):
        if config.get(key) is not None:
            return float(config[key])
    return DEFAULT_THRESHOLD
