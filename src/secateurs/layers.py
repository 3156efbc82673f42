"""torch's layers without their random start: every parameter comes from a checkpoint.

On the `meta` device torch's own initialization imports its compiler, which takes longer than loading the model does.
"""

from __future__ import annotations

from torch import nn


class Linear(nn.Linear):
    """`torch.nn.Linear`, left empty."""

    def reset_parameters(self) -> None:
        """Leave the parameters to the checkpoint."""


class Embedding(nn.Embedding):
    """`torch.nn.Embedding`, left empty."""

    def reset_parameters(self) -> None:
        """Leave the parameters to the checkpoint."""


class LayerNorm(nn.LayerNorm):
    """`torch.nn.LayerNorm`, left empty."""

    def reset_parameters(self) -> None:
        """Leave the parameters to the checkpoint."""
