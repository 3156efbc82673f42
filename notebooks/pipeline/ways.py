"""The ways to fill a prompt with the same ten passages, and what each costs and keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rag import TEMPLATE, Corpus, Kept, Question, survives

from secateurs import Compressor, Policy, Ranked, Threshold
from secateurs.result.savings import TokenCounter
from secateurs.result.span import Span

PRICE = 2.50  # dollars per million input tokens
THRESHOLDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
BUDGETS = (100, 200, 400, 800, 1200)  # LLM tokens, all documents together
FIRST = (1, 2, 3, 5, 7)
RANKED = Ranked(Threshold(0.02))  # what the figures show file by file beside the default
BOTH = 5  # documents that re-ranking leaves for compression

Ids = Sequence[str]


@dataclass(frozen=True)
class Asked:
    """A question, and the passages retrieved for it.

    Attributes:
        question: The question.
        found: Their ids, nearest first.
        ranked: The same by falling ranking score.
    """

    question: Question
    found: Ids
    ranked: Ids


Choose = Callable[[Asked], list[Kept]]


@dataclass(frozen=True)
class Row:
    """One way to fill the prompt, over all questions.

    Attributes:
        way: Its name.
        value: Its setting.
        llm_tokens: Tokens of the prompt, mean over questions.
        saved_fraction: Share of the tokens of the prompts with all ten passages.
        evidence_of_retrieved: Share of the evidence spans in the ten passages that stand whole in the prompt.
        evidence_of_all: The same, of the evidence that was not retrieved, too.
        dollars: Price of the tokens saved over 1,000 queries.
    """

    way: str
    value: float
    llm_tokens: float
    saved_fraction: float
    evidence_of_retrieved: float
    evidence_of_all: float
    dollars: float


class Ways:
    """Fills prompts.

    Args:
        corpus: Passages and questions.
        found: Ids of the passages retrieved for each question, nearest first.
        compressor: What cuts and ranks; it should remember scores.

    Attributes:
        asked: The questions, with what was found for them, and its order by ranking score.
    """

    def __init__(self, corpus: Corpus, found: Sequence[Ids], compressor: Compressor) -> None:
        self._texts = {passage.id: passage.text for passage in corpus.passages}
        self._compressor = compressor
        self._count = TokenCounter(compressor.encoding)
        pairs = zip(corpus.questions, found, strict=True)
        self.asked = [Asked(question, ids, self._rank(question, ids)) for question, ids in pairs]
        self._before = [self._tokens(one.question, self._whole(one.found)) for one in self.asked]

    def rows(self) -> Iterator[Row]:
        """Measure every way."""
        yield self._row("all ten", 10, lambda one: self._whole(one.found))
        for n in FIRST:
            yield self._row("retrieve fewer", n, lambda one, n=n: self._whole(one.found[:n]))
            yield self._row("re-rank", n, lambda one, n=n: self._whole(one.ranked[:n]))
        policy = self._compressor.policy
        default = {policy.t} if isinstance(policy, Threshold) else set()
        for t in sorted({*THRESHOLDS, *default}):
            cut = {"policy": Threshold(t)}
            yield self._row("compress", t, lambda one, cut=cut: self._cut(one.question, one.found, **cut))
            competing = {"policy": Ranked(Threshold(t))}
            yield self._row(
                "compress, ranked", t, lambda one, cut=competing: self._cut(one.question, one.found, **cut)
            )
            yield self._row(
                f"re-rank to {BOTH}, compress",
                t,
                lambda one, cut=cut: self._cut(one.question, one.ranked[:BOTH], **cut),
            )
        for n in BUDGETS:
            for way, policy in (
                ("compress to a budget", Threshold(0.0)),
                ("to a budget, ranked", Ranked(Threshold(0.0))),
            ):
                cut = {"policy": policy, "max_total_tokens": n}
                yield self._row(way, n, lambda one, cut=cut: self._cut(one.question, one.found, **cut))

    def groups(self, policy: Policy | None = None) -> dict[str, dict[str, Any]]:
        """Return, file by file, what was retrieved, and what a policy saves and keeps; None: the compressor's."""
        result = {}
        for name in dict.fromkeys(one.question.group for one in self.asked):
            places = [place for place, one in enumerate(self.asked) if one.question.group == name]
            asked = [self.asked[place] for place in places]
            kept = [self._cut(one.question, one.found, policy=policy) for one in asked]
            after = sum(self._tokens(one.question, some) for one, some in zip(asked, kept, strict=True))
            retrieved, everything = evidence(asked, kept)
            result[name] = {
                "lang": asked[0].question.lang,
                "questions": len(asked),
                "recall_at_10": recall(asked),
                "saved_fraction": 1 - after / sum(self._before[place] for place in places),
                "evidence_of_retrieved": retrieved,
                "evidence_of_all": everything,
            }
        return result

    def recall(self) -> float:
        """Return the share of all evidence that stands in the passages retrieved."""
        return recall(self.asked)

    def _row(self, way: str, value: float, choose: Choose) -> Row:
        kept = [choose(one) for one in self.asked]
        tokens = [self._tokens(one.question, some) for one, some in zip(self.asked, kept, strict=True)]
        saved = sum(self._before) - sum(tokens)
        dollars = saved / len(tokens) * 1000 * PRICE / 1_000_000
        return Row(
            way, value, float(np.mean(tokens)), saved / sum(self._before), *evidence(self.asked, kept), dollars
        )

    def _rank(self, question: Question, ids: Ids) -> Ids:
        results = self._compressor.compress(question.query, [self._texts[one] for one in ids])
        scores = {one: result.ranking_score or 0.0 for one, result in zip(ids, results, strict=True)}
        return sorted(ids, key=lambda one: -scores[one])  # stable: as they came where scores are equal

    def _cut(self, question: Question, ids: Ids, **options: Any) -> list[Kept]:
        results = self._compressor.compress(question.query, [self._texts[one] for one in ids], **options)
        return [Kept(one, result.text, result.spans) for one, result in zip(ids, results, strict=True)]

    def _whole(self, ids: Ids) -> list[Kept]:
        return [Kept(one, self._texts[one], (Span(0, len(self._texts[one])),)) for one in ids]

    def _tokens(self, question: Question, kept: Sequence[Kept]) -> int:
        """Return the LLM tokens of the whole prompt."""
        documents = "\n\n".join(one.text.strip() for one in kept if one.text)
        return self._count(TEMPLATE.format(documents=documents, query=question.query))


def evidence(asked: Sequence[Asked], kept: Sequence[Sequence[Kept]]) -> tuple[float, float]:
    """Return the share of the evidence that survives whole: of what was retrieved, and of all."""
    whole = retrieved = everything = 0
    for one, some in zip(asked, kept, strict=True):
        everything += len(one.question.evidence)
        retrieved += sum(item.passage in one.found for item in one.question.evidence)
        whole += sum(survives(item, some) for item in one.question.evidence)
    return whole / max(retrieved, 1), whole / everything


def recall(asked: Sequence[Asked]) -> float:
    """Return the share of the evidence that stands in the passages retrieved."""
    return float(np.mean([item.passage in one.found for one in asked for item in one.question.evidence]))
