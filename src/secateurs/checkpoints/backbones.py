"""Backbones: what their published configs and tensors are called, and what we call them.

A backbone is a reader of its `config.json` fields and a table of tensor names. In the tables a name stands for its
`.weight` and its `.bias`, and `{i}` for a layer number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from secateurs.checkpoints.files import flag, need
from secateurs.errors import CheckpointError, in_short
from secateurs.model.encoders import EncoderConfig
from secateurs.model.layers import ACTIVATIONS
from secateurs.model.similarity import SimilarityConfig

BERT_LAYERS = {
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
    **{f"bert.{theirs}": ours for theirs, ours in BERT_LAYERS.items()},
    "bert.pooler.dense": "ranking.dense",
    "classifier": "ranking.classifier",
}

# of a tower beside a BERT encoder, whose word embeddings it shares
TOWER_NAMES = {
    **{f"similarity.{theirs}": f"similarity.{ours}" for theirs, ours in BERT_LAYERS.items() if "word" not in theirs},
    **{f"similarity.{name}": f"similarity.{name}" for name in ("centres", "mix", "scale")},
    **{f"similarity.unit_layer.{name}": f"similarity.unit_layer.{name}" for name in ("inner", "outer")},
}

ROBERTA_NAMES = {f"roberta.{theirs}": ours for theirs, ours in BERT_LAYERS.items()}

XLM_ROBERTA_NAMES = {
    **ROBERTA_NAMES,
    "classifier.dense": "ranking.dense",
    "classifier.out_proj": "ranking.classifier",
}

DEBERTA_NAMES = {
    **{
        f"deberta.{theirs}_proj" if ".self." in theirs else f"deberta.{theirs}": ours
        for theirs, ours in BERT_LAYERS.items()
        if "position" not in theirs and "type" not in theirs
    },
    "deberta.encoder.rel_embeddings": "encoder.distances",
    "deberta.encoder.LayerNorm": "encoder.distance_norm",
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

_EVERYWHERE, _NEARBY = "full_attention", "sliding_attention"  # layers of ModernBERT, as transformers 5 calls them

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
        epsilon=_epsilon(config, "layer_norm_eps", where),
        max_tokens=need(config, "max_position_embeddings", int, where),
        type_vocab_size=_positive(config, "type_vocab_size", where),
    )


def read_xlm_roberta(config: Mapping[str, Any], where: str) -> EncoderConfig:
    """Read the config of an XLM-RoBERTa encoder: its positions start behind the padding id."""
    first = need(config, "pad_token_id", int, where) + 1
    return EncoderConfig(
        **_common(config, where),
        kind="post-norm",
        activation=_activation(config, "hidden_act", where),
        epsilon=_epsilon(config, "layer_norm_eps", where),
        max_tokens=need(config, "max_position_embeddings", int, where) - first,
        type_vocab_size=_positive(config, "type_vocab_size", where),
        first_position=first,
    )


def read_deberta(config: Mapping[str, Any], where: str) -> EncoderConfig:
    """Read the config of a DeBERTa-v3 encoder (`deberta-v2` in transformers); its other variants are refused."""
    wrong = _not_deberta_v3(config)
    if wrong:
        raise CheckpointError(f"{where}: only the encoder of DeBERTa-v3 is supported, but {'; '.join(wrong)}.")
    positions = need(config, "max_position_embeddings", int, where)
    key = "max_relative_positions"
    reach = config.get(key)  # less than 1, or nothing: as many as there are positions
    return EncoderConfig(
        **_common(config, where),
        kind="disentangled",
        activation=_activation(config, "hidden_act", where),
        epsilon=_epsilon(config, "layer_norm_eps", where),
        max_tokens=positions,
        buckets=_buckets(config, where),
        max_distance=positions
        if reach is None or (isinstance(reach, int) and reach < 1)
        else _positive(config, key, where),
        ranking_activation=_activation(config, "pooler_hidden_act", where),
    )


def tower_config(tower: SimilarityConfig) -> dict[str, int]:
    """Return what `config.json` says of a tower."""
    return {
        "num_hidden_layers": tower.layers,
        "at_layer": tower.at,
        "begin_token_id": tower.begin,
        "end_token_id": tower.end,
        **({"unit_layer_size": tower.unit_layer} if tower.unit_layer else {}),
    }


def read_tower(config: Mapping[str, Any], layers: int, where: str) -> SimilarityConfig:
    """Read the shape of a tower beside an encoder of so many layers."""
    tower = SimilarityConfig(
        layers=_positive(config, "num_hidden_layers", where),
        at=need(config, "at_layer", int, where),
        begin=need(config, "begin_token_id", int, where),
        end=need(config, "end_token_id", int, where),
        unit_layer=_positive(config, "unit_layer_size", where) if config.get("unit_layer_size") else 0,
    )
    if not 0 <= tower.at <= layers:
        raise CheckpointError(f"{where}: 'at_layer' of 'similarity' is {tower.at}, expected 0 to {layers}.")
    return tower


def _not_deberta_v3(config: Mapping[str, Any]) -> list[str]:
    expected: dict[str, object] = {
        "relative_attention": True,
        "share_att_key": True,
        "position_biased_input": False,
        "norm_rel_ebd": "layer_norm",
        "type_vocab_size": 0,
        "conv_kernel_size": 0,
        "embedding_size": config.get("hidden_size"),
    }
    defaults = {key: expected[key] for key in ("conv_kernel_size", "embedding_size")}  # absent in most files
    held = defaults | dict(config)
    wrong = [
        f"{key} is {in_short(held.get(key))}, expected {value!r}"
        for key, value in expected.items()
        if held.get(key) != value
    ]
    kinds = config.get("pos_att_type")
    listed = kinds if isinstance(kinds, list) else str(kinds).split("|")
    if sorted(map(str, listed)) != ["c2p", "p2c"]:
        wrong.append(f"pos_att_type is {in_short(kinds)}, expected ['p2c', 'c2p']")
    return wrong


def _buckets(config: Mapping[str, Any], where: str) -> int:
    buckets = need(config, "position_buckets", int, where)
    if buckets < 4:
        raise CheckpointError(f"{where}: 'position_buckets' is {buckets}, expected at least 4.")
    return int(buckets)


def read_modernbert(config: Mapping[str, Any], where: str) -> EncoderConfig:
    """Read the config of a ModernBERT encoder, as transformers 4 or 5 writes it."""
    pooling = config.get("classifier_pooling", "cls")
    if pooling not in ("cls", "mean"):
        raise CheckpointError(f"{where}: 'classifier_pooling' must be 'cls' or 'mean', got {in_short(pooling)}.")
    kind: Literal["cls", "mean"] = "cls" if pooling == "cls" else "mean"
    common = _common(config, where)
    return EncoderConfig(
        **common,
        kind="pre-norm",
        activation=_activation(config, "hidden_activation", where),
        epsilon=_epsilon(config, "norm_eps", where),
        max_tokens=need(config, "max_position_embeddings", int, where),
        local_window=need(config, "local_attention", int, where) // 2,
        global_every=_global_every(config, common["layers"], where),
        global_theta=_theta(config, "global_rope_theta", _EVERYWHERE, where),
        local_theta=_theta(config, "local_rope_theta", _NEARBY, where),
        attention_bias=flag(config, "attention_bias", where),
        mlp_bias=flag(config, "mlp_bias", where),
        norm_bias=flag(config, "norm_bias", where),
        pooling=kind,
        ranking_bias=flag(config, "classifier_bias", where),
        ranking_activation=_activation(config, "classifier_activation", where),
    )


def _global_every(config: Mapping[str, Any], layers: int, where: str) -> int:
    """Return every how many layers one attends globally: a number in transformers 4; in 5 a list, which counts."""
    kinds = config.get("layer_types")
    if kinds is None:
        return _positive(config, "global_attn_every_n_layers", where)
    if isinstance(kinds, list) and len(kinds) == layers:
        every = next((index for index in range(1, layers) if kinds[index] == _EVERYWHERE), layers)
        if kinds == [_NEARBY if index % every else _EVERYWHERE for index in range(layers)]:
            return every
    raise CheckpointError(
        f"{where}: 'layer_types' is {in_short(kinds)}, expected {layers}: {_EVERYWHERE!r} first and again every so "
        f"many layers, else {_NEARBY!r}."
    )


def _theta(config: Mapping[str, Any], key: str, layers: str, where: str) -> float:
    """Return a rotary base: a field of its own in transformers 4, an entry of a table in 5."""
    table = config.get("rope_parameters")
    entry = table.get(layers) if isinstance(table, dict) else None
    scalings = (entry, config.get("rope_scaling"))
    kinds = [one.get("rope_type", one.get("type", "default")) for one in scalings if isinstance(one, dict)]
    if wrong := [kind for kind in kinds if kind != "default"]:
        raise CheckpointError(
            f"{where}: the rotary positions are scaled ({in_short(wrong[0])}), which this package does not do: its "
            "scores would be others than the model's."
        )
    if config.get(key) is None:
        config, key = (entry if isinstance(entry, dict) else {}), "rope_theta"
    theta = float(need(config, key, float, where))
    if not 1.0 < theta < math.inf:
        raise CheckpointError(f"{where}: the rotary base {key!r} is {theta}, expected more than 1.")
    return theta


def _common(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    fields = {
        "vocab_size": "vocab_size",
        "hidden_size": "hidden_size",
        "intermediate_size": "intermediate_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
    }
    common = {ours: _positive(config, theirs, where) for ours, theirs in fields.items()}
    if common["hidden_size"] % common["heads"]:
        raise CheckpointError(
            f"{where}: hidden_size {common['hidden_size']} cannot be divided among {common['heads']} attention heads."
        )
    return common


def _activation(config: Mapping[str, Any], key: str, where: str) -> str:
    name = config.get(key, "gelu")
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise CheckpointError(f"{where}: {key!r} is {in_short(name)}, expected one of {', '.join(ACTIVATIONS)}.")
    return name


def _positive(config: Mapping[str, Any], key: str, where: str) -> int:
    value = int(need(config, key, int, where))
    if value < 1:
        raise CheckpointError(f"{where}: {key!r} is {value}, expected at least 1.")
    return value


def _epsilon(config: Mapping[str, Any], key: str, where: str) -> float:
    value = float(need(config, key, float, where))
    if not 0.0 < value < 1.0:
        raise CheckpointError(f"{where}: {key!r} is {value}, expected a small positive number.")
    return value


BACKBONES: dict[str, Backbone] = {
    "bert": Backbone(read_bert, BERT_NAMES),
    "xlm-roberta": Backbone(read_xlm_roberta, XLM_ROBERTA_NAMES),
    "modernbert": Backbone(read_modernbert, MODERNBERT_NAMES),
}
