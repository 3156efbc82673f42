"""The documents of a case, cut into units and scored: once, whatever is asked of them afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from secateurs.compressor import Compressor
from secateurs.evaluate.answers.cases import Case
from secateurs.evaluate.ladder import Bools, Scored, unit_labels
from secateurs.evaluate.systems import CheckpointSystem
from secateurs.policy import Threshold
from secateurs.result.savings import TokenCounter

_CASES_AT_ONCE = 8

Tick = Callable[[int], object]
Flags = Sequence[Bools]  # of each document, which of the units that can be chosen are


class Sentences(Protocol):
    """Embeds texts: `secateurs.evaluate.embeddings.Encoder`."""

    def queries(self, texts: Sequence[str]) -> np.ndarray:
        """Embed queries; (texts, width), each of length 1."""

    def sentences(self, texts: Sequence[str]) -> np.ndarray:
        """Embed units; (texts, width), each of length 1."""


@dataclass(frozen=True)
class Draft:
    """A case with its documents cut and scored.

    Attributes:
        case: The case.
        scored: Units and scores of each document.
        ranking: Ranking score of each document; None where the checkpoint has no ranking head.
        tokens: LLM tokens of each document.
        seconds: What scoring took.
        count: Counts LLM tokens.
    """

    case: Case
    scored: tuple[Scored, ...]
    ranking: tuple[float | None, ...]
    tokens: tuple[int, ...]
    seconds: float
    count: TokenCounter

    def texts(self, flags: Flags) -> tuple[str, ...]:
        """Return what is left of each document, as `Compressor` joins it; cutting that saves nothing is not done."""
        return tuple(self._text(place, some) for place, some in enumerate(flags))

    def _text(self, place: int, flags: Bools) -> str:
        one, whole = self.scored[place], self.case.documents[place].text
        if one.failed or not whole.strip():
            return whole
        parts = one.parts
        choices = [index for index, unit in enumerate(parts.units) if not unit.pure]
        text = parts.text(parts.closure(np.array(choices, dtype=np.int64)[flags].tolist() if len(flags) else []))
        return whole if text and self.count(text) >= self.tokens[place] else text

    def at(self, threshold: float) -> Flags:
        """Return which units a threshold chooses."""
        return [one.scores >= threshold for one in self.scored]

    def default(self) -> Flags:
        """Return which units the checkpoint's own policy chooses."""
        return [one.default.flags if one.default is not None else one.scores >= 0.0 for one in self.scored]

    def labels(self) -> Flags:
        """Return which units overlap evidence."""
        found = []
        for one, document in zip(self.scored, self.case.documents, strict=True):
            ends = np.array([unit.end for unit in one.parts.units], dtype=np.int64)
            read = np.array([not unit.pure for unit in one.parts.units], dtype=np.bool_)
            found.append(unit_labels(ends, document.evidence or ())[read])
        return found

    def units(self) -> list[list[str]]:
        """Return the texts of the units of each document that can be chosen."""
        return [
            [one.parts.original[unit.start : unit.end] for unit in one.parts.units if not unit.pure]
            for one in self.scored
        ]


def draft(cases: Sequence[Case], compressor: Compressor, tick: Tick = lambda done: None) -> list[Draft]:
    """Cut and score the documents of cases.

    Args:
        cases: The cases.
        compressor: Scores; its policy is the default, its encoding counts.
        tick: Called with the number of cases just done.
    """
    count = TokenCounter(compressor.encoding)
    system = CheckpointSystem(compressor.name, compressor)
    drafts: list[Draft] = []
    for start in range(0, len(cases), _CASES_AT_ONCE):
        some = cases[start : start + _CASES_AT_ONCE]
        pairs = [(case.query, document.text) for case in some for document in case.documents]
        began = time.perf_counter()
        results = iter(compressor.compress_pairs(pairs, policy=Threshold(0.0)))
        each = (time.perf_counter() - began) / len(pairs)
        for case in some:
            mine = [next(results) for _ in case.documents]
            drafts.append(
                Draft(
                    case,
                    tuple(system.scored(result) for result in mine),
                    tuple(result.ranking_score for result in mine),
                    tuple(count(document.text) for document in case.documents),
                    each * len(mine),
                    count,
                )
            )
        tick(len(some))
    return drafts
