"""The encoder with its two heads; forward only.

Models are built on the `meta` device and filled by `secateurs.checkpoints`, so that a half-loaded one cannot exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from secateurs.model.attention import Attend, choose_attention
from secateurs.model.encoders import Batch, EncoderConfig, PostNormEncoder, make_encoder
from secateurs.model.layers import ACTIVATIONS, LayerNorm, PlainLinear, rows_for, suits_onednn
from secateurs.model.sides import Sides
from secateurs.model.similarity import Similarity, SimilarityConfig

__all__ = ["Batch", "EncoderConfig", "Pruner", "RankingHead", "Scores", "Sides", "SimilarityConfig"]


@dataclass(frozen=True)
class Scores:
    """What the heads say.

    Attributes:
        tokens: Log-odds of each token to be relevant, float32.
        ranking: Logit of each window, float32; None without a ranking head.

    Shape:
        tokens: (tokens,), ranking: (windows,).
    """

    tokens: Tensor
    ranking: Tensor | None


class Reading(NamedTuple):
    """What the encoder made of a batch.

    Attributes:
        hidden: Its last states.
        odds: Log-odds of each token to be relevant, float32.

    Shape:
        hidden: (rows, width), odds: (rows,).
    """

    hidden: Tensor
    odds: Tensor


class RankingHead(nn.Module):
    """One logit a window: pool, dense, activation (ModernBERT: norm), linear."""

    def __init__(self, config: EncoderConfig, labels: int) -> None:
        super().__init__()
        width = config.hidden_size
        self.pooling = config.pooling
        self.activate = torch.tanh if config.ranking_activation == "tanh" else ACTIVATIONS[config.ranking_activation]
        self.dense = PlainLinear(width, width, bias=config.ranking_bias)
        modern = config.kind == "pre-norm"
        self.norm = LayerNorm(width, eps=config.epsilon, bias=config.norm_bias) if modern else nn.Identity()
        self.classifier = PlainLinear(width, labels)

    def forward(self, hidden: Tensor, lengths: Sequence[int]) -> Tensor:
        """(tokens, width) to (windows,): the logit of label 0."""
        logits: Tensor = self.classifier(self.features(hidden, lengths))
        return logits[:, 0]

    def features(self, hidden: Tensor, lengths: Sequence[int]) -> Tensor:
        """(tokens, width) to (windows, width): what the classifier sees."""
        if self.pooling == "cls":
            sizes = torch.tensor(lengths, device=hidden.device)
            pooled = hidden[torch.cumsum(sizes, 0) - sizes]
        else:
            pooled = torch.stack([window.mean(0) for window in torch.split(hidden, list(lengths))])
        seen: Tensor = self.norm(self.activate(self.dense(pooled)))
        return seen


class Pruner(nn.Module):
    """An encoder, a head that scores each token, and (where the checkpoint has one) a head that scores the window.

    Args:
        config: The backbone's shape.
        ranking_labels: Rows of the ranking classifier; 0 for none. Row 0 is used.
        similarity: The shape of the tower beside the encoder, which must be of BERT's kind then; None for none.
    """

    def __init__(
        self, config: EncoderConfig, ranking_labels: int, similarity: SimilarityConfig | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.encoder = make_encoder(config)
        self.pruning = PlainLinear(config.hidden_size, 2)
        self.ranking = RankingHead(config, ranking_labels) if ranking_labels else None
        self.similarity = None if similarity is None else Similarity(config, similarity)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.pruning.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the forward pass."""
        return self.pruning.weight.dtype

    def forward(self, batch: Batch, sides: Sides | None = None) -> Scores:
        """Score the tokens and windows of a batch.

        Args:
            batch: The windows.
            sides: Where queries and parts stand in them; only a model with a tower asks.

        The softmax over a token's two logits is the sigmoid of their difference. The difference is returned, because
        a family that averages vectors before the head needs it: a linear head of a mean is the mean of the heads.

        Source:
            Provence (Chirkova et al. 2025): two logits a token, index 1 = keep.
        """
        tokens = len(batch.ids)
        if suits_onednn(self.pruning.weight):
            batch = batch.with_rows(rows_for(tokens))
        attend = choose_attention(batch.lengths, self.device, self.dtype)
        hidden, odds = self.read(batch, attend, sides)
        ranking = None
        if self.ranking is not None:
            ranking = self.ranking(self.encoder.normed(hidden[:tokens]), batch.lengths).float()
        return Scores(odds[:tokens], ranking)

    def read(
        self, batch: Batch, attend: Attend, sides: Sides | None = None, vectors: Tensor | None = None
    ) -> Reading:
        """Return the last states of a batch's tokens, and their log-odds to be relevant.

        Args:
            batch: The windows.
            attend: Attention over them.
            sides: As in `forward`.
            vectors: What the tower makes of them, where that is known already; (texts, width).
        """
        if self.similarity is None:
            hidden = self.encoder(batch, attend)
            return Reading(hidden, self.odds(hidden))
        if sides is None:
            raise ValueError("a model with a similarity tower must be told where queries and units stand, got None.")
        encoder, at = cast("PostNormEncoder", self.encoder), self.similarity.config.at
        agreement = self.similarity(encoder.tokens, batch.ids, sides, vectors)
        hidden = encoder.layered(encoder.embedded(encoder.tokens, batch), attend, last=at)
        states = agreement.states.to(hidden.dtype)  # under autocast they are narrower
        hidden = encoder.layered(hidden.index_add(0, agreement.rows, states), attend, first=at)
        odds = self.odds(hidden).index_add(0, agreement.rows, agreement.odds)
        layer = self.similarity.unit_layer
        if layer is not None:
            odds = odds.index_add(0, agreement.rows, layer(hidden, odds, sides))
        return Reading(hidden, odds)

    def odds(self, hidden: Tensor) -> Tensor:
        """Return what the pruning head alone says of states: log-odds; (rows, width) to (rows,)."""
        logits = self.pruning(hidden).float()
        return cast("Tensor", logits[:, 1] - logits[:, 0])
