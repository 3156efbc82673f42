"""First step: a document is cut into units, and those are tokenized and packed into windows behind the query."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from secateurs.checkpoints import Checkpoint
from secateurs.pipeline.sift import Sifted
from secateurs.result.join import Unit
from secateurs.windows.packing import WindowPlan
from secateurs.windows.tokenizer import Ids, Tokens


def plan(
    document: str, units: Sequence[Unit], query: Ids, checkpoint: Checkpoint, sifted: Sifted | None = None
) -> WindowPlan:
    """Tokenize the units of a document, each once and by itself, and lay them out in windows.

    What is frame and nothing else is not read: it has no tokens.

    Args:
        document: The document.
        units: Its units.
        query: Token ids of the query.
        checkpoint: Whose tokens and windows.
        sifted: What of it is read; None for everything.
    """
    read = readable(units, sifted)
    tokens = checkpoint.encode_sentences(
        [document[unit.start : unit.end] for unit, it_is in zip(units, read.tolist(), strict=True) if it_is]
    )
    lengths = np.zeros(len(units), dtype=np.int64)
    lengths[read] = tokens.lengths
    return checkpoint.layout.plan(query, Tokens(tokens.ids, lengths))


def readable(units: Sequence[Unit], sifted: Sifted | None) -> NDArray[np.bool_]:
    """Return which units of a document are read.

    Shape:
        (units,).
    """
    return np.array([not unit.pure for unit in units], dtype=np.bool_) if sifted is None else sifted.read
