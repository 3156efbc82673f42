"""Parts of documents with their labels, and how they are cut to fit a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateurs.train.data import Bools, Document, Ids, Ints, Item
from secateurs.train.records import MASKED


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive sentences of a document, labelled for one query.

    Shape:
        ids and inside: (tokens,), lengths, labels and weights: (sentences,).
    """

    ids: Ids
    lengths: Ints
    labels: NDArray[np.int8]
    weights: NDArray[np.float32]
    inside: Bools


@dataclass(frozen=True, slots=True)
class Example:
    """One training window.

    Attributes:
        query: Token ids.
        document: Its labelled tokens.
        source: Index of the source.
    """

    query: Ids
    document: Piece
    source: int


@dataclass(frozen=True, slots=True)
class Run:
    """Sentences `first` to `last` of a document."""

    first: int
    last: int


def grow(starts: Ints, anchor: int, target: int, before: float) -> Run:
    """Choose consecutive sentences around one, as many as fit.

    Args:
        starts: Where each sentence begins, and the end, in encoder tokens.
        anchor: The sentence that must be in.
        target: Most encoder tokens (the anchor alone may have more).
        before: Share of the spare room that is offered to what comes before the anchor.

    Returns:
        The run.

    Example:
        >>> grow(np.array([0, 10, 20, 30, 40]), 2, 25, 0.9)
        Run(first=1, last=3)
    """
    first, last = anchor, anchor + 1
    left = before * max(0, target - (starts[last] - starts[first]))
    while first > 0 and starts[anchor] - starts[first - 1] <= left:
        first -= 1
    while last < len(starts) - 1 and starts[last + 1] - starts[first] <= target:
        last += 1
    while first > 0 and starts[last] - starts[first - 1] <= target:
        first -= 1
    return Run(int(first), int(last))


def lay_out(starts: Ints, anchor: int, room: int) -> Run:
    """Choose the sentences that stand in one window with a given one where a document is read from its beginning.

    Args:
        starts: Where each sentence begins, and the end, in encoder tokens.
        anchor: The sentence that must be in.
        room: Encoder tokens of a window; a sentence of more has one of its own.

    Returns:
        The run.

    Example:
        >>> [lay_out(np.array([0, 10, 20, 30, 40]), anchor, 25) for anchor in (1, 2)]
        [Run(first=0, last=2), Run(first=2, last=4)]
    """
    first = last = 0
    while last <= anchor:
        first = last
        last = max(first + 1, int(np.searchsorted(starts, starts[first] + room, side="right")) - 1)
    return Run(first, last)


def own_piece(document: Document, item: Item, run: Run) -> Piece:
    """Return a part of an item's own document, with its labels."""
    tokens = slice(document.starts[run.first], document.starts[run.last])
    lengths = np.diff(document.starts[run.first : run.last + 1])
    weights = np.ones(len(lengths), dtype=np.float32)
    return Piece(document.ids[tokens], lengths, item.labels[run.first : run.last], weights, item.inside[tokens])


def foreign_piece(document: Document, run: Run, weight: float) -> Piece:
    """Return a part of a document that does not answer; each of its sentences has this weight in the loss."""
    ids = document.ids[document.starts[run.first] : document.starts[run.last]]
    lengths = np.diff(document.starts[run.first : run.last + 1])
    weights = np.full(len(lengths), weight, dtype=np.float32)
    return Piece(ids, lengths, np.zeros(len(lengths), dtype=np.int8), weights, np.zeros(len(ids), dtype=bool))


def join(pieces: Sequence[Piece]) -> Piece:
    """Lay pieces one after another."""
    return Piece(
        np.concatenate([piece.ids for piece in pieces]),
        np.concatenate([piece.lengths for piece in pieces]),
        np.concatenate([piece.labels for piece in pieces]),
        np.concatenate([piece.weights for piece in pieces]),
        np.concatenate([piece.inside for piece in pieces]),
    )


def cut_to(piece: Piece, limit: int) -> Piece:
    """Drop sentences without tokens, and what lies beyond the window."""
    ends = np.cumsum(piece.lengths).clip(max=limit)
    lengths = np.diff(ends, prepend=0)
    full = lengths > 0
    labels = piece.labels[full].copy()
    if len(lengths) and ends[-1] == limit and lengths[full][-1] < piece.lengths[full][-1] and labels[-1] == 1:
        labels[-1] = MASKED  # the part that answers may be the part that is gone
    return Piece(piece.ids[:limit], lengths[full], labels, piece.weights[full], piece.inside[:limit])
