"""Attention over windows that lie one after another.

Two questions, answered separately. *Who shares a kernel call?* `attend_by_window` takes windows of equal length
together and pads nothing; `attend_padded` pads all to the longest; `attend_varlen` gives all to one kernel that knows
where windows end and pads nothing. `choose_attention` picks one for a device. *What does a token look at?* A `Look`:
the whole window (`look_everywhere`), its neighbourhood (`look_nearby`), or the whole window with a say for distances
(`look_by_distance`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from inspect import signature
from itertools import accumulate, groupby
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

# (query, key, value, which tokens are real: None for all) -> mixed
# (windows, heads, length, width) each, and (windows, length) for the real ones
Look = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]
# (query, key, value, look) -> mixed; (tokens, heads, width)
Attend = Callable[[Tensor, Tensor, Tensor, Look], Tensor]
# torch.nn.attention.varlen.varlen_attn
VarlenKernel = Callable[..., Tensor]


def choose_attention(lengths: Sequence[int], device: torch.device, dtype: torch.dtype) -> Attend:
    """Return the attention that suits a device.

    On CUDA one kernel for all windows: the variable-length one in 16 bit where torch and the device have it, else
    padded. Elsewhere a call for each length costs less than padding does.

    Args:
        lengths: Tokens of each window.
        device: Where the model is.
        dtype: In which precision it computes.
    """
    if device.type != "cuda":
        return attend_by_window(lengths)
    kernel = _varlen_kernel(device) if dtype in (torch.bfloat16, torch.float16) else None
    return attend_padded(lengths) if kernel is None else attend_varlen(lengths, kernel)


def attend_by_window(lengths: Sequence[int]) -> Attend:
    """Return attention that looks at each window alone, windows of equal length together; nothing is padded.

    Args:
        lengths: Tokens of each window.

    Returns:
        A function of query, key, value and look; (rows, heads, width) in and out. Rows of no window give zeros.
    """
    groups = [(length, len(list(same))) for length, same in groupby(lengths)]
    sizes = [length * count for length, count in groups]

    def attend(query: Tensor, key: Tensor, value: Tensor, look: Look) -> Tensor:
        real = sum(sizes)
        done = []
        parts = (torch.split(x[:real], sizes) for x in (query, key, value))
        for (length, count), *qkv in zip(groups, *parts, strict=True):
            q, k, v = (x.view(count, length, *x.shape[1:]).transpose(1, 2) for x in qkv)
            done.append(look(q, k, v, None).transpose(1, 2).reshape(length * count, *query.shape[1:]))
        return torch.cat([*done, query.new_zeros(len(query) - real, *query.shape[1:])])

    return attend


def attend_padded(lengths: Sequence[int]) -> Attend:
    """Return attention that pads windows to the longest: one kernel a layer, for GPUs.

    Args:
        lengths: Tokens of each window.

    Returns:
        A function of query, key, value and look; (tokens, heads, width) in and out.
    """
    longest = max(lengths)

    def attend(query: Tensor, key: Tensor, value: Tensor, look: Look) -> Tensor:
        sizes = torch.tensor(lengths, device=query.device)
        real = torch.arange(longest, device=query.device)[None, :] < sizes[:, None]
        padded: list[Tensor] = []
        for x in (query, key, value):
            room = x.new_zeros(len(lengths), longest, *x.shape[1:])
            room[real] = x
            padded.append(room.transpose(1, 2))
        return look(padded[0], padded[1], padded[2], real).transpose(1, 2)[real]

    return attend


def attend_varlen(lengths: Sequence[int], kernel: VarlenKernel) -> Attend:
    """Return attention by a kernel that is told where windows end; what it cannot look at is padded.

    Args:
        lengths: Tokens of each window.
        kernel: `torch.nn.attention.varlen.varlen_attn`, or a function that does the same.

    Returns:
        A function of query, key, value and look; (tokens, heads, width) in and out.

    Source:
        FlashAttention-2 (Dao 2023), variable-length form.
    """
    longest, ends = max(lengths), [0, *accumulate(lengths)]
    padded = attend_padded(lengths)
    windowed = "window_size" in signature(kernel).parameters  # torch 2.10 has the kernel without it
    bounds: Tensor | None = None  # one copy to the device for all layers

    def attend(query: Tensor, key: Tensor, value: Tensor, look: Look) -> Tensor:
        nonlocal bounds
        reach = -1 if look is look_everywhere else look.reach if isinstance(look, Nearby) else None
        # the kernel reads heads in steps of 8 up to 256, and knows no biases
        if reach is None or (reach >= 0 and not windowed) or query.shape[-1] % 8 or query.shape[-1] > 256:
            return padded(query, key, value, look)
        if bounds is None:
            bounds = torch.tensor(ends, dtype=torch.int32, device=query.device)
        window = {} if reach < 0 else {"window_size": (reach, reach)}
        return kernel(query, key, value, bounds, bounds, longest, longest, **window)

    return attend


@cache
def _varlen_kernel(device: torch.device) -> VarlenKernel | None:
    """Return torch's variable-length kernel, None where torch has none or the device is too old for it."""
    if torch.version.hip is not None or torch.cuda.get_device_capability(device) < (8, 0):
        return None
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    kernel = cast("VarlenKernel", varlen_attn)  # it returns a tuple only when asked for more
    return kernel if _agrees(kernel, device) else None


def _agrees(kernel: VarlenKernel, device: torch.device) -> bool:
    """Tell whether a kernel does on this device what padding does: a wrong kernel must never cost an answer."""
    lengths = (2, 3)
    draws = torch.randn(3, sum(lengths), 2, 64, generator=torch.Generator().manual_seed(0))
    query, key, value = draws.to(device, torch.float16)
    try:
        mixed = attend_varlen(lengths, kernel)(query, key, value, look_everywhere)
        expected = attend_padded(lengths)(query, key, value, look_everywhere)
        return torch.allclose(mixed.float(), expected.float(), atol=1e-2)
    except Exception:  # a kernel that cannot run here, whatever it says, is not used
        return False


def look_everywhere(query: Tensor, key: Tensor, value: Tensor, real: Tensor | None) -> Tensor:
    """Every token sees its whole window."""
    mask = None if real is None else real[:, None, None, :]
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def look_by_products(query: Tensor, key: Tensor, value: Tensor, real: Tensor | None) -> Tensor:
    """Do what `look_everywhere` does as two matrix products, for training on a CPU in 16 bit.

    There the backward pass of torch's fused kernel takes five times as long as that of the products, which the
    processor multiplies in 16 bit; the price is memory for every pair of tokens.
    """
    with torch.autocast(query.device.type, enabled=False):  # it would widen the softmax to 32 bit
        odds = query * query.shape[-1] ** -0.5 @ key.transpose(-1, -2)
        if real is not None:
            odds = odds.masked_fill(~real[:, None, None, :], float("-inf"))
        return cast("Tensor", odds.softmax(-1) @ value)


@dataclass(frozen=True)
class Nearby:
    """A look that sees `reach` tokens to each side."""

    reach: int

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, real: Tensor | None) -> Tensor:
        """Mix; shapes as in `Look`."""
        length = query.shape[-2]
        if real is None and length <= self.reach + 1:
            return look_everywhere(query, key, value, None)
        index = torch.arange(length, device=query.device)
        mask = (index[:, None] - index[None, :]).abs() <= self.reach
        if real is not None:
            # a padding row must see something: a row without keys is NaN on some kernels
            mask = mask & real[:, None, None, :] | torch.eye(length, dtype=torch.bool, device=query.device)
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def look_nearby(reach: int) -> Look:
    """Return a look that sees `reach` tokens to each side."""
    return Nearby(reach)


def look_by_distance(distance_keys: Tensor, distance_queries: Tensor, buckets: Tensor) -> Look:
    """Return disentangled attention: content to content, content to distance, distance to content.

    Args:
        distance_keys: What a query meets, for each bucket of distances.
        distance_queries: What a key meets, for each bucket of distances.
        buckets: Bucket of each distance from the longest to the left to the longest to the right.

    Shape:
        distance_keys and distance_queries: (buckets, heads, width), buckets: (2 * longest - 1,).

    Source:
        DeBERTa (He et al. 2021), equation 4; the same distance tables serve as keys and as queries.
    """
    longest = (len(buckets) + 1) // 2
    keys, queries = distance_keys.permute(1, 2, 0), distance_queries.permute(1, 2, 0)

    def look(query: Tensor, key: Tensor, value: Tensor, real: Tensor | None) -> Tensor:
        length = query.shape[-2]
        index = torch.arange(length, device=query.device)
        places = buckets[index[:, None] - index[None, :] + longest - 1].expand(*query.shape[:2], -1, -1)
        scale = 1.0 / math.sqrt(3 * query.shape[-1])
        bias = (query @ keys).gather(-1, places)
        bias = (bias + (key @ queries).gather(-1, places.transpose(-1, -2)).transpose(-1, -2)) * scale
        if real is not None:
            bias = bias.masked_fill(~real[:, None, None, :], float("-inf"))
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scale)

    return look


def distance_buckets(longest: int, buckets: int, max_distance: int) -> Tensor:
    """Sort distances into buckets: one each up to half the buckets, wider and wider ones beyond.

    Args:
        longest: Tokens of the longest window.
        buckets: Buckets to each side.
        max_distance: Distance that falls into the last bucket.

    Returns:
        Rows of a table of `2 * buckets` distances.

    Shape:
        (2 * longest - 1,), from the distance `1 - longest` to `longest - 1`.

    Source:
        DeBERTa v2; float32 throughout, as the reference rounds up what it computes.

    Example:
        >>> distance_buckets(4, 4, 64).tolist()
        [1, 2, 3, 4, 5, 6, 7]
    """
    distance = torch.arange(1 - longest, longest)
    middle = buckets // 2
    size = distance.abs().clamp(min=middle - 1)
    steps = torch.log(size / middle) / torch.log(torch.tensor((max_distance - 1) / middle)) * (middle - 1)
    far = (torch.ceil(steps) + middle) * distance.sign()
    return (torch.where(distance.abs() <= middle, distance, far).long() + buckets).clamp(0, 2 * buckets - 1)
