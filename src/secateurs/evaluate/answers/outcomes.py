"""Answers and verdicts -> what became of each question under each system. What is not known is said to be so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from secateurs.annotate.agreement import Agreement
from secateurs.annotate.answers import UnusableError, json_object, without_thought
from secateurs.evaluate.answers.journal import Journal
from secateurs.evaluate.answers.plan import AGREEMENT, Plan, Planned, PlannedCase
from secateurs.evaluate.answers.prompts import VERDICTS, Messages, abstains, judge_prompt, prompt_id

JUDGES = ("1", "2")  # the first sees the reference first, the second the answer


class Outcome(StrEnum):
    """What became of a question."""

    right = "right"
    wrong = "wrong"
    abstained = "abstained"
    disputed = "disputed"  # the judges differ
    unjudged = "unjudged"  # no usable verdict of both
    unanswered = "unanswered"  # no usable answer, or none to compare with

    @property
    def known(self) -> bool:
        """Whether it may be counted."""
        return self in (Outcome.right, Outcome.wrong, Outcome.abstained)


@dataclass(frozen=True)
class Judged:
    """An answer that has to be judged.

    Attributes:
        judge: Which of JUDGES.
        messages: What it is asked.
    """

    judge: str
    messages: Messages


def to_judge(plan: Plan, answers: Journal) -> dict[str, Judged]:
    """Return what judges are asked, by id: every answer that is not the agreed words for none, each once."""
    found: dict[str, Judged] = {}
    for case in plan.cases:
        for context in case.contexts:
            for judge, name, messages in _calls(case, context, answers):
                found[name] = Judged(judge, messages)
    return found


def outcomes(plan: Plan, answers: Journal, verdicts: Journal) -> list[dict[tuple[str, str], Outcome]]:
    """Return, case by case, what became of the question under each system and setting."""
    said = {name: verdict_of(one.answer) for name, one in verdicts.said.items()}
    return [
        {(one.system, one.setting): _outcome(case, one, answers, said) for one in case.contexts}
        for case in plan.cases
    ]


def agreement(plan: Plan, answers: Journal, verdicts: Journal) -> Agreement:
    """Count how the two judges agree, right against the rest; what either has not judged is left out."""
    said = {name: verdict_of(one.answer) for name, one in verdicts.said.items()}
    seen: dict[tuple[str, ...], Agreement] = {}
    for case in plan.cases:
        for context in case.contexts:
            names = tuple(name for _, name, _ in _calls(case, context, answers))
            votes = [_seen(case, said.get(name)) for name in names]
            if len(votes) == 2 and None not in votes:
                good = Outcome.right if case.answerable else Outcome.abstained
                first, second = (vote is good for vote in votes)
                seen[names] = Agreement(
                    first and second, first and not second, second and not first, not first and not second
                )
    return sum(seen.values(), Agreement())


def unusable(verdicts: Journal) -> int:
    """Return how many verdicts cannot be read: prose, or something else than was asked for."""
    return sum(verdict_of(one.answer) is None for one in verdicts.said.values())


def verdict_of(text: str) -> str | None:
    """Read a judge's answer: the JSON object that it was asked for, or the bare word; None for anything else.

    Example:
        >>> verdict_of('{"reasoning": "as it says", "verdict": "right"}'), verdict_of("It is right.")
        ('right', None)
    """
    bare = text.strip().strip(".\"'").casefold()
    if bare in VERDICTS:
        return bare
    try:
        found = json_object(without_thought(text, "</think>")[1]).get("verdict")
    except UnusableError:
        return None
    return found if isinstance(found, str) and found in VERDICTS else None


def _calls(case: PlannedCase, context: Planned, answers: Journal) -> list[tuple[str, str, Messages]]:
    """Return judge, id and messages of what has to be judged of one answer; nothing where none has."""
    said = answers.said.get(context.prompt)
    reference = _reference(case, answers)
    if said is None or reference is None or abstains(said.answer) or _is_reference(case, context):
        return []
    calls = []
    for judge in JUDGES:
        messages = judge_prompt(case.query, reference, said.answer, lang=case.query_lang, swapped=judge == JUDGES[1])
        calls.append((judge, prompt_id(messages, judge), messages))
    return calls


def _reference(case: PlannedCase, answers: Journal) -> str | None:
    """Return what answers of a case are compared with; None where there is nothing."""
    if case.reference_kind != AGREEMENT:
        return case.reference
    said = answers.said.get(case.full.prompt) if case.full is not None else None
    return None if said is None or abstains(said.answer) else said.answer


def _is_reference(case: PlannedCase, context: Planned) -> bool:
    return case.reference_kind == AGREEMENT and case.full is not None and context.prompt == case.full.prompt


def _outcome(case: PlannedCase, context: Planned, answers: Journal, said: Mapping[str, str | None]) -> Outcome:
    answer = answers.said.get(context.prompt)
    if answer is None or _reference(case, answers) is None:
        return Outcome.unanswered
    if abstains(answer.answer):
        return Outcome.abstained
    if _is_reference(case, context):
        return Outcome.right
    votes = [_seen(case, said.get(name)) for _, name, _ in _calls(case, context, answers)]
    if None in votes:
        return Outcome.unjudged
    return votes[0] or Outcome.unjudged if len(set(votes)) == 1 else Outcome.disputed


def _seen(case: PlannedCase, verdict: str | None) -> Outcome | None:
    """Say what a verdict means for a case: to say that it cannot be answered is right where it cannot."""
    if verdict is None:
        return None
    if verdict == "wrong":
        return Outcome.wrong
    return Outcome.right if case.answerable and verdict == "right" else Outcome.abstained
