"""Controls at as many tokens as ours, rows that stand apart, and a threshold for each language."""

from __future__ import annotations

import numpy as np
import pytest
from test_evaluate_figures import FILES, parts

from secateurs.evaluate import thresholds
from secateurs.evaluate.assess import Plan, assess
from secateurs.evaluate.controls import RandomSystem, control_systems, match, nearest
from secateurs.evaluate.figures import swept_evidence
from secateurs.evaluate.ladder import Ladder, Scored, build
from secateurs.evaluate.measure import FileRun, SystemRun
from secateurs.evaluate.own import own_thresholds
from secateurs.evaluate.records import Record
from secateurs.result.span import Span

PLAN = Plan(records="all", resamples=20)
LANGS = ("en", "zh", "zh query, en documents")


def run_of(name: str, files: list[list[Ladder]]) -> SystemRun:
    """A run over files whose records take the languages in turn."""
    runs = [
        FileRun(
            str(place),
            tuple(ladders),
            tuple(LANGS[at % 3] for at in range(len(ladders))),
            np.arange(len(ladders)) // 3,
            (None,) * len(ladders),
        )
        for place, ladders in enumerate(files)
    ]
    return SystemRun(name, tuple(runs))


def control_of(ladders: list[Ladder], order: str) -> list[Ladder]:
    """The same records under a control: the same units, other scores."""
    made = []
    for number, ladder in enumerate(ladders):
        count = len(ladder.scores)
        evidence = tuple(Span(3 * int(place), 3 * int(place) + 1) for place in np.flatnonzero(ladder.labels))
        record = Record(str(number), "en", "q", "abc" * count, evidence)
        scores = np.random.default_rng(number).random(count) if order == "random" else 1.0 / np.arange(1, count + 1)
        made.append(build(record, Scored(parts(count), scores), len))
    return made


OURS = run_of("ours", FILES)


@pytest.mark.parametrize("order", ["random", "first"])
def test_a_control_has_as_many_tokens_as_ours(order: str):
    """Document by document it keeps as many tokens, units being of one size; evidence is counted on its own units."""
    theirs = run_of(order, [control_of(ladders, order) for ladders in FILES])
    ours = assess(OURS, PLAN)
    found = match(theirs, OURS, PLAN, against=ours.settings["default"])
    assert found.setting.label == "default"
    assert found.setting.mean.figures.tokens_saved == pytest.approx(
        ours.settings["default"].mean.figures.tokens_saved
    )
    for control, mine in zip(found.curve, ours.curve, strict=True):
        assert (control.threshold, control.tokens_saved) == pytest.approx((mine.threshold, mine.tokens_saved))
    ladders = theirs.files[0].ladders
    expected = [nearest(a, np.array([b.default.tokens]))[0] for a, b in zip(ladders, FILES[0], strict=True)]
    spans = sum(ladder.spans for ladder in ladders)
    figures = found.setting.files["0"].figures
    assert figures.evidence_kept == pytest.approx(sum(one.evidence for one in expected) / spans)
    assert set(found.difference) and found.setting.languages.keys() == set(LANGS)


def test_the_nearest_outcome_is_nearest():
    """No other rung of the ladder has a number of tokens that is nearer."""
    for ladder in FILES[1]:
        tokens = np.arange(0.0, 30.0, 1.5)
        for wanted, outcome in zip(tokens, nearest(ladder, tokens), strict=True):
            assert abs(outcome.tokens - wanted) == np.abs(ladder.rungs[:, 3] - wanted).min()


def test_random_units_depend_on_seed_and_record_alone():
    """A record has the same scores in any company; another seed gives others; as many as units that can be chosen."""
    records = [Record(str(number), "en", "q", "# Head\n\nOne. Two.\n\n---\n\nThree.", ()) for number in range(3)]
    together = RandomSystem(7).score(records)
    alone = RandomSystem(7).score(records[1:2])[0]
    assert alone.scores.tolist() == together[1].scores.tolist() != together[0].scores.tolist()
    assert RandomSystem(8).score(records)[1].scores.tolist() != alone.scores.tolist()
    assert [len(system.score(records)[0].scores) for system in control_systems(7)] == [len(alone.scores)] * 2


def test_no_answer_and_cross_language_rows_stand_apart():
    """Records without an answer, and queries in another language than the document, have rows of their own."""
    setting = assess(OURS, PLAN).settings["default"]
    assert list(setting.languages) == list(LANGS)
    without, answered = setting.answers["without an answer"], setting.answers["with an answer"]
    assert without.records + answered.records == 30 and without.records == sum(
        ladder.spans == 0 for ladders in FILES for ladder in ladders
    )
    assert without.figures.evidence_kept is None and answered.figures.false_text is None
    assert without.figures.false_text is not None and set(without.intervals)


def test_a_threshold_for_each_language_is_chosen_on_the_other_half():
    """Each is what one threshold would be on that language alone; all together are the sums over languages."""
    found = own_thresholds(OURS, evidence=0.8)
    assert list(found) == [*LANGS, ""]
    chosen_on = {lang: [] for lang in LANGS}
    reported = {lang: [] for lang in LANGS}
    for file in OURS.files:
        for ladder, lang, place in zip(file.ladders, file.langs, file.places, strict=True):
            (reported if place % 2 else chosen_on)[lang].append(ladder)
    one = thresholds.units_kept(list(chosen_on.values()), evidence=0.8)
    before = after = 0
    for lang in LANGS:
        own = thresholds.units_kept([chosen_on[lang]], evidence=0.8)
        assert found[lang].threshold == own and found[lang].records == len(reported[lang])
        outcomes = [ladder.at(own) for ladder in reported[lang]]
        size = sum(ladder.tokens for ladder in reported[lang])
        left = sum(outcome.tokens for outcome in outcomes)
        assert found[lang].saved == pytest.approx(1 - left / size)
        before, after = before + size, after + left
        units = sum(ladder.positives for ladder in reported[lang])
        at_one = sum(ladder.at(one).right for ladder in reported[lang])
        assert found[lang].one_found == pytest.approx(at_one / units)
    assert found[""].saved == pytest.approx(1 - after / before)
    every = [ladder for lang in LANGS for ladder in reported[lang]]
    tried = [step / 1000 for step in range(1001)]
    lowest = next(t for t in tried if sum(ladder.at(t).tokens for ladder in every) <= after)
    assert found[""].as_much == pytest.approx(
        sum(ladder.at(lowest).right for ladder in every) / sum(ladder.positives for ladder in every)
    )
    assert own_thresholds(SystemRun("x", OURS.files[:0]), evidence=0.8) == {}


def test_evidence_says_how_much_a_calibrated_threshold_keeps():
    """With less evidence wanted a calibrated threshold is no lower."""
    half, most = (assess(OURS, Plan(resamples=0, calibrate=True, evidence=share)) for share in (0.5, 0.95))
    assert half.units >= most.units and half.calibrated >= most.calibrated
    chosen_on = [file.ladders for file in OURS.half("calibration").files]
    kept = [swept_evidence(ladders, np.array([half.calibrated]))[0] for ladders in chosen_on]
    assert np.mean(kept) >= 0.5
