"""Attention over windows that lie one after another.

Two questions, answered separately. *Who shares a kernel call?* `attend_by_window` takes windows of equal length
together and pads nothing; `attend_padded` pads all to the longest. *What does a token look at?* A `Look`: the whole
window (`look_everywhere`), its neighbourhood (`look_nearby`), or the whole window with a say for distances
(`look_by_distance`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby

import torch
from torch import Tensor
from torch.nn import functional

# (query, key, value, which tokens are real: None for all) -> mixed
# (windows, heads, length, width) each, and (windows, length) for the real ones
Look = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]
# (query, key, value, look) -> mixed; (tokens, heads, width)
Attend = Callable[[Tensor, Tensor, Tensor, Look], Tensor]


def attend_by_window(lengths: Sequence[int]) -> Attend:
    """Return attention that looks at each window alone, windows of equal length together; nothing is padded.

    Args:
        lengths: Tokens of each window.

    Returns:
        A function of query, key, value and look; (tokens, heads, width) in and out.
    """
    groups = [(length, len(list(same))) for length, same in groupby(lengths)]
    sizes = [length * count for length, count in groups]

    def attend(query: Tensor, key: Tensor, value: Tensor, look: Look) -> Tensor:
        done = []
        for (length, count), *qkv in zip(groups, *(torch.split(x, sizes) for x in (query, key, value)), strict=True):
            q, k, v = (x.view(count, length, *x.shape[1:]).transpose(1, 2) for x in qkv)
            done.append(look(q, k, v, None).transpose(1, 2).reshape(length * count, *query.shape[1:]))
        return torch.cat(done)

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


def look_everywhere(query: Tensor, key: Tensor, value: Tensor, real: Tensor | None) -> Tensor:
    """Every token sees its whole window."""
    mask = None if real is None else real[:, None, None, :]
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def look_nearby(reach: int) -> Look:
    """Return a look that sees `reach` tokens to each side."""

    def look(query: Tensor, key: Tensor, value: Tensor, real: Tensor | None) -> Tensor:
        length = query.shape[-2]
        if real is None and length <= reach + 1:
            return look_everywhere(query, key, value, None)
        index = torch.arange(length, device=query.device)
        mask = (index[:, None] - index[None, :]).abs() <= reach
        if real is not None:
            # a padding row must see something: a row without keys is NaN on some kernels
            mask = mask & real[:, None, None, :] | torch.eye(length, dtype=torch.bool, device=query.device)
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)

    return look


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
