"""The one story: draft, score, decide, spend, cut.

    query, document
      -> Draft         draft.py    units that tile the document, tokenized and packed behind the query
      -> Scored        score.py    one forward pass for many windows of many documents, one score a unit
      -> Scored        decide.py   a policy marks what stays in each document
      -> Scored        decide.py   a budget, where there is one, what stays of all documents together
      -> Compression   cut.py      the kept units with their frames, and what they save

A document with which something goes wrong becomes a `Failed`, which travels beside the others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from functools import cache, partial

from secateurs.checkpoints import Checkpoint
from secateurs.errors import own_failure
from secateurs.model.scorer import Scorer, WindowScores
from secateurs.pipeline.cache import ScoreCache, recall, remember
from secateurs.pipeline.cut import cut, leave_whole
from secateurs.pipeline.decide import decide, spend
from secateurs.pipeline.documents import Draft, Failed, Scored, each
from secateurs.pipeline.draft import plan
from secateurs.pipeline.score import reduce_scores
from secateurs.policy import Policy
from secateurs.result.compression import Compression
from secateurs.result.join import Parts
from secateurs.result.savings import TokenCounter
from secateurs.segment import Cutter

Pair = tuple[str, str]  # query, document

# Characters of document that are drafted and scored at once: enough that windows fill batches of like lengths, few
# enough that their tokens fit in memory.
_AT_ONCE = 400_000


@dataclass(frozen=True)
class Pipeline:
    """What the steps need.

    Attributes:
        cutter: Cuts documents into units.
        checkpoint: Tokenizes them, and says by which rule token scores become sentence scores.
        scorer: Gives what runs the model; raises when the compressor was closed in the meantime.
        count: Counts LLM tokens.
        cache: Remembers scores; None scores everything.
        elision: What stands where something was cut; None for nothing.
        owner: Under what the cache knows this checkpoint and segmenter.
    """

    cutter: Cutter
    checkpoint: Checkpoint
    scorer: Callable[[], Scorer]
    count: TokenCounter
    cache: ScoreCache | None
    elision: str | None
    owner: Hashable

    def run(
        self, pairs: Sequence[Pair], policy: Policy, budget: int | None, cancelled: threading.Event
    ) -> list[Compression]:
        """Compress documents.

        Args:
            pairs: (query, document) pairs; one that occurs twice is scored once.
            policy: Which sentences stay.
            budget: LLM tokens to spend over all documents together; None for no limit.
            cancelled: When set, what has not been scored or counted yet never will be.

        Returns:
            One result a pair, in order.

        Raises:
            CancelledError: `cancelled` was set.
        """
        once = list(dict.fromkeys(pairs))
        known = self._remembered(once)
        for some in groups([pair for pair in once if pair not in known]):
            drafts = self.draft(some, cancelled)
            known.update(zip(some, self.score(some, drafts, cancelled), strict=True))
        count = _WhileWaited(self.count, cancelled)
        decided = each(partial(self._decide, policy, count), [known[pair] for pair in pairs])
        if budget is not None:
            decided = spend(decided, budget, count)
        cuts = each(partial(cut, count=count), decided)
        return [leave_whole(one, count) if isinstance(one, Failed) else one for one in cuts]

    def draft(self, pairs: Sequence[Pair], cancelled: threading.Event) -> list[Draft | Failed]:
        """Cut and tokenize documents; each query once."""
        encode = cache(self.checkpoint.encode_query)
        drafts: list[Draft | Failed] = []
        for query, document in pairs:
            if cancelled.is_set():
                raise CancelledError
            try:
                parts = Parts(document, tuple(self.cutter(document)))
                windows = plan(document, parts.units, encode(query), self.checkpoint) if document.strip() else None
                drafts.append(Draft(parts, windows))
            except BaseException as error:
                drafts.append(Failed(document, own_failure(error)))
        return drafts

    def score(
        self, pairs: Sequence[Pair], drafts: Sequence[Draft | Failed], cancelled: threading.Event
    ) -> list[Scored | Failed]:
        """Run the windows of all drafts together, reduce them to unit scores, and remember those."""
        windows = [window for one in drafts if isinstance(one, Draft) and one.plan for window in one.plan.windows]
        outcomes = iter(self.scorer().score(windows, cancelled=cancelled))

        def reduce(draft: Draft) -> Scored:
            mine = [next(outcomes) for _ in draft.plan.windows] if draft.plan else []
            return reduce_scores(draft, _all_scored(mine), self.checkpoint)

        scored = each(reduce, drafts)
        for (query, _), one in zip(pairs, scored, strict=True):
            if isinstance(one, Scored):
                remember(self.cache, self.owner, query, one)
        return scored

    def _remembered(self, pairs: Sequence[Pair]) -> dict[Pair, Scored | Failed]:
        found = {pair: recall(self.cache, self.owner, *pair) for pair in pairs}
        return {pair: scored for pair, scored in found.items() if scored is not None}

    def _decide(self, policy: Policy, count: TokenCounter, document: Scored) -> Scored:
        return decide(document.eliding(self.elision), policy, self.checkpoint.default_policy, count)


class _WhileWaited(TokenCounter):
    """A counter that ends the call it counts for, once nobody waits for that any more.

    What follows the scoring takes long only by counting: a policy may count a document twenty times.
    """

    def __init__(self, count: TokenCounter, cancelled: threading.Event) -> None:
        super().__init__(count.encoding)
        self._inner = count
        self._cancelled = cancelled

    def __call__(self, text: str) -> int:
        if self._cancelled.is_set():
            raise CancelledError
        return self._inner(text)

    def exact(self, text: str = "") -> bool:
        return self._inner.exact(text)


def groups(pairs: Sequence[Pair], characters: int = _AT_ONCE) -> Iterator[list[Pair]]:
    """Cut pairs into groups of at most so many characters of document; a longer document is a group of its own."""
    group: list[Pair] = []
    size = 0
    for pair in pairs:
        if group and size + len(pair[1]) > characters:
            yield group
            group, size = [], 0
        group.append(pair)
        size += len(pair[1])
    if group:
        yield group


def _all_scored(outcomes: Sequence[WindowScores | BaseException]) -> list[WindowScores]:
    """Return the scores of one document's windows, or raise what went wrong with the first that has none."""
    scores = []
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
        scores.append(outcome)
    return scores
