"""What each system leaves of a case's documents: ours at some savings, and the others at as many LLM tokens.

A control at a setting of ours gets, case by case, as many LLM tokens as ours left there: it may choose what, not how
much. What it chooses are the same units, joined with the same frames, so that nothing but the choice differs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from secateurs.evaluate.answers.draft import Draft, Sentences
from secateurs.evaluate.peers import keyword_overlap
from secateurs.policy import WEIGHT, far_behind, longest_fit, lower

FULL, PRUNED, ORACLE = "full", "pruned", "oracle"
CONTROLS = ("ranked", "random", "truncated", "bm25", "embedding")  # at as many tokens as ours
FEWER, RERANK = "fewer", "re-rank"
SYSTEMS = (FULL, PRUNED, *CONTROLS, FEWER, RERANK, ORACLE)
EXPLAINED = {
    FULL: "all documents",
    PRUNED: "the compressor, each document cut at one threshold",
    "ranked": "the best units of all documents, which compete (`Ranked`), at as many tokens as ours of the same case",
    "random": "units drawn at random, at as many tokens as ours of the same case",
    "truncated": "the documents from the first on, cut off at as many tokens",
    "bm25": "the units that share the rarest words with the query, at as many tokens; of labelled data the other"
    " documents were found by those very words, which is hard on it",
    "embedding": "the units whose embedding is nearest to the query's, at as many tokens",
    FEWER: "the k documents that were retrieved first, whole",
    RERANK: "the k documents that rank best, whole",
    ORACLE: "the labelled evidence with its frames: what nobody can have",
}
DEFAULT = "default"

Place = tuple[int, int]  # document, and unit among those of it that can be chosen
Order = Callable[[Draft], Sequence[Place]]


@dataclass(frozen=True)
class Context:
    """What is left of a case.

    Attributes:
        system: One of SYSTEMS.
        setting: Which of its settings; `""` where it has one.
        texts: What is left of each document, in order; `""` of one that is left out.
    """

    system: str
    setting: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """What is measured.

    Attributes:
        systems: Of SYSTEMS.
        thresholds: Of the pruned settings, by name; None for the checkpoint's own policy.
        first: How many documents re-ranking, and retrieving fewer, keep.
        seed: Of the random units.
    """

    systems: Sequence[str]
    thresholds: Mapping[str, float | None]
    first: Sequence[int] = (1, 2, 3)
    seed: int = 0


def contexts(draft: Draft, settings: Settings, encoder: Sentences | None = None) -> Iterator[Context]:
    """Yield what every system leaves of one case, the full documents first.

    Args:
        draft: The case.
        settings: What is measured.
        encoder: What `embedding` compares by.
    """
    wanted = settings.systems
    whole = tuple(document.text for document in draft.case.documents)
    if FULL in wanted:
        yield Context(FULL, "", whole)
    orders = {name: order for name, order in _orders(settings.seed, encoder).items() if name in wanted}
    places = {name: order(draft) for name, order in orders.items()}
    for name, threshold in settings.thresholds.items():
        ours = draft.texts(draft.default() if threshold is None else draft.at(threshold))
        if PRUNED in wanted:
            yield Context(PRUNED, name, ours)
        budget = sum(map(draft.count, ours))
        for system in CONTROLS:
            if system == "truncated" and system in wanted:
                yield Context(system, name, truncated(whole, budget, draft.count))
            elif system in places:
                yield Context(system, name, filled(draft, places[system], budget))
    yield from _whole(draft, settings)
    if ORACLE in wanted and draft.case.labelled:
        yield Context(ORACLE, "", draft.texts(draft.labels()))


def _whole(draft: Draft, settings: Settings) -> Iterator[Context]:
    """Yield the systems that keep whole documents."""
    whole = tuple(document.text for document in draft.case.documents)
    for k in (k for k in settings.first if k < len(whole)):
        if FEWER in settings.systems:
            yield Context(FEWER, f"top {k}", (*whole[:k], *[""] * (len(whole) - k)))
        if RERANK in settings.systems and None not in draft.ranking:
            yield Context(RERANK, f"top {k}", _best(draft, k))


def _orders(seed: int, encoder: Sentences | None) -> dict[str, Order]:
    def shuffled(draft: Draft) -> list[Place]:
        places = _places(draft)
        random.Random(f"{seed}:{draft.case.id}").shuffle(places)
        return places

    def by_words(draft: Draft) -> list[Place]:
        return _sorted(draft, lambda texts: keyword_overlap(draft.case.query, texts))

    def by_embedding(draft: Draft) -> list[Place]:
        if encoder is None:
            raise ValueError("the system 'embedding' needs an encoder")
        query = encoder.queries([draft.case.query])[0]
        return _sorted(draft, lambda texts: encoder.sentences(texts) @ query)

    return {"ranked": _by_ranking, "random": shuffled, "bm25": by_words, "embedding": by_embedding}


def _by_ranking(draft: Draft) -> list[Place]:
    """Return all units as `Ranked` compares them."""
    behind = far_behind(draft.ranking, [""] * len(draft.ranking))
    scores = {
        (one, unit): lower(float(score), WEIGHT * far) if far else float(score)
        for one, (document, far) in enumerate(zip(draft.scored, behind, strict=True))
        for unit, score in enumerate(document.scores)
    }
    return sorted(_places(draft), key=lambda place: -scores[place])


def _places(draft: Draft) -> list[Place]:
    return [(one, unit) for one, units in enumerate(draft.units()) for unit in range(len(units))]


def _sorted(draft: Draft, score: Callable[[list[str]], np.ndarray]) -> list[Place]:
    """Return all units, the best first; of equals the earlier."""
    places = _places(draft)
    if not places:
        return []
    scores = score([text for texts in draft.units() for text in texts])
    return [places[int(place)] for place in np.argsort(-scores, kind="stable")]


def filled(draft: Draft, order: Sequence[Place], most: int) -> tuple[str, ...]:
    """Choose units in an order until their texts have about so many LLM tokens.

    Of the last two steps the nearer one counts, so that over many cases the savings are those that were asked for.

    Args:
        draft: The case.
        order: All its units.
        most: LLM tokens.
    """
    if most >= sum(draft.tokens):
        return tuple(document.text for document in draft.case.documents)

    def left(some: Sequence[int]) -> tuple[str, ...]:
        flags = [np.zeros(len(one.scores), dtype=np.bool_) for one in draft.scored]
        for place in some:
            document, unit = order[place]
            flags[document][unit] = True
        return draft.texts(flags)

    def cost(some: Sequence[int]) -> int:
        return sum(map(draft.count, left(some)))

    every = range(len(order))
    fits = longest_fit(every, most, cost)
    longer = min(fits + 1, len(order))
    nearer = longer if cost(every[:longer]) - most < most - cost(every[:fits]) else fits
    return left(every[:nearer])


def truncated(texts: Sequence[str], most: int, count: Callable[[str], int]) -> tuple[str, ...]:
    """Keep documents from the first on while they have at most so many LLM tokens, and the beginning of the next."""
    left: list[str] = []
    for text in texts:
        size = count(text)
        if size <= most:
            left.append(text)
            most -= size
            continue
        start = longest_fit(range(len(text)), most, lambda some, text=text: count(text[: len(some)]))  # type: ignore[misc]  # a default binds the loop's text
        left.append(text[:start])
        most = 0
    return tuple(left)


def _best(draft: Draft, k: int) -> tuple[str, ...]:
    """Keep the k documents that rank best, in their old order; of equals the earlier."""
    order = sorted(range(len(draft.ranking)), key=lambda place: -(draft.ranking[place] or 0.0))
    return tuple(one.text if place in order[:k] else "" for place, one in enumerate(draft.case.documents))


def threshold_for(drafts: Sequence[Draft], share: float) -> float:
    """Return the threshold whose savings, over all cases, are nearest to a share.

    Args:
        drafts: The cases.
        share: Of the LLM tokens of all documents, that shall be saved.

    Returns:
        A score that occurs, to four digits.
    """
    scores = np.unique(np.concatenate([one.scores for draft in drafts for one in draft.scored] or [np.zeros(1)]))
    before = sum(sum(draft.tokens) for draft in drafts)

    def saved(place: int) -> float:
        left = sum(draft.count(text) for draft in drafts for text in draft.texts(draft.at(_short(scores[place]))))
        return (before - left) / before if before else 0.0

    low, high = 0, len(scores) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if saved(middle) < share else (low, middle)
    nearest = min((max(low - 1, 0), low), key=lambda place: abs(saved(place) - share))
    return _short(scores[nearest])


def _short(score: float) -> float:
    return float(f"{float(score):.4g}")
