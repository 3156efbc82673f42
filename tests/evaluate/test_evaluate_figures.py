"""Figures, thresholds and intervals against naive versions."""

from __future__ import annotations

import random

import numpy as np
import pytest

from secateurs.evaluate import thresholds
from secateurs.evaluate.assess import Plan, assess
from secateurs.evaluate.bootstrap import differences, intervals, resampled
from secateurs.evaluate.figures import figures, mean_figures, sweep, swept_evidence, swept_f1, swept_savings, table
from secateurs.evaluate.ladder import Cut, Ladder, Scored, build
from secateurs.evaluate.measure import FileRun, SystemRun
from secateurs.evaluate.records import Record
from secateurs.result.join import Parts
from secateurs.result.span import Span
from secateurs.segment import Unit


def parts(count: int) -> Parts:
    """Units of three characters each."""
    return Parts("abc" * count, tuple(Unit(3 * place, 3 * place + 3) for place in range(count)))


def make(seed: int, *, answered: bool = True) -> Ladder:
    """One random record: sentences of three characters, scores of two digits."""
    rng = random.Random(seed)
    count = rng.randint(2, 8)
    spans = [Span(3 * index, 3 * index + rng.randint(1, 3)) for index in range(count) if rng.random() < 0.4]
    spans = (spans or [Span(0, 2)]) if answered else []
    scores = np.array([round(rng.random() * (1 if answered else 0.6), 2) for _ in range(count)])
    record = Record(str(seed), "en", "q", "abc" * count, tuple(spans))
    scored = Scored(parts(count), scores, Cut(0.0, scores >= 0.5))
    return build(record, scored, len)


FILES = [[make(seed, answered=seed % 4 > 0) for seed in range(10 * f, 10 * f + 10)] for f in range(3)]


def naive(ladders: list[Ladder], t: float) -> dict[str, float]:
    """Micro figures from lists of sentences."""
    kept = [(s >= t, bool(y)) for ladder in ladders for s, y in zip(ladder.scores, ladder.labels, strict=True)]
    right, all_kept = sum(k and y for k, y in kept), sum(k for k, _ in kept)
    positives = sum(y for _, y in kept)
    p, r = right / all_kept if all_kept else 0.0, right / positives
    saved = [(sum(3 for s in ladder.scores if s < t), 3 * len(ladder.scores)) for ladder in ladders]
    left = [3 * sum(s >= t for s in ladder.scores) for ladder in ladders]
    empty = [(kept, ladder.characters) for kept, ladder in zip(left, ladders, strict=True) if not ladder.spans]
    chosen = [k for ladder in ladders if ladder.spans for k in ladder.scores >= t]
    pa = right / sum(chosen) if any(chosen) else 0.0
    return {
        "precision": p,
        "recall": r,
        "f1": 2 * p * r / (p + r) if p + r else 0.0,
        "f2": 5 * p * r / (4 * p + r) if p + r else 0.0,
        "tokens_saved": sum(a for a, _ in saved) / sum(b for _, b in saved),
        "document_tokens_saved": float(np.mean([a / b for a, b in saved])),
        "answered_f1": 2 * pa * r / (pa + r) if pa + r else 0.0,
        "text_saved": 1 - sum(left) / sum(ladder.characters for ladder in ladders),
        **({"false_keep": float(np.mean([kept / size for kept, size in empty]))} if empty else {}),
        **({"false_text": sum(kept for kept, _ in empty) / sum(size for _, size in empty)} if empty else {}),
    }


@pytest.mark.parametrize("t", [0.0, 0.2, 0.5, 0.93, 1.0])
def test_figures_agree_with_lists_of_sentences(t: float):
    """Every micro figure is what going through the sentences one by one gives."""
    for ladders in FILES:
        got = figures(table(ladders, [ladder.at(t) for ladder in ladders]).sum(axis=0).tolist())
        for name, value in naive(ladders, t).items():
            assert getattr(got, name) == pytest.approx(value), name


def test_macro_figures_are_means_over_the_answered_records():
    """A macro figure is the mean of each answered record's own micro figure."""
    ladders = FILES[0]
    rows = table(ladders, [ladder.at(0.4) for ladder in ladders])
    got = figures(rows.sum(axis=0).tolist())
    single = [figures(row.tolist()) for row, ladder in zip(rows, ladders, strict=True) if ladder.spans]
    for macro, micro in [("query_precision", "precision"), ("query_f1", "f1"), ("query_f2", "f2")]:
        assert getattr(got, macro) == pytest.approx(np.mean([getattr(one, micro) for one in single]))
    assert got.query_evidence_kept == pytest.approx(np.mean([one.evidence_kept for one in single]))
    assert got.top_one == pytest.approx(np.mean([one.top_one for one in single]))


def test_what_no_record_has_is_none_and_left_out_of_means():
    """Files without an answer have no F1, files without an empty document no false keep."""
    empty = [make(seed, answered=False) for seed in range(4)]
    some = [make(seed) for seed in range(4)]
    first, second = (
        figures(table(ladders, [ladder.at(0.3) for ladder in ladders]).sum(axis=0).tolist())
        for ladders in (empty, some)
    )
    assert first.f1 is None and first.evidence_kept is None and second.false_keep is None
    mean = mean_figures([first, second])
    assert mean.f1 == second.f1 and mean.false_keep == first.false_keep
    assert mean.kept_share == pytest.approx((first.kept_share + second.kept_share) / 2)


def test_a_sweep_is_the_sum_of_the_rungs():
    """Many thresholds at once give what one at a time gives, in any order."""
    at = np.array([0.7, 0.0, 0.31, 1.0])
    sums = sweep(FILES[1], at)
    for row, t in zip(sums, at, strict=True):
        assert row.tolist() == np.sum([ladder.at(t) for ladder in FILES[1]], axis=0).tolist()
    assert swept_f1(FILES[1], at)[2] == pytest.approx(naive(FILES[1], 0.31)["f1"])
    assert swept_savings(FILES[1], at)[0] == pytest.approx(naive(FILES[1], 0.7)["tokens_saved"])


def test_the_calibrated_threshold_is_the_highest_that_keeps_enough():
    """Found by trying every thousandth, from the top."""
    for share in (0.95, 0.8, 0.3):
        for step in range(1000, -1, -1):
            kept = np.mean([swept_evidence(ladders, np.array([step / 1000]))[0] for ladders in FILES])
            if kept >= share:
                break
        assert thresholds.calibrated(FILES, evidence=share) == step / 1000


def test_the_threshold_by_units_is_the_highest_that_keeps_enough_of_them():
    """Found by trying every thousandth, from the top, over the units of all records together."""
    flat = [ladder for ladders in FILES for ladder in ladders]
    for share in (0.95, 0.5):
        found = thresholds.units_kept(FILES, evidence=share)
        scores = [s for ladder in flat for s, y in zip(ladder.scores, ladder.labels, strict=True) if y]
        enough = [step / 1000 for step in range(1001) if np.mean([s >= step / 1000 for s in scores]) >= share]
        assert found == enough[-1]


def test_the_fixed_threshold_has_the_best_mean_f1():
    """Found by trying every thousandth; of equal ones the lowest."""
    values = [np.mean([naive(ladders, step / 1000)["f1"] for ladders in FILES]) for step in range(1001)]
    assert thresholds.best_f1(FILES) == int(np.argmax(values)) / 1000


def test_thresholds_of_scores_that_are_no_probabilities():
    """Other scores are cut at scores that occur."""
    record = Record("a", "en", "q", "abcabcabc", (Span(3, 5),))
    ladder = build(record, Scored(parts(3), np.array([-2.0, 7.5, 3.0])), len)
    assert thresholds.best_f1([[ladder]]) == 7.5
    assert thresholds.calibrated([[ladder]]) == 7.5


def test_the_bootstrap_is_seeded_paired_and_centred():
    """The same seed draws the same records; a system differs from itself by nothing; the value lies inside."""
    rows = table(FILES[0], [ladder.at(0.4) for ladder in FILES[0]])
    samples = resampled(rows, 400, 7)
    assert samples == resampled(rows, 400, 7) != resampled(rows, 400, 8)
    low, high = intervals(samples)["f1"]
    assert low < figures(rows.sum(axis=0).tolist()).f1 < high
    assert differences(samples, samples)["f1"] == (0.0, 0.0)


def test_the_bootstrap_agrees_with_drawing_records():
    """Its interval is near that of a resampling done record by record."""
    rows = table(FILES[0], [ladder.at(0.4) for ladder in FILES[0]])
    rng = random.Random(1)
    values = [
        figures(np.sum([rows[rng.randrange(len(rows))] for _ in rows], axis=0).tolist()).tokens_saved
        for _ in range(2000)
    ]
    interval = intervals(resampled(rows, 2000, 0))["tokens_saved"]
    assert interval == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=0.03)


def test_thresholds_are_chosen_on_one_half_and_reported_on_the_other():
    """The fixed threshold sees even places only; the oracle is at least as good as any other on its own records."""
    run = SystemRun(
        "x",
        tuple(
            FileRun(str(f), tuple(ladders), ("en",) * 10, np.arange(10), (None,) * 10)
            for f, ladders in enumerate(FILES)
        ),
    )
    result = assess(run, Plan(resamples=0, calibrate=True))
    assert result.fixed == thresholds.best_f1([ladders[0::2] for ladders in FILES])
    assert set(result.settings) == {"default", "fixed", "calibrated", "units", "oracle"}
    assert result.units == thresholds.units_kept([ladders[0::2] for ladders in FILES])
    for name, ladders in zip("012", FILES, strict=True):
        fixed, oracle = result.settings["fixed"].files[name], result.settings["oracle"].files[name]
        assert fixed.figures.f1 == pytest.approx(naive(ladders[1::2], result.fixed)["f1"])
        assert oracle.figures.f1 >= fixed.figures.f1
        assert result.settings["default"].files[name].figures.f1 == pytest.approx(naive(ladders[1::2], 0.5)["f1"])
    given = assess(run, Plan(records="all", threshold=0.25, resamples=0)).settings["given"]
    assert given.mean.threshold == 0.25 and given.mean.records == 30
    assert given.languages["en"].figures == given.mean.figures
