"""Where queries and units stand in a batch: for what compares them, and for what lets units hear each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from secateurs.windows.packing import Window

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Sides:
    """Where the texts that are to be compared stand in the ids of a batch.

    Attributes:
        starts: First token of each text: those of the distinct queries, then those of all parts, in their order.
        lengths: Tokens of each text.
        queries: How many of them are queries.
        owners: The query of each part.
        windows: The window of each part.

    Shape:
        starts and lengths: (queries + parts,), owners and windows: (parts,).
    """

    starts: Ints
    lengths: Ints
    queries: int
    owners: Ints
    windows: Ints

    @classmethod
    def of(cls, windows: Sequence[Window]) -> Sides:
        """Return those of windows that lie one after another; a query that several of them have is read once."""
        known: dict[bytes, int] = {}
        queries: list[tuple[int, int]] = []
        starts: list[Ints] = []
        lengths: list[Ints] = []
        owners: list[Ints] = []
        at = 0
        for window in windows:
            first, last = window.query
            key = window.ids[first:last].tobytes()
            if key not in known:
                known[key] = len(queries)
                queries.append((at + first, last - first))
            parts = np.asarray(window.parts, dtype=np.int64)
            starts.append(at + window.start + np.cumsum(parts) - parts)
            lengths.append(parts)
            owners.append(np.full(len(parts), known[key], dtype=np.int64))
            at += len(window)
        head = np.array(queries, dtype=np.int64).reshape(-1, 2)
        return cls(
            np.concatenate((head[:, 0], *starts)),
            np.concatenate((head[:, 1], *lengths)),
            len(queries),
            np.concatenate(owners),
            np.repeat(np.arange(len(windows)), [len(window.parts) for window in windows]),
        )

    @property
    def rows(self) -> Ints:
        """Return where the tokens of the parts stand, part after part; (document tokens,)."""
        return spread(self.starts[self.queries :], self.lengths[self.queries :])

    @property
    def parts(self) -> Ints:
        """Return the part of each of those tokens; (document tokens,)."""
        return np.repeat(np.arange(len(self.owners)), self.lengths[self.queries :])


def spread(starts: Ints, lengths: Ints) -> Ints:
    """Return every place of ranges, one range after another.

    Example:
        >>> spread(np.array([5, 1]), np.array([2, 3])).tolist()
        [5, 6, 1, 2, 3]
    """
    firsts = np.cumsum(lengths) - lengths
    places: Ints = np.arange(int(lengths.sum())) + np.repeat(starts - firsts, lengths)
    return places


def on(array: NDArray[Any], device: torch.device) -> Tensor:
    """Return an array of whole numbers, or of truths, as a tensor on a device."""
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)
