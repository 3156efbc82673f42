"""`Ranked`: documents of one query compete; who ranks behind the best one must show more to stay."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from secateurs.policy.candidates import scored
from secateurs.policy.core import Count, Default, Policy, check_policy
from secateurs.result.span import Sentence

WEIGHT = 0.3
_MOST = 10.0
_EDGE = 1e-6  # a probability nearer to 0 or 1 says no more


@dataclass(frozen=True, repr=False)
class Ranked(Policy):
    """What another policy keeps where the documents of a query compete: for retrieval that brings ten of them.

    The policy sees each unit's log-odds lowered by `weight` times how far, in log-odds, the document's ranking score
    lies behind that of the best document of the same query in the call. The best one is decided as if it were alone.
    Where a checkpoint has no ranking head, its best unit's score ranks a document. Scores in the results are those of
    the model.

    Args:
        policy: The other policy.
        weight: How much the ranking counts, from 0 (not at all) to 10.

    Example:
        >>> Policy.parse("Ranked(Threshold(0.02))")
        Ranked(Threshold(0.02), 0.3)
    """

    policy: Policy = field(default_factory=Default)
    weight: float = WEIGHT
    behind: float = field(default=0.0, init=False, compare=False)

    def __post_init__(self) -> None:
        check_policy(self.policy)
        if isinstance(self.weight, bool) or not isinstance(self.weight, (int, float)):
            raise TypeError(f"weight must be a number, got {self.weight!r}")
        if not 0.0 <= self.weight <= _MOST:
            raise ValueError(f"weight must be from 0 to {_MOST:g}, got {self.weight}: {WEIGHT} is usual")

    def __call__(self, sentences: Sequence[Sentence], count: Count) -> list[bool]:
        """Decide one document."""
        return self.policy(self.lowered(sentences), count)

    def lowered(self, sentences: Sequence[Sentence]) -> Sequence[Sentence]:
        """Return units with the scores that the other policy sees."""
        if not self.behind:
            return sentences
        return scored(sentences, [lower(one.score, self.weight * self.behind) for one in sentences])

    @property
    def parts(self) -> tuple[Policy, ...]:
        """The other policy."""
        return (self.policy,)

    def with_parts(self, parts: tuple[Policy, ...]) -> Policy:
        """Return the same around another policy."""
        return self._at(replace(self, policy=parts[0]), self.behind)

    def standing(self, behind: float) -> Ranked:
        """Return the same for a document whose ranking score lies so far behind the best one's, in log-odds."""
        return self._at(replace(self), behind)

    @staticmethod
    def _at(one: Ranked, behind: float) -> Ranked:
        object.__setattr__(one, "behind", behind)  # of a copy that nobody else has yet
        return one

    def __repr__(self) -> str:
        return f"Ranked({self.policy!r}, {self.weight!r})"


def lower(probability: float, by: float) -> float:
    """Return the probability whose log-odds are lower by so much."""
    return 1 / (1 + math.exp(by - _log_odds(probability)))


def ranks(policy: Policy) -> bool:
    """Return whether documents compete under a policy."""
    return any(True for _ in _ranked(policy))


def standing(policy: Policy, behind: float) -> Policy:
    """Return a policy as it decides a document whose ranking score lies so far behind the best one's, in log-odds."""
    parts = policy.parts if isinstance(policy, Policy) else ()  # any callable may decide
    if not parts or not behind:
        return policy
    changed = policy.with_parts(tuple(standing(part, behind) for part in parts))
    return changed.standing(behind) if isinstance(changed, Ranked) else changed


def lowered(policy: Policy, sentences: Sequence[Sentence]) -> Sequence[Sentence]:
    """Return units as a budget for all documents sees them; the very same where no documents compete."""
    for one in _ranked(policy):
        sentences = one.lowered(sentences)
    return sentences


def far_behind(rankings: Sequence[float | None], queries: Sequence[str]) -> list[float]:
    """Return how far each document's ranking score lies behind the best one's of its query, in log-odds.

    Args:
        rankings: The ranking scores, from 0 to 1; None for a document without one, which is behind nothing.
        queries: The query of each.
    """
    odds = [None if one is None else _log_odds(one) for one in rankings]
    best: dict[str, float] = {}
    for query, one in zip(queries, odds, strict=True):
        if one is not None:
            best[query] = max(best.get(query, -math.inf), one)
    return [0.0 if one is None else best[query] - one for query, one in zip(queries, odds, strict=True)]


def _ranked(policy: Policy) -> Iterator[Ranked]:
    if isinstance(policy, Ranked):
        yield policy
    for part in policy.parts if isinstance(policy, Policy) else ():
        yield from _ranked(part)


def _log_odds(probability: float) -> float:
    inside = min(max(probability, _EDGE), 1 - _EDGE)
    return math.log(inside / (1 - inside))
