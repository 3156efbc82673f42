"""Third step: a policy marks the sentences of each document that stay; a budget, those of all documents together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from secateurs.pipeline.cut import tokens_of
from secateurs.pipeline.documents import Failed, Scored
from secateurs.policy import Policy, far_behind, longest_fit, lowered, resolve, standing, weighed
from secateurs.result.savings import TokenCounter


def compete(documents: Sequence[Scored | Failed], queries: Sequence[str]) -> list[Scored | Failed]:
    """Return documents that know how far they rank behind the best one of their query.

    Args:
        documents: Documents; failed ones and blank ones stay what they are.
        queries: The query of each.
    """
    rankings = [None if isinstance(one, Failed) else _ranking(one) for one in documents]
    return [
        replace(one, behind=far) if isinstance(one, Scored) else one
        for one, far in zip(documents, far_behind(rankings, queries), strict=True)
    ]


def _ranking(document: Scored) -> float | None:
    """Return the ranking score; the best unit's in its place where the checkpoint has no ranking head."""
    if document.ranking_score is not None or not document.undecided:
        return document.ranking_score
    return max(one.score for one in document.sentences)


def decide(document: Scored, policy: Policy, default: Policy, count: TokenCounter) -> Scored:
    """Mark the sentences that stay.

    Args:
        document: A document.
        policy: Decides; it sees the sentences as the default marked them.
        default: The checkpoint's own policy, for which `Default()` stands.
        count: Counts the LLM tokens of a text.

    Returns:
        The document with its sentences marked, and the policy's name.
    """
    if not document.undecided:
        return document
    policy = resolve(policy, default)
    candidates = document.candidates
    marked = document.choose(default(candidates, count), repr(policy))
    if policy == default:
        return marked
    policy = standing(policy, document.behind)
    candidates = marked.candidates
    chosen = marked.choose(policy(candidates, count))
    seen = weighed(policy, lowered(policy, candidates))
    return chosen if seen is candidates else replace(chosen, worths=tuple(one.score for one in seen))


@dataclass(frozen=True)
class _Place:
    """A unit that may be kept: which document it is of, which of its candidates, and what it is worth."""

    document: int
    candidate: int
    worth: float


def spend(documents: Sequence[Scored | Failed], budget: int, count: TokenCounter) -> list[Scored | Failed]:
    """Keep the best of the kept units of all documents while their texts count at most `budget` LLM tokens.

    The best are those that score best; where a policy keeps signals, those that are worth most to its limits. Failed
    documents and blank ones are not cut; what they cost is spent first.

    Args:
        documents: Documents with the units a policy kept.
        budget: LLM tokens.
        count: Counts the LLM tokens of a text.

    Returns:
        The documents with fewer units kept.
    """
    open_ = {i: one for i, one in enumerate(documents) if isinstance(one, Scored) and one.undecided}
    spent = sum(tokens_of(one.original, count).tokens for i, one in enumerate(documents) if i not in open_)
    candidates = {i: document.candidates for i, document in open_.items()}
    places = [
        _Place(i, j, one.score if (worths := open_[i].worths) is None else worths[j])
        for i, some in candidates.items()
        for j, one in enumerate(some)
        if one.kept
    ]

    def chosen(some: Sequence[int]) -> dict[int, list[int]]:
        """Return the places by document, as its candidates."""
        found: dict[int, list[int]] = {}
        for place in some:
            found.setdefault(places[place].document, []).append(places[place].candidate)
        return found

    def cost(some: Sequence[int]) -> int:
        return sum(count(candidates[i].text(own)) for i, own in chosen(some).items())

    order = sorted(range(len(places)), key=lambda index: -places[index].worth)
    stays = chosen(order[: longest_fit(order, budget - spent, cost)])
    done: list[Scored | Failed] = list(documents)
    for i, document in open_.items():
        own = set(stays.get(i, ()))
        policy = None if document.policy is None else f"{document.policy}, max_total_tokens={budget}"
        done[i] = document.choose([j in own for j in range(len(document.choices))], policy)
    return done
