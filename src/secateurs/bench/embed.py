"""The checkpoint's encoder served as sentence-transformers serves one, for the neighbours that compare embeddings.

Texts are sorted by length, rows of a fixed number padded to their longest and cut at the window, mean-pooled, vectors
of length 1. BERT and XLM-RoBERTa run in transformers' own class, which is what sentence-transformers runs; other
backbones in this package's layers, on which padding is all that differs. E5's prefixes, which would make every text
longer, are left away in the neighbours' favour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from secateurs.bench.variants import Padded, encode_padded, pad
from secateurs.checkpoints import Checkpoint
from secateurs.checkpoints.backbones import BERT_LAYERS, rename
from secateurs.model.pruner import Pruner

Vectors = list[list[float]]


class MeanPooled:
    """A sentence encoder.

    Args:
        checkpoint: Whose encoder, with its weights.

    Attributes:
        module: What is called for each forward pass.
        says: What that is, in words.
        tokens: Encoder tokens read so far, control tokens included, padding not.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.tokens = 0
        self._checkpoint = checkpoint
        self.module: nn.Module
        self._encode: Callable[[Padded], Tensor]
        if checkpoint.model.config.kind == "post-norm":
            self.says = "transformers' BertModel, the same weights"
            self.module = make_bert(checkpoint.model)
            self._encode = self._by_transformers
        else:
            self.says = "this package's layers, the same weights"
            self.module = checkpoint.model.encoder
            self._encode = self._by_own_layers

    def embed(self, texts: Sequence[str], rows: int) -> Vectors:
        """Embed texts.

        Args:
            texts: Any number; what is over the window is cut off.
            rows: Texts of a batch.

        Returns:
            A vector of length 1 for each, in order.

        Source:
            sentence-transformers' `encode`.
        """
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]), reverse=True)
        vectors: dict[int, list[float]] = {}
        for first in range(0, len(order), rows):
            some = order[first : first + rows]
            vectors.update(zip(some, self._run([texts[index] for index in some]), strict=True))
        return [vectors[index] for index in range(len(texts))]

    def _run(self, texts: Sequence[str]) -> Vectors:
        template, window = self._checkpoint.layout.template, self._checkpoint.layout.max_length
        room = window - len(template.before) - len(template.after)
        tokens = self._checkpoint.tokenizer.encode(texts)
        each = np.split(tokens.ids, np.cumsum(tokens.lengths)[:-1])
        rows = pad([np.array([*template.before, *ids[:room], *template.after], dtype=np.int32) for ids in each])
        self.tokens += int(rows.real.sum())
        with torch.inference_mode():
            hidden = self._encode(rows).float()
            weights = torch.from_numpy(rows.real).to(hidden.device, hidden.dtype)[..., None]
            pooled = (hidden * weights).sum(1) / weights.sum(1)
            vectors: Vectors = nn.functional.normalize(pooled, dim=-1).cpu().tolist()
        return vectors

    def _by_own_layers(self, rows: Padded) -> Tensor:
        model = self._checkpoint.model
        return model.encoder.normed(encode_padded(model, rows))

    def _by_transformers(self, rows: Padded) -> Tensor:
        device = self._checkpoint.model.device
        real = torch.from_numpy(rows.real).to(device, torch.int64)
        ids, types = (torch.from_numpy(array).to(device) for array in (rows.ids, rows.types))
        hidden: Tensor = self.module(input_ids=ids, attention_mask=real, token_type_ids=types).last_hidden_state
        return hidden


def make_bert(model: Pruner) -> nn.Module:
    """Return transformers' BertModel with the weights of a BERT or XLM-RoBERTa encoder.

    XLM-RoBERTa is BERT whose table of positions begins with rows that no token uses; they are left away.
    """
    from transformers import AutoModel, BertConfig

    config = model.config
    shape = BertConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        hidden_act=config.activation,
        max_position_embeddings=config.max_tokens,
        type_vocab_size=config.type_vocab_size,
        layer_norm_eps=config.epsilon,
    )
    make: Any = AutoModel.from_config  # it has no types
    bert: nn.Module = make(shape, attn_implementation="sdpa", add_pooling_layer=False)
    ours, theirs = model.state_dict(), {}
    for name in bert.state_dict():
        tensor = ours[rename(name, BERT_LAYERS) or ""]
        first = config.first_position if "position" in name else 0
        theirs[name] = tensor[first:].to(model.dtype)
    bert.load_state_dict(theirs, assign=True)  # shared with ours, not copied, where the precision is the same
    return bert.to(model.device).eval().requires_grad_(False)
