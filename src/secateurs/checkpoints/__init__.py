"""Checkpoints: from a name or a folder to a model that is complete or not there at all.

`locate` finds the folder, `load` reads it. Only data is read (`config.json`, `tokenizer.json`, safetensors); code
that lies beside it, `auto_map` entries and pickles are never touched. Every parameter of the model must be in the
file with its shape, and every tensor of the file must be used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from secateurs.checkpoints import openprovence
from secateurs.checkpoints.backbones import IGNORED, rename, rename_back
from secateurs.checkpoints.files import (
    BUNDLED,
    TensorFile,
    locate,
    make_tokenizer,
    open_tensors,
    pair_template,
    read_config,
    read_tokenizer,
)
from secateurs.errors import CheckpointError
from secateurs.model import Pruner
from secateurs.policy import Policy, Threshold
from secateurs.windows import Layout, Tokenizer

__all__ = ["BUNDLED", "FAMILIES", "Checkpoint", "load", "locate"]

FAMILIES = ("openprovence",)
_BY_MODEL_TYPE = {"open_provence": "openprovence"}
_SHORTEST_WINDOW = 16


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint.

    Attributes:
        path: Its folder.
        family: Its layout.
        model: The model, on its device.
        tokenizer: Its tokenizer.
        layout: How it wants its windows.
        default_policy: What it keeps unless told otherwise.
    """

    path: Path
    family: str
    model: Pruner
    tokenizer: Tokenizer
    layout: Layout
    default_policy: Policy


def load(path: Path, *, family: str | None, device: torch.device, dtype: torch.dtype) -> Checkpoint:
    """Load a checkpoint from its folder.

    Args:
        path: The folder.
        family: Its layout, where `config.json` cannot tell.
        device: Where the weights go.
        dtype: In which precision they compute, whatever the file stores.

    Returns:
        The checkpoint, complete.

    Raises:
        CheckpointError: Anything is missing, extra, misshapen, damaged or unknown.
    """
    config = read_config(path)
    family = detect(config, family, path)
    where = str(path / "config.json")
    shape = openprovence.backbone(config, where).read(openprovence.base_config(config), where)
    window = min(openprovence.max_length(config, where), shape.max_tokens)
    if window < _SHORTEST_WINDOW:
        raise CheckpointError(f"{where}: a window of {window} tokens is too short to hold a query and a sentence.")
    pipeline = read_tokenizer(path)
    tokenizer = make_tokenizer(path, pipeline, shape.vocab_size)
    with open_tensors(path) as tensors:
        table = openprovence.names(config, where, tensors.shapes)
        sources = _sources(path, tensors, table)
        labels = tensors.shapes.get(sources.get("ranking.classifier.weight", ""), (0,))[0]
        _check_layers(path, sources, shape.layers)
        with torch.device("meta"):
            model = Pruner(shape, labels)
        _check(path, model, sources, tensors, table)
        state = {ours: tensors.read(theirs, device, dtype) for ours, theirs in sources.items()}
    for name in ("pruning.weight", "pruning.bias"):
        if not torch.isfinite(state[name]).all():
            raise CheckpointError(f"{path}: tensor {sources[name]!r} holds values that are not finite numbers.")
    model.load_state_dict(state, strict=True, assign=True)
    return Checkpoint(
        path,
        family,
        model.eval().requires_grad_(False),
        tokenizer,
        Layout(pair_template(path, pipeline), window),
        Threshold(openprovence.default_threshold(config)),
    )


def detect(config: Mapping[str, Any], family: str | None, path: Path) -> str:
    """Return the family of a checkpoint from its raw config, or the one the caller named."""
    if family is not None and family not in FAMILIES:
        raise ValueError(f"unknown family {family!r}: use {', '.join(map(repr, FAMILIES))}, or None to detect it.")
    found = _BY_MODEL_TYPE.get(str(config.get("model_type")))
    if family or found:
        return str(family or found)
    raise CheckpointError(
        f"{path / 'config.json'}: model_type {config.get('model_type')!r} is none of the layouts this package runs "
        f"({', '.join(_BY_MODEL_TYPE)}). If it is one of the families {', '.join(FAMILIES)}, name it with `family`."
    )


def _sources(path: Path, tensors: TensorFile, table: Mapping[str, str]) -> dict[str, str]:
    sources: dict[str, str] = {}
    unknown = []
    for theirs in tensors.shapes:
        ours = rename(theirs, table)
        if ours is not None and ours not in sources:
            sources[ours] = theirs
        elif not IGNORED.fullmatch(theirs) and not theirs.startswith(openprovence.IGNORED_PREFIX):
            unknown.append(theirs)
    if unknown:
        raise CheckpointError(
            f"{path}: the model has no place for {_list(unknown)}. It belongs to another layout or architecture."
        )
    return sources


def _check_layers(path: Path, sources: Mapping[str, str], layers: int) -> None:
    found = {name.split(".")[2] for name in sources if name.startswith("encoder.layers.")}
    if len(found) != layers:
        raise CheckpointError(f"{path}: config.json says {layers} layers, the file holds {len(found)}.")


def _check(
    path: Path, model: Pruner, sources: Mapping[str, str], tensors: TensorFile, table: Mapping[str, str]
) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    missing = [rename_back(name, table) for name in expected if name not in sources]
    extra = [theirs for ours, theirs in sources.items() if ours not in expected]
    if missing or extra:
        parts = [f"lacks {_list(missing)}"] * bool(missing) + [f"has no use for {_list(extra)}"] * bool(extra)
        raise CheckpointError(
            f"{path}: the file {' and '.join(parts)}. It is incomplete or not what config.json says."
        )
    wrong = [
        f"{sources[name]} is {tensors.shapes[sources[name]]}, expected {shape}"
        for name, shape in expected.items()
        if tensors.shapes[sources[name]] != shape
    ]
    if wrong:
        raise CheckpointError(f"{path}: tensors of the wrong shape: {_list(wrong)}.")


def _list(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
