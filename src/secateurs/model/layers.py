"""torch's layers without their random start: every parameter comes from a checkpoint.

On the `meta` device torch's own initialization imports its compiler, which takes longer than loading the model does.

On a CPU the matrix product is oneDNN's, which torch carries beside MKL and uses for 16 bit only: MKL leaves the wide
registers of processors other than Intel's unused, which costs half the speed there, and is no faster on Intel's.
It compiles a product for each number of rows, and keeps a thousand of them; `rows_for` lets it meet few numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_new": lambda x: functional.gelu(x, approximate="tanh"),
    "gelu_pytorch_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "relu": functional.relu,
    "silu": functional.silu,
}
# what oneDNN calls those it can apply before a product leaves its registers: name, and which form of it
_FUSED = {
    "none": ("none", ""),
    "gelu": ("gelu", "none"),
    "gelu_new": ("gelu", "tanh"),
    "gelu_pytorch_tanh": ("gelu", "tanh"),
    "relu": ("relu", ""),
}
_TOLERANCES = {torch.float32: 1e-5, torch.bfloat16: 3e-2}  # of a product of numbers of about 3, by precision


class PlainLinear(nn.Linear):
    """`torch.nn.Linear`, left empty; for few rows of any number, of which oneDNN would remember each."""

    def reset_parameters(self) -> None:
        """Leave the parameters to the checkpoint."""


class Linear(PlainLinear):
    """`torch.nn.Linear`, left empty; on a CPU oneDNN's."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., width in) to (..., width out)."""
        return onednn_linear(x, self.weight, self.bias) if suits_onednn(x) else super().forward(x)


class ActivatedLinear(Linear):
    """`Linear` and an activation.

    Args:
        width_in: Width of what comes in.
        width_out: Width of what goes out.
        bias: Whether it has one.
        activation: A name of `ACTIVATIONS`.
    """

    def __init__(self, width_in: int, width_out: int, *, bias: bool = True, activation: str) -> None:
        super().__init__(width_in, width_out, bias=bias)
        self.activation = activation
        self.activate = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        """(..., width in) to (..., width out)."""
        if self.activation in _FUSED and suits_onednn(x):
            return onednn_linear(x, self.weight, self.bias, self.activation)
        return self.activate(super().forward(x))


def suits_onednn(x: Tensor) -> bool:
    """Tell whether oneDNN can take a product with this: on a CPU, in its precisions, outside training."""
    if x.device.type != "cpu" or torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"):
        return False
    return x.dtype in _TOLERANCES and has_onednn(x.dtype)


def onednn_linear(x: Tensor, weight: Tensor, bias: Tensor | None, activation: str = "none") -> Tensor:
    """Do what `torch.nn.functional.linear` and an activation do, on a CPU, without gradients.

    Shape:
        x: (..., width in), weight: (width out, width in), bias: (width out,), result: (..., width out).
    """
    name, form = _FUSED[activation]
    return cast("Tensor", torch.ops.mkldnn._linear_pointwise(x, weight, bias, name, [], form))


def rows_for(rows: int) -> int:
    """Return how many rows to give oneDNN where so many are needed.

    Each product it compiled holds 0.6 MB, and between them lies memory that tensors of other sizes cannot use: a
    process that met every number of rows would hold a gigabyte for that.

    Args:
        rows: At least 1.

    Returns:
        The next multiple of 8, and from 256 rows on the next of 16 steps to twice as many: about 2 % more rows, which
        oneDNN takes about 1 % more time for.

    Example:
        >>> [rows_for(rows) for rows in (1, 8, 300, 1000, 4096)]
        [8, 8, 304, 1024, 4096]
    """
    step = 1 << max(3, rows.bit_length() - 5)
    return -(-rows // step) * step


@cache
def has_onednn(dtype: torch.dtype) -> bool:
    """Tell whether this build of torch has oneDNN's matrix product, and that it agrees with torch's own.

    Its name is no public one of torch's, and in 16 bit it has none on processors without AVX-512. Where it is gone
    or does something else, torch's own is used.
    """
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(size, generator=generator).to(dtype) for size in ((3, 8), (5, 8), (5,)))
    plain = functional.linear(x, weight, bias)
    try:
        found = {name: onednn_linear(x, weight, bias, name) for name in _FUSED}
    except Exception:  # whatever it says, it cannot be used
        return False
    return all(
        torch.allclose(y, plain if name == "none" else ACTIVATIONS[name](plain), atol=_TOLERANCES[dtype])
        for name, y in found.items()
    )


class Embedding(nn.Embedding):
    """`torch.nn.Embedding`, left empty."""

    def reset_parameters(self) -> None:
        """Leave the parameters to the checkpoint."""


class LayerNorm(nn.LayerNorm):
    """`torch.nn.LayerNorm`, left empty."""

    def reset_parameters(self) -> None:
        """Leave the parameters to the checkpoint."""
