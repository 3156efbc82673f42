"""From ladders to figures: sums over records, the figures they make, and thresholds.

Every figure but the calibration error is a function of sums over records, so a bootstrap resample is one matrix
product, and micro (sums of counts) and macro (sums of per-record values) figures come out of the same columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from secateurs.evaluate.ladder import Bools, Floats, Ints, Ladder, Outcome
from secateurs.evaluate.metrics import (
    Bin,
    average_precision,
    calibration_error,
    evidence_kept,
    f_score,
    kept_share,
    precision,
    recall,
    reliability,
    share,
    tokens_saved,
    top_one,
)

_LEAST = 100  # units of a point of the reliability diagram


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a group of records at one threshold. Shares in [0, 1]; None where no record has one.

    Attributes:
        precision: Micro: over the units of all records.
        recall: Micro: the share of the units that overlap evidence that is in the output.
        f1: Of the micro precision and recall.
        f2: Of the micro precision and recall.
        answered_f1: F1 of the micro precision and recall over the records with an answer alone.
        evidence_kept: Share of all evidence spans that survive whole.
        tokens_saved: Share of all LLM tokens that is saved.
        text_saved: Share of all characters that is saved.
        false_text: Share of the characters of all documents without an answer that is kept.
        query_precision: Macro: mean over the records with an answer.
        query_recall: Macro.
        query_f1: Macro.
        query_f2: Macro.
        query_evidence_kept: Macro.
        document_tokens_saved: Mean over all records.
        kept_share: Mean over all records of the share of characters kept.
        false_keep: The same over the records without an answer; where most documents are short, `false_text` says
            more.
        average_precision: Mean over the records with an answer; does not depend on the threshold.
        top_one: Share of the records with an answer whose best unit is right; does not depend on it either.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    f2: float | None
    answered_f1: float | None
    evidence_kept: float | None
    tokens_saved: float | None
    text_saved: float | None
    false_text: float | None
    query_precision: float | None
    query_recall: float | None
    query_f1: float | None
    query_f2: float | None
    query_evidence_kept: float | None
    document_tokens_saved: float | None
    kept_share: float | None
    false_keep: float | None
    average_precision: float | None
    top_one: float | None


NAMES = tuple(field.name for field in fields(Figures))
COLUMNS = (
    *("records", "answered", "empty", "kept", "right", "positives", "spans", "evidence", "before", "after"),
    *("answered_kept", "characters", "length", "empty_characters", "empty_length"),
    *("query_precision", "query_recall", "query_f1", "query_f2", "query_evidence", "document_saved"),
    *("share", "false_share", "average_precision", "top_one"),
)


def columns(ladder: Ladder, outcome: Outcome) -> list[float]:
    """Return one record's row of what is summed, in the order of COLUMNS."""
    answered = ladder.positives > 0  # evidence in nothing but pure frame can be neither found nor missed
    empty = ladder.spans == 0
    kept = kept_share(outcome.characters, ladder.characters)
    row: list[float] = [1, answered, empty, outcome.kept, outcome.right, ladder.positives]
    row += [ladder.spans, outcome.evidence, ladder.tokens, outcome.tokens]
    row += [outcome.kept if answered else 0, outcome.characters, ladder.characters]
    row += [outcome.characters, ladder.characters] if empty else [0, 0]
    if answered:
        p, r = precision(outcome.right, outcome.kept), recall(outcome.right, ladder.positives)
        row += [p, r, f_score(p, r), f_score(p, r, beta=2), evidence_kept(outcome.evidence, ladder.spans)]
    else:
        row += [0.0] * 5
    row += [tokens_saved(ladder.tokens, outcome.tokens), kept, kept if empty else 0.0]
    if answered:
        row += [average_precision(ladder.scores, ladder.labels), top_one(ladder.scores, ladder.labels)]
    else:
        row += [0.0, 0.0]
    return row


def table(ladders: Sequence[Ladder], outcomes: Sequence[Outcome]) -> Floats:
    """Return the rows of many records.

    Shape:
        (records, len(COLUMNS)).
    """
    rows = [columns(ladder, outcome) for ladder, outcome in zip(ladders, outcomes, strict=True)]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(COLUMNS))


def figures(sums: Sequence[float]) -> Figures:
    """Return the figures that the column sums of a group make.

    Args:
        sums: Sums over the group's records, in the order of COLUMNS.

    Shape:
        sums: (len(COLUMNS),).
    """
    s = dict(zip(COLUMNS, sums, strict=True))
    records, answered = s["records"], s["answered"]
    p, r = precision(s["right"], s["kept"]), recall(s["right"], s["positives"])
    values: list[float | None] = [
        p,
        r,
        f_score(p, r),
        f_score(p, r, beta=2),
        f_score(precision(s["right"], s["answered_kept"]), r),
        evidence_kept(s["evidence"], s["spans"]),
    ]
    if not answered:
        values = [None] * len(values)
    values.append(tokens_saved(s["before"], s["after"]) if records else None)
    values.append(1.0 - kept_share(s["characters"], s["length"]) if s["length"] else None)
    values.append(kept_share(s["empty_characters"], s["empty_length"]) if s["empty_length"] else None)
    macro = ("query_precision", "query_recall", "query_f1", "query_f2", "query_evidence")
    values += [_mean(s[name], answered) for name in macro]
    values += [_mean(s["document_saved"], records), _mean(s["share"], records)]
    values += [_mean(s["false_share"], s["empty"])]
    values += [_mean(s["average_precision"], answered), _mean(s["top_one"], answered)]
    return Figures(*values)


def mean_figures(some: Sequence[Figures]) -> Figures:
    """Return the mean over groups (files) of each figure, leaving out the groups that have none."""
    return Figures(*(_mean_of([getattr(item, name) for item in some]) for name in NAMES))


def calibration(ladders: Sequence[Ladder]) -> float:
    """Return the calibration error over the units of all records."""
    return calibration_error(*_units(ladders))


def reliable(ladders: Sequence[Ladder]) -> tuple[Bin, ...]:
    """Return the reliability diagram of the units of all records."""
    return reliability(*_units(ladders), least=_LEAST)


def sweep(ladders: Sequence[Ladder], thresholds: Floats) -> Ints:
    """Sum the outcomes of many records at many thresholds.

    Args:
        ladders: The records.
        thresholds: Any order.

    Returns:
        Sums over the records, columns as in Outcome.

    Shape:
        thresholds: (thresholds,), result: (thresholds, 5).
    """
    sums = np.zeros((len(thresholds), len(Outcome._fields)), dtype=np.int64)
    for ladder in ladders:
        sums += ladder.rungs[np.searchsorted(-ladder.levels, -thresholds, side="right")]
    return sums


def swept_f1(ladders: Sequence[Ladder], thresholds: Floats) -> Floats:
    """Return the micro F1 of a group at many thresholds."""
    positives = sum(ladder.positives for ladder in ladders)
    sums = sweep(ladders, thresholds)
    pairs = ((precision(right, kept), recall(right, positives)) for kept, right in sums[:, :2])
    return np.array([f_score(p, r) for p, r in pairs])


def totals(ladders: Sequence[Ladder], sums: Floats) -> Floats:
    """Return evidence kept, tokens saved and F1 of a group, by its sums over the records, several at a time.

    Args:
        ladders: The records.
        sums: Of their outcomes, columns as in Outcome.

    Shape:
        sums: (n, 5), result: (n, 3).
    """
    positives, spans, before = (
        sum(getattr(ladder, name) for ladder in ladders) for name in ("positives", "spans", "tokens")
    )
    rows = [
        (
            evidence_kept(evidence, spans),
            tokens_saved(before, after),
            f_score(precision(right, kept), recall(right, positives)),
        )
        for kept, right, _, after, evidence in sums.tolist()
    ]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 3)


def swept_recall(ladders: Sequence[Ladder], thresholds: Floats) -> Floats:
    """Return the micro recall of a group at many thresholds."""
    positives = sum(ladder.positives for ladder in ladders)
    return np.array([recall(right, positives) for right in sweep(ladders, thresholds)[:, 1]])


def swept_evidence(ladders: Sequence[Ladder], thresholds: Floats) -> Floats:
    """Return the evidence kept of a group at many thresholds."""
    spans = sum(ladder.spans for ladder in ladders)
    return np.array([evidence_kept(whole, spans) for whole in sweep(ladders, thresholds)[:, 4]])


def swept_savings(ladders: Sequence[Ladder], thresholds: Floats) -> Floats:
    """Return the tokens saved of a group at many thresholds."""
    before = sum(ladder.tokens for ladder in ladders)
    return np.array([tokens_saved(before, after) for after in sweep(ladders, thresholds)[:, 3]])


def _mean(total: float, count: float) -> float | None:
    return share(total, count) if count else None


def _mean_of(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _units(ladders: Sequence[Ladder]) -> tuple[Floats, Bools]:
    """Return scores and labels of the units of all records."""
    scores = np.concatenate([ladder.scores for ladder in ladders] or [np.zeros(0)])
    return scores, np.concatenate([ladder.labels for ladder in ladders] or [np.zeros(0, dtype=np.bool_)])
