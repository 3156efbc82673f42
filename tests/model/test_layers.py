"""The layers: on a CPU another matrix product, the same numbers."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from secateurs import Compressor
from secateurs.model.encoders import Batch
from secateurs.model.layers import ACTIVATIONS, ActivatedLinear, Linear, has_onednn, rows_for, suits_onednn


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
        assert suits_onednn(x) == has_onednn(torch.float32)
        assert suits_onednn(x.bfloat16()) == has_onednn(torch.bfloat16)
        assert not suits_onednn(x.half())
        assert not suits_onednn(x.to("meta"))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert not suits_onednn(x)


@pytest.mark.parametrize("widest", ["SSE41", "AVX2", "AVX512_CORE", "ALL"])
def test_any_processor_computes_in_any_precision(tiny_folder, widest):
    """Where oneDNN has no product for a precision, as in 16 bit without AVX-512, torch's own is used."""
    script = (
        "import sys; from secateurs import Compressor, Threshold\n"
        "for dtype in ('float32', 'bfloat16'):\n"
        "    compressor = Compressor.from_pretrained(sys.argv[1], device='cpu', dtype=dtype)\n"
        "    result = compressor.compress('deer?', ['A deer. It rained.'], policy=Threshold(0.0))[0]\n"
        "    assert result.status == 'unchanged', result.reason\n"
    )
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": widest}
    command = [sys.executable, "-c", script, str(tiny_folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr


@given(st.integers(1, 100_000))
def test_rows_are_few_numbers_and_little_more(rows):
    """What oneDNN gets is enough, at most a sixteenth more beside a handful, and itself one of few numbers."""
    given_rows = rows_for(rows)
    assert rows <= given_rows < rows + max(8, rows / 16 + 1)
    assert rows_for(given_rows) == given_rows
    assert len({rows_for(number) for number in range(1, 4097)}) == 96


def test_a_model_that_meets_every_length_shows_onednn_few(tiny_folder):
    """After passes of 400 different numbers of tokens no layer has seen 70 numbers of rows."""
    with Compressor.from_pretrained(tiny_folder, device="cpu") as compressor:
        model, seen = compressor._scorer.model, set()
        layers = [layer for layer in model.modules() if isinstance(layer, Linear)]
        hooks = [layer.register_forward_pre_hook(lambda _, inputs: seen.add(len(inputs[0]))) for layer in layers]
        for tokens in range(20, 1220, 3):
            ids = torch.randint(5, 90, (tokens,))
            with torch.inference_mode():
                lengths = [40] * (tokens // 40) + [tokens % 40] * (tokens % 40 > 0)
                scores = model(Batch.of(ids, torch.zeros_like(ids), lengths))
            assert scores.tokens.shape == (tokens,)
            assert scores.ranking.shape == (len(lengths),)
        assert len(hooks) > 5
        assert len(seen) == len({rows_for(tokens) for tokens in range(20, 1220, 3)}) < 70


@pytest.mark.parametrize("rows", [0, 1, 37])
def test_rows_of_no_window_change_nothing(tiny_folder, rows):
    """Windows score the same whatever stands behind them."""
    with Compressor.from_pretrained(tiny_folder, device="cpu") as compressor:
        ids = torch.randint(5, 90, (60,))
        batch = Batch.of(ids, torch.zeros_like(ids), [30, 12, 18])
        with torch.inference_mode():
            alone, beside = (compressor._scorer.model(one) for one in (batch, batch.with_rows(60 + rows)))
        assert torch.allclose(alone.tokens, beside.tokens[:60], atol=1e-5)
        assert torch.allclose(alone.ranking, beside.ranking, atol=1e-5)
