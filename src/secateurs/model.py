"""The encoder with its two heads; forward only.

All windows of a batch lie one after another in one flat sequence: linear layers never see padding, only attention
looks at windows one by one (`Attend`). Two block kinds cover the three backbones: `PostNormLayer` (BERT,
XLM-RoBERTa) and `PreNormLayer` (ModernBERT). Models are built on the `meta` device and filled by
`secateurs.checkpoints`, so that a half-loaded one cannot exist.

Written here rather than taken from transformers for two reasons: its import alone takes longer than torch's, and
its classes pad. Parity with its classes is tested.

Source: BERT (Devlin et al. 2019), XLM-R (Conneau et al. 2020), ModernBERT (Warner et al. 2024).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

Attend = Callable[[Tensor, Tensor, Tensor, int | None], Tensor]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_new": lambda x: functional.gelu(x, approximate="tanh"),
    "gelu_pytorch_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "relu": functional.relu,
    "silu": functional.silu,
}


@dataclass(frozen=True)
class EncoderConfig:
    """The shape of a backbone.

    Attributes:
        kind: Which block it is made of.
        first_position: Row of the position table that belongs to a window's first token (XLM-R: padding id + 1).
        max_tokens: Longest window it has positions for.
        local_window: Tokens to each side that local layers see (ModernBERT).
        global_every: Every how many layers one attends globally (ModernBERT).
        pooling: What the ranking head reads: the first token or the mean of all.
    """

    kind: Literal["post-norm", "pre-norm"]
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
    attention_bias: bool = True
    mlp_bias: bool = True
    norm_bias: bool = True
    pooling: Literal["cls", "mean"] = "cls"
    ranking_bias: bool = True
    ranking_activation: str = "tanh"


@dataclass(frozen=True)
class Batch:
    """Windows laid one after another.

    Attributes:
        ids: Token ids.
        positions: Index of each token in its window.
        types: Token types.
        lengths: Tokens of each window.

    Shape:
        ids, positions, types: (tokens,); lengths: one a window, summing to tokens.
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


@dataclass(frozen=True)
class Scores:
    """What the heads say.

    Attributes:
        tokens: Probability of each token to be relevant, float32.
        ranking: Logit of each window, float32; None without a ranking head.

    Shape:
        tokens: (tokens,), ranking: (windows,).
    """

    tokens: Tensor
    ranking: Tensor | None


def attend_by_window(lengths: Sequence[int]) -> Attend:
    """Return attention that looks at each window alone, windows of equal length together; nothing is padded.

    Args:
        lengths: Tokens of each window.

    Returns:
        A function of query, key, value and local window; (tokens, heads, width) in and out.
    """
    groups = [(length, len(list(same))) for length, same in groupby(lengths)]
    sizes = [length * count for length, count in groups]

    def attend(query: Tensor, key: Tensor, value: Tensor, local: int | None) -> Tensor:
        done = []
        for (length, count), *qkv in zip(groups, *(torch.split(x, sizes) for x in (query, key, value)), strict=True):
            q, k, v = (x.view(count, length, *x.shape[1:]).transpose(1, 2) for x in qkv)
            mask = None
            if local is not None and length > local + 1:
                index = torch.arange(length, device=query.device)
                mask = (index[:, None] - index[None, :]).abs() <= local
            out = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            done.append(out.transpose(1, 2).reshape(length * count, *query.shape[1:]))
        return torch.cat(done)

    return attend


def attend_padded(lengths: Sequence[int]) -> Attend:
    """Return attention that pads windows to the longest: one kernel a layer, for GPUs.

    Args:
        lengths: Tokens of each window.

    Returns:
        A function of query, key, value and local window; (tokens, heads, width) in and out.
    """
    longest = max(lengths)

    def attend(query: Tensor, key: Tensor, value: Tensor, local: int | None) -> Tensor:
        sizes = torch.tensor(lengths, device=query.device)
        index = torch.arange(longest, device=query.device)
        real = index[None, :] < sizes[:, None]
        padded: list[Tensor] = []
        for x in (query, key, value):
            room = x.new_zeros(len(lengths), longest, *x.shape[1:])
            room[real] = x
            padded.append(room.transpose(1, 2))
        mask = real[:, None, None, :]
        if local is not None:
            mask = mask & ((index[:, None] - index[None, :]).abs() <= local) | torch.eye(
                longest, dtype=torch.bool, device=query.device
            )  # a padding row must see something: a row without keys is NaN on some kernels
        out = functional.scaled_dot_product_attention(padded[0], padded[1], padded[2], attn_mask=mask)
        return out.transpose(1, 2)[real]

    return attend


class PostNormLayer(nn.Module):
    """A layer of BERT or XLM-RoBERTa: attention, add and norm, feed-forward, add and norm."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width, inner, epsilon = config.hidden_size, config.intermediate_size, config.epsilon
        self.heads = config.heads
        self.activate = ACTIVATIONS[config.activation]
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=epsilon)
        self.up = nn.Linear(width, inner)
        self.down = nn.Linear(inner, width)
        self.mlp_norm = nn.LayerNorm(width, eps=epsilon)

    def forward(self, hidden: Tensor, attend: Attend) -> Tensor:
        """(tokens, width) to (tokens, width)."""
        q, k, v = (project(hidden).unflatten(-1, (self.heads, -1)) for project in (self.query, self.key, self.value))
        hidden = self.attention_norm(hidden + self.output(attend(q, k, v, None).flatten(1)))
        return cast("Tensor", self.mlp_norm(hidden + self.down(self.activate(self.up(hidden)))))


class PostNormEncoder(nn.Module):
    """BERT and XLM-RoBERTa: learned positions, norm after each block."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.first_position = config.first_position
        self.tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.positions = nn.Embedding(config.max_tokens + config.first_position, config.hidden_size)
        self.types = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.epsilon)
        self.layers = nn.ModuleList(PostNormLayer(config) for _ in range(config.layers))

    def forward(self, batch: Batch, attend: Attend) -> Tensor:
        """Return the last layer's output, (tokens, width)."""
        hidden = self.tokens(batch.ids) + self.positions(batch.positions + self.first_position)
        hidden = self.norm(hidden + self.types(batch.types))
        for layer in self.layers:
            hidden = layer(hidden, attend)
        return cast("Tensor", hidden)

    def normed(self, hidden: Tensor) -> Tensor:
        """Return what the ranking head reads: the same."""
        return hidden


def _layer_norm(config: EncoderConfig) -> nn.LayerNorm:
    return nn.LayerNorm(config.hidden_size, eps=config.epsilon, bias=config.norm_bias)


class PreNormLayer(nn.Module):
    """A layer of ModernBERT: norm, attention with rotary positions, add; norm, gated feed-forward, add."""

    def __init__(self, config: EncoderConfig, index: int) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.intermediate_size
        self.heads = config.heads
        self.local = None if index % config.global_every == 0 else config.local_window
        self.activate = ACTIVATIONS[config.activation]
        self.attention_norm = nn.Identity() if index == 0 else _layer_norm(config)
        self.qkv = nn.Linear(width, 3 * width, bias=config.attention_bias)
        self.output = nn.Linear(width, width, bias=config.attention_bias)
        self.mlp_norm = _layer_norm(config)
        self.up = nn.Linear(width, 2 * inner, bias=config.mlp_bias)
        self.down = nn.Linear(inner, width, bias=config.mlp_bias)

    def forward(self, hidden: Tensor, attend: Attend, rotations: Rotations) -> Tensor:
        """(tokens, width) to (tokens, width)."""
        q, k, v = self.qkv(self.attention_norm(hidden)).unflatten(-1, (3, self.heads, -1)).unbind(1)
        rotation = rotations.everywhere if self.local is None else rotations.nearby
        mixed = attend(rotate(q, rotation), rotate(k, rotation), v, self.local)
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
        self.tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.norm = _layer_norm(config)
        self.layers = nn.ModuleList(PreNormLayer(config, index) for index in range(config.layers))
        self.final_norm = _layer_norm(config)

    def forward(self, batch: Batch, attend: Attend) -> Tensor:
        """Return the last layer's output before the final norm, (tokens, width): what the pruning head reads."""
        rotations = Rotations(*(self._angles(batch.positions, theta) for theta in self.thetas))
        hidden = self.norm(self.tokens(batch.ids))
        for layer in self.layers:
            hidden = layer(hidden, attend, rotations)
        return cast("Tensor", hidden)

    def normed(self, hidden: Tensor) -> Tensor:
        """Return what the ranking head reads."""
        return cast("Tensor", self.final_norm(hidden))

    def _angles(self, positions: Tensor, theta: float) -> Tensor:
        steps = torch.arange(0, self.head_width, 2, dtype=torch.float32, device=positions.device)
        return positions[:, None].float() * (1.0 / theta ** (steps / self.head_width))


class RankingHead(nn.Module):
    """One logit a window: pool, dense, activation (ModernBERT: norm), linear."""

    def __init__(self, config: EncoderConfig, labels: int) -> None:
        super().__init__()
        width = config.hidden_size
        self.pooling = config.pooling
        self.activate = torch.tanh if config.ranking_activation == "tanh" else ACTIVATIONS[config.ranking_activation]
        self.dense = nn.Linear(width, width, bias=config.ranking_bias)
        modern = config.kind == "pre-norm"
        self.norm = nn.LayerNorm(width, eps=config.epsilon, bias=config.norm_bias) if modern else nn.Identity()
        self.classifier = nn.Linear(width, labels)

    def forward(self, hidden: Tensor, lengths: Sequence[int]) -> Tensor:
        """(tokens, width) to (windows,): the logit of label 0."""
        if self.pooling == "cls":
            sizes = torch.tensor(lengths, device=hidden.device)
            pooled = hidden[torch.cumsum(sizes, 0) - sizes]
        else:
            pooled = torch.stack([window.mean(0) for window in torch.split(hidden, list(lengths))])
        logits: Tensor = self.classifier(self.norm(self.activate(self.dense(pooled))))
        return logits[:, 0]


class Pruner(nn.Module):
    """An encoder, a head that scores each token, and (where the checkpoint has one) a head that scores the window.

    Args:
        config: The backbone's shape.
        ranking_labels: Rows of the ranking classifier; 0 for none. Row 0 is used.
    """

    def __init__(self, config: EncoderConfig, ranking_labels: int) -> None:
        super().__init__()
        self.config = config
        self.encoder = PostNormEncoder(config) if config.kind == "post-norm" else PreNormEncoder(config)
        self.pruning = nn.Linear(config.hidden_size, 2)
        self.ranking = RankingHead(config, ranking_labels) if ranking_labels else None

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.pruning.weight.device

    def forward(self, batch: Batch) -> Scores:
        """Score the tokens and windows of a batch.

        Source:
            Provence (Chirkova et al. 2025): softmax over two logits a token, index 1 = keep.
        """
        attend = (attend_padded if self.device.type == "cuda" else attend_by_window)(batch.lengths)
        hidden = self.encoder(batch, attend)
        logits = self.pruning(hidden).float()
        ranking = None
        if self.ranking is not None:
            ranking = self.ranking(self.encoder.normed(hidden), batch.lengths).float()
        return Scores(torch.softmax(logits, dim=-1)[:, 1], ranking)
