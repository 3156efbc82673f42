"""Policies: what they are, the simple ones, and how they combine.

Source: policies as callables that combine, after tenacity's retry strategies.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from secateurs.policy.candidates import (
    among,
    best_first,
    flags_of,
    interleaved,
    longest_fit,
    scatter,
    scored,
    signs_of,
    text_of,
)
from secateurs.policy.pointing import leans_on
from secateurs.policy.signals import EDGE
from secateurs.policy.source import read
from secateurs.result.span import Sentence
from secateurs.support.arguments import check_count, check_threshold

Count = Callable[[str], int]
WhenEmpty = Literal["drop", "best", "original"]


class Policy(ABC):
    """Decides which sentences of one document stay."""

    @abstractmethod
    def __call__(self, sentences: Sequence[Sentence], count: Count) -> list[bool]:
        """Decide one document.

        Args:
            sentences: All sentences of the document, in source order, with their scores.
            count: Counts the LLM tokens of a text.

        Returns:
            One flag a sentence: whether it stays.
        """

    @property
    def parts(self) -> tuple[Policy, ...]:
        """The policies it is made of; none where it is simple."""
        return ()

    @property
    def budgeted(self) -> bool:
        """Whether a number of LLM tokens limits what it keeps."""
        return any(_has_budget(part) for part in self.parts)

    @property
    def sparing(self) -> bool:
        """Whether it keeps the signals of a tool's output within a budget: of a long one, not every line is read."""
        return self.budgeted and any(isinstance(leaf, Signals) for leaf in leaves(self))

    def with_parts(self, parts: tuple[Policy, ...]) -> Policy:
        """Return it made of as many other policies."""
        return self

    def __or__(self, other: Policy) -> Policy:
        return AnyOf((self, other)) if isinstance(other, Policy) else NotImplemented

    def __and__(self, other: Policy) -> Policy:
        return AllOf((self, other)) if isinstance(other, Policy) else NotImplemented

    @staticmethod
    def parse(source: str) -> Policy:
        """Read a policy from its source, as `repr` writes it; nothing is evaluated.

        Args:
            source: For example `"Threshold(0.5) | TopK(1)"`.

        Returns:
            The policy.

        Raises:
            ValueError: The source is not a policy, or an argument is wrong.

        Example:
            >>> Policy.parse("Threshold(0.5) & TokenBudget(200)")
            Threshold(0.5) & TokenBudget(200)
        """
        policy: Policy = read(source, POLICIES)
        return policy


@dataclass(frozen=True, repr=False)
class Threshold(Policy):
    """Keep the sentences with `score >= t`.

    Args:
        t: A probability in [0, 1]; 0.0 keeps everything.
        when_empty: What to do with a document in which no sentence passes: `"drop"` it, keep its `"best"`
            sentence, or keep the `"original"`.
    """

    t: float
    when_empty: WhenEmpty = "drop"

    def __post_init__(self) -> None:
        object.__setattr__(self, "t", check_threshold(self.t))
        check_when_empty(self.when_empty)

    def __call__(self, sentences: Sequence[Sentence], count: Count) -> list[bool]:
        """Decide one document."""
        flags = [sentence.score >= self.t for sentence in sentences]
        if any(flags) or self.when_empty == "drop":
            return flags
        return [True] * len(flags) if self.when_empty == "original" else TopK(1)(sentences, count)

    def __repr__(self) -> str:
        extra = "" if self.when_empty == "drop" else f", when_empty={self.when_empty!r}"
        return f"Threshold({self.t!r}{extra})"


@dataclass(frozen=True, repr=False)
class TopK(Policy):
    """Keep the `k` best sentences; of equal scores the earlier.

    Args:
        k: At least 1.
    """

    k: int

    def __post_init__(self) -> None:
        check_count(self.k, "k", least=1)

    def __call__(self, sentences: Sequence[Sentence], count: Count) -> list[bool]:
        """Decide one document."""
        return flags_of(best_first(sentences)[: self.k], len(sentences))

    def __repr__(self) -> str:
        return f"TopK({self.k})"


@dataclass(frozen=True, repr=False)
class TokenBudget(Policy):
    """Keep the best sentences while the kept text counts at most `n` LLM tokens, exactly.

    The sentences are taken best first; the first that no longer fits ends it, so that no worse sentence is ever
    kept in place of a better one.

    Args:
        n: LLM tokens, at least 0.
    """

    n: int

    def __post_init__(self) -> None:
        check_count(self.n, "n", least=0)

    def __call__(self, sentences: Sequence[Sentence], count: Count) -> list[bool]:
        """Decide one document."""
        order = best_first(sentences)
        fitting = longest_fit(order, self.n, lambda some: count(text_of(sentences, some)))
        return flags_of(order[:fitting], len(sentences))

    @property
    def budgeted(self) -> bool:
        """True."""
        return True

    def __repr__(self) -> str:
        return f"TokenBudget({self.n})"


@dataclass(frozen=True, repr=False)
class Neighbours(Policy):
    """Let a kept sentence keep its neighbours; the heading it stands under comes along anyway, as frame.

    "It was completed in 1889." says nothing without the sentence before it. In `p | Neighbours(...)` the kept
    sentences are those of `p`; alone they are those of the checkpoint's default policy. What is frame and nothing
    else (a fence mark, a rule row, a tag) is nobody's neighbour.

    Args:
        before: Sentences to keep before each kept one.
        after: Sentences to keep after each kept one.
        antecedents: Whether those before are kept only where they are pointed at: by a sentence that opens with a
            pronoun or connective (it, this, however; 它, 这, 但), at the one before it in the same paragraph.

    Example:
        >>> Policy.parse("Threshold(0.5) | Neighbours(antecedents=True)")
        Threshold(0.5) | Neighbours(before=1, after=0, antecedents=True)
    """

    before: int = 1
    after: int = 0
    antecedents: bool = False

    def __post_init__(self) -> None:
        check_count(self.before, "before", least=0)
        check_count(self.after, "after", least=0)
        if not isinstance(self.antecedents, bool):
            raise TypeError(f"antecedents must be True or False, got {self.antecedents!r}")

    def __call__(self, sentences: Sequence[Sentence], count: Count) -> list[bool]:
        """Decide one document."""
        return self.extend([sentence.kept for sentence in sentences], sentences)

    def extend(self, flags: Sequence[bool], sentences: Sequence[Sentence]) -> list[bool]:
        """Return the flags with the neighbours of the kept sentences added."""
        extended = list(flags)
        end = 0  # behind the neighbours of the kept one before: what is wanted before it has been added for that one
        for index in (index for index, flag in enumerate(flags) if flag):
            first = max(self._first(index, sentences, end), end)
            end = max(end, min(index + self.after + 1, len(flags)))
            extended[first:end] = [True] * (end - first)
        return extended

    def _first(self, index: int, sentences: Sequence[Sentence], least: int) -> int:
        """Return the first of the sentences to keep with a kept one; none before `least` is asked for."""
        first = max(index - self.before, least, 0)
        if not self.antecedents:
            return first
        at = index
        while at > first and leans_on(sentences[at], sentences[at - 1]):
            at -= 1
        return at

    def __repr__(self) -> str:
        pointed = ", antecedents=True" if self.antecedents else ""
        return f"Neighbours(before={self.before}, after={self.after}{pointed})"


@dataclass(frozen=True)
class Default(Policy):
    """Stand for the checkpoint's own policy; for a service's own, where a service is asked.

    `resolve` puts that policy in its place. Called without that, by hand, it keeps what is marked as kept: where
    `Neighbours` starts from when it stands alone.

    Example:
        >>> resolve(Default() & TopK(3), Threshold(0.2))
        Threshold(0.2) & TopK(3)
    """

    def __call__(self, sentences: Sequence[Sentence], count: Count) -> list[bool]:
        """Decide one document."""
        return [sentence.kept for sentence in sentences]


@dataclass(frozen=True, repr=False)
class Signals(Policy):
    r"""Keep what must not be lost of a tool's output, whatever the query.

    Errors, failures and warnings with their trace and place, totals and exit codes, the heads of diffs, changed
    files, the first and last lines of what a command wrote: by the table in `policy/shapes.py`, in English and
    Chinese. Where a limit beside it chooses, as in `(Default() | Signals()) & TokenBudget(n)`, a signal counts as
    what it weighs, if that is more than its score.

    Args:
        edges: Whether the first and last lines of command output are kept, too.

    Example:
        >>> from secateurs import Sentence
        >>> lines = ["$ make\n", *["cc -c a.c\n"] * 40, "a.c:3:5: error: no such type\n", "make: Error 1\n"]
        >>> flags = Signals()([Sentence(0, 0, line, 0.0, False) for line in lines], len)
        >>> flags[0], flags[20], flags[41]
        (True, False, True)
    """

    edges: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.edges, bool):
            raise TypeError(f"edges must be True or False, got {self.edges!r}")

    def __call__(self, sentences: Sequence[Sentence], count: Count) -> list[bool]:
        """Decide one document."""
        return [weight > 0 for weight in self.weights(sentences)]

    def weights(self, sentences: Sequence[Sentence]) -> list[float]:
        """Return what each sentence weighs as a signal, from 0.0 for none to 1.0."""
        signs = signs_of(sentences)
        weights = list(signs.weights)
        for index in signs.edges if self.edges else ():
            weights[index] = max(weights[index], EDGE)
        return weights

    def __repr__(self) -> str:
        return "Signals()" if self.edges else "Signals(edges=False)"


@dataclass(frozen=True, repr=False)
class AnyOf(Policy):
    """What any of the policies keeps, then extended by its `Neighbours`; written `a | b`."""

    policies: tuple[Policy, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "policies", _flatten(self.policies, AnyOf))
        if any(_has_budget(policy) for policy in self.policies):
            raise ValueError(
                f"a TokenBudget cannot stand inside `|`, got {self!r}: what the other side adds would exceed it. "
                "Limit the whole instead: (a | b) & TokenBudget(n)."
            )

    def __call__(self, sentences: Sequence[Sentence], count: Count) -> list[bool]:
        """Decide one document."""
        neighbours = [policy for policy in self.policies if isinstance(policy, Neighbours)]
        choosers = [policy for policy in self.policies if not isinstance(policy, Neighbours)]
        if choosers:
            flags = [any(column) for column in zip(*(p(sentences, count) for p in choosers), strict=True)]
        else:
            flags = [sentence.kept for sentence in sentences]
        extended = [policy.extend(flags, sentences) for policy in neighbours]
        return [any(column) for column in zip(flags, *extended, strict=True)]

    @property
    def parts(self) -> tuple[Policy, ...]:
        """The policies it is made of."""
        return self.policies

    def with_parts(self, parts: tuple[Policy, ...]) -> Policy:
        """Return the same of other policies."""
        return AnyOf(parts)

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.policies))


@dataclass(frozen=True, repr=False)
class AllOf(Policy):
    """What all of the policies keep; written `a & b`.

    `TopK` and `TokenBudget` choose among what the others keep, so that neighbours added by one side are limited
    like everything else. They choose by score; where `Signals` is among the others, by what a signal weighs, if that
    is more.
    """

    policies: tuple[Policy, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "policies", _flatten(self.policies, AllOf))

    def __call__(self, sentences: Sequence[Sentence], count: Count) -> list[bool]:
        """Decide one document."""
        limits = [policy for policy in self.policies if isinstance(policy, LIMITS)]
        choosers = [policy for policy in self.policies if not isinstance(policy, LIMITS)]
        flags = [True] * len(sentences)
        for policy in choosers:
            flags = [flag and also for flag, also in zip(flags, policy(sentences, count), strict=True)]
        seen = seen_by_limits(choosers, sentences, count) if limits else sentences
        for policy in limits:
            some = [index for index, flag in enumerate(flags) if flag]
            flags = scatter(some, policy(among(seen, some), count), len(sentences))
        return flags

    @property
    def parts(self) -> tuple[Policy, ...]:
        """The policies it is made of."""
        return self.policies

    def with_parts(self, parts: tuple[Policy, ...]) -> Policy:
        """Return the same of other policies."""
        return AllOf(parts)

    def __repr__(self) -> str:
        return " & ".join(f"({policy!r})" if isinstance(policy, AnyOf) else repr(policy) for policy in self.policies)


def leaves(policy: Policy) -> Iterator[Policy]:
    """Yield the simple policies that a policy is made of."""
    parts = policy.parts if isinstance(policy, Policy) else ()  # any callable may decide
    if not parts:
        yield policy
    for part in parts:
        yield from leaves(part)


def mapped(policy: Policy, change: Callable[[Policy], Policy]) -> Policy:
    """Return a policy with each simple one in it changed; the very same where none is.

    Args:
        policy: A policy, or any callable that decides like one.
        change: Returns what stands in the place of a simple policy.
    """
    parts = policy.parts if isinstance(policy, Policy) else ()
    if not parts:
        return change(policy)
    changed = tuple(mapped(part, change) for part in parts)
    return policy if changed == parts else policy.with_parts(changed)


def check_when_empty(value: object) -> None:
    """Refuse what is none of the things to do where nothing passes."""
    if value not in ("drop", "best", "original"):
        raise ValueError(f"when_empty must be 'drop', 'best' or 'original', got {value!r}")


def check_policy(policy: object) -> Policy:
    """Return a policy, or say that it is none."""
    if not callable(policy):
        raise TypeError(f"policy must be a policy such as Threshold(0.3) | TopK(1), got {policy!r}")
    return cast("Policy", policy)  # any callable of the same signature will do


def _flatten(policies: Sequence[Policy], kind: type[AnyOf] | type[AllOf]) -> tuple[Policy, ...]:
    flat: list[Policy] = []
    for policy in policies:
        flat.extend(policy.policies if isinstance(policy, kind) else (policy,))
    return tuple(flat)


def _has_budget(policy: Policy) -> bool:
    return isinstance(policy, Policy) and policy.budgeted  # any callable may decide


def weighed(policy: Policy, sentences: Sequence[Sentence]) -> Sequence[Sentence]:
    """Return the sentences as limits see them beside a policy: signals with what they weigh, if that is more."""
    weights = [leaf.weights(sentences) for leaf in leaves(policy) if isinstance(leaf, Signals)]
    if not weights:
        return sentences
    return scored(sentences, [max(one.score, *column) for one, *column in zip(sentences, *weights, strict=True)])


def seen_by_limits(policies: Sequence[Policy], sentences: Sequence[Sentence], count: Count) -> Sequence[Sentence]:
    """Return the sentences as a limit sees them that chooses within one document: scores and signals take turns.

    A score counts where the sentence passes by it; where none does, a sentence is worth the better of the two.

    Args:
        policies: What keeps, beside the limit.
        sentences: The sentences.
        count: Counts the LLM tokens of a text.
    """
    weights = [leaf.weights(sentences) for one in policies for leaf in leaves(one) if isinstance(leaf, Signals)]
    if not weights:
        return sentences
    best = [max(column) for column in zip(*weights, strict=True)]
    passing = [True] * len(sentences)
    for one in policies:
        strict = mapped(one, lambda leaf: _Nothing() if isinstance(leaf, Signals) else leaf)
        passing = [flag and also for flag, also in zip(passing, strict(sentences, count), strict=True)]
    if not any(passing):
        return scored(sentences, [max(one.score, weight) for one, weight in zip(sentences, best, strict=True)])
    scores = [one.score if passes else 0.0 for one, passes in zip(sentences, passing, strict=True)]
    return scored(sentences, interleaved(scores, best, [one.end - one.start for one in sentences]))


class _Nothing(Policy):
    """Keeps nothing: what a policy is without its signals."""

    def __call__(self, sentences: Sequence[Sentence], count: Count) -> list[bool]:
        return [False] * len(sentences)


LIMITS = (TopK, TokenBudget)  # they choose among what the others keep
POLICIES: dict[str, Callable[..., Policy]] = {
    "Threshold": Threshold,
    "TopK": TopK,
    "TokenBudget": TokenBudget,
    "Neighbours": Neighbours,
    "Default": Default,
    "Signals": Signals,
}
