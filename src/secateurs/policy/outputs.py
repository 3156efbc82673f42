"""Policies around others: what stays where another keeps nothing, and what agents keep of a tool's output.

And how a policy is narrowed: by plain settings, by what `Default()` stands for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from secateurs.policy.candidates import among, scatter, signs_of, text_of
from secateurs.policy.core import (
    LIMITS,
    AllOf,
    Count,
    Default,
    Policy,
    Signals,
    Threshold,
    TokenBudget,
    TopK,
    WhenEmpty,
    check_policy,
    check_when_empty,
    leaves,
    mapped,
    seen_by_limits,
    weighed,
)
from secateurs.policy.signals import plain
from secateurs.result.span import Sentence
from secateurs.support.arguments import check_count

_WORD = re.compile(r"(?<![^\W\d_])[^\W\d_]{2,}+(?![,;|])")  # a whole one: half a cell of a row would be a word, too
_WORDS = 3


@dataclass(frozen=True, repr=False)
class Fallback(Policy):
    """What another policy keeps, and something in any case: `Threshold`'s `when_empty` for any policy.

    Args:
        policy: The other policy.
        when_empty: What to do with a document in which it keeps nothing, or nothing but the first and last lines
            that `Signals` keeps: `"drop"` it, keep its `"best"` sentence, or the `"original"`.
    """

    policy: Policy
    when_empty: WhenEmpty

    def __post_init__(self) -> None:
        check_policy(self.policy)
        check_when_empty(self.when_empty)

    def __call__(self, sentences: Sequence[Sentence], count: Count) -> list[bool]:
        """Decide one document."""
        if passes(self.policy, sentences, count):
            return self.policy(sentences, count)
        if self.when_empty == "best":
            return TopK(1)(weighed(self, sentences), count)
        return [self.when_empty == "original"] * len(sentences)

    @property
    def parts(self) -> tuple[Policy, ...]:
        """The other policy."""
        return (self.policy,)

    def with_parts(self, parts: tuple[Policy, ...]) -> Policy:
        """Return the same around another policy."""
        return replace(self, policy=parts[0])

    def __repr__(self) -> str:
        return f"Fallback({self.policy!r}, {self.when_empty!r})"


@dataclass(frozen=True, repr=False)
class ToolOutput(Policy):
    """What agents keep of a tool's output: what answers the query and what must not be lost, within a budget.

    `ToolOutput(n)` is `(Default() | Signals()) & TokenBudget(n)`, but that never everything goes. A line that alone
    is longer than the budget is passed over. Where nothing passes (the first and last lines do not count), a short
    output stays whole, and of a longer one the best lines stay, as many as a short one has. Of a line that a command
    wrote many times in a row, time stamps aside, the first stays; an elision mark, where one is asked for, says
    `× 214` then.

    Args:
        n: LLM tokens an output may keep; None for no limit.
        when_empty: What to do instead where nothing passes: `"drop"` the output, keep its `"best"` line, or the
            `"original"` as far as the budget goes.
        short: LLM tokens up to which an output in which nothing passes stays whole.
        policy: What keeps, in place of `Default() | Signals()`.
    """

    n: int | None = 6000
    when_empty: WhenEmpty | None = None
    short: int = 2000
    policy: Policy = Default() | Signals()

    def __post_init__(self) -> None:
        if self.n is not None:
            check_count(self.n, "n", least=0)
        if self.when_empty is not None:
            check_when_empty(self.when_empty)
        check_count(self.short, "short", least=0)
        check_policy(self.policy)

    def __call__(self, sentences: Sequence[Sentence], count: Count) -> list[bool]:
        """Decide one document."""
        everything = [True] * len(sentences)
        if self.passes(sentences, count):
            return self._best(sentences, _once(sentences, self.policy(sentences, count)), self.n, count)
        if self.when_empty == "drop":
            return [False] * len(sentences)
        if self.when_empty == "best":
            return TopK(1)(weighed(self, sentences), count)
        limit = self.n if self.when_empty == "original" else self.limit
        if limit is None or count(text_of(sentences, range(len(sentences)))) <= limit:
            return everything
        return self._best(sentences, everything, limit, count)

    @property
    def limit(self) -> int:
        """LLM tokens that stay where nothing passes."""
        return self.short if self.n is None else min(self.short, self.n)

    def passes(self, sentences: Sequence[Sentence], count: Count) -> bool:
        """Return whether anything in a document passes, its first and last lines not counted."""
        return passes(self.policy, sentences, count)

    def _best(
        self, sentences: Sequence[Sentence], flags: Sequence[bool], limit: int | None, count: Count
    ) -> list[bool]:
        """Return which of some sentences fit, best first; the best one in any case, unless to drop it was asked."""
        if limit is None:
            return list(flags)
        seen = seen_by_limits([self.policy], sentences, count)
        some = [index for index, flag in enumerate(flags) if flag]
        small = [index for index in some if _fits(sentences[index].text, limit, count)]
        fitting = TokenBudget(limit)(among(seen, small), count)
        if not any(fitting) and self.when_empty != "drop":
            return scatter(some, TopK(1)(among(seen, some), count), len(sentences))
        return scatter(small, fitting, len(sentences))

    @property
    def budgeted(self) -> bool:
        """Whether there is a limit."""
        return self.n is not None or super().budgeted

    @property
    def parts(self) -> tuple[Policy, ...]:
        """What keeps."""
        return (self.policy,)

    def with_parts(self, parts: tuple[Policy, ...]) -> Policy:
        """Return the same with something else that keeps."""
        return replace(self, policy=parts[0])

    def __repr__(self) -> str:
        said = [repr(self.n)]
        said += [] if self.when_empty is None else [f"when_empty={self.when_empty!r}"]
        said += [] if self.short == ToolOutput.short else [f"short={self.short}"]
        said += [] if self.policy == ToolOutput.policy else [f"policy={self.policy!r}"]
        return f"ToolOutput({', '.join(said)})"


def passes(policy: Policy, sentences: Sequence[Sentence], count: Count) -> bool:
    """Return whether a policy keeps anything of a document, the first and last lines `Signals` keeps not counted."""
    strict = mapped(policy, lambda leaf: Signals(edges=False) if isinstance(leaf, Signals) else leaf)
    return any(strict(sentences, count))


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
        >>> from secateurs import Neighbours
        >>> resolve(Default() | Neighbours(before=1), Threshold(0.2))
        Threshold(0.2) | Neighbours(before=1, after=0)
    """
    if isinstance(policy, ToolOutput) and any(isinstance(leaf, Default) for leaf in leaves(policy)):
        parts = split(default)  # a budget of the default's may not stand inside `|`
        inner = resolve(policy.policy, parts.keeps)
        return replace(policy, policy=AllOf((inner, *parts.limits)) if parts.limits else inner)
    return mapped(policy, lambda leaf: default if isinstance(leaf, Default) else leaf)


@dataclass(frozen=True)
class Split:
    """A policy, taken apart.

    Attributes:
        keeps: What chooses.
        limits: What limits that: `TopK` and `TokenBudget` behind an `&`.
    """

    keeps: Policy
    limits: tuple[Policy, ...]


def split(policy: Policy) -> Split:
    """Take what limits a policy off it.

    Example:
        >>> split((Threshold(0.3) | TopK(1)) & TokenBudget(200)).keeps
        Threshold(0.3) | TopK(1)
    """
    if not isinstance(policy, AllOf):
        return Split(policy, ())
    limits = tuple(part for part in policy.policies if isinstance(part, LIMITS))
    others = tuple(part for part in policy.policies if not isinstance(part, LIMITS))
    if not others:  # limits alone: they choose
        return Split(policy, ())
    return Split(others[0] if len(others) == 1 else AllOf(others), limits)


def _once(sentences: Sequence[Sentence], flags: Sequence[bool]) -> list[bool]:
    """Return flags of which, of lines of an output that repeat the one before them, that of the first is left.

    A line has a few words: rows of figures that repeat are data.
    """
    left = list(flags)
    if not signs_of(sentences).output:
        return left
    last, kept = "", False
    for index, one in enumerate(sentences):
        looks = plain(one.text)
        again = looks == last and len(_WORD.findall(looks)) >= _WORDS
        left[index] = flags[index] and not (again and kept)
        last, kept = looks, left[index] or (again and kept)
    return left


def _fits(text: str, limit: int, count: Count) -> bool:
    return len(text.encode(errors="replace")) <= limit or count(text) <= limit  # a token has at least a byte
