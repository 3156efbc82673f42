"""Cut the outputs of all cases in every way, and see what survives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from secateurs.compressor import Compressor
from secateurs.evaluate.tool_output.cases import Case
from secateurs.evaluate.tool_output.check import folded, form, stands_in
from secateurs.evaluate.tool_output.losses import Loss, find_loss
from secateurs.evaluate.tool_output.ways import compress, peers
from secateurs.result.savings import TokenCounter

_CASES_AT_ONCE = 8

Tick = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is left of one output.

    Attributes:
        lost: The facts that do not survive.
        facts: How many there were.
        decoys: How many of the case's decoys are in it.
        parsed: What the output parsed as before; None where it did not.
        parses: Whether what is left parses as the same.
        before: LLM tokens before.
        after: LLM tokens after.
    """

    lost: tuple[str, ...]
    facts: int
    decoys: int
    parsed: str | None
    parses: bool
    before: int
    after: int


@dataclass(frozen=True)
class Run:
    """All cases, cut in one way.

    Attributes:
        way: Its name.
        outcomes: One a case, in order.
        losses: Why facts were lost; of the compressor only.
        failed: Cases that the compressor could not score, by id: they came back whole.
    """

    way: str
    outcomes: tuple[Outcome, ...]
    losses: tuple[Loss, ...] = ()
    failed: tuple[str, ...] = ()


def measure(
    cases: Sequence[Case],
    name: str,
    compressor: Compressor,
    *,
    most: int,
    seed: int,
    signals: bool = False,
    agent: bool = False,
    tick: Tick = lambda done: None,
) -> list[Run]:
    """Cut all cases in every way.

    Args:
        cases: The cases.
        name: What the reports call the compressor.
        compressor: The loaded checkpoint; its encoding counts the tokens of all ways.
        most: LLM tokens that may be left of an output.
        seed: Of the random lines.
        signals: Whether the compressor keeps what must not be lost beside the best lines, as for an agent.
        agent: Whether the compressor is asked as an agent asks, see `compress`.
        tick: Called with the number of cases just compressed.

    Returns:
        The compressor's run, then those of the simple ways.
    """
    count = TokenCounter(compressor.encoding)
    runs = [_compressed(cases, name, compressor, most, tick, signals=signals, agent=agent)]
    for way, cut in peers(seed).items():
        outcomes = [outcome(case, cut(case, most, count), count) for case in cases]
        runs.append(Run(way, tuple(outcomes)))
    return runs


def _compressed(
    cases: Sequence[Case], name: str, compressor: Compressor, most: int, tick: Tick, *, signals: bool, agent: bool
) -> Run:
    count = TokenCounter(compressor.encoding)
    outcomes: list[Outcome] = []
    losses: list[Loss] = []
    failed: list[str] = []
    for start in range(0, len(cases), _CASES_AT_ONCE):
        some = cases[start : start + _CASES_AT_ONCE]
        for case, result in zip(some, compress(some, compressor, most, signals=signals, agent=agent), strict=True):
            found = outcome(case, result.text, count)
            outcomes.append(found)
            losses += [find_loss(case, fact, result, most, count) for fact in found.lost]
            failed += [case.id] if result.status == "error" else []
        tick(len(some))
    return Run(name, tuple(outcomes), tuple(losses), tuple(failed))


def outcome(case: Case, left: str, count: TokenCounter) -> Outcome:
    """Say what is left of a case.

    Args:
        case: The case.
        left: What is left of its output.
        count: Counts LLM tokens.
    """
    text, parsed = folded(left), form(case.text)
    lost = tuple(fact for fact in case.facts if not case.holds(fact, text))
    decoys = sum(stands_in(decoy, text) for decoy in case.decoys)
    parses = parsed is not None and form(left) == parsed
    return Outcome(lost, len(case.facts), decoys, parsed, parses, count(case.text), count(left))
