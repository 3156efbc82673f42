"""What is measured during training, and the threshold that is written into the checkpoint."""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from secateurs.model.attention import attend_by_window, attend_padded
from secateurs.model.pruner import Batch, Pruner
from secateurs.segment import segment
from secateurs.train.config import DevConfig
from secateurs.train.data import label_sentences
from secateurs.train.placement import Placement
from secateurs.train.records import Record, read_records
from secateurs.train.start import Start
from secateurs.windows.aggregate import fill_missing, mean_scores
from secateurs.windows.packing import Window, WindowPlan

Floats = NDArray[np.float64]
_BATCH = 8192  # encoder tokens of a forward pass


@dataclass(frozen=True)
class DevItem:
    """One record, ready to be scored.

    Attributes:
        file: Index of its file.
        plan: Its windows.
        labels: Whether each sentence is right.
        evidence: The sentences that each evidence span touches.
        lengths: Encoder tokens of each sentence.
    """

    file: int
    plan: WindowPlan
    labels: NDArray[np.bool_]
    evidence: tuple[NDArray[np.int64], ...]
    lengths: NDArray[np.int64]


@dataclass(frozen=True)
class FileResult:
    """One file at the common threshold.

    Attributes:
        file: Its name.
        records: How many were measured.
        f1: Sentence F1 at the threshold that is best over all files.
        oracle_f1: At the threshold that is best for this file.
        top1: Share of records whose best-scored sentence is right.
        evidence: Share of evidence spans that survive whole at the evidence threshold.
        saved: Share of encoder tokens removed there.
    """

    file: str
    records: int
    f1: float
    oracle_f1: float
    top1: float
    evidence: float
    saved: float


@dataclass(frozen=True)
class DevResult:
    """All files; means are over files.

    Attributes:
        f1: Sentence F1 at `threshold`.
        threshold: The one threshold at which that is highest.
        top1: Share of records whose best-scored sentence is right.
        evidence_threshold: The highest threshold at which enough evidence survives whole.
        saved: Share of encoder tokens removed there.
        files: Each file.
    """

    f1: float
    threshold: float
    top1: float
    evidence_threshold: float
    saved: float
    files: tuple[FileResult, ...]

    @property
    def score(self) -> float:
        """Return what training tries to raise: F1, and a little for what is saved with the evidence kept."""
        return self.f1 + 0.3 * self.saved


class DevSet:
    """Labelled records that are never trained on, tokenized once.

    Args:
        config: Which files, how much of them.
        folder: What their paths are relative to.
        start: The model's tokenizer and windows.
        records: Most records of a file.
    """

    def __init__(self, config: DevConfig, folder: Path, start: Start, records: int) -> None:
        self.files = config.files
        self._evidence = config.evidence
        self.items: list[DevItem] = []
        for index, name in enumerate(config.files):
            total = 0
            for record in sample(read_records(folder / name), records):
                item = _prepare(record, index, start)
                total += sum(map(len, item.plan.windows))
                if total > config.tokens:
                    break
                self.items.append(item)

    def score(self, model: Pruner, placement: Placement) -> list[Floats]:
        """Score the sentences of every record.

        Args:
            model: On the placement's device.
            placement: Says in which precision.

        Returns:
            One array a record, (sentences,).
        """
        windows = [(index, window) for index, item in enumerate(self.items) for window in item.plan.windows]
        order = sorted(range(len(windows)), key=lambda place: len(windows[place][1]))
        outputs: dict[int, NDArray[np.float32]] = {}
        model.eval()
        with torch.inference_mode(), placement.autocast():
            for places in _batches(order, [len(window) for _, window in windows]):
                some = [windows[place][1] for place in places]
                outputs.update(zip(places, _log_odds(model, some, placement.device), strict=True))
        model.train()
        scores = [np.zeros(0, dtype=np.float32)] * len(self.items)
        for place, (index, _) in enumerate(windows):
            scores[index] = np.concatenate((scores[index], outputs[place]))
        return [_sentences(item, found) for item, found in zip(self.items, scores, strict=True)]

    def measure(self, scores: Sequence[Floats]) -> DevResult:
        """Compare scores with labels."""
        grid = np.unique(np.concatenate(([0.0], np.geomspace(0.001, 0.05, 20), np.linspace(0.05, 0.95, 46))))
        by_file = [
            [place for place, item in enumerate(self.items) if item.file == index] for index in range(len(self.files))
        ]
        f1 = np.array([_f1(self.items, scores, places, grid) for places in by_file])
        best = int(f1.mean(0).argmax())
        threshold = self.calibrate(scores)
        files = tuple(
            FileResult(
                file=name,
                records=len(places),
                f1=float(curve[best]),
                oracle_f1=float(curve.max()),
                top1=_top1(self.items, scores, places),
                evidence=float(np.mean(_evidence_scores(self.items, scores, places) >= threshold)),
                saved=_saved(self.items, scores, places, threshold),
            )
            for name, places, curve in zip(self.files, by_file, f1, strict=True)
        )
        return DevResult(
            f1=float(f1.mean(0)[best]),
            threshold=float(grid[best]),
            top1=float(np.mean([item.top1 for item in files])),
            evidence_threshold=threshold,
            saved=float(np.mean([item.saved for item in files])),
            files=files,
        )

    def calibrate(self, scores: Sequence[Floats], *, half: bool = False) -> float:
        """Find the highest threshold at which enough evidence spans survive whole, macro over files.

        Args:
            scores: Of every record.
            half: Look at the calibration half only: the records at even places.

        Returns:
            A threshold, rounded down to four digits.
        """
        found = []
        for index in range(len(self.files)):
            places = [place for place, item in enumerate(self.items) if item.file == index][:: 2 if half else 1]
            lowest = _evidence_scores(self.items, scores, places)
            if len(lowest):
                found.append(np.sort(lowest))
        return evidence_threshold(found, self._evidence)


def evidence_threshold(lowest: Sequence[Floats], share: float) -> float:
    """Find the highest threshold at which a share of evidence spans survives whole, macro over files.

    Args:
        lowest: For each file, sorted: the lowest score among the sentences each span touches.
        share: How many must survive.

    Returns:
        A threshold, rounded down to four digits; 0.0 without any span.

    Example:
        >>> evidence_threshold([np.array([0.1, 0.5, 0.7, 0.9])], 0.75)
        0.5
    """
    if not lowest:
        return 0.0
    candidates = np.unique(np.concatenate(lowest))
    kept = np.mean([1 - np.searchsorted(one, candidates, side="left") / len(one) for one in lowest], axis=0)
    enough = np.flatnonzero(kept >= share - 1e-12)
    return float(np.floor(candidates[enough[-1]] * 1e4) / 1e4) if len(enough) else 0.0


def sample(records: Iterable[Record], most: int) -> list[Record]:
    """Return the first records in order of sha256(id)."""
    keyed = ((hashlib.sha256(record.id.encode("utf-8", "surrogatepass")).hexdigest(), record) for record in records)
    return [record for _, record in heapq.nsmallest(most, keyed, key=lambda pair: pair[0])]


def to_json(result: DevResult) -> str:
    """Return a result as one line of JSON."""
    files = {item.file: {"f1": round(item.f1, 4), "saved": round(item.saved, 4)} for item in result.files}
    means = {name: round(getattr(result, name), 4) for name in ("f1", "threshold", "top1", "saved")}
    return json.dumps({**means, "evidence_threshold": result.evidence_threshold, "files": files})


def _prepare(record: Record, file: int, start: Start) -> DevItem:
    spans = segment(record.context)
    tokens = start.tokenizer.encode([record.context[begin:end] for begin, end in spans])
    plan = start.layout.plan(start.tokenizer.encode([record.query]).ids, tokens)
    touched = tuple(np.flatnonzero(label_sentences(spans, [span])) for span in record.evidence)
    labels = label_sentences(spans, record.evidence).astype(bool)
    return DevItem(file, plan, labels, tuple(some for some in touched if len(some)), tokens.lengths)


def _batches(order: Sequence[int], lengths: Sequence[int]) -> list[list[int]]:
    batches: list[list[int]] = []
    total = 0
    for place in order:
        if not batches or total + lengths[place] > _BATCH:
            batches.append([])
            total = 0
        batches[-1].append(place)
        total += lengths[place]
    return batches


def _log_odds(model: Pruner, windows: Sequence[Window], device: torch.device) -> list[NDArray[np.float32]]:
    """Return the log-odds of each document token of each window."""
    lengths = tuple(len(window) for window in windows)
    ids = np.concatenate([window.ids for window in windows]).astype(np.int64)
    types = np.concatenate([np.arange(len(window)) >= window.start for window in windows])
    types = types * np.repeat([window.document_type for window in windows], lengths)
    both = torch.from_numpy(np.stack((ids, types.astype(np.int64)))).to(device)
    attend = (attend_padded if device.type == "cuda" else attend_by_window)(lengths)
    hidden = model.encoder(Batch.of(both[0], both[1], lengths), attend)
    logits = model.pruning(hidden).float()
    flat: NDArray[np.float32] = (logits[:, 1] - logits[:, 0]).cpu().numpy()
    firsts = np.cumsum([0, *lengths[:-1]])
    return [flat[first + w.start :][: w.tokens] for first, w in zip(firsts, windows, strict=True)]


def _sentences(item: DevItem, log_odds: NDArray[np.float32]) -> Floats:
    plan = item.plan
    if not len(log_odds):
        return np.zeros(len(item.lengths))
    return fill_missing(mean_scores(log_odds, plan.part_lengths, plan.part_sentences, len(item.lengths)))


def _f1(items: Sequence[DevItem], scores: Sequence[Floats], places: Sequence[int], grid: Floats) -> Floats:
    found = np.concatenate([scores[place] for place in places])
    right = np.concatenate([items[place].labels for place in places])
    kept = len(found) - np.searchsorted(np.sort(found), grid, side="left")
    hits = right.sum() - np.searchsorted(np.sort(found[right]), grid, side="left")
    return np.asarray(2 * hits / np.maximum(kept + right.sum(), 1), dtype=np.float64)


def _top1(items: Sequence[DevItem], scores: Sequence[Floats], places: Sequence[int]) -> float:
    hits = [items[place].labels[scores[place].argmax()] for place in places if items[place].labels.any()]
    return float(np.mean(hits)) if hits else 0.0


def _evidence_scores(items: Sequence[DevItem], scores: Sequence[Floats], places: Sequence[int]) -> Floats:
    return np.array([scores[place][touched].min() for place in places for touched in items[place].evidence])


def _saved(items: Sequence[DevItem], scores: Sequence[Floats], places: Sequence[int], threshold: float) -> float:
    shares = [
        items[place].lengths[scores[place] < threshold].sum() / max(items[place].lengths.sum(), 1) for place in places
    ]
    return float(np.mean(shares))
