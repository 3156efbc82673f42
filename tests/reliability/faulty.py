"""A compressor around a real model that fails as a test tells it: a torch module with the model's own protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from secateurs import Compression, Compressor, checkpoints
from secateurs.model.encoders import Batch
from secateurs.model.pruner import Pruner, Scores

QUERY = "Who built the mill?"
MARK = "zzz "  # begins the documents that fail
PLAIN = "The mill was built in 1842 by Ann Lee. It burned down twice, and nobody knows why. "

Fault = Callable[["Faulty", Batch], Scores]


class Faulty(nn.Module):
    """The real model, with a fault in its way while one is set.

    Attributes:
        model: The real one.
        fault: Takes this module and the batch; returns the scores, or raises. None for none.
        calls: How often it was called since the fault was set, this time included.
        mark: The token that the documents beginning with MARK have, and no other.
    """

    def __init__(self, model: Pruner, mark: int) -> None:
        super().__init__()
        self.model, self.mark = model, mark
        self.fault: Fault | None = None
        self.calls = 0

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        return self.model.dtype

    def forward(self, batch: Batch) -> Scores:
        self.calls += 1
        return self.model(batch) if self.fault is None else self.fault(self, batch)

    def breaks(self, fault: Fault | None) -> None:
        """Set a fault, and count from 0."""
        self.fault, self.calls = fault, 0

    def marked(self, batch: Batch) -> list[int]:
        """Return the windows that hold the mark."""
        return [i for i, ids in enumerate(torch.split(batch.ids, batch.lengths)) if (ids == self.mark).any()]


class Broken(NamedTuple):
    """A compressor, and the module in it that fails on demand."""

    compressor: Compressor
    module: Faulty


def load_faulty(folder: Path, **options: Any) -> Broken:
    """Load a checkpoint and put the faulty module in the model's place."""
    kind = torch.device("cpu")
    checkpoint = checkpoints.load(folder, family=None, device=kind, dtype=torch.float32)
    module = Faulty(checkpoint.model, int(checkpoint.encode_sentences([MARK.strip()]).ids[-1]))
    assert not np.isin(module.mark, checkpoint.encode_sentences([PLAIN]).ids)
    return Broken(Compressor(replace(checkpoint, model=module), **options), module)


def mixed_documents(count: int = 24, *, bad: Sequence[int] = ()) -> list[str]:
    """Return documents of one to a few windows, no two alike; the bad ones begin with the mark."""
    return [MARK * (i in bad) + f"Ann {i} built it. " + PLAIN * (1 + i * 7 % 5) for i in range(count)]


def check_same(found: Compression, clean: Compression) -> None:
    """Check that a document came out as in a run without any fault."""
    assert found.status == clean.status != "error"
    assert found.text == clean.text
    np.testing.assert_allclose([s.score for s in found.sentences], [s.score for s in clean.sentences], atol=1e-5)
    assert [s.kept for s in found.sentences] == [s.kept for s in clean.sentences]
    if clean.ranking_score is None:
        assert found.ranking_score is None
    else:
        assert found.ranking_score is not None
        assert abs(found.ranking_score - clean.ranking_score) <= 1e-5


def check_failed(found: Compression, document: str, why: str) -> None:
    """Check that a document came back whole, and says why."""
    assert found.status == "error"
    assert found.text == found.original == document
    assert found.savings.saved == 0
    assert found.ranking_score is None
    assert found.reason is not None
    assert found.reason.startswith("error: ")
    assert why in found.reason
    assert [(s.start, s.end, s.score, s.kept) for s in found.sentences] == [(0, len(document), 0.0, True)]


def check_only(found: Sequence[Compression], clean: Sequence[Compression], bad: Sequence[int], why: str) -> None:
    """Check that these documents failed for this reason, and that the others are those of a clean run."""
    assert len(found) == len(clean)
    for index, (one, other) in enumerate(zip(found, clean, strict=True)):
        if index in bad:
            check_failed(one, other.original, why)
        else:
            check_same(one, other)
