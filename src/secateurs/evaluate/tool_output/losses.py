"""Why a fact was lost: what held it, how that scored, and what the budget held instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from secateurs.evaluate.systems import parts_of_result
from secateurs.evaluate.tool_output.cases import Case
from secateurs.evaluate.tool_output.check import folded
from secateurs.policy import best_first
from secateurs.result.compression import Compression
from secateurs.result.join import Parts
from secateurs.result.savings import TokenCounter
from secateurs.result.span import Sentence

_LONGEST = 160  # characters of a text that is shown


@dataclass(frozen=True)
class Loss:
    """One fact that did not survive.

    Attributes:
        case: The case's id.
        kind: The case's kind.
        query: What was asked.
        fact: What was lost.
        cause: `"ranking"` (better-scored units took the budget), `"size"` (the unit that holds it does not fit in
            the budget, its frame included), `"cut"` (no single unit holds it) or `"joining"` (its unit was kept).
        why: The same in a sentence, with figures.
        unit: The unit that holds it, clipped; None where none does.
        kept: The units that were kept for themselves, best first, clipped.
    """

    case: str
    kind: str
    query: str
    fact: str
    cause: str
    why: str
    unit: str | None
    kept: tuple[str, ...]


def find_loss(case: Case, fact: str, result: Compression, most: int, count: TokenCounter) -> Loss:
    """Say why a fact was lost.

    Args:
        case: The case.
        fact: One of its facts, which is not in the result's text.
        result: What came back.
        most: LLM tokens that the budget was.
        count: Counts LLM tokens.
    """
    parts = parts_of_result(result)
    choices = [index for index, unit in enumerate(parts.units) if not unit.pure]
    units = [result.sentences[index] for index in choices]
    order = best_first(units)
    chosen = [place for place in order if units[place].kept and not units[place].frame]
    holder = next((place for place in order if case.holds(fact, folded(units[place].text))), None)

    def tokens(places: Sequence[int]) -> int:
        return count(_text(parts, [choices[place] for place in places]))

    if holder is None:
        cause, why = "cut", f"none of {len(units)} units holds it"
    elif units[holder].kept:
        cause, why = "joining", "its unit was kept, but it does not stand in the text"
    elif tokens([holder]) > most:
        cause, why = "size", f"its unit and the frame of it take {tokens([holder])} tokens, the budget is {most}"
    else:
        cause = "ranking"
        rank, score = order.index(holder) + 1, units[holder].score
        why = f"its unit is number {rank} of {len(units)} with a score of {score:.3g}; {len(chosen)}"
        if chosen != order[: len(chosen)]:
            why += f" others, chosen by score and as signals, take {tokens(chosen)} of {most} tokens"
        else:
            why += (
                f" better ones take {tokens(chosen)} of {most} tokens, {_after(order, chosen, units)} would make it"
            )
            why += f" {tokens(order[: len(chosen) + 1])}"
    unit = None if holder is None else clipped(units[holder].text)
    kept = tuple(f"{units[place].score:.3g} {clipped(units[place].text)}" for place in chosen)
    return Loss(case.id, case.kind, case.query, fact, cause, why, unit, kept)


def _after(order: Sequence[int], chosen: Sequence[int], units: Sequence[Sentence]) -> str:
    following = units[order[len(chosen)]]
    return f"the next ({following.score:.3g}, {len(following.text)} characters)"


def _text(parts: Parts, indices: Sequence[int]) -> str:
    return parts.text(parts.closure(indices))


def clipped(text: str) -> str:
    """Return a text on one line, its end cut off where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."
