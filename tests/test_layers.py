"""The layers: on a CPU another matrix product, the same numbers."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from secateurs.layers import ACTIVATIONS, ActivatedLinear, Linear, has_onednn, suits_onednn


def filled(layer: torch.nn.Linear) -> torch.nn.Linear:
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return layer


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("activation", [None, *ACTIVATIONS])
@pytest.mark.parametrize("rows", [0, 1, 7, 300])
@pytest.mark.parametrize("bias", [True, False])
def test_the_product_is_torchs_own(dtype, activation, rows, bias):
    """With and without gradients, which decides who computes it, the result is the same."""
    torch.manual_seed(0)
    made = (
        Linear(24, 40, bias=bias) if activation is None else ActivatedLinear(24, 40, bias=bias, activation=activation)
    )
    layer, x = filled(made).to(dtype), torch.randn(rows, 24, dtype=dtype)
    expected = functional.linear(x, layer.weight, layer.bias)
    if activation is not None:
        expected = ACTIVATIONS[activation](expected)
    with torch.inference_mode():
        found = layer(x)
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    assert found.dtype == dtype
    assert torch.allclose(found, expected, atol=tolerance)
    assert torch.equal(layer(x), expected)


def test_rows_apart_in_memory_are_read_right():
    """A strided input, such as the first tokens of windows, gives what a copy of it gives."""
    torch.manual_seed(0)
    layer, x = filled(Linear(8, 3)), torch.randn(10, 16)
    with torch.inference_mode():
        assert torch.allclose(layer(x[::2, 4:12]), layer(x[::2, 4:12].contiguous()), atol=1e-6)


def test_onednn_is_left_alone_where_it_does_not_fit():
    """Training, mixed precision, float16 and other devices use torch's own product."""
    x = torch.randn(2, 4)
    assert not suits_onednn(x), "with gradients"
    with torch.inference_mode():
        assert suits_onednn(x) == has_onednn()
        assert not suits_onednn(x.half())
        assert not suits_onednn(x.to("meta"))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert not suits_onednn(x)
