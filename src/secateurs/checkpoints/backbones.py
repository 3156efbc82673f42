"""Backbones: what their published configs and tensors are called, and what we call them.

A backbone is a reader of its `config.json` fields and a table of tensor names. In the tables a name stands for its
`.weight` and its `.bias`, and `{i}` for a layer number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from secateurs.checkpoints.files import need
from secateurs.errors import CheckpointError
from secateurs.model import ACTIVATIONS, EncoderConfig

_BERT_LAYER = {
    "encoder.layer.{i}.attention.self.query": "encoder.layers.{i}.query",
    "encoder.layer.{i}.attention.self.key": "encoder.layers.{i}.key",
    "encoder.layer.{i}.attention.self.value": "encoder.layers.{i}.value",
    "encoder.layer.{i}.attention.output.dense": "encoder.layers.{i}.output",
    "encoder.layer.{i}.attention.output.LayerNorm": "encoder.layers.{i}.attention_norm",
    "encoder.layer.{i}.intermediate.dense": "encoder.layers.{i}.up",
    "encoder.layer.{i}.output.dense": "encoder.layers.{i}.down",
    "encoder.layer.{i}.output.LayerNorm": "encoder.layers.{i}.mlp_norm",
    "embeddings.word_embeddings": "encoder.tokens",
    "embeddings.position_embeddings": "encoder.positions",
    "embeddings.token_type_embeddings": "encoder.types",
    "embeddings.LayerNorm": "encoder.norm",
}

BERT_NAMES = {
    **{f"bert.{theirs}": ours for theirs, ours in _BERT_LAYER.items()},
    "bert.pooler.dense": "ranking.dense",
    "classifier": "ranking.classifier",
}

XLM_ROBERTA_NAMES = {
    **{f"roberta.{theirs}": ours for theirs, ours in _BERT_LAYER.items()},
    "classifier.dense": "ranking.dense",
    "classifier.out_proj": "ranking.classifier",
}

MODERNBERT_NAMES = {
    "model.layers.{i}.attn_norm": "encoder.layers.{i}.attention_norm",
    "model.layers.{i}.attn.Wqkv": "encoder.layers.{i}.qkv",
    "model.layers.{i}.attn.Wo": "encoder.layers.{i}.output",
    "model.layers.{i}.mlp_norm": "encoder.layers.{i}.mlp_norm",
    "model.layers.{i}.mlp.Wi": "encoder.layers.{i}.up",
    "model.layers.{i}.mlp.Wo": "encoder.layers.{i}.down",
    "model.embeddings.tok_embeddings": "encoder.tokens",
    "model.embeddings.norm": "encoder.norm",
    "model.final_norm": "encoder.final_norm",
    "head.dense": "ranking.dense",
    "head.norm": "ranking.norm",
    "classifier": "ranking.classifier",
}

# Buffers that older versions of the library wrote into the file; they hold nothing that was learned.
IGNORED = re.compile(r".*\.position_ids")


@dataclass(frozen=True)
class Backbone:
    """How one kind of encoder is published.

    Attributes:
        read: Reads the shape from its config.
        names: Its tensor names to ours.
    """

    read: Callable[[Mapping[str, Any], str], EncoderConfig]
    names: Mapping[str, str]


def rename(name: str, table: Mapping[str, str]) -> str | None:
    """Translate a tensor name.

    Args:
        name: As it stands in the file.
        table: Their names to ours.

    Returns:
        Our name, or None if the table does not know it.

    Example:
        >>> rename("bert.encoder.layer.3.output.dense.bias", BERT_NAMES)
        'encoder.layers.3.down.bias'
    """
    module, _, kind = name.rpartition(".")
    number = re.search(r"(?<=\.)\d+(?=\.)", module)
    pattern = module if number is None else f"{module[: number.start()]}{{i}}{module[number.end() :]}"
    ours = table.get(pattern)
    if ours is None or kind not in ("weight", "bias"):
        return None
    return f"{ours}.{kind}".replace("{i}", number.group() if number else "")


def rename_back(name: str, table: Mapping[str, str]) -> str:
    """Translate one of our tensor names into the file's, for messages.

    Example:
        >>> rename_back("encoder.layers.3.down.bias", BERT_NAMES)
        'bert.encoder.layer.3.output.dense.bias'
    """
    theirs = {ours: name for name, ours in reversed(list(table.items()))}
    module, _, kind = name.rpartition(".")
    number = re.search(r"(?<=\.)\d+(?=\.)", module)
    pattern = module if number is None else f"{module[: number.start()]}{{i}}{module[number.end() :]}"
    return f"{theirs.get(pattern, pattern)}.{kind}".replace("{i}", number.group() if number else "")


def read_bert(config: Mapping[str, Any], where: str) -> EncoderConfig:
    """Read the config of a BERT encoder."""
    return EncoderConfig(
        **_common(config, where),
        kind="post-norm",
        activation=_activation(config, "hidden_act", where),
        epsilon=need(config, "layer_norm_eps", float, where),
        max_tokens=need(config, "max_position_embeddings", int, where),
        type_vocab_size=need(config, "type_vocab_size", int, where),
    )


def read_xlm_roberta(config: Mapping[str, Any], where: str) -> EncoderConfig:
    """Read the config of an XLM-RoBERTa encoder: its positions start behind the padding id."""
    first = need(config, "pad_token_id", int, where) + 1
    return EncoderConfig(
        **_common(config, where),
        kind="post-norm",
        activation=_activation(config, "hidden_act", where),
        epsilon=need(config, "layer_norm_eps", float, where),
        max_tokens=need(config, "max_position_embeddings", int, where) - first,
        type_vocab_size=need(config, "type_vocab_size", int, where),
        first_position=first,
    )


def read_modernbert(config: Mapping[str, Any], where: str) -> EncoderConfig:
    """Read the config of a ModernBERT encoder, as transformers 4 or 5 writes it."""
    rope = config.get("rope_parameters") or {}
    pooling = config.get("classifier_pooling", "cls")
    if pooling not in ("cls", "mean"):
        raise CheckpointError(f"{where}: 'classifier_pooling' must be 'cls' or 'mean', got {pooling!r}.")
    kind: Literal["cls", "mean"] = "cls" if pooling == "cls" else "mean"
    return EncoderConfig(
        **_common(config, where),
        kind="pre-norm",
        activation=_activation(config, "hidden_activation", where),
        epsilon=need(config, "norm_eps", float, where),
        max_tokens=need(config, "max_position_embeddings", int, where),
        local_window=need(config, "local_attention", int, where) // 2,
        global_every=need(config, "global_attn_every_n_layers", int, where),
        global_theta=float(config.get("global_rope_theta") or rope["full_attention"]["rope_theta"]),
        local_theta=float(config.get("local_rope_theta") or rope["sliding_attention"]["rope_theta"]),
        attention_bias=bool(config.get("attention_bias", False)),
        mlp_bias=bool(config.get("mlp_bias", False)),
        norm_bias=bool(config.get("norm_bias", False)),
        pooling=kind,
        ranking_bias=bool(config.get("classifier_bias", False)),
        ranking_activation=_activation(config, "classifier_activation", where),
    )


def _common(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    fields = {
        "vocab_size": "vocab_size",
        "hidden_size": "hidden_size",
        "intermediate_size": "intermediate_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
    }
    common: dict[str, int] = {ours: need(config, theirs, int, where) for ours, theirs in fields.items()}
    if not common["heads"] or common["hidden_size"] % common["heads"]:
        raise CheckpointError(
            f"{where}: hidden_size {common['hidden_size']} cannot be divided among {common['heads']} attention heads."
        )
    return common


def _activation(config: Mapping[str, Any], key: str, where: str) -> str:
    name = config.get(key, "gelu")
    if name not in ACTIVATIONS:
        raise CheckpointError(f"{where}: {key!r} is {name!r}, expected one of {', '.join(ACTIVATIONS)}.")
    return str(name)


BACKBONES: dict[str, Backbone] = {
    "bert": Backbone(read_bert, BERT_NAMES),
    "xlm-roberta": Backbone(read_xlm_roberta, XLM_ROBERTA_NAMES),
    "modernbert": Backbone(read_modernbert, MODERNBERT_NAMES),
}
