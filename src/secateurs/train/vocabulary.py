"""Fewer pieces: a tokenizer that keeps what given texts use, and cuts them exactly as before.

Only unused pieces go, so the best segmentation (Unigram) and the longest match (WordPiece) of such texts stay the
same. Single characters always stay: any text can still be written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray

from secateurs.train.config import ConfigError

_AT_ONCE = 4096


@dataclass(frozen=True)
class Trimmed:
    """A smaller tokenizer.

    Attributes:
        pipeline: The tokenizer.
        rows: The old id of each new one.
    """

    pipeline: tokenizers.Tokenizer
    rows: NDArray[np.int64]


def trim(pipeline: tokenizers.Tokenizer, texts: Iterable[str]) -> Trimmed:
    """Drop the pieces that texts do not use.

    Args:
        pipeline: A Unigram or WordPiece tokenizer.
        texts: What must be cut as before.

    Returns:
        The smaller tokenizer, and which rows of the embeddings it needs, in order.

    Raises:
        ConfigError: The tokenizer is of another kind (BPE: dropping a piece would break the merges above it).
    """
    spec: dict[str, Any] = json.loads(pipeline.to_str())
    model = spec["model"]
    if model["type"] not in ("Unigram", "WordPiece"):
        raise ConfigError(
            f"start.vocabulary_texts: cannot trim a {model['type']} tokenizer, expected Unigram or WordPiece. "
            "Leave the setting out."
        )
    keep = {token["id"] for token in spec.get("added_tokens", ())}
    waiting = list(texts)
    for first in range(0, len(waiting), _AT_ONCE):
        for encoding in pipeline.encode_batch_fast(waiting[first : first + _AT_ONCE], add_special_tokens=False):
            keep.update(encoding.ids)
    pieces = _pieces(model)
    keep.update(index for index, piece in pieces.items() if len(piece.removeprefix("##")) <= 1)
    if model.get("unk_id") is not None:
        keep.add(model["unk_id"])
    if model.get("unk_token") is not None:
        keep.update(index for index, piece in pieces.items() if piece == model["unk_token"])
    rows = sorted(keep)
    _renumber(spec, {old: new for new, old in enumerate(rows)})
    return Trimmed(tokenizers.Tokenizer.from_str(json.dumps(spec)), np.array(rows, dtype=np.int64))


def _pieces(model: dict[str, Any]) -> dict[int, str]:
    if model["type"] == "Unigram":
        return {index: piece for index, (piece, _) in enumerate(model["vocab"])}
    return {index: piece for piece, index in model["vocab"].items()}


def _renumber(spec: dict[str, Any], new: dict[int, int]) -> None:
    """Write new ids wherever a tokenizer's file names ids."""
    model = spec["model"]
    if model["type"] == "Unigram":
        model["vocab"] = [entry for index, entry in enumerate(model["vocab"]) if index in new]
        if model.get("unk_id") is not None:
            model["unk_id"] = new[model["unk_id"]]
    else:
        model["vocab"] = {piece: new[index] for piece, index in model["vocab"].items() if index in new}
    for token in spec.get("added_tokens", ()):
        token["id"] = new[token["id"]]
    processor = spec.get("post_processor") or {}
    for part in [processor, *processor.get("processors", ())]:
        for token in (part.get("special_tokens") or {}).values():
            token["ids"] = [new[index] for index in token["ids"]]
        for key in ("sep", "cls"):
            if isinstance(part.get(key), list):
                part[key][1] = new[part[key][1]]
