"""Labelled records that are never trained on: measured on the way, and for the threshold of the checkpoint."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from secateurs.model.attention import attend_by_window, attend_padded
from secateurs.model.pruner import Batch, Pruner, Sides
from secateurs.train.config import DevConfig
from secateurs.train.data import label_sentences, read_units
from secateurs.train.measures import DevItem, DevResult, Floats, calibrate, measure
from secateurs.train.placement import Placement
from secateurs.train.records import Record, read_records
from secateurs.train.start import Start
from secateurs.windows.aggregate import fill_missing, mean_scores
from secateurs.windows.packing import Window

_BATCH = 8192  # encoder tokens of a forward pass


class DevSet:
    """Labelled records that are never trained on, tokenized once.

    Args:
        config: Which files, how much of them.
        folder: What their paths are relative to.
        start: The model's tokenizer and windows.
        records: Most records of a file.
        half: Take records of the calibration half only.
    """

    def __init__(self, config: DevConfig, folder: Path, start: Start, records: int, *, half: bool = False) -> None:
        self._config = config
        self.items: list[DevItem] = []
        for index, name in enumerate(config.files):
            total = 0
            everything = list(read_records(folder / name))
            some = sample(everything, len(everything) if half else records)
            halves = calibration_half(everything, some)
            chosen = [(record, calibrates) for record, calibrates in zip(some, halves, strict=True)]
            for record, calibrates in [pair for pair in chosen if pair[1] or not half][:records]:
                item = _prepare(record, index, start, calibrates=calibrates)
                total += sum(map(len, item.plan.windows))
                if total > config.tokens:
                    break
                if len(item.labels):  # else it is nothing but frame
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

    def compare(self, model: Pruner, placement: Placement) -> list[Floats]:
        """Return, for the sentences of every record, the cosine that the model's tower finds, from 0 to 1.

        Args:
            model: One with a tower, on the placement's device.
            placement: Says in which precision.

        Returns:
            One array a record, (sentences,).
        """
        if model.similarity is None:
            raise ValueError("only a model with a similarity tower compares.")
        found = []
        model.eval()
        with torch.inference_mode(), placement.autocast():
            for item in self.items:
                windows = item.plan.windows
                ids = torch.from_numpy(np.concatenate([window.ids for window in windows]).astype(np.int64))
                sides = Sides.of(windows)
                cosines = model.similarity.cosines(model.encoder.tokens, ids.to(placement.device), sides)
                found.append(_spread(item, (cosines.double().cpu().numpy() + 1) / 2))
        model.train()
        return found

    def measure(self, scores: Sequence[Floats]) -> DevResult:
        """Compare scores with labels."""
        return measure(self._config, self.items, scores)

    def calibrate(self, scores: Sequence[Floats], *, half: bool = False) -> float:
        """Find the highest threshold at which enough evidence survives.

        Args:
            scores: Of every record.
            half: Look at the calibration half only.
        """
        return calibrate(self._config, self.items, scores, half=half)


def sample(records: Iterable[Record], most: int) -> list[Record]:
    """Return the first records in order of sha256(id)."""
    return heapq.nsmallest(most, records, key=lambda record: _digest(record.id))


def calibration_half(records: Iterable[Record], some: Sequence[Record]) -> list[bool]:
    """Tell which records are of the calibration half of their file: thresholds and weights may be chosen by them.

    Everyday records: those of every second group, the groups in order of sha256(group), so that no document is in
    both halves. Others: every second one of the sample.

    Args:
        records: The whole file.
        some: The sample, in its order.
    """
    groups = sorted({record.group for record in records if record.kind}, key=_digest)
    even = set(groups[::2])
    return [record.group in even if record.kind else place % 2 == 0 for place, record in enumerate(some)]


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _prepare(record: Record, file: int, start: Start, *, calibrates: bool) -> DevItem:
    spans = read_units(record.context)
    tokens = start.tokenizer.encode([record.context[begin:end] for begin, end in spans])
    plan = start.layout.plan(start.tokenizer.encode([record.query]).ids, tokens)
    touched = tuple(np.flatnonzero(label_sentences(spans, [span])) for span in record.evidence)
    labels = label_sentences(spans, record.evidence).astype(bool)
    some = tuple(places for places in touched if len(places))
    return DevItem(file, plan, labels, some, tokens.lengths, calibrates)


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
    flat: NDArray[np.float32] = (
        model.read(Batch.of(both[0], both[1], lengths), attend, Sides.of(windows)).odds.cpu().numpy()
    )
    firsts = np.cumsum([0, *lengths[:-1]])
    return [flat[first + w.start :][: w.tokens] for first, w in zip(firsts, windows, strict=True)]


def _spread(item: DevItem, cosines: Floats) -> Floats:
    """Return the mean of its parts for each sentence, the long ones counting more."""
    plan = item.plan
    totals, sizes = np.zeros((2, len(item.lengths)))
    np.add.at(totals, plan.part_sentences, cosines * plan.part_lengths)
    np.add.at(sizes, plan.part_sentences, plan.part_lengths)
    with np.errstate(invalid="ignore"):
        return fill_missing(totals / sizes)


def _sentences(item: DevItem, log_odds: NDArray[np.float32]) -> Floats:
    plan = item.plan
    if not len(log_odds):
        return np.zeros(len(item.lengths))
    return fill_missing(mean_scores(log_odds, plan.part_lengths, plan.part_sentences, len(item.lengths)))
