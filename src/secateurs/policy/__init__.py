"""Which sentences stay: small policies that combine with `|` (adds) and `&` (limits).

    Threshold(0.5) | TopK(1)                      every sentence at or above 0.5, and the best one in any case
    Threshold(0.3) & TokenBudget(200)             of those at or above 0.3, the best that fit into 200 LLM tokens
    Threshold(0.5) | Neighbours(before=1)         ... with the sentence before each
    Default() & TopK(3)                           of those the checkpoint's own policy keeps, the three best

A policy decides one document: `(sentences, count) -> keep flags`, where `count` counts the LLM tokens of a text.
The sentences come with `kept` set by the checkpoint's default policy; `Neighbours` starts from that when it stands
alone. `repr(policy)` is its source, and `Policy.parse` reads it back. Where a call decides, `resolve` puts what
`Default()` stands for in its place.

Source: policies as callables that combine, after tenacity's retry strategies.
"""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, cast, overload

from secateurs.errors import in_short
from secateurs.result.span import Sentence
from secateurs.segment.blocks import is_heading
from secateurs.support.arguments import check_count, check_threshold

Count = Callable[[str], int]
WhenEmpty = Literal["drop", "best", "original"]


class Candidates(Sequence[Sentence]):
    """The units of one document that a policy chooses among; knows what a choice reads as.

    Args:
        sentences: The units, in source order; not those that are pure frame.
        text: Returns the text of some of them, by index, with the frame that comes along.
    """

    def __init__(self, sentences: Sequence[Sentence], text: Callable[[Sequence[int]], str]) -> None:
        self._sentences = sentences
        self._text = text

    @overload
    def __getitem__(self, index: int) -> Sentence: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sentence]: ...
    def __getitem__(self, index: int | slice) -> Sentence | Sequence[Sentence]:
        return self._sentences[index]

    def __len__(self) -> int:
        return len(self._sentences)

    def text(self, some: Sequence[int]) -> str:
        """Return what the document reads as when some of them are chosen."""
        return self._text(some)

    def among(self, some: Sequence[int]) -> Candidates:
        """Return some of them, as all there is to choose."""
        return Candidates(
            [self._sentences[index] for index in some], lambda places: self._text([some[place] for place in places])
        )


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
        try:
            return _build(ast.parse(source.strip(), mode="eval").body)
        except (SyntaxError, TypeError, RecursionError, MemoryError, AttributeError, UnicodeError) as error:
            why = str(error)[:200] or type(error).__name__
            raise ValueError(
                f"not a policy: {in_short(source)} ({why}). Write for example 'Threshold(0.5) | TopK(1)', with "
                f"{', '.join(_POLICIES)}, combined with | and &."
            ) from None


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
        if self.when_empty not in ("drop", "best", "original"):
            raise ValueError(f"when_empty must be 'drop', 'best' or 'original', got {self.when_empty!r}")

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
        return _flags(sentences, best_first(sentences)[: self.k])

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
        return _flags(sentences, order[: longest_fit(order, self.n, lambda some: count(text_of(sentences, some)))])

    def __repr__(self) -> str:
        return f"TokenBudget({self.n})"


@dataclass(frozen=True, repr=False)
class Neighbours(Policy):
    """Let a kept sentence keep its neighbours, and the heading it stands under.

    "It was completed in 1889." says nothing without the sentence before it. In `p | Neighbours(...)` the kept
    sentences are those of `p`; alone they are those of the checkpoint's default policy.

    Args:
        before: Sentences to keep before each kept one.
        after: Sentences to keep after each kept one.
    """

    before: int = 1
    after: int = 0

    def __post_init__(self) -> None:
        check_count(self.before, "before", least=0)
        check_count(self.after, "after", least=0)

    def __call__(self, sentences: Sequence[Sentence], count: Count) -> list[bool]:
        """Decide one document."""
        return self.extend(sentences, [sentence.kept for sentence in sentences])

    def extend(self, sentences: Sequence[Sentence], flags: Sequence[bool]) -> list[bool]:
        """Return the flags with the neighbours and headings of the kept sentences added."""
        extended = list(flags)
        heading: int | None = None
        for index, sentence in enumerate(sentences):
            if is_heading(sentence.text):
                heading = index
            if not flags[index]:
                continue
            for neighbour in range(max(index - self.before, 0), min(index + self.after + 1, len(flags))):
                extended[neighbour] = True
            if heading is not None:
                extended[heading] = True
        return extended

    def __repr__(self) -> str:
        return f"Neighbours(before={self.before}, after={self.after})"


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
        extended = [policy.extend(sentences, flags) for policy in neighbours]
        return [any(column) for column in zip(flags, *extended, strict=True)]

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.policies))


@dataclass(frozen=True, repr=False)
class AllOf(Policy):
    """What all of the policies keep; written `a & b`.

    `TopK` and `TokenBudget` choose among what the others keep, so that neighbours added by one side are limited
    like everything else.
    """

    policies: tuple[Policy, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "policies", _flatten(self.policies, AllOf))

    def __call__(self, sentences: Sequence[Sentence], count: Count) -> list[bool]:
        """Decide one document."""
        limits = [policy for policy in self.policies if isinstance(policy, _LIMITS)]
        choosers = [policy for policy in self.policies if not isinstance(policy, _LIMITS)]
        flags = [True] * len(sentences)
        for policy in choosers:
            flags = [flag and also for flag, also in zip(flags, policy(sentences, count), strict=True)]
        for policy in limits:
            some = [index for index, flag in enumerate(flags) if flag]
            flags = _scatter(some, policy(_among(sentences, some), count), len(sentences))
        return flags

    def __repr__(self) -> str:
        return " & ".join(f"({policy!r})" if isinstance(policy, AnyOf) else repr(policy) for policy in self.policies)


def combine(*, threshold: float | None, top_k: int | None, max_tokens: int | None, default: Policy) -> Policy:
    """Build a policy from the three plain settings of the command line and the adapters; they combine with `&`.

    Args:
        threshold: A probability, or None for the default policy.
        top_k: Sentences a document, or None for no limit.
        max_tokens: LLM tokens a document, or None for no limit.
        default: What to use where no threshold is given.

    Returns:
        The policy.

    Example:
        >>> combine(threshold=0.4, top_k=3, max_tokens=None, default=Threshold(0.1))
        Threshold(0.4) & TopK(3)
    """
    policy = default if threshold is None else Threshold(threshold)
    if top_k is not None:
        policy = policy & TopK(top_k)
    if max_tokens is not None:
        policy = policy & TokenBudget(max_tokens)
    return policy


def resolve(policy: Policy, default: Policy) -> Policy:
    """Put a policy in the place of every `Default()`.

    Args:
        policy: A policy, or any callable that decides like one, which is returned as it is.
        default: What `Default()` stands for.

    Returns:
        The policy; the very same where there is no `Default()` in it.

    Raises:
        ValueError: The default cannot stand there: a `TokenBudget` inside `|`.

    Example:
        >>> resolve(Default() | Neighbours(before=1), Threshold(0.2))
        Threshold(0.2) | Neighbours(before=1, after=0)
    """
    if isinstance(policy, Default):
        return default
    if not isinstance(policy, (AnyOf, AllOf)):
        return policy
    parts = tuple(resolve(part, default) for part in policy.policies)
    return policy if parts == policy.policies else type(policy)(parts)


def best_first(sentences: Sequence[Sentence]) -> list[int]:
    """Return sentence indices by falling score, the earlier first where scores are equal."""
    return sorted(range(len(sentences)), key=lambda index: -sentences[index].score)


def longest_fit(order: Sequence[int], n: int, cost: Callable[[Sequence[int]], int]) -> int:
    """Return the length of the longest prefix whose cost is at most `n`.

    Doubles, then halves, so that a long document costs a few counts and not one a sentence.

    Args:
        order: Indices, best first.
        n: What may be spent.
        cost: Counts a prefix; must not fall when the prefix grows.

    Returns:
        A prefix length from 0 to `len(order)`.

    Example:
        >>> longest_fit([4, 2, 7], 10, sum)
        2
    """
    fits, fails = 0, 1
    while fails <= len(order) and cost(order[:fails]) <= n:
        fits, fails = fails, fails * 2
    fails = min(fails, len(order) + 1)
    while fails - fits > 1:
        middle = (fits + fails) // 2
        if cost(order[:middle]) <= n:
            fits = middle
        else:
            fails = middle
    return fits


def check_policy(policy: object) -> Policy:
    """Return a policy, or say that it is none."""
    if not callable(policy):
        raise TypeError(f"policy must be a policy such as Threshold(0.3) | TopK(1), got {policy!r}")
    return cast("Policy", policy)  # any callable of the same signature will do


def _flags(sentences: Sequence[Sentence], chosen: Sequence[int]) -> list[bool]:
    return _scatter(chosen, [True] * len(chosen), len(sentences))


def _scatter(indices: Sequence[int], values: Sequence[bool], length: int) -> list[bool]:
    flags = [False] * length
    for index, value in zip(indices, values, strict=True):
        flags[index] = value
    return flags


def text_of(sentences: Sequence[Sentence], chosen: Sequence[int]) -> str:
    """Return what chosen sentences read as: with their frames, where those are known."""
    if isinstance(sentences, Candidates):
        return sentences.text(chosen)
    return "".join(sentences[index].text for index in sorted(chosen))


def _among(sentences: Sequence[Sentence], some: Sequence[int]) -> Sequence[Sentence]:
    return sentences.among(some) if isinstance(sentences, Candidates) else [sentences[index] for index in some]


def _flatten(policies: Sequence[Policy], kind: type[AnyOf] | type[AllOf]) -> tuple[Policy, ...]:
    flat: list[Policy] = []
    for policy in policies:
        flat.extend(policy.policies if isinstance(policy, kind) else (policy,))
    return tuple(flat)


def _has_budget(policy: Policy) -> bool:
    nested = policy.policies if isinstance(policy, (AnyOf, AllOf)) else ()
    return isinstance(policy, TokenBudget) or any(map(_has_budget, nested))


_LIMITS = (TopK, TokenBudget)  # they choose among what the others keep
_POLICIES: dict[str, Callable[..., Policy]] = {
    "Threshold": Threshold,
    "TopK": TopK,
    "TokenBudget": TokenBudget,
    "Neighbours": Neighbours,
    "Default": Default,
}


def _build(node: ast.expr) -> Policy:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _build(node.left) | _build(node.right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd):
        return _build(node.left) & _build(node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _POLICIES:
        keywords = {str(keyword.arg): _literal(keyword.value) for keyword in node.keywords}
        if len(keywords) < len(node.keywords):
            raise TypeError(f"{node.func.id} is given one argument twice")
        return _POLICIES[node.func.id](*map(_literal, node.args), **keywords)
    raise TypeError(f"{ast.unparse(node)!r} is not one")


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise TypeError(f"{ast.unparse(node)!r} is no number") from None
