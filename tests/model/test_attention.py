"""Whoever shares a kernel call, a token sees its own window and nothing else."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from secateurs.model.attention import (
    Look,
    attend_by_window,
    attend_padded,
    attend_varlen,
    choose_attention,
    distance_buckets,
    look_by_distance,
    look_by_products,
    look_everywhere,
    look_nearby,
)

LENGTHS = (7, 7, 1, 30, 2, 30)
LOOKS = {"everywhere": look_everywhere, "nearby": look_nearby(3)}


def make_qkv(device: str = "cpu", dtype: torch.dtype = torch.float32, width: int = 8) -> list[Tensor]:
    """Return query, key and value: (tokens, heads, width)."""
    generator = torch.Generator().manual_seed(0)
    shape = (sum(LENGTHS), 2, width)
    return [torch.randn(*shape, generator=generator).to(device, dtype) for _ in range(3)]


def make_distance_look() -> Look:
    """Return a look with biases."""
    generator = torch.Generator().manual_seed(1)
    keys, queries = (torch.randn(16, 2, 8, generator=generator) for _ in range(2))
    return look_by_distance(keys, queries, distance_buckets(max(LENGTHS), 8, 32))


class FakeKernel:
    """Does what torch's kernel does, window by window, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.windows: list[tuple[int, int]] = []

    def __call__(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        cu_seq_q: Tensor,
        cu_seq_k: Tensor,
        max_q: int,
        max_k: int,
        *,
        window_size: tuple[int, int] = (-1, -1),
    ) -> Tensor:
        """Attend within each window."""
        assert cu_seq_q.dtype == cu_seq_k.dtype == torch.int32
        bounds = cu_seq_q.tolist()
        sizes = [end - start for start, end in pairwise(bounds)]
        assert max(sizes) == max_q == max_k
        self.windows.append(window_size)
        left, right = window_size
        mixed = []
        for q, k, v in zip(*(torch.split(x, sizes) for x in (query, key, value)), strict=True):
            away = torch.arange(len(q))[None, :] - torch.arange(len(q))[:, None]
            seen = torch.ones_like(away, dtype=torch.bool) if left < 0 else (away >= -left) & (away <= right)
            scores = torch.einsum("qhd,khd->hqk", q, k) / q.shape[-1] ** 0.5
            weights = scores.masked_fill(~seen, float("-inf")).softmax(-1)
            mixed.append(torch.einsum("hqk,khd->qhd", weights, v))
        return torch.cat(mixed)


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_all_ways_to_share_a_call_agree(look: Look):
    """By window, padded, and by a variable-length kernel: the same."""
    query, key, value = make_qkv()
    expected = attend_by_window(LENGTHS)(query, key, value, look)
    kernel = FakeKernel()
    assert torch.allclose(attend_padded(LENGTHS)(query, key, value, look), expected, atol=1e-6)
    assert torch.allclose(attend_varlen(LENGTHS, kernel)(query, key, value, look), expected, atol=1e-6)
    assert kernel.windows == [(-1, -1) if look is look_everywhere else (3, 3)]


@pytest.mark.parametrize("attend", [attend_by_window, attend_padded])
def test_products_do_what_the_kernel_does_forward_and_backward(attend):
    """Attention written as two matrix products gives the kernel's values and gradients."""
    found = []
    for look in (look_everywhere, look_by_products):
        qkv = [x.requires_grad_() for x in make_qkv()]
        mixed = attend(LENGTHS)(*qkv, look)
        mixed.square().sum().backward()
        found.append([mixed.detach(), *(x.grad for x in qkv)])
    for kernel, products in zip(*found, strict=True):
        torch.testing.assert_close(products, kernel, atol=1e-5, rtol=1e-4)


def test_what_the_kernel_cannot_see_is_padded():
    """Biases, odd heads, and a kernel without sliding windows (torch 2.10): padded, and still right."""

    def old(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, is_causal=False):
        raise AssertionError("this kernel has no sliding windows")

    kernel = FakeKernel()
    cases = [
        (kernel, make_distance_look(), 8),
        (kernel, look_everywhere, 6),
        (old, look_nearby(3), 8),
    ]
    for some, look, width in cases:
        query, key, value = make_qkv(width=width)
        expected = attend_by_window(LENGTHS)(query, key, value, look)
        assert torch.allclose(attend_varlen(LENGTHS, some)(query, key, value, look), expected, atol=1e-6)
    assert not kernel.windows


DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("device", DEVICES)
def test_the_chosen_attention_is_right_on_its_device(device: str, look: Look, dtype: torch.dtype):
    """Whatever is chosen agrees with float32 on the CPU to the precision asked for."""
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    where = torch.device(device)
    query, key, value = make_qkv(dtype=dtype)
    expected = attend_by_window(LENGTHS)(query.float(), key.float(), value.float(), look)
    attend = choose_attention(LENGTHS, where, dtype)
    mixed = attend(query.to(where), key.to(where), value.to(where), look).cpu().float()
    tolerance = 1e-5 if dtype is torch.float32 else 0.03
    assert torch.allclose(mixed, expected, atol=tolerance)
