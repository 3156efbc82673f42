"""What training begins from: a pruner, an encoder or a reranker becomes a `Pruner` that learns.

A plain encoder lacks the two heads; they start at zero, so that all tokens begin alike and nothing of the encoder is
disturbed (heads.py then says at which share). Only data of a checkpoint is read, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
import torch
from numpy.typing import NDArray
from torch import Tensor

from secateurs.checkpoints import BUNDLED, locate
from secateurs.checkpoints.backbones import BACKBONES, TOWER_NAMES, read_tower, rename
from secateurs.checkpoints.files import need, open_tensors, read_config
from secateurs.checkpoints.tokenizer import make_tokenizer, pair_template, read_tokenizer
from secateurs.errors import CheckpointError, in_short, shorten
from secateurs.model.pruner import Pruner
from secateurs.train.config import ConfigError, StartConfig
from secateurs.train.vocabulary import trim
from secateurs.windows.packing import Layout
from secateurs.windows.tokenizer import Tokenizer

KINDS = ("bert", "xlm-roberta", "modernbert")
_BODY = {"bert": "bert.", "xlm-roberta": "roberta.", "modernbert": "model."}
_SAME_TABLE = 0.05  # of the norm; 8 bits a weight change 1 %
_SPREAD = 0.05  # deviation of a weight of the layer over units
_COSINE = 5.0  # what a cosine of 1 adds to the log-odds of a pruner that never heard of its tower
_LONGEST = 512  # windows of training, unless the config says otherwise


@dataclass(frozen=True)
class Start:
    """A model that is ready to learn, and what is needed to write it down again.

    Attributes:
        model: The pruner in float32; what is frozen does not require a gradient.
        kind: `model_type` of the backbone.
        base: The backbone's config, as it will be written.
        pipeline: Its tokenizer.
        tokenizer: The same, as the compressor uses it.
        layout: Control tokens and window.
        folder: Where the tokenizer's other files are.
        name: What the config called it.
    """

    model: Pruner
    kind: str
    base: dict[str, Any]
    pipeline: tokenizers.Tokenizer
    tokenizer: Tokenizer
    layout: Layout
    folder: Path
    name: str


def load_start(config: StartConfig, texts: Iterable[str] = ()) -> Start:
    """Load what training begins from.

    Args:
        config: Which model, and what of it stays and learns.
        texts: If any, the vocabulary is cut down to what they use.

    Returns:
        The model on the CPU.

    Raises:
        CheckpointError: It cannot be loaded, or its architecture is not one that can be trained here.
        ConfigError: The config asks for more layers than there are, or for layers of a model that does not fit.
    """
    name = None if config.model in ("bundled", BUNDLED) else config.model
    folder = locate(name, config.revision or None)
    where = str(folder / "config.json")
    raw = read_config(folder)
    inner = raw.get("base_model_config") or raw
    base = dict(inner) if isinstance(inner, dict) else {}
    kind = str(base.get("model_type"))
    if kind not in KINDS or raw.get("model_type") not in (*KINDS, "open_provence"):
        said = f"{in_short(raw.get('model_type'))} ({shorten(kind, 80)})"
        raise CheckpointError(
            f"{where}: cannot train model_type {said}, expected a model of {', '.join(KINDS)}, or a pruner in "
            "the OpenProvence layout on one of them."
        )
    _name_global_layers(base)
    _truncate(base, config.layers, where)
    pipeline = read_tokenizer(folder)
    state = _read_tensors(folder, kind)
    tower = raw.get("similarity") if isinstance(raw.get("similarity"), dict) else None
    if config.similarity:
        template = pair_template(folder, pipeline, len(state["encoder.tokens.weight"]))
        tower = {"at_layer": config.similarity_at, "begin_token_id": template.before[0]}
        tower |= {"end_token_id": template.after[-1], "num_hidden_layers": _add_tower(state, config, kind, where)}
    if config.unit_layer:
        if tower is None:
            raise ConfigError(f"start.unit_layer: the model has no tower ({where}): give it one by start.similarity.")
        tower = {**tower, "unit_layer_size": config.unit_layer}
    if config.upper:
        state.update(_grow(base, config, kind, where))
    if config.pick:
        state = _pick(state, base, config.pick, where)
    texts = list(texts)
    if texts:
        trimmed = trim(pipeline, texts)
        pipeline = trimmed.pipeline
        state["encoder.tokens.weight"] = state["encoder.tokens.weight"][torch.from_numpy(trimmed.rows)]
        _replace_ids(base, pipeline, read_tokenizer(folder))
        tower = None if tower is None else _renumbered(tower, trimmed.rows)
    base["vocab_size"] = len(state["encoder.tokens.weight"])
    shape = BACKBONES[kind].read(base, where)
    _check_layers(state, shape.layers, folder)
    with torch.device("meta"):  # sizes are compared with the file's before they cost memory
        model = Pruner(shape, 1, None if tower is None else read_tower(tower, shape.layers, where))
    model = _fill(model, state, folder)
    freeze(model, config)
    own = need(raw, "max_length", int, where) if raw.get("max_length") else _LONGEST
    window = min(config.max_length or own, shape.max_tokens)
    template = pair_template(folder, pipeline, shape.vocab_size)
    if template.document_type >= max(shape.type_vocab_size, 1):
        template = replace(template, document_type=0)
    tokenizer = make_tokenizer(folder, pipeline, shape.vocab_size)
    return Start(model, kind, base, pipeline, tokenizer, Layout(template, window), folder, config.model)


def _renumbered(tower: dict[str, Any], rows: NDArray[np.int64]) -> dict[str, Any]:
    """Return a tower's settings with the ids that its control tokens have in a smaller vocabulary."""
    ids = ("begin_token_id", "end_token_id")
    return {
        **tower,
        **{key: int(np.searchsorted(rows, tower[key])) for key in ids if isinstance(tower.get(key), int)},
    }


def freeze(model: Pruner, config: StartConfig) -> None:
    """Decide which parameters learn."""
    model.train().requires_grad_(True)
    encoder = model.encoder
    layers = list(encoder.layers)
    count = len(layers) if config.freeze_layers == -1 else config.freeze_layers
    if count > len(layers):
        raise ConfigError(f"start.freeze_layers is {count}, expected at most {len(layers)}, the layers of the model.")
    if count:
        for name, part in encoder.named_children():
            part.requires_grad_(name in ("layers", "final_norm"))
    for layer in layers[:count]:
        layer.requires_grad_(False)
    if config.freeze_layers == -1:
        encoder.requires_grad_(False)
    if config.freeze_embeddings:
        encoder.tokens.requires_grad_(False)
    if model.similarity is not None and config.freeze_similarity:
        for part in (model.similarity.encoder, model.similarity.centres):
            part.requires_grad_(False)


def _name_global_layers(base: dict[str, Any]) -> None:
    """Write down how often a ModernBERT attends globally, where its config lists the kind of each layer instead."""
    kinds = base.get("layer_types")
    if (
        base.get("model_type") == "modernbert"
        and "global_attn_every_n_layers" not in base
        and isinstance(kinds, list)
    ):
        places = [place for place, kind in enumerate(kinds) if kind == "full_attention"]
        base["global_attn_every_n_layers"] = places[1] if len(places) > 1 else max(len(kinds), 1)


def _truncate(base: dict[str, Any], layers: int, where: str) -> None:
    have = need(base, "num_hidden_layers", int, where)
    if layers > have:
        raise ConfigError(f"start.layers is {layers}, but the model has {have} ({where}): use at most that many.")
    if layers:
        base["num_hidden_layers"] = layers
        if isinstance(base.get("layer_types"), list):
            base["layer_types"] = base["layer_types"][:layers]
    base["num_labels"] = 1
    for stale in ("id2label", "label2id", "architectures"):
        base.pop(stale, None)


def _pick(state: Mapping[str, Tensor], base: dict[str, Any], pick: tuple[int, ...], where: str) -> dict[str, Tensor]:
    """Keep some layers, in the order they are named in."""
    have = need(base, "num_hidden_layers", int, where)
    if max(pick) >= have:
        raise ConfigError(f"start.pick names layer {max(pick)}, but the model has {have} ({where}), from 0 on.")
    if isinstance(base.get("layer_types"), list):
        raise ConfigError(f"start.pick: layers of the model differ in what they see ({where}); use start.layers.")
    kept = {name: tensor for name, tensor in state.items() if not name.startswith("encoder.layers.")}
    for place, layer in enumerate(pick):
        old, new = (f"encoder.layers.{index}." for index in (layer, place))
        kept.update({new + name.removeprefix(old): one for name, one in state.items() if name.startswith(old)})
    base["num_hidden_layers"] = len(pick)
    return kept


def _grow(base: dict[str, Any], config: StartConfig, kind: str, where: str) -> dict[str, Tensor]:
    """Return the layers of a deeper model that lie above those of `base`, which gets as many."""
    folder = locate(config.upper, config.upper_revision or None)
    raw = read_config(folder)
    inner = raw.get("base_model_config") or raw
    found = inner.get("model_type") if isinstance(inner, dict) else None
    if found != kind:
        raise ConfigError(
            f"start.upper is a {in_short(found)}, the model a {in_short(kind)} ({where}): use one of its kind."
        )
    have, more = base["num_hidden_layers"], need(inner, "num_hidden_layers", int, str(folder / "config.json"))
    if more <= have:
        raise ConfigError(f"start.upper has {more} layers, the model has {have} ({where}): use a deeper one.")
    base["num_hidden_layers"] = more
    kinds, above = base.pop("layer_types", None), inner.get("layer_types")
    if isinstance(kinds, list) and isinstance(above, list):
        base["layer_types"] = [*kinds, *above[have:]]  # else global_attn_every_n_layers says it
    return _read_tensors(folder, kind, tuple(f"encoder.layers.{index}." for index in range(have, more)))


def _add_tower(state: dict[str, Tensor], config: StartConfig, kind: str, where: str) -> int:
    """Put layers of another encoder beside the model's, as a tower; returns how many."""
    folder = locate(config.similarity, None)
    other = _read_tensors(folder, kind)
    mine, theirs = (some.get("encoder.tokens.weight", torch.empty(0)) for some in (state, other))
    if mine.shape != theirs.shape or (mine - theirs).norm() > _SAME_TABLE * mine.norm():
        raise ConfigError(
            f"start.similarity {config.similarity!r} has other word embeddings than the model ({where}): a tower "
            "shares them. Start both from one encoder and leave its embeddings frozen."
        )
    have = 1 + max((int(name.split(".")[2]) for name in other if name.startswith("encoder.layers.")), default=-1)
    layers = config.similarity_layers or tuple(range(have))
    if max(layers) >= have:
        raise ConfigError(f"start.similarity_layers names layer {max(layers)}, but the tower has {have}, from 0 on.")
    for stale in [name for name in state if name.startswith("similarity.")]:
        del state[stale]
    for name, tensor in other.items():
        if name.startswith(("encoder.positions.", "encoder.types.", "encoder.norm.")):
            state[f"similarity.{name}"] = tensor
    for place, layer in enumerate(layers):
        old, new = f"encoder.layers.{layer}.", f"similarity.encoder.layers.{place}."
        state.update({new + name.removeprefix(old): one for name, one in other.items() if name.startswith(old)})
    return len(layers)


def _read_tensors(folder: Path, kind: str, wanted: tuple[str, ...] = ("",)) -> dict[str, Tensor]:
    """Read every tensor that has a place in a pruner, by our names; other heads are left behind.

    Args:
        folder: The checkpoint.
        kind: Its architecture.
        wanted: What our names begin with.
    """
    table = BACKBONES[kind].names
    state = {}
    with open_tensors(folder) as tensors:
        for theirs in tensors.shapes:
            ours = _place(theirs, kind, table)
            if ours is not None and ours.startswith(wanted):
                state[ours] = tensors.read(theirs, torch.device("cpu"), torch.float32)
    return state


def _place(theirs: str, kind: str, table: Mapping[str, str]) -> str | None:
    if theirs.startswith("pruning_head."):
        return theirs.replace("pruning_head.classifier.", "pruning.").replace("pruning_head.", "pruning.")
    if theirs.startswith("similarity."):
        return rename(theirs, TOWER_NAMES)
    plain = theirs.removeprefix("ranking_model.")
    return rename(plain, table) or rename(_BODY[kind] + plain, table)


def _check_layers(state: Mapping[str, Tensor], layers: int, folder: Path) -> None:
    held = len({name.split(".")[2] for name in state if name.startswith("encoder.layers.")})
    if layers > held:
        raise CheckpointError(
            f"{folder}: config.json says {layers} layers, the file holds {held}: they do not belong together. "
            "Download the checkpoint again."
        )


def _fill(model: Pruner, state: dict[str, Tensor], folder: Path) -> Pruner:
    """Load the tensors strictly; only heads may be missing, and those start at zero (the dense layer as identity)."""
    expected = model.state_dict()
    layers = ("encoder.", "similarity.encoder.")
    missing = [name for name in expected if name not in state and name.startswith(layers)]
    if missing:
        raise CheckpointError(
            f"{folder}: the file lacks {len(missing)} tensors of the encoder, such as {missing[0]}."
        )
    ready = {}
    for name, parameter in expected.items():
        tensor = state.get(name)
        if tensor is None or (tensor.shape != parameter.shape and not name.startswith("encoder.")):
            tensor = _fresh(name, parameter)
        if tensor.shape != parameter.shape:
            raise CheckpointError(
                f"{folder}: {name} is {tuple(tensor.shape)}, expected {tuple(parameter.shape)}: the file and "
                "config.json do not belong together."
            )
        ready[name] = tensor
    model.load_state_dict(ready, strict=True, assign=True)
    return model


def _fresh(name: str, parameter: Tensor) -> Tensor:
    if name == "ranking.dense.weight":
        return torch.eye(len(parameter)) * 0.1
    if name == "ranking.norm.weight":
        return torch.ones(parameter.shape)
    if name == "similarity.scale.weight":
        return torch.full(parameter.shape, _COSINE)
    if name == "similarity.unit_layer.inner.weight":  # what stands behind it is zero: both at zero would stay there
        return torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)) * _SPREAD
    return torch.zeros(parameter.shape)


def _replace_ids(base: dict[str, Any], new: tokenizers.Tokenizer, old: tokenizers.Tokenizer) -> None:
    """Renumber the control tokens that a backbone's config names."""
    for key in ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id", "unk_token_id"):
        token = old.id_to_token(base[key]) if isinstance(base.get(key), int) else None
        found = None if token is None else new.token_to_id(token)
        # XLM-R's padding id also says where its positions begin: it is among the first, which keep their places
        if found is not None and base["model_type"] != "xlm-roberta":
            base[key] = found
