"""What scores of labelled records are worth: F1, order, what is saved, and the threshold that keeps the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateurs.train.config import DevConfig
from secateurs.windows.packing import WindowPlan

Floats = NDArray[np.float64]
_GRID = np.unique(np.concatenate(([0.0], np.geomspace(0.001, 0.05, 20), np.linspace(0.05, 0.95, 46))))


@dataclass(frozen=True)
class DevItem:
    """One record, ready to be scored.

    Attributes:
        file: Index of its file.
        plan: Its windows.
        labels: Whether each sentence is right.
        evidence: The sentences that each evidence span touches.
        lengths: Encoder tokens of each sentence.
        calibrates: It is of the calibration half.
    """

    file: int
    plan: WindowPlan
    labels: NDArray[np.bool_]
    evidence: tuple[NDArray[np.int64], ...]
    lengths: NDArray[np.int64]
    calibrates: bool


@dataclass(frozen=True)
class FileResult:
    """One file at the common threshold.

    Attributes:
        file: Its name.
        records: How many were measured.
        f1: Sentence F1 at the threshold that is best over all files.
        oracle_f1: At the threshold that is best for this file.
        ap: Average precision of the order of a record's sentences, mean over records with right and wrong ones.
        top1: Share of records whose best-scored sentence is right.
        evidence: Share of the evidence that survives at the evidence threshold.
        saved: Share of encoder tokens removed there, mean over records.
        kept_empty: Share of encoder tokens kept there of records without an answer; None where there are none.
    """

    file: str
    records: int
    f1: float
    oracle_f1: float
    ap: float
    top1: float
    evidence: float
    saved: float
    kept_empty: float | None


@dataclass(frozen=True)
class DevResult:
    """All files; means are over files.

    Attributes:
        f1: Sentence F1 at `threshold`.
        threshold: The one threshold at which that is highest.
        ap: Average precision of the order of a record's sentences.
        top1: Share of records whose best-scored sentence is right.
        evidence_threshold: The highest threshold at which enough evidence survives.
        saved: Share of encoder tokens removed there.
        files: Each file.
    """

    f1: float
    threshold: float
    ap: float
    top1: float
    evidence_threshold: float
    saved: float
    files: tuple[FileResult, ...]

    @property
    def score(self) -> float:
        """Return what training tries to raise: F1, and a little for what is saved with the evidence kept."""
        return self.f1 + 0.3 * self.saved


def measure(config: DevConfig, items: Sequence[DevItem], scores: Sequence[Floats]) -> DevResult:
    """Compare scores with labels.

    Args:
        config: Which files there are, and what must survive.
        items: The records.
        scores: Of each, (sentences,).
    """
    by_file: list[list[int]] = [[] for _ in config.files]
    for place, item in enumerate(items):
        by_file[item.file].append(place)
    f1 = np.array([_f1(items, scores, places) for places in by_file])
    best = int(f1.mean(0).argmax())
    threshold = calibrate(config, items, scores)
    removed = [_removed(item, some, threshold) for item, some in zip(items, scores, strict=True)]
    files = tuple(
        FileResult(
            file=name,
            records=len(places),
            f1=float(curve[best]),
            oracle_f1=float(curve.max()),
            ap=_mean([_average_precision(scores[place], items[place].labels) for place in places]) or 0.0,
            top1=_mean([_top1(scores[place], items[place].labels) for place in places]) or 0.0,
            evidence=_mean(list(_evidence(config, items, scores, places) >= threshold)) or 0.0,
            saved=_mean([removed[place] for place in places]) or 0.0,
            kept_empty=_mean([1 - removed[place] for place in places if not items[place].evidence]),
        )
        for name, places, curve in zip(config.files, by_file, f1, strict=True)
    )
    return DevResult(
        f1=float(f1.mean(0)[best]),
        threshold=float(_GRID[best]),
        ap=float(np.mean([item.ap for item in files])),
        top1=float(np.mean([item.top1 for item in files])),
        evidence_threshold=threshold,
        saved=float(np.mean([item.saved for item in files])),
        files=files,
    )


def calibrate(config: DevConfig, items: Sequence[DevItem], scores: Sequence[Floats], *, half: bool = False) -> float:
    """Find the highest threshold at which enough evidence survives.

    Args:
        config: What must survive, and of which files.
        items: The records.
        scores: Of each, (sentences,).
        half: Look at the calibration half only.

    Returns:
        A threshold, rounded down to four digits.
    """
    found = []
    wanted = config.calibrate or config.files
    for index, name in enumerate(config.files):
        if name in wanted:
            places = [place for place, item in enumerate(items) if item.file == index]
            places = [place for place in places if items[place].calibrates or not half]
            found.append(np.sort(_evidence(config, items, scores, places)))
    if config.count == "units":
        found = [np.sort(np.concatenate(found))] if found else []
    return evidence_threshold([some for some in found if len(some)], config.evidence)


def evidence_threshold(lowest: Sequence[Floats], share: float) -> float:
    """Find the highest threshold at which a share of the evidence survives, macro over groups of it.

    Args:
        lowest: For each group, sorted: the lowest score among the sentences of each piece of evidence.
        share: How many must survive.

    Returns:
        A threshold, rounded down to four digits; 0.0 without any evidence.

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


def as_line(result: DevResult) -> dict[str, Any]:
    """Return the figures of a result, rounded, as JSON types."""

    def rounded(one: DevResult | FileResult, *names: str) -> dict[str, Any]:
        values = {name: getattr(one, name) for name in names}
        return {name: None if value is None else round(value, 4) for name, value in values.items()}

    files = {item.file: rounded(item, "f1", "ap", "saved", "kept_empty") for item in result.files}
    means = rounded(result, "f1", "threshold", "ap", "top1", "saved")
    return {**means, "evidence_threshold": result.evidence_threshold, "files": files}


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of what is there; None if nothing is."""
    found = [value for value in values if value is not None]
    return float(np.mean(found)) if found else None


def _f1(items: Sequence[DevItem], scores: Sequence[Floats], places: Sequence[int]) -> Floats:
    found = np.concatenate([np.zeros(0), *(scores[place] for place in places)])
    right = np.concatenate([np.zeros(0, dtype=np.bool_), *(items[place].labels for place in places)])
    kept = len(found) - np.searchsorted(np.sort(found), _GRID, side="left")
    hits = right.sum() - np.searchsorted(np.sort(found[right]), _GRID, side="left")
    return np.asarray(2 * hits / np.maximum(kept + right.sum(), 1), dtype=np.float64)


def _average_precision(scores: Floats, labels: NDArray[np.bool_]) -> float | None:
    if not labels.any() or labels.all():
        return None
    right = labels[np.argsort(-scores, kind="stable")]
    return float((np.cumsum(right) / np.arange(1, len(right) + 1))[right].mean())


def _top1(scores: Floats, labels: NDArray[np.bool_]) -> float | None:
    return float(labels[scores.argmax()]) if labels.any() else None


def _evidence(config: DevConfig, items: Sequence[DevItem], scores: Sequence[Floats], places: Sequence[int]) -> Floats:
    """Return the lowest score of each piece of evidence: of a span's sentences, or of each right sentence."""
    if config.count == "units":
        return np.concatenate([np.zeros(0), *(scores[place][items[place].labels] for place in places)])
    return np.array([scores[place][touched].min() for place in places for touched in items[place].evidence])


def _removed(item: DevItem, scores: Floats, threshold: float) -> float:
    """Return the share of a record's encoder tokens below a threshold."""
    return float(item.lengths[scores < threshold].sum() / max(item.lengths.sum(), 1))
