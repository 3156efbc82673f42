"""Checkpoints: from a name or a folder to a model that is complete or not there at all.

`locate` finds the folder, `load` reads it. Only data is read (`config.json`, `tokenizer.json`, safetensors); code
that lies beside it, `auto_map` entries and pickles are never touched. Every parameter of the model must be in the
file with its shape, and every tensor of the file must be used.

Each published layout is a `Family` (family.py) in a file of its own; backbones.py has readers and tables for BERT,
XLM-RoBERTa, DeBERTa-v3 and ModernBERT. How to add one is written in README.md.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from secateurs.checkpoints import openprovence, opensearch, provence, xprovence
from secateurs.checkpoints.backbones import IGNORED, rename, rename_back
from secateurs.checkpoints.family import Blueprint, Family, Published, RawConfig
from secateurs.checkpoints.files import TensorFile, open_tensors, read_config
from secateurs.checkpoints.hub import BUNDLED, locate
from secateurs.checkpoints.tokenizer import make_tokenizer, pair_template, read_tokenizer
from secateurs.errors import CheckpointError, in_short, shorten
from secateurs.model.pruner import Pruner
from secateurs.policy import Policy
from secateurs.result.token_scores import OffsetSource
from secateurs.windows.packing import Layout, Template
from secateurs.windows.tokenizer import Ids, Tokenizer, TokenizerOffsets, Tokens

__all__ = ["BUNDLED", "FAMILIES", "Checkpoint", "Family", "Published", "check_family", "load", "locate"]

FAMILIES: Mapping[str, Family] = {
    family.name: family for family in (openprovence.FAMILY, provence.FAMILY, xprovence.FAMILY, opensearch.FAMILY)
}
_SHORTEST_WINDOW = 16
_LONGEST_WINDOW = 2**15  # four times the longest that is published; what attention needs grows with the square
_MOST_LABELS = 2**16
# Two thirds of a small model. On a CPU only the rows that are looked up are converted: the table stays in the file's
# own pages, which processes share.
TOKEN_TABLE = "encoder.tokens.weight"

_log = logging.getLogger(__name__)


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
    family: Family
    model: Pruner
    tokenizer: Tokenizer
    layout: Layout
    default_policy: Policy

    def offsets(self, read: NDArray[np.bool_]) -> OffsetSource | None:
        """Return what tells where tokens stand, which knows no weights.

        Args:
            read: Which units of a document were tokenized.

        Returns:
            It; None where the family scores no single token.

        Shape:
            read: (units,).
        """
        return TokenizerOffsets(self.tokenizer, self.family.sentences, read) if self.family.reads_tokens else None

    def encode_query(self, query: str) -> Ids:
        """Tokenize a query the way the family wants it."""
        return self.tokenizer.encode([self.family.query(query)]).ids

    def encode_sentences(self, sentences: Sequence[str]) -> Tokens:
        """Tokenize the sentences of one document, each on its own, the way the family wants them."""
        return self.tokenizer.encode(self.family.sentences(sentences))


def load(
    path: Path, *, family: str | None, device: torch.device, dtype: torch.dtype, mapped: bool = True
) -> Checkpoint:
    """Load a checkpoint from its folder.

    Args:
        path: The folder.
        family: Its layout, where `config.json` cannot tell.
        device: Where the weights go.
        dtype: In which precision they compute, whatever the file stores.
        mapped: Whether those on a CPU may stay in the file's own pages, which processes share: whoever writes into
            that file then changes them, and whoever cuts it short ends the process.

    Returns:
        The checkpoint, complete.

    Raises:
        CheckpointError: Anything is missing, extra, misshapen, damaged or unknown.
        ValueError: `family` is not one.
    """
    config = read_config(path)
    layout = detect(config, family, path)
    with open_tensors(path, mapped=mapped) as tensors:
        blueprint = layout.read(config, str(path / "config.json"), tensors.shapes)
        pipeline = read_tokenizer(path)
        tokenizer = make_tokenizer(path, pipeline, blueprint.shape.vocab_size)
        model = _fill(path, layout, blueprint, tensors, device, dtype)
    template = layout.template(pair_template(path, pipeline, blueprint.shape.vocab_size))
    if template.document_type >= blueprint.shape.type_vocab_size:
        template = replace(template, document_type=0)  # the model knows one type, whatever the tokenizer says
    if "NC" in layout.licence:
        _log.warning("%s: weights of this family are licensed %s: not for commercial use.", path, layout.licence)
    window = Layout(template, _window(path, blueprint, template), layout.part_of_window)
    return Checkpoint(path, layout, model, tokenizer, window, blueprint.default_policy)


def check_family(family: str | None) -> None:
    """Check the name of a family, or say which ones there are."""
    if family is not None and family not in FAMILIES:
        raise ValueError(f"unknown family {family!r}: use {', '.join(map(repr, FAMILIES))}, or None to detect it.")


def detect(config: RawConfig, family: str | None, path: Path) -> Family:
    """Return the family of a checkpoint from its raw config, or the one the caller named."""
    check_family(family)
    kind = str(config.get("model_type"))
    where = path / "config.json"
    found = next((item for item in FAMILIES.values() if item.detected and item.model_type == kind), None)
    if family is None and found is not None:
        return found
    if family is None:
        known = ", ".join(f"{item.model_type} ({item.name})" for item in FAMILIES.values() if item.detected)
        said = in_short(config.get("model_type"))
        raise CheckpointError(
            f"{where}: model_type {said} is none of the layouts this package runs: {known}. "
            f"If you know its layout, name it with `family`: {', '.join(FAMILIES)} (bert: a sentence highlighter of "
            "OpenSearch looks like any BERT classifier, so it loads only by name)."
        )
    if found is not None and found.name != family:
        raise CheckpointError(
            f"{where}: model_type {kind!r} is of family {found.name!r}, not {family!r}: leave it out."
        )
    return FAMILIES[family]


def _window(path: Path, blueprint: Blueprint, template: Template) -> int:
    window = min(blueprint.max_length, blueprint.shape.max_tokens)
    if window < max(_SHORTEST_WINDOW, template.size + 2):
        raise CheckpointError(
            f"{path / 'config.json'}: a window of {window} tokens is too short to hold a query, a sentence and "
            f"{template.size} control tokens."
        )
    if window > _LONGEST_WINDOW:
        raise CheckpointError(
            f"{path / 'config.json'}: a window of {window} tokens is longer than any model's, expected at most "
            f"{_LONGEST_WINDOW}."
        )
    return window


def _fill(
    path: Path,
    family: Family,
    blueprint: Blueprint,
    tensors: TensorFile,
    device: torch.device,
    dtype: torch.dtype,
) -> Pruner:
    """Build the model and give every parameter its tensor, or say which ones do not fit."""
    sources = _sources(path, tensors, blueprint.names, family)
    _check_layers(path, sources, blueprint.shape.layers)
    with torch.device("meta"):
        labels = _ranking_labels(sources, tensors, required=family.ranked)
        model = Pruner(blueprint.shape, labels, blueprint.similarity)
    _check(path, model, sources, tensors, blueprint.names)
    try:
        state = {
            ours: tensors.read(theirs, device, dtype, as_stored=ours == TOKEN_TABLE and device.type == "cpu")
            for ours, theirs in sources.items()
        }
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    model.load_state_dict(state, strict=True, assign=True)
    return model.eval().requires_grad_(False)


def _sources(path: Path, tensors: TensorFile, table: Mapping[str, str], family: Family) -> dict[str, str]:
    """Return which tensor of the file is which parameter."""
    sources: dict[str, str] = {}
    unknown = []
    for theirs in tensors.shapes:
        ours = rename(theirs, table)
        if ours is not None and ours not in sources:
            sources[ours] = theirs
        elif not IGNORED.fullmatch(theirs) and not family.ignored.fullmatch(theirs):
            unknown.append(theirs)
    if unknown:
        raise CheckpointError(
            f"{path}: the model has no place for {_list(unknown)}. It belongs to another layout or architecture than "
            f"{family.name!r}: use a checkpoint whose tensors fit its config.json."
        )
    return sources


def _ranking_labels(sources: Mapping[str, str], tensors: TensorFile, *, required: bool) -> int:
    """Return the rows of the ranking classifier; 0 for a checkpoint without a ranking head."""
    for name in ("ranking.classifier.weight", "ranking.classifier.bias"):
        shape = tensors.shapes.get(sources.get(name, ""), ())
        if shape:
            return min(shape[0], _MOST_LABELS)  # a table larger than that has not the shape of the model's then
    return int(required or any(name.startswith("ranking.") for name in sources))


def _check_layers(path: Path, sources: Mapping[str, str], layers: int) -> None:
    found = {name.split(".")[2] for name in sources if name.startswith("encoder.layers.")}
    if len(found) != layers:
        raise CheckpointError(
            f"{path}: config.json says {layers} layers, the file holds {len(found)}: they do not belong together. "
            "Download the checkpoint again."
        )


def _check(
    path: Path, model: Pruner, sources: Mapping[str, str], tensors: TensorFile, table: Mapping[str, str]
) -> None:
    """Compare names and shapes of the model with those of the file."""
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    missing = [rename_back(name, table) for name in expected if name not in sources]
    extra = [theirs for ours, theirs in sources.items() if ours not in expected]
    if missing or extra:
        lacks = f"lacks {_list(missing)}" if missing else ""
        unused = f"has no use for {_list(extra)}" if extra else ""
        both = " and ".join(filter(None, (lacks, unused)))
        raise CheckpointError(
            f"{path}: the file {both}. It is incomplete or not what config.json says: download the checkpoint again."
        )
    wrong = [
        f"{sources[name]} is {tensors.shapes[sources[name]]}, expected {shape}"
        for name, shape in expected.items()
        if tensors.shapes[sources[name]] != shape
    ]
    if wrong:
        raise CheckpointError(
            f"{path}: tensors of the wrong shape: {_list(wrong)}. They belong to another layout or architecture: "
            "use a checkpoint whose tensors fit its config.json."
        )


def _list(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(shorten(name, 120) for name in names[:most]) + more
