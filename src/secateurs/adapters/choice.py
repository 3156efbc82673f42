"""What an adapter's plain fields make of a policy.

`threshold`, `top_k`, `max_tokens`, `neighbours` and `when_empty` narrow the policy that was given, else the
compressor's own. Beside a policy that was given, a field that could only widen it contradicts it.

    own Threshold(0.04), threshold=0.5             Threshold(0.5)
    own Threshold(0.2) | Neighbours(1), threshold=0.5
                                                   Threshold(0.5) | Neighbours(1)
    policy="Default() | Signals()", threshold=0.5  Threshold(0.5) | Signals()
    policy="Threshold(0.2) | TopK(1)", top_k=3     (Threshold(0.2) | TopK(1)) & TopK(3)
    policy="Threshold(0.5)", threshold=0.3         ValueError
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from secateurs.policy import (
    AllOf,
    AnyOf,
    Default,
    Fallback,
    Neighbours,
    Policy,
    Signals,
    Threshold,
    TokenBudget,
    ToolOutput,
    TopK,
    WhenEmpty,
    check_policy,
    leaves,
    mapped,
    resolve,
    split,
)
from secateurs.support.arguments import check_count

Span = int | Sequence[int]


class Wishes(Protocol):
    """The fields that say which sentences stay; `AgentFields` says what they mean."""

    policy: Policy | str | None
    threshold: float | None
    top_k: int | None
    max_tokens: int | None
    when_empty: WhenEmpty | None
    neighbours: Span | None


@dataclass(kw_only=True)
class Asked:
    """Such fields where there is no adapter: a command's options, the arguments of one call."""

    policy: Policy | str | None = None
    threshold: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    when_empty: WhenEmpty | None = None
    neighbours: Span | None = None


def choose(wishes: Wishes, own: Policy) -> Policy:
    """Return what decides which sentences of a document stay.

    Args:
        wishes: The adapter's fields.
        own: The compressor's policy, for which `Default()` stands.

    Raises:
        ValueError: Two fields contradict each other, or one is out of range.
    """
    given = None if wishes.policy is None else read_policy(wishes.policy)
    return _narrow(own if given is None else given, wishes, own, strict=given is not None)


def choose_for_tools(wishes: Wishes, own: Policy) -> ToolOutput:
    """Return what decides which lines of a tool's output stay: `ToolOutput()`, or its care around what was given.

    Args:
        wishes: The adapter's fields.
        own: The compressor's policy, for which `Default()` stands.

    Raises:
        ValueError: Two fields contradict each other, or one is out of range.
    """
    given = None if wishes.policy is None else read_policy(wishes.policy)
    tool = ToolOutput() if given is None else _around(given)
    return _as_tool(_narrow(tool, wishes, own, strict=given is not None))


def change(tool: ToolOutput, wishes: Wishes) -> ToolOutput:
    """Return a policy as one call wants it: what the call asks for takes the place of what was set before."""
    return _as_tool(_narrow(tool, wishes, Default(), strict=False))


def _as_tool(policy: Policy) -> ToolOutput:
    if not isinstance(policy, ToolOutput):  # what narrows one gives one
        raise TypeError(f"expected a ToolOutput, got {policy!r}")
    return policy


def read_policy(policy: Policy | str) -> Policy:
    """Return a policy, given as such or as its source."""
    return Policy.parse(policy) if isinstance(policy, str) else check_policy(policy)


def the_threshold(policy: Policy) -> float | None:
    """Return the probability with which a policy compares scores; None if there is no single one.

    What limits it or adds signals and neighbours does not matter.
    """
    if isinstance(policy, (ToolOutput, Fallback)):
        return the_threshold(policy.policy)
    keeps = split(policy).keeps
    parts = keeps.policies if isinstance(keeps, AnyOf) else (keeps,)
    compare = [part for part in parts if not isinstance(part, (Signals, Neighbours))]
    one = compare[0] if len(compare) == 1 else None
    return one.t if isinstance(one, Threshold) else None


def _narrow(policy: Policy, wishes: Wishes, own: Policy, *, strict: bool) -> Policy:
    if wishes.threshold is not None:
        policy = _with_threshold(policy, wishes.threshold, strict=strict)
        own = _with_threshold(own, wishes.threshold, strict=False)
    if wishes.neighbours is not None:
        policy = _with_neighbours(policy, _neighbours(wishes.neighbours), strict=strict)
    if wishes.when_empty is not None:
        policy = _with_when_empty(policy, wishes.when_empty, strict=strict)
    if wishes.top_k is not None:
        policy = _with_top_k(policy, TopK(wishes.top_k), strict=strict)
    if wishes.max_tokens is not None:
        policy = _with_budget(policy, TokenBudget(wishes.max_tokens), strict=strict)
    return resolve(policy, own)


def _around(given: Policy) -> ToolOutput:
    """Return a policy as that of a tool's output: its budget is the output's."""
    if isinstance(given, ToolOutput):
        return given
    if isinstance(given, Fallback):
        return replace(_around(given.policy), when_empty=given.when_empty)
    if isinstance(given, TokenBudget):
        return ToolOutput(given.n, policy=Threshold(0.0))
    parts = split(given)
    budgets = [one.n for one in parts.limits if isinstance(one, TokenBudget)]
    others = [one for one in parts.limits if not isinstance(one, TokenBudget)]
    return ToolOutput(min(budgets, default=None), policy=_limited(parts.keeps, others))


def _with_threshold(policy: Policy, threshold: float, *, strict: bool) -> Policy:
    """Return a policy with another threshold; `Default()` in one that was given is left to be resolved."""
    if isinstance(policy, (ToolOutput, Fallback)):
        return _inside(policy, lambda inner: _with_threshold(inner, threshold, strict=strict))
    least = Threshold(threshold)  # checked
    asks = [leaf for leaf in leaves(policy) if isinstance(leaf, (Threshold, Default))]
    if not asks:
        return AllOf((policy, least))
    for one in asks:
        if strict and isinstance(one, Threshold) and one.t > least.t:
            raise _contradiction(f"threshold={threshold}", policy, f"{one!r} in it keeps less")

    def changed(leaf: Policy) -> Policy:
        if isinstance(leaf, Default) and not strict:
            return least
        return replace(leaf, t=least.t) if isinstance(leaf, Threshold) else leaf

    return mapped(policy, changed)


def _with_neighbours(policy: Policy, neighbours: Neighbours, *, strict: bool) -> Policy:
    if isinstance(policy, (ToolOutput, Fallback)):
        return _inside(policy, lambda inner: _with_neighbours(inner, neighbours, strict=strict))
    known = [leaf for leaf in leaves(policy) if isinstance(leaf, Neighbours)]
    if strict and any(one != neighbours for one in known):
        raise _contradiction(f"neighbours of {neighbours!r}", policy, f"{known[0]!r} in it says otherwise")
    if neighbours in known:
        return policy
    parts = split(policy)
    return _limited(AnyOf((parts.keeps, neighbours)), parts.limits)


def _with_when_empty(policy: Policy, when_empty: WhenEmpty, *, strict: bool) -> Policy:
    known = {leaf.when_empty for leaf in leaves(policy) if isinstance(leaf, Threshold)} - {"drop"}
    if isinstance(policy, (ToolOutput, Fallback)) and policy.when_empty is not None:
        known.add(policy.when_empty)
    if strict and known - {when_empty}:
        raise _contradiction(f"when_empty={when_empty!r}", policy, f"that says {known.pop()!r}")
    policy = mapped(policy, lambda leaf: replace(leaf, when_empty="drop") if isinstance(leaf, Threshold) else leaf)
    if isinstance(policy, (ToolOutput, Fallback)):
        return replace(policy, when_empty=when_empty)
    parts = split(policy)
    keeps = parts.keeps
    if isinstance(keeps, Threshold):
        keeps = replace(keeps, when_empty=when_empty)
    elif when_empty != "drop":
        keeps = Fallback(keeps, when_empty)
    return _limited(keeps, parts.limits)


def _with_top_k(policy: Policy, most: TopK, *, strict: bool) -> Policy:
    if isinstance(policy, (ToolOutput, Fallback)):
        return _inside(policy, lambda inner: _with_top_k(inner, most, strict=strict))
    known = [one.k for one in _limits(policy) if isinstance(one, TopK)]
    if strict and any(k < most.k for k in known):
        raise _contradiction(f"top_k={most.k}", policy, f"TopK({min(known)}) in it keeps less")
    return _limited(policy, [most])


def _with_budget(policy: Policy, most: TokenBudget, *, strict: bool) -> Policy:
    if isinstance(policy, ToolOutput):
        return replace(policy, n=most.n)
    known = [one.n for one in _limits(policy) if isinstance(one, TokenBudget)]
    if strict and any(n < most.n for n in known):
        raise _contradiction(f"max_tokens={most.n}", policy, f"TokenBudget({min(known)}) in it keeps less")
    return _limited(policy, [most])


def _inside(policy: Policy, change: Callable[[Policy], Policy]) -> Policy:
    return policy.with_parts(tuple(map(change, policy.parts)))


def _limits(policy: Policy) -> Sequence[Policy]:
    return split(policy).limits or (policy,)


def _limited(keeps: Policy, limits: Sequence[Policy]) -> Policy:
    return AllOf((keeps, *limits)) if limits else keeps


def _neighbours(given: Span) -> Neighbours:
    """Return the policy of so many neighbours on either side, or of a pair: before and after."""
    if isinstance(given, (str, bytes)) or (isinstance(given, Sequence) and len(given) != 2):
        raise TypeError(f"neighbours must be a number, or two: before and after; got {given!r}")
    before, after = given if isinstance(given, Sequence) else (given, given)
    for number in (before, after):
        check_count(number, "neighbours", least=0)
    return Neighbours(before, after)


def _contradiction(field: str, policy: Policy, why: str) -> ValueError:
    return ValueError(f"{field} contradicts policy={policy!r}: {why}. Say it in one of the two.")
