"""Third step: a policy marks the sentences of each document that stay; a budget, those of all documents together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from secateurs.pipeline.cut import tokens_of
from secateurs.pipeline.documents import Failed, Scored
from secateurs.policy import Policy, best_first, longest_fit, resolve
from secateurs.result.savings import TokenCounter
from secateurs.result.span import Sentence


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
    marked = document.choose(default(document.candidates, count), repr(policy))
    return marked if policy == default else marked.choose(policy(marked.candidates, count))


@dataclass(frozen=True)
class _Place:
    """A unit that may be kept: which document it is of, and which of its candidates."""

    document: int
    candidate: int
    sentence: Sentence


def spend(documents: Sequence[Scored | Failed], budget: int, count: TokenCounter) -> list[Scored | Failed]:
    """Keep the best of the kept units of all documents while their texts count at most `budget` LLM tokens.

    Failed documents and blank ones are not cut; what they cost is spent first.

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
    places = [_Place(i, j, one) for i, some in candidates.items() for j, one in enumerate(some) if one.kept]

    def chosen(some: Sequence[int]) -> dict[int, list[int]]:
        """Return the places by document, as its candidates."""
        found: dict[int, list[int]] = {}
        for place in some:
            found.setdefault(places[place].document, []).append(places[place].candidate)
        return found

    def cost(some: Sequence[int]) -> int:
        return sum(count(candidates[i].text(own)) for i, own in chosen(some).items())

    order = best_first([place.sentence for place in places])
    stays = chosen(order[: longest_fit(order, budget - spent, cost)])
    done: list[Scored | Failed] = list(documents)
    for i, document in open_.items():
        own = set(stays.get(i, ()))
        policy = None if document.policy is None else f"{document.policy}, max_total_tokens={budget}"
        done[i] = document.choose([j in own for j in range(len(document.choices))], policy)
    return done
