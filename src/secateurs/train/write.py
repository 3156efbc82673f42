"""The finished folder: an OpenProvence-layout checkpoint with its tokenizer and its card."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from secateurs.checkpoints import TOKEN_TABLE
from secateurs.checkpoints.backbones import BACKBONES, TOWER_NAMES, rename_back, tower_config
from secateurs.checkpoints.files import SCALE, scaled_rows
from secateurs.model.pruner import Pruner
from secateurs.support.files import explained
from secateurs.train.config import TrainConfig
from secateurs.train.data import SourceFacts
from secateurs.train.loop import Progress
from secateurs.train.measures import DevResult
from secateurs.train.start import Start

_TOKENIZER_FILES = ("tokenizer_config.json", "special_tokens_map.json")
_TABLES = {"float16": "", "int8": ", the word embeddings in 8 bits with a scale a row"}
_LARGEST = torch.finfo(torch.float16).max


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        progress: Where it ended.
        threshold: The calibrated default threshold.
        dev: Measured on dev; None without dev data.
        facts: Of each source.
    """

    progress: Progress
    threshold: float
    dev: DevResult | None
    facts: Mapping[str, SourceFacts]


def write_checkpoint(folder: Path, start: Start, model: Pruner, config: TrainConfig, outcome: Outcome) -> Path:
    """Write the checkpoint, whole or not at all.

    Args:
        folder: Where; what is there is replaced.
        start: What it was made from.
        model: The trained model.
        config: All settings.
        outcome: What the card says.

    Returns:
        The folder.

    Raises:
        ValueError: A weight is not a finite number.
        WriteError: The disk is full, or the folder is not to be written.
    """
    new, old = folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
    for stale in (new, old):
        shutil.rmtree(stale, ignore_errors=True)
    tensors = _tensors(start, model, small=config.run.table == "int8")
    try:
        _fill(new, tensors, start, model, outcome.threshold)
        (new / "README.md").write_text(write_card(start, config, outcome), encoding="utf-8")
    except Exception as error:  # safetensors and tokenizers have errors of their own for a full disk
        shutil.rmtree(new, ignore_errors=True)
        raise explained(folder, error) from None
    if folder.exists():
        folder.replace(old)
    new.replace(folder)
    shutil.rmtree(old, ignore_errors=True)
    return folder


def _fill(folder: Path, tensors: Mapping[str, torch.Tensor], start: Start, model: Pruner, threshold: float) -> None:
    folder.mkdir(parents=True)
    save_file(dict(tensors), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)  # it is written for its owner alone
    text = json.dumps(_config(start, model, threshold), indent=1)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")
    start.pipeline.save(str(folder / "tokenizer.json"))
    for name in _TOKENIZER_FILES:
        if (start.folder / name).is_file():
            shutil.copyfile(start.folder / name, folder / name)


def _tensors(start: Start, model: Pruner, *, small: bool = False) -> dict[str, torch.Tensor]:
    """Return what is written, by the layout's names; `small` puts the word embeddings in 8 bits."""
    table = {f"ranking_model.{theirs}": ours for theirs, ours in BACKBONES[start.kind].names.items()}
    table["pruning_head.classifier"] = "pruning"
    table.update(TOWER_NAMES)
    tensors = {}
    for name, tensor in model.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"the trained weight {name} is not finite: train again with a lower learning rate.")
        # a weight beyond half precision's range would come back as infinite
        theirs, values = rename_back(name, table), tensor.cpu().clamp(-_LARGEST, _LARGEST)
        if small and name == TOKEN_TABLE:
            tensors[theirs], tensors[theirs + SCALE] = scaled_rows(values)
        else:
            tensors[theirs] = values.to(torch.float16).contiguous()
    return tensors


def _config(start: Start, model: Pruner, threshold: float) -> dict[str, Any]:
    width = model.config.hidden_size
    tower = None if model.similarity is None else model.similarity.config
    return {
        "model_type": "open_provence",
        "architectures": ["OpenProvenceForSequenceClassification"],
        "mode": "reranking_pruning",
        "base_model_name_or_path": start.base.get("_name_or_path") or start.name,
        "base_model_config": start.base,
        "tokenizer_name_or_path": None,
        "pruning_config": {
            "hidden_size": width,
            "num_labels": 2,
            "classifier_dropout": 0.0,
            "sentence_pooling": "mean",
            "use_weighted_pooling": False,
        },
        "max_length": start.layout.max_length,
        "num_labels": 1,
        "num_pruning_labels": 2,
        "encoder_architecture": start.kind,
        "vocab_size": model.config.vocab_size,
        "hidden_size": width,
        # spelled so in the layout
        "default_threadshold": threshold,
        "dtype": "float16",
        **({} if tower is None else {"similarity": tower_config(tower)}),
    }


def write_card(start: Start, config: TrainConfig, outcome: Outcome) -> str:
    """Return the model card, Markdown with the hub's header."""
    card, progress = config.card, outcome.progress
    parts = [
        f"---\nlicense: {card.licence}\nlibrary_name: secateurs\ntags: [context-compression, rag, pruning]\n---",
        f"# {card.name}",
        card.description or "A query-aware pruner: it scores each sentence of a document for a query.",
        f"Layout: OpenProvence. Made with `secateurs train` from `{start.name}`; {start.base['num_hidden_layers']} "
        f"layers, width {start.base['hidden_size']}, {start.base['vocab_size']:,} pieces, windows of "
        f"{start.layout.max_length} encoder tokens, stored in float16{_TABLES[config.run.table]}.",
        "## Threshold",
        f"Default: **{outcome.threshold}**, " + _threshold_note(config, outcome),
    ]
    if outcome.dev is not None:
        parts += ["## Measured on dev", _dev_table(outcome.dev)]
    parts += [
        "## Training",
        f"{progress.step:,} steps, {progress.tokens:,} encoder tokens, {progress.seconds / 3600:.2f} hours, seed "
        f"{config.run.seed}, peak learning rate {config.optimizer.learning_rate:g}.",
        _teacher_note(config),
        _data_table(config, outcome),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _teacher_note(config: TrainConfig) -> str:
    distill = config.distill
    if distill.model:
        layer = f"layer {distill.layer}" if distill.layer else "the last layer"
        return (
            f"It learned the states of {layer} of `{distill.model}` from texts alone (weights: tokens "
            f"{distill.tokens:g}, mean of a window {distill.pooled:g}). Its heads are empty: it is a start for "
            "training, and scores nothing."
        )
    if not config.teacher.model:
        return ""
    return (
        f"Beside the labels it learned from the token probabilities of `{config.teacher.model}` (weight "
        f"{config.loss.teacher:g}, temperature {config.teacher.temperature:g})."
    )


def _threshold_note(config: TrainConfig, outcome: Outcome) -> str:
    if outcome.dev is None:
        return "not calibrated: no dev data was given."
    what = (
        "units survive, all files together, on" if config.dev.count == "units" else "spans survive whole, macro over"
    )
    return (
        f"the highest at which at least {config.dev.evidence:.0%} of the evidence {what} the calibration halves of "
        f"{', '.join(config.dev.calibrate) or 'the dev sample'}. The F1-best one is {outcome.dev.threshold:.3f}."
    )


def _dev_table(dev: DevResult) -> str:
    rows = [
        "| file | records | F1 | F1, own threshold | AP | top-1 | evidence kept | saved | kept without an answer |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    rows += [
        f"| {item.file} | {item.records} | {item.f1:.3f} | {item.oracle_f1:.3f} | {item.ap:.3f} | {item.top1:.3f} | "
        f"{item.evidence:.3f} | {item.saved:.3f} | {'' if item.kept_empty is None else f'{item.kept_empty:.3f}'} |"
        for item in dev.files
    ]
    return "\n".join(rows) + (
        f"\n\nF1 of units at {dev.threshold:.3f}, the threshold that is best over all files (its own threshold "
        "beside it); AP: of the order of a record's units; top-1: the best-scored unit is right; evidence kept, "
        "encoder tokens saved and those kept of records without an answer at "
        f"{dev.evidence_threshold:.4f}, where the wanted share of evidence survives on these records."
    )


def _data_table(config: TrainConfig, outcome: Outcome) -> str:
    total = sum(source.share for source in config.sources)
    rows = ["| data | records | drawn | weight | licence | sha256 |", "|---|--:|--:|--:|---|---|"]
    for source in config.sources:
        facts = outcome.facts[source.path]
        licence = "; ".join(facts.licences).replace("|", "/") or "not given"
        rows.append(
            f"| {source.path} | {facts.records:,} | {source.share / total:.1%} | {source.weight:g} | {licence} | "
            f"`{facts.sha256[:16]}` |"
        )
    return "\n".join(rows)
