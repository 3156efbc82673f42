"""The encoders: token ids in, one vector a token out.

All windows of a batch lie one after another in one flat sequence: linear layers never see padding, only attention
looks at windows one by one (`attention.Attend`). Two layer kinds cover the four backbones: `PostNormLayer` (BERT,
XLM-RoBERTa, and with distances in its attention DeBERTa-v2) and `PreNormLayer` (ModernBERT).

Written here rather than taken from transformers for two reasons: its import alone takes longer than torch's, and
its classes pad. Parity with its classes is tested.

Source: BERT (Devlin et al. 2019), XLM-R (Conneau et al. 2020), DeBERTa (He et al. 2021), ModernBERT (Warner et al.
2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from secateurs.model.attention import Attend, Look, distance_buckets, look_by_distance, look_everywhere, look_nearby
from secateurs.model.layers import ACTIVATIONS, ActivatedLinear, Embedding, LayerNorm, Linear


@dataclass(frozen=True)
class EncoderConfig:
    """The shape of a backbone.

    Attributes:
        kind: Which block it is made of.
        first_position: Row of the position table that belongs to a window's first token (XLM-R: padding id + 1).
        max_tokens: Longest window it has positions for.
        local_window: Tokens to each side that local layers see (ModernBERT).
        global_every: Every how many layers one attends globally (ModernBERT).
        buckets: Rows of the distance table for each direction (DeBERTa-v2).
        max_distance: Distance that falls into the last bucket (DeBERTa-v2).
        pooling: What the ranking head reads: the first token or the mean of all.
    """

    kind: Literal["post-norm", "pre-norm", "disentangled"]
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    max_tokens: int
    epsilon: float
    activation: str = "gelu"
    type_vocab_size: int = 0
    first_position: int = 0
    local_window: int = 0
    global_every: int = 1
    global_theta: float = 160000.0
    local_theta: float = 10000.0
    buckets: int = 0
    max_distance: int = 0
    attention_bias: bool = True
    mlp_bias: bool = True
    norm_bias: bool = True
    pooling: Literal["cls", "mean"] = "cls"
    ranking_bias: bool = True
    ranking_activation: str = "tanh"


@dataclass(frozen=True)
class Batch:
    """Windows laid one after another, and rows that belong to none and say nothing.

    Attributes:
        ids: Token ids.
        positions: Index of each token in its window.
        types: Token types.
        lengths: Tokens of each window.

    Shape:
        ids, positions, types: (rows,); lengths: one a window, summing to at most rows.
    """

    ids: Tensor
    positions: Tensor
    types: Tensor
    lengths: tuple[int, ...]

    @classmethod
    def of(cls, ids: Tensor, types: Tensor, lengths: Sequence[int]) -> Batch:
        """Lay out windows whose ids and types are already concatenated."""
        sizes = torch.tensor(lengths, device=ids.device)
        firsts = torch.repeat_interleave(torch.cumsum(sizes, 0) - sizes, sizes, output_size=len(ids))
        return cls(ids, torch.arange(len(ids), device=ids.device) - firsts, types, tuple(lengths))

    def with_rows(self, rows: int) -> Batch:
        """Return the batch with so many rows: those that no window has at its end."""
        more = (0, rows - len(self.ids))
        return Batch(pad(self.ids, more), pad(self.positions, more), pad(self.types, more), self.lengths)


class PostNormLayer(nn.Module):
    """A layer of BERT or XLM-RoBERTa: attention, add and norm, feed-forward, add and norm."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width, inner, epsilon = config.hidden_size, config.intermediate_size, config.epsilon
        self.heads = config.heads
        self.query = Linear(width, width)
        self.key = Linear(width, width)
        self.value = Linear(width, width)
        self.output = Linear(width, width)
        self.attention_norm = LayerNorm(width, eps=epsilon)
        self.up = ActivatedLinear(width, inner, activation=config.activation)
        self.down = Linear(inner, width)
        self.mlp_norm = LayerNorm(width, eps=epsilon)

    def forward(self, hidden: Tensor, attend: Attend, look: Look = look_everywhere) -> Tensor:
        """(tokens, width) to (tokens, width)."""
        q, k, v = (self.split(project(hidden)) for project in (self.query, self.key, self.value))
        hidden = self.attention_norm(hidden + self.output(attend(q, k, v, look).flatten(1)))
        return cast("Tensor", self.mlp_norm(hidden + self.down(self.up(hidden))))

    def split(self, x: Tensor) -> Tensor:
        """(rows, width) to (rows, heads, width of a head)."""
        return x.view(len(x), self.heads, -1)

    def look_by_distance(self, distances: Tensor, buckets: Tensor) -> Look:
        """Return the look of a DeBERTa-v2 layer: its key and query projections read the distance table, too."""
        return look_by_distance(self.split(self.key(distances)), self.split(self.query(distances)), buckets)


class PostNormEncoder(nn.Module):
    """BERT and XLM-RoBERTa: learned positions, norm after each block.

    Args:
        config: Its shape.
        tokens: Whether it has word embeddings of its own.
    """

    def __init__(self, config: EncoderConfig, *, tokens: bool = True) -> None:
        super().__init__()
        self.first_position = config.first_position
        if tokens:
            self.tokens = Embedding(config.vocab_size, config.hidden_size)
        self.positions = Embedding(config.max_tokens + config.first_position, config.hidden_size)
        self.types = Embedding(config.type_vocab_size, config.hidden_size)
        self.norm = LayerNorm(config.hidden_size, eps=config.epsilon)
        self.layers = nn.ModuleList(PostNormLayer(config) for _ in range(config.layers))

    def forward(self, batch: Batch, attend: Attend) -> Tensor:
        """Return the last layer's output, (tokens, width)."""
        return self.layered(self.embedded(self.tokens, batch), attend)

    def embedded(self, tokens: nn.Embedding, batch: Batch) -> Tensor:
        """Return what the first layer reads, with these word embeddings; (rows, width)."""
        hidden = tokens(batch.ids).to(self.norm.weight.dtype) + self.positions(batch.positions + self.first_position)
        return cast("Tensor", self.norm(hidden + self.types(batch.types)))

    def layered(self, hidden: Tensor, attend: Attend, first: int = 0, last: int | None = None) -> Tensor:
        """Return what the layers from `first` to before `last` make of states; (rows, width) to the same."""
        for layer in self.layers[first:last]:
            hidden = layer(hidden, attend)
        return hidden

    def normed(self, hidden: Tensor) -> Tensor:
        """Return what the ranking head reads: the same."""
        return hidden


class DisentangledEncoder(nn.Module):
    """DeBERTa-v2: no positions in the input, a table of distances that every layer's attention reads."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.buckets, self.max_distance = config.buckets, config.max_distance
        self.tokens = Embedding(config.vocab_size, config.hidden_size)
        self.norm = LayerNorm(config.hidden_size, eps=config.epsilon)
        self.distances = Embedding(2 * config.buckets, config.hidden_size)
        self.distance_norm = LayerNorm(config.hidden_size, eps=config.epsilon)
        self.layers = nn.ModuleList(PostNormLayer(config) for _ in range(config.layers))

    def forward(self, batch: Batch, attend: Attend) -> Tensor:
        """Return the last layer's output, (tokens, width)."""
        hidden = self.norm(self.tokens(batch.ids).to(self.norm.weight.dtype))
        distances = self.distance_norm(self.distances.weight)
        buckets = distance_buckets(max(batch.lengths), self.buckets, self.max_distance).to(hidden.device)
        for layer in self.layers:
            look = cast("PostNormLayer", layer).look_by_distance(distances, buckets)
            hidden = layer(hidden, attend, look)
        return cast("Tensor", hidden)

    def normed(self, hidden: Tensor) -> Tensor:
        """Return what the ranking head reads: the same."""
        return hidden


def _layer_norm(config: EncoderConfig) -> LayerNorm:
    return LayerNorm(config.hidden_size, eps=config.epsilon, bias=config.norm_bias)


class PreNormLayer(nn.Module):
    """A layer of ModernBERT: norm, attention with rotary positions, add; norm, gated feed-forward, add."""

    def __init__(self, config: EncoderConfig, index: int) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.intermediate_size
        self.heads = config.heads
        self.everywhere = index % config.global_every == 0
        self.look = look_everywhere if self.everywhere else look_nearby(config.local_window)
        self.activate = ACTIVATIONS[config.activation]
        self.attention_norm = nn.Identity() if index == 0 else _layer_norm(config)
        self.qkv = Linear(width, 3 * width, bias=config.attention_bias)
        self.output = Linear(width, width, bias=config.attention_bias)
        self.mlp_norm = _layer_norm(config)
        self.up = Linear(width, 2 * inner, bias=config.mlp_bias)
        self.down = Linear(inner, width, bias=config.mlp_bias)

    def forward(self, hidden: Tensor, attend: Attend, rotations: Rotations) -> Tensor:
        """(tokens, width) to (tokens, width)."""
        q, k, v = self.qkv(self.attention_norm(hidden)).unflatten(-1, (3, self.heads, -1)).unbind(1)
        rotation = rotations.everywhere if self.everywhere else rotations.nearby
        mixed = attend(rotate(q, rotation), rotate(k, rotation), v, self.look)
        hidden = hidden + self.output(mixed.flatten(1))
        gated, gate = self.up(self.mlp_norm(hidden)).chunk(2, dim=-1)
        return cast("Tensor", hidden + self.down(self.activate(gated) * gate))


@dataclass(frozen=True)
class Rotations:
    """Rotary angles of each token for global and for local layers; (tokens, width of a head / 2)."""

    everywhere: Tensor
    nearby: Tensor


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Turn each pair of a head's halves by its angle, in float32.

    Shape:
        x: (tokens, heads, width), angles: (tokens, width / 2), result as x.

    Source:
        RoPE (Su et al. 2021), half-split form.
    """
    first, second = x.float().chunk(2, dim=-1)
    # rounded to the model's precision as the reference does
    cos, sin = (turn[:, None, :].to(x.dtype).float() for turn in (angles.cos(), angles.sin()))
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x.dtype)


class PreNormEncoder(nn.Module):
    """ModernBERT: rotary positions, local and global attention, one norm at the end."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.head_width = config.hidden_size // config.heads
        self.thetas = (config.global_theta, config.local_theta)
        self.tokens = Embedding(config.vocab_size, config.hidden_size)
        self.norm = _layer_norm(config)
        self.layers = nn.ModuleList(PreNormLayer(config, index) for index in range(config.layers))
        self.final_norm = _layer_norm(config)

    def forward(self, batch: Batch, attend: Attend) -> Tensor:
        """Return the last layer's output before the final norm, (tokens, width): what the pruning head reads."""
        rotations = Rotations(*(self._angles(batch.positions, theta) for theta in self.thetas))
        hidden = self.norm(self.tokens(batch.ids).to(self.norm.weight.dtype))
        for layer in self.layers:
            hidden = layer(hidden, attend, rotations)
        return cast("Tensor", hidden)

    def normed(self, hidden: Tensor) -> Tensor:
        """Return what the ranking head reads."""
        return cast("Tensor", self.final_norm(hidden))

    def _angles(self, positions: Tensor, theta: float) -> Tensor:
        steps = torch.arange(0, self.head_width, 2, dtype=torch.float32, device=positions.device)
        return positions[:, None].float() * (1.0 / theta ** (steps / self.head_width))


def make_encoder(config: EncoderConfig) -> PostNormEncoder | DisentangledEncoder | PreNormEncoder:
    """Build the encoder a config describes, with whatever the memory holds as weights."""
    if config.kind == "post-norm":
        return PostNormEncoder(config)
    return DisentangledEncoder(config) if config.kind == "disentangled" else PreNormEncoder(config)
