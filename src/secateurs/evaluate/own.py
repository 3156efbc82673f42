"""One threshold for all, or one for each language: chosen on the calibration halves, compared on the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from secateurs.evaluate import thresholds
from secateurs.evaluate.figures import swept_recall, swept_savings
from secateurs.evaluate.ladder import Ladder
from secateurs.evaluate.measure import SystemRun
from secateurs.evaluate.metrics import recall, tokens_saved


@dataclass(frozen=True)
class Own:
    """One language.

    Attributes:
        threshold: Its own, that keeps enough of its evidence units; None of all languages together.
        chosen_on: Records with an answer that it was chosen on.
        records: Records that it is reported on.
        found: Share of the units that overlap evidence that is in the output, each language cut at its own.
        saved: Share of the LLM tokens that is saved.
        one_found: The first at the one threshold for all.
        one_saved: The second at that one.
        as_much: The first at the lowest threshold for these records that saves as much as their own do.
    """

    threshold: float | None
    chosen_on: int
    records: int
    found: float
    saved: float
    one_found: float
    one_saved: float
    as_much: float

    @property
    def better(self) -> bool:
        """Whether it keeps more than one threshold that saves as much."""
        return self.found > self.as_much


def own_thresholds(run: SystemRun, *, evidence: float) -> dict[str, Own]:
    """Compare thresholds by language with one threshold; all languages together stand under the empty name.

    Args:
        run: All records.
        evidence: Share of the units that overlap evidence, that shall stay.

    Returns:
        By language; nothing where there is one language, or a language has no evidence to choose by.
    """
    chosen_on, reported = _by_language(run.half("calibration")), _by_language(run.half("report"))
    langs = sorted(reported)
    if len(langs) < 2 or any(not _positives(chosen_on.get(lang, ())) for lang in langs):
        return {}
    one = thresholds.units_kept(list(chosen_on.values()), evidence=evidence)
    own = {lang: thresholds.units_kept([chosen_on[lang]], evidence=evidence) for lang in langs}
    found = {lang: _compare([(reported[lang], own[lang])], one, own[lang], chosen_on[lang]) for lang in langs}
    every = [ladder for lang in langs for ladder in chosen_on[lang]]
    found[""] = _compare([(reported[lang], own[lang]) for lang in langs], one, None, every)
    return found


def _compare(
    parts: Sequence[tuple[Sequence[Ladder], float]], one: float, threshold: float | None, chosen_on: Sequence[Ladder]
) -> Own:
    ladders = [ladder for some, _ in parts for ladder in some]
    mine = [ladder.at(own) for some, own in parts for ladder in some]
    theirs = [ladder.at(one) for ladder in ladders]
    positives, before = _positives(ladders), sum(ladder.tokens for ladder in ladders)
    shares = []
    for outcomes in (mine, theirs):
        shares += [
            recall(sum(outcome.right for outcome in outcomes), positives),
            tokens_saved(before, sum(outcome.tokens for outcome in outcomes)),
        ]
    shares.append(_as_much(ladders, shares[1]))
    answered = sum(ladder.positives > 0 for ladder in chosen_on)
    return Own(threshold, answered, len(ladders), *shares)


def _as_much(ladders: Sequence[Ladder], saved: float) -> float:
    """Return what the lowest threshold finds that saves at least so much; what the highest does where none does."""
    levels = thresholds.candidates(ladders)
    found = swept_recall(ladders, levels)
    enough = np.flatnonzero(swept_savings(ladders, levels) >= saved - 1e-12)
    return float(found[enough[0] if len(enough) else -1]) if len(found) else 0.0


def _positives(ladders: Sequence[Ladder]) -> int:
    return sum(ladder.positives for ladder in ladders)


def _by_language(run: SystemRun) -> dict[str, list[Ladder]]:
    found: dict[str, list[Ladder]] = {}
    for file in run.files:
        for ladder, lang in zip(file.ladders, file.langs, strict=True):
            found.setdefault(lang, []).append(ladder)
    return found
