"""What a unit means by itself: a second, smaller reading, in which query and units do not see each other.

A cross-encoder learns how a query is answered from the labels it is given, and forgets much of what its encoder knew
of meaning. A bi-encoder keeps that: mean states of texts read one by one, compared by their cosine, find the
sentence that shares no word with the question, in another language too. So a checkpoint may have a tower of a few
layers beside its encoder; the agreement of query and unit, dimension by dimension, is added to the states of the
unit's tokens in the middle of the encoder, and the cosine to their log-odds. Units are short, so that the tower costs
less than as many layers of the encoder.

Source: mean pooling of E5 (Wang et al. 2022); the product of two vectors as a feature, InferSent (Conneau et al.
2017); means taken off, all-but-the-top (Mu and Viswanath 2018).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from secateurs.model.attention import choose_attention
from secateurs.model.encoders import Batch, EncoderConfig, PostNormEncoder
from secateurs.model.layers import Embedding, PlainLinear, rows_for, suits_onednn
from secateurs.model.sides import Sides, on, spread
from secateurs.model.unit_layer import UnitLayer


@dataclass(frozen=True)
class SimilarityConfig:
    """The shape of a tower.

    Attributes:
        layers: How many it has; all else is as in the encoder.
        at: Layer of the encoder, from 0 on, before which the agreement is added to the states.
        begin: Control token before each text, as an id.
        end: Control token after it.
        unit_layer: Size of the layer in which units hear each other; 0 for none.
    """

    layers: int
    at: int
    begin: int
    end: int
    unit_layer: int = 0


@dataclass(frozen=True)
class Agreement:
    """How query and parts agree, laid out for the tokens of the parts.

    Attributes:
        rows: Where these tokens stand in the batch.
        states: What is added to their states.
        odds: What is added to their log-odds.

    Shape:
        rows and odds: (document tokens,), states: (document tokens, width).
    """

    rows: Tensor
    states: Tensor
    odds: Tensor


class Similarity(nn.Module):
    """A tower: a few layers that read each text alone, and what is made of the vectors they give.

    Args:
        encoder: The shape of the encoder whose word embeddings it shares.
        config: Its own.
    """

    def __init__(self, encoder: EncoderConfig, config: SimilarityConfig) -> None:
        super().__init__()
        width = encoder.hidden_size
        self.config = config
        self.encoder = PostNormEncoder(replace(encoder, layers=config.layers), tokens=False)
        self.centres = Embedding(2, width)  # what all queries, and all units, have in common
        self.mix = PlainLinear(width, width, bias=False)
        self.scale = PlainLinear(1, 1, bias=False)
        self.unit_layer = UnitLayer(width, config.unit_layer) if config.unit_layer else None

    def forward(self, tokens: nn.Embedding, ids: Tensor, sides: Sides, vectors: Tensor | None = None) -> Agreement:
        """Compare the texts of a batch.

        Args:
            tokens: The encoder's word embeddings.
            ids: Of the batch; (rows,).
            sides: Where the texts stand in them.
            vectors: Their mean states, where they are known already; (texts, width).
        """
        if vectors is None:
            vectors = self.vectors(tokens, ids, sides)
        queries, units = self.centred(vectors[: sides.queries], 0), self.centred(vectors[sides.queries :], 1)
        agreement = units * queries[on(sides.owners, ids.device)]
        parts = on(sides.parts, ids.device)
        width = agreement.shape[1]
        states = self.mix(agreement * width**0.5)  # numbers of about 1, as in a state
        odds = self.scale(agreement.sum(1, keepdim=True)).float()[:, 0]
        return Agreement(on(sides.rows, ids.device), states[parts], odds[parts])

    def cosines(self, tokens: nn.Embedding, ids: Tensor, sides: Sides) -> Tensor:
        """Return the cosine of each part and its query; (parts,)."""
        vectors = self.vectors(tokens, ids, sides)
        queries, units = self.centred(vectors[: sides.queries], 0), self.centred(vectors[sides.queries :], 1)
        return (units * queries[on(sides.owners, ids.device)]).sum(1)

    def centred(self, vectors: Tensor, side: int) -> Tensor:
        """Return vectors without what their side has in common, of length 1; (texts, width)."""
        return functional.normalize(vectors - self.centres.weight[side], dim=1)

    def vectors(self, tokens: nn.Embedding, ids: Tensor, sides: Sides) -> Tensor:
        """Return the mean state of each text, in order; (texts, width)."""
        # of like length together, for attention's sake; each between its control tokens
        order = np.argsort(sides.lengths, kind="stable")
        starts, lengths = sides.starts[order], sides.lengths[order]
        inner = np.cumsum(lengths + 2) - lengths - 1  # where the texts begin among their control tokens
        flat = ids.new_full((int(lengths.sum()) + 2 * len(lengths),), self.config.begin)
        flat[on(inner + lengths, ids.device)] = self.config.end
        places = on(spread(inner, lengths), ids.device)
        flat[places] = ids[on(spread(starts, lengths), ids.device)]
        sizes = tuple((lengths + 2).tolist())
        batch = Batch.of(flat, torch.zeros_like(flat), sizes)
        if suits_onednn(self.mix.weight):
            batch = batch.with_rows(rows_for(len(flat)))
        attend = choose_attention(sizes, ids.device, self.mix.weight.dtype)
        hidden = self.encoder.layered(self.encoder.embedded(tokens, batch), attend)[places]
        owners = on(np.repeat(order, lengths), ids.device)
        sums = hidden.new_zeros(len(order), hidden.shape[1]).index_add(0, owners, hidden)
        return sums / on(np.maximum(sides.lengths, 1), ids.device)[:, None]
