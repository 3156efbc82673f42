"""What stands around a unit: a small layer over units, after the encoder has read their tokens.

A token's head sees one token. Whether a unit answers also depends on the units beside it ("It costs 40 euros" after
the sentence that names the ticket) and on whether another unit of the window answers better. So a checkpoint with a
tower may have one more layer: it takes the mean state of each unit and its mean log-odds, those of the unit before,
of the one after and the largest of the window, and adds to the unit's log-odds.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from secateurs.model.layers import PlainLinear
from secateurs.model.sides import Sides, on


class UnitLayer(nn.Module):
    """A layer in which units hear each other.

    Args:
        width: Of the encoder.
        size: Its own.
    """

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.inner = PlainLinear(width + 1, 4 * size)  # for itself, the one after it, the one before it, all
        self.outer = PlainLinear(size, 1, bias=False)

    def forward(self, hidden: Tensor, odds: Tensor, sides: Sides) -> Tensor:
        """Return what is added to the log-odds of the tokens of the parts, in the order of `sides.rows`, float32.

        Args:
            hidden: Last states of a batch.
            odds: Its log-odds so far.
            sides: Where the parts stand in it.

        Shape:
            hidden: (rows, width), odds: (rows,), result: (document tokens,).
        """
        lengths = sides.lengths[sides.queries :]
        full = np.flatnonzero(lengths)
        if not len(full):
            return odds.new_zeros(0)
        device = hidden.device
        rows, parts = on(sides.rows, device), on(np.repeat(np.arange(len(full)), lengths[full]), device)
        counts = on(lengths[full], device)[:, None]
        said = torch.cat((hidden[rows], odds[rows].to(hidden.dtype)[:, None]), dim=1)
        means = said.new_zeros(len(full), said.shape[1]).index_add(0, parts, said) / counts
        own, after, before, around = self.inner(means).chunk(4, dim=1)
        windows = sides.windows[full]
        numbers = on(windows, device)
        together = on(windows[1:] == windows[:-1], device)[:, None]
        largest = around.new_full((int(windows[-1]) + 1, around.shape[1]), -torch.inf)
        largest = largest.scatter_reduce(0, numbers[:, None].expand_as(around), around, "amax")
        heard = own + largest[numbers]
        heard = heard + functional.pad(after[:-1] * together, (0, 0, 1, 0))
        heard = heard + functional.pad(before[1:] * together, (0, 0, 0, 1))
        added: Tensor = self.outer(functional.gelu(heard)).float()[:, 0]
        return added[parts]
