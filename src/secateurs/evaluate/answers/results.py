"""The rows of the tables: each system at each setting, over all questions and over parts of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from secateurs.annotate.agreement import Agreement
from secateurs.evaluate.answers.contexts import FULL
from secateurs.evaluate.answers.journal import Journal
from secateurs.evaluate.answers.metrics import Pairs, count, mcnemar, pair, retention_interval
from secateurs.evaluate.answers.outcomes import Outcome, agreement, outcomes, to_judge, unusable
from secateurs.evaluate.answers.plan import Plan, Planned, PlannedCase
from secateurs.evaluate.bootstrap import Interval
from secateurs.evaluate.metrics import share

Key = tuple[str, str]


@dataclass(frozen=True)
class Row:
    """One system at one setting, over some questions.

    Attributes:
        system: Its name.
        setting: Its setting.
        questions: How many.
        tokens: LLM tokens that are left of their documents.
        saved: Share of the LLM tokens that is saved, all questions together.
        answerable: Questions with an answer whose outcome is known.
        right: Those of them that are right.
        abstained: Those of them that got no answer.
        pairs: Against all documents; None without those.
        interval: Of the retention.
        p: McNemar's.
        unanswerable: Questions without an answer whose outcome is known.
        rightly: Those of them that got no answer.
        unknown: Questions whose outcome is not known: not answered, not judged, or the judges differ.
        evidence: Share of the evidence spans whose text stands in what is left; None without labels.
        answers: Share of the questions with accepted answers one of which stands in it; None without.
        seconds: Median of what readers took for a prompt; None where they do not say.
    """

    system: str
    setting: str
    questions: int
    tokens: int
    saved: float
    answerable: int
    right: int
    abstained: int
    pairs: Pairs | None
    interval: Interval | None
    p: float | None
    unanswerable: int
    rightly: int
    unknown: int
    evidence: float | None
    answers: float | None
    seconds: float | None


@dataclass(frozen=True)
class Results:
    """Everything that is reported.

    Attributes:
        plan: What was measured.
        rows: Over all questions.
        languages: By language of query and documents.
        kinds: By kind of query; empty where the data names none.
        references: Questions by what their answers are compared with.
        agreement: Of the two judges.
        disputed: Answers of which the judges differ, by system and setting summed.
        unread: Verdicts that cannot be read.
        answers: What readers said.
        verdicts: What judges said.
        asked: Prompts of readers, and of judges.
    """

    plan: Plan
    rows: Sequence[Row]
    languages: Mapping[str, Sequence[Row]]
    kinds: Mapping[str, Sequence[Row]]
    references: Mapping[str, int]
    agreement: Agreement
    disputed: int
    unread: int
    answers: Journal
    verdicts: Journal
    asked: tuple[int, int]

    @property
    def read(self) -> bool:
        """Whether any reader has answered."""
        return bool(self.answers.said)

    @property
    def judged(self) -> bool:
        """Whether any answer has been found right or wrong."""
        return any(row.answerable for row in self.rows)


def results(plan: Plan, answers: Journal, verdicts: Journal, *, resamples: int = 1000, seed: int = 0) -> Results:
    """Make all tables of a run.

    Args:
        plan: What was measured.
        answers: What readers said.
        verdicts: What judges said.
        resamples: Of the bootstrap; 0 for no intervals.
        seed: Of the bootstrap.
    """
    became = outcomes(plan, answers, verdicts)
    pairs = list(zip(plan.cases, became, strict=True))

    def rows(where: Callable[[PlannedCase], bool] = lambda case: True) -> list[Row]:
        some = [one for one in pairs if where(one[0])]
        keys = dict.fromkeys(key for _, found in some for key in found)
        return [_row(key, some, answers, resamples, seed) for key in keys]

    def names(get: Callable[[PlannedCase], str]) -> list[str]:
        return sorted({get(case) for case in plan.cases} - {""}, key=lambda name: ("query" in name, name))

    languages = names(lambda case: case.languages)
    kinds = names(lambda case: case.kind)
    kinds_of_reference = [case.reference_kind for case in plan.cases]
    return Results(
        plan,
        rows(),
        {one: rows(lambda case, one=one: case.languages == one) for one in languages},  # type: ignore[misc]  # a default binds the loop's name
        {one: rows(lambda case, one=one: case.kind == one) for one in kinds},  # type: ignore[misc]  # the same
        {one: kinds_of_reference.count(one) for one in dict.fromkeys(kinds_of_reference)},
        agreement(plan, answers, verdicts),
        sum(one is Outcome.disputed for found in became for one in found.values()),
        unusable(verdicts),
        answers,
        verdicts,
        (len(plan.prompts), len(to_judge(plan, answers))),
    )


def _row(
    key: Key,
    cases: Sequence[tuple[PlannedCase, Mapping[Key, Outcome]]],
    answers: Journal,
    resamples: int,
    seed: int,
) -> Row:
    mine = [(case, found) for case, found in cases if key in found]
    contexts = [(case, _context(case, key)) for case, _ in mine]
    before, left = sum(case.tokens for case, _ in mine), sum(one.tokens for _, one in contexts)
    full = (FULL, "")
    yes = [(found.get(full), found[key]) for case, found in mine if case.answerable]
    known, _ = pair((first, second) for first, second in yes if first is not None)
    pairs = count(known) if any(first is not None for first, _ in yes) else None
    mine_yes = [second for _, second in yes if second.known]
    mine_no = [found[key] for case, found in mine if not case.answerable and found[key].known]
    spans = sum(case.spans for case, _ in mine)
    stands = [one.answer for _, one in contexts if one.answer is not None]
    times = [said.seconds for _, one in contexts if (said := answers.said.get(one.prompt)) and said.seconds]
    return Row(
        *key,
        len(mine),
        left,
        share(before - left, before),
        len(mine_yes),
        mine_yes.count(Outcome.right),
        mine_yes.count(Outcome.abstained),
        pairs,
        retention_interval(known, resamples, seed),
        mcnemar(pairs.lost, pairs.gained) if pairs is not None and known else None,
        len(mine_no),
        mine_no.count(Outcome.abstained),
        len(mine) - len(mine_yes) - len(mine_no),
        sum(one.evidence for _, one in contexts) / spans if spans else None,
        sum(stands) / len(stands) if stands else None,
        sorted(times)[len(times) // 2] if times else None,
    )


def _context(case: PlannedCase, key: Key) -> Planned:
    return next(one for one in case.contexts if (one.system, one.setting) == key)
