"""The golden checkpoints: their cases, and copies of them with something changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from secateurs import Compressor
from secateurs.checkpoints import Checkpoint, load

GOLDEN = Path(__file__).parents[1] / "golden"
FOLDERS = (
    "openprovence-gte",
    "openprovence-jp",
    "zilliz",
    "provence",
    "xprovence",
    "xprovence-bge-head",
    "opensearch",
)
Case = dict[str, Any]
Tensors = dict[str, torch.Tensor]


def family_of(folder: str) -> str | None:
    """Return what must be passed as `family`: only the highlighter cannot be detected."""
    return "opensearch" if folder.startswith("opensearch") else None


@cache
def golden(folder: str) -> dict[str, Any]:
    """Return the whole `cases.json` of a golden checkpoint."""
    return json.loads((GOLDEN / folder / "cases.json").read_text(encoding="utf-8"))


def cases(*folders: str) -> list[tuple[str, str]]:
    """Return (folder, id) of every case of some golden checkpoints."""
    return [(folder, case["id"]) for folder in folders for case in golden(folder)["cases"]]


def case_of(folder: str, name: str) -> Case:
    """Return one case."""
    return next(case for case in golden(folder)["cases"] if case["id"] == name)


def sentences_of(case: Case) -> list[str]:
    """Return the sentences the expected numbers belong to."""
    return case["expected"].get("sentences_used", case["sentences"])


class Given:
    """A segmenter that splits documents as it was told."""

    def __init__(self) -> None:
        self.sentences: Sequence[str] = ()

    def __call__(self, text: str) -> list[tuple[int, int]]:
        """Return the spans of the given sentences, which must make up the text."""
        assert "".join(self.sentences) == text
        spans, start = [], 0
        for sentence in self.sentences:
            spans.append((start, start + len(sentence)))
            start += len(sentence)
        return spans


@cache
def compressor_of(folder: str) -> tuple[Compressor, Given]:
    """Return a compressor on a golden checkpoint, and the segmenter to tell the sentences to."""
    given = Given()
    return open_compressor(GOLDEN / folder, given), given


def open_compressor(path: Path, given: Given) -> Compressor:
    """Return a compressor on any checkpoint."""
    kind = json.loads((path / "config.json").read_text(encoding="utf-8"))["model_type"]
    family = "opensearch" if kind == "bert" else None
    return Compressor.from_pretrained(path, family=family, segmenter=given, device="cpu")


@cache
def checkpoint_of(folder: str) -> Checkpoint:
    """Return a golden checkpoint, loaded in float32 on the CPU."""
    return load_cpu(GOLDEN / folder, family_of(folder))


def load_cpu(path: Path, family: str | None = None) -> Checkpoint:
    """Load a checkpoint in float32 on the CPU."""
    return load(path, family=family, device=torch.device("cpu"), dtype=torch.float32)


def changed(
    source: str | Path,
    target: Path,
    *,
    tensors: Callable[[Tensors], Tensors | None] | None = None,
    config: Callable[[dict[str, Any]], dict[str, Any] | None] | None = None,
) -> Path:
    """Copy a checkpoint and change it.

    Args:
        source: A golden checkpoint's name, or any checkpoint's folder.
        target: Folder to write.
        tensors: Changes its tensors, in place or by returning others.
        config: Changes its config, in place or by returning another.

    Returns:
        The target.
    """
    folder = GOLDEN / source
    target.mkdir(parents=True)
    for path in folder.iterdir():
        if path.name != "cases.json":
            shutil.copyfile(path, target / path.name)
    if tensors is not None:
        held = load_file(folder / "model.safetensors")
        save_file(tensors(held) or held, target / "model.safetensors")
    if config is not None:
        fields = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (target / "config.json").write_text(json.dumps(config(fields) or fields), encoding="utf-8")
    return target
