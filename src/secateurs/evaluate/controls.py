"""Controls: units drawn at random, and the first ones, at as many LLM tokens as ours left of the same document.

What any compressor has to beat: it saved as much, and chose without reading.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from secateurs.evaluate.assess import Plan, Point, Setting, curve_levels, make_setting
from secateurs.evaluate.bootstrap import Interval
from secateurs.evaluate.figures import totals
from secateurs.evaluate.ladder import Floats, Ladder, Outcome, Scored
from secateurs.evaluate.measure import FileRun, SystemRun
from secateurs.evaluate.peers import keep_first
from secateurs.evaluate.records import Record
from secateurs.evaluate.systems import ScoreSystem, System, parts_of

RANDOM, TRUNCATED = "random units", "truncated"
_COLUMN = Outcome._fields.index("tokens")


class RandomSystem:
    """Scores units by chance.

    Args:
        seed: Of the draw; each record draws for itself.
    """

    name = RANDOM
    probabilities = False

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def score(self, records: Sequence[Record]) -> list[Scored]:
        """Score records, one result each, in order."""
        return [self._one(record) for record in records]

    def _one(self, record: Record) -> Scored:
        parts = parts_of(record.context)
        draw = random.Random(f"{self._seed}:{record.id}")
        return Scored(parts, np.array([draw.random() for unit in parts.units if not unit.pure], dtype=np.float64))


def control_systems(seed: int) -> list[System]:
    """Return what is measured beside ours."""
    return [RandomSystem(seed), ScoreSystem(TRUNCATED, keep_first)]


@dataclass(frozen=True)
class Control:
    """A control, document by document at as many LLM tokens as ours.

    Attributes:
        name: Its name.
        setting: Where ours cuts by default, or at the threshold that was given or chosen.
        curve: The same at many thresholds of ours.
    """

    name: str
    setting: Setting
    curve: tuple[Point, ...]

    @property
    def difference(self) -> dict[str, Interval | None]:
        """Its differences from ours, as intervals."""
        return self.setting.difference


def match(control: SystemRun, ours: SystemRun, plan: Plan, *, against: Setting) -> Control:
    """Give a control as many LLM tokens as ours left.

    Args:
        control: The control's run over the same records.
        ours: The run of the system that it is matched with.
        plan: What to report.
        against: The setting of ours.
    """
    control, ours = control.half(plan.records), ours.half(plan.records)

    def outcome(ladder: Ladder) -> Outcome:
        if against.mean.threshold is None and ladder.default is not None:
            return ladder.default
        return ladder.at(against.mean.threshold or 0.0)

    matched = _with_defaults(control, ours, outcome)
    setting = make_setting(matched, "default", None, plan, against)
    return Control(control.name, replace(setting, label=against.label), _curve(control, ours))


def _with_defaults(control: SystemRun, ours: SystemRun, outcome: Callable[[Ladder], Outcome]) -> SystemRun:
    files = []
    for theirs, mine in zip(control.files, ours.files, strict=True):
        pairs = zip(theirs.ladders, mine.ladders, strict=True)
        ladders = tuple(replace(a, default=nearest(a, np.array([outcome(b).tokens]))[0]) for a, b in pairs)
        files.append(FileRun(theirs.name, ladders, theirs.langs, theirs.places, theirs.misses))
    return SystemRun(control.name, tuple(files), control.probabilities)


def nearest(ladder: Ladder, tokens: Floats) -> list[Outcome]:
    """Return the outcomes of a ladder whose LLM tokens are nearest to some numbers; of two the smaller.

    Shape:
        tokens: (numbers,).
    """
    gaps = np.abs(ladder.rungs[None, :, _COLUMN] - tokens[:, None])
    return [Outcome(*map(int, ladder.rungs[place])) for place in gaps.argmin(axis=1)]


def _curve(control: SystemRun, ours: SystemRun) -> tuple[Point, ...]:
    """Return the means over files at many thresholds of ours, document by document at as many tokens."""
    at = curve_levels(ours)
    sums = []
    for theirs, mine in zip(control.files, ours.files, strict=True):
        if not any(ladder.spans for ladder in mine.ladders):
            continue
        total = np.zeros((len(at), len(Outcome._fields)))
        for a, b in zip(theirs.ladders, mine.ladders, strict=True):
            rungs = b.rungs[np.searchsorted(-b.levels, -at, side="right")]
            total += np.array(nearest(a, rungs[:, _COLUMN].astype(np.float64)))
        sums.append(totals(mine.ladders, total))
    if not sums:
        return ()
    kept, saved, f1 = np.mean(sums, axis=0).T
    return tuple(Point(*map(float, values)) for values in zip(at, kept, saved, f1, strict=True))
