"""Third step: a policy marks the sentences of each document that stay; a budget, those of all documents together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from secateurs.pipeline.cut import kept_text, tokens_of
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
    marked = document.marked(default(document.sentences, count), repr(policy))
    return marked if policy == default else marked.marked(policy(marked.sentences, count))


@dataclass(frozen=True)
class _Place:
    """A sentence that may be kept: which document it is of, and where it stands there."""

    document: int
    index: int
    sentence: Sentence


def spend(documents: Sequence[Scored | Failed], budget: int, count: TokenCounter) -> list[Scored | Failed]:
    """Keep the best of the kept sentences of all documents while their texts count at most `budget` LLM tokens.

    Failed documents and blank ones are not cut; what they cost is spent first.

    Args:
        documents: Documents with the sentences a policy kept.
        budget: LLM tokens.
        count: Counts the LLM tokens of a text.

    Returns:
        The documents with fewer sentences kept.
    """
    open_ = {i: one for i, one in enumerate(documents) if isinstance(one, Scored) and one.undecided}
    spent = sum(tokens_of(one.original, count).tokens for i, one in enumerate(documents) if i not in open_)
    places = [
        _Place(i, j, one) for i, document in open_.items() for j, one in enumerate(document.sentences) if one.kept
    ]

    def marked(some: Sequence[int]) -> dict[int, Scored]:
        flags = {i: [False] * len(document.sentences) for i, document in open_.items()}
        for place in some:
            flags[places[place].document][places[place].index] = True
        return {i: open_[i].marked(own) for i, own in flags.items()}

    order = best_first([place.sentence for place in places])
    fits = longest_fit(
        order, budget - spent, lambda some: sum(count(kept_text(document)) for document in marked(some).values())
    )
    done: list[Scored | Failed] = list(documents)
    for i, document in marked(order[:fits]).items():
        done[i] = document.marked([one.kept for one in document.sentences], _named(document, budget))
    return done


def _named(document: Scored, budget: int) -> str | None:
    return None if document.policy is None else f"{document.policy}, max_total_tokens={budget}"
