"""Makes a tiny pruner in the published layout: random weights, real files, loaded by the real code."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
TEXTS = [
    "The mill was built in 1842 by Ann Lee. It burned down twice, and nobody knows why.",
    "Who built the mill? What causes tides? The pull of the Moon causes most of the motion.",
    "水车建于1842年。它烧毁过两次，没有人知道原因。月球的引力造成潮汐。",
]
# the pieces a trainer finds in these texts, frequent ones first
PIECES = "▁ e n h t o s d a ▁t u 。 . c y ▁bu es i 1842 T f , ? ▁mill ▁mo ▁Wh il ow ▁w on ti w b ll M k no ▁b"
LETTERS = "造引成力车水年于烧它建月汐的球毁两没人有次道原潮过知因，!AIrpLSFUCDQgVBqGmEOjNWPHJzxXRKvZYl0123456789"


def tiny_tokenizer() -> Tokenizer:
    """A Unigram tokenizer of the XLM-R kind, a hundred pieces: the same ones each time, as no trainer's are."""
    pieces = [(piece, -math.log(place + 2)) for place, piece in enumerate([*PIECES.split(), *LETTERS])]
    tokenizer = Tokenizer(models.Unigram([*((token, 0.0) for token in SPECIAL), *pieces], SPECIAL.index("<unk>")))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


def word_tokenizer() -> Tokenizer:
    """A tokenizer that knows the words of the texts and nothing else: few tokens, for tests of size."""
    words = sorted({word for text in TEXTS for word in text.split()})
    vocabulary = {token: index for index, token in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


def tiny_checkpoint(
    folder: Path,
    *,
    threshold: float | None = 0.5,
    max_length: int = 64,
    seed: int = 0,
    width: int = 16,
    layers: int = 2,
    tokenizer: Tokenizer | None = None,
) -> Path:
    """Write a checkpoint folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tiny_tokenizer() if tokenizer is None else tokenizer
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    inner, rows = width * 2, tokenizer.get_vocab_size()
    base = {
        "model_type": "bert",
        "vocab_size": rows,
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "max_position_embeddings": max_length,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
    }
    config: dict[str, Any] = {"model_type": "open_provence", "base_model_config": base, "max_length": max_length}
    if threshold is not None:
        config["default_threadshold"] = threshold
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(_tensors(width, inner, layers, rows, max_length, seed), folder / "model.safetensors")
    return folder


def _tensors(width: int, inner: int, layers: int, rows: int, positions: int, seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator) * 0.5

    tensors = {
        "bert.embeddings.word_embeddings.weight": random(rows, width),
        "bert.embeddings.position_embeddings.weight": random(positions, width),
        "bert.embeddings.token_type_embeddings.weight": random(2, width),
        "bert.pooler.dense.weight": random(width, width),
        "bert.pooler.dense.bias": random(width),
        "classifier.weight": random(1, width),
        "classifier.bias": random(1),
    }
    norms = ["bert.embeddings.LayerNorm"]
    for layer in range(layers):
        prefix = f"bert.encoder.layer.{layer}"
        shapes = {
            "attention.self.query": (width, width),
            "attention.self.key": (width, width),
            "attention.self.value": (width, width),
            "attention.output.dense": (width, width),
            "intermediate.dense": (inner, width),
            "output.dense": (width, inner),
        }
        for name, shape in shapes.items():
            tensors[f"{prefix}.{name}.weight"] = random(*shape)
            tensors[f"{prefix}.{name}.bias"] = random(shape[0])
        norms += [f"{prefix}.attention.output.LayerNorm", f"{prefix}.output.LayerNorm"]
    for norm in norms:
        tensors[f"{norm}.weight"] = 1 + random(width) * 0.2
        tensors[f"{norm}.bias"] = random(width) * 0.2
    tensors = {f"ranking_model.{name}": tensor for name, tensor in tensors.items()}
    tensors["pruning_head.classifier.weight"] = random(2, width)
    tensors["pruning_head.classifier.bias"] = random(2)
    return tensors
