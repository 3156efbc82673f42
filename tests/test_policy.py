"""Policies: what they keep, how they combine, how they read and write."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs import (
    Default,
    Fallback,
    Neighbours,
    Policy,
    Ranked,
    Sentence,
    Signals,
    Threshold,
    TokenBudget,
    ToolOutput,
    TopK,
)
from secateurs.policy import AnyOf, combine, longest_fit, resolve
from secateurs.result.savings import TokenCounter

count = len  # a character is a token: simple, exact and additive


def sentences(*scores: float, kept: bool = True, texts: list[str] | None = None) -> list[Sentence]:
    texts = texts or [f"s{index}. " for index in range(len(scores))]
    built, at = [], 0
    for text, score in zip(texts, scores, strict=True):
        built.append(Sentence(at, at + len(text), text, score, kept))
        at += len(text)
    return built


scores = st.lists(st.floats(0, 1), min_size=1, max_size=12)
simple = st.one_of(
    st.floats(0, 1).map(Threshold),
    st.tuples(st.floats(0, 1), st.sampled_from(["drop", "best", "original"])).map(lambda a: Threshold(*a)),
    st.integers(1, 5).map(TopK),
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()).map(lambda a: Neighbours(*a)),
    st.just(Default()),
    st.booleans().map(Signals),
)
unlimited = st.recursive(
    simple,
    lambda inner: st.tuples(inner, inner, st.booleans()).map(lambda a: a[0] | a[1] if a[2] else a[0] & a[1]),
    max_leaves=5,
)
empty = st.sampled_from(["drop", "best", "original"])
around = st.one_of(
    st.tuples(unlimited, empty).map(lambda a: Fallback(*a)),
    st.tuples(unlimited, st.floats(0, 10)).map(lambda a: Ranked(*a)),
    st.tuples(st.none() | st.integers(0, 60), st.none() | empty, st.integers(0, 60), unlimited).map(
        lambda a: ToolOutput(*a)
    ),
)
policies = st.one_of(
    unlimited,
    around,
    st.tuples(unlimited, st.integers(0, 60)).map(lambda a: a[0] & TokenBudget(a[1])),
    st.just(TokenBudget(9)),
)


def test_a_threshold_may_be_a_number_of_numpy():
    """A threshold that was reckoned with NumPy is one; a truth value or a text is not."""
    for kind in (np.float16, np.float32, np.float64, np.int64):
        policy = Threshold(kind(1))
        assert policy == Threshold(1.0) and type(policy.t) is float and repr(policy) == "Threshold(1.0)"
    for wrong in (np.bool_(True), True, "0.5", None):
        with pytest.raises(TypeError, match="must be a number"):
            Threshold(wrong)


def test_threshold_is_inclusive():
    """A score equal to the threshold passes."""
    assert Threshold(0.5)(sentences(0.5, 0.4999, 0.9), count) == [True, False, True]


@pytest.mark.parametrize(
    ("when_empty", "kept"), [("drop", [False] * 3), ("best", [False, True, False]), ("original", [True] * 3)]
)
def test_when_nothing_passes_the_caller_decides(when_empty, kept):
    """An empty result is dropped, or keeps the best sentence, or the whole document."""
    assert Threshold(0.9, when_empty)(sentences(0.1, 0.3, 0.2), count) == kept


def test_ties_go_to_the_earlier_sentence():
    """TopK takes the earlier of equals."""
    assert TopK(2)(sentences(0.3, 0.7, 0.7, 0.7), count) == [False, True, True, False]


@given(scores, st.integers(0, 80))
def test_a_budget_is_never_exceeded_and_keeps_the_best(values, n):
    """The kept text counts at most n, and no kept sentence is worse than a cut one."""
    document = sentences(*values)
    flags = TokenBudget(n)(document, count)
    kept = [s for s, flag in zip(document, flags, strict=True) if flag]
    cut = [s for s, flag in zip(document, flags, strict=True) if not flag]
    assert count("".join(s.text for s in kept)) <= n
    assert not kept or not cut or min(s.score for s in kept) >= max(s.score for s in cut)


@given(st.lists(st.integers(1, 9), max_size=40), st.integers(0, 120))
def test_longest_fit_is_the_naive_answer(costs, n):
    """Doubling and halving finds what counting one by one finds."""
    naive = 0
    while naive < len(costs) and sum(costs[: naive + 1]) <= n:
        naive += 1
    assert longest_fit(costs, n, sum) == naive


def test_what_fits_whole_is_not_cut():
    """A part may cost more than all, by the elision marks around it; a document within its budget stays."""
    costs = [0, 15, 20, 19, 18]
    assert longest_fit(range(4), 18, lambda some: costs[len(some)]) == 4
    assert longest_fit(range(4), 17, lambda some: costs[len(some)]) == 1


def test_a_budget_counts_real_tokens():
    """With tiktoken's counts the kept text is counted as a whole."""
    document = sentences(0.9, 0.8, 0.1, texts=["The mill was built in 1842. ", "Ann Lee built it. ", "It rained."])
    flags = TokenBudget(15)(document, TokenCounter())
    assert flags == [True, True, False]


def test_a_neighbour_gives_a_kept_sentence_its_context():
    """The sentence before stays with the one that leans on it."""
    policy = Threshold(0.5) | Neighbours(before=1)
    assert policy(sentences(0.1, 0.2, 0.9, 0.1), count) == [False, True, True, False]


def test_a_kept_sentence_keeps_its_heading(tiny):
    """The headings over a kept sentence come along as frame, others do not."""
    document = "# One\n\nThe mill was built. It burned.\n\n## Two\n\nNobody knows why. The Moon.\n"
    last = lambda sentences, count: [one.text == "The Moon.\n" for one in sentences]  # noqa: E731 - a policy in a line
    policy = AnyOf((last, Neighbours(before=0)))
    kept = tiny.compress("Who?", [document], policy=policy)[0].kept
    assert [(one.text.strip(), one.frame) for one in kept] == [
        ("# One", True),
        ("## Two", True),
        ("The Moon.", False),
    ]


def test_neighbours_alone_extend_the_default():
    """Alone, Neighbours starts from what the default policy kept."""
    document = [*sentences(0.1, 0.2, kept=False), Sentence(8, 12, "s2. ", 0.9, True)]
    assert Neighbours(before=1)(document, count) == [False, True, True]


def test_neighbours_are_limited_by_a_budget():
    """What neighbours add counts against the budget like everything else."""
    policy = (Threshold(0.5) | Neighbours(before=1)) & TokenBudget(4)
    assert policy(sentences(0.1, 0.2, 0.9), count) == [False, False, True]


def test_a_budget_inside_or_is_refused():
    """A budget that could be exceeded is an error, wherever it hides."""
    for build in (
        lambda: TokenBudget(5) | TopK(1),
        lambda: TopK(1) | (Threshold(0.1) & TokenBudget(5)),
        lambda: Policy.parse("TopK(1) | TokenBudget(3)"),
    ):
        with pytest.raises(ValueError, match="TokenBudget"):
            build()


@given(policies)
def test_repr_is_the_source(policy):
    """Parsing what a policy prints gives the policy back."""
    assert Policy.parse(repr(policy)) == policy


@given(policies, scores)
def test_any_policy_gives_one_flag_a_sentence(policy, values):
    """Every combination decides every sentence."""
    flags = policy(sentences(*values), count)
    assert len(flags) == len(values)
    assert all(isinstance(flag, bool) for flag in flags)


@given(scores, st.floats(0, 1), st.integers(1, 5))
def test_or_adds_and_and_limits(values, t, k):
    """`|` keeps what either keeps, `&` what both keep."""
    document = sentences(*values)
    one, other = Threshold(t)(document, count), TopK(k)(document, count)
    assert (Threshold(t) | TopK(k))(document, count) == [a or b for a, b in zip(one, other, strict=True)]
    assert (Threshold(t) & TopK(k))(document, count) == [a and b for a, b in zip(one, other, strict=True)]


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf])
def test_thresholds_outside_the_unit_interval_are_refused(value):
    """A threshold is a probability."""
    with pytest.raises(ValueError, match="threshold must be in"):
        Threshold(value)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Threshold("0.5"),
        lambda: Threshold(True),
        lambda: TopK(1.5),
        lambda: TokenBudget("9"),
        lambda: Threshold(0.5) | 3,
    ],
)
def test_wrong_types_are_refused(build):
    """A setting of the wrong type is a TypeError."""
    with pytest.raises(TypeError):
        build()


@pytest.mark.parametrize(
    "build", [lambda: TopK(0), lambda: TokenBudget(-1), lambda: Neighbours(-1), lambda: Threshold(0.1, "keep")]
)
def test_settings_out_of_range_are_refused(build):
    """A count below its least value is a ValueError."""
    with pytest.raises(ValueError, match="must be"):
        build()


@pytest.mark.parametrize(
    "source",
    [
        "",
        "Threshold(",
        "__import__('os')",
        "Threshold(2)",
        "Threshold(0.5) + TopK(1)",
        "TopK()",
        "TopK(x=1)",
        "Threshold(0.5).t",
        "Threshold(*[1])",
        "Threshold(TopK(1))",
        "Fallback(TopK(1))",
        "Fallback(0.5, 'best')",
        "Fallback(TopK(1), 'keep')",
        "Fallback(TopK(1) + TopK(2), 'best')",
        "Ranked(0.3)",
        "Ranked(Default(), -1)",
        "Ranked(Default(), '1')",
        "ToolOutput(-1)",
        "ToolOutput('9')",
        "ToolOutput(9, 'keep')",
        "ToolOutput(9, policy=3)",
        "Signals(1)",
        "ToolOutput(9) | TopK(1)",
        "Fallback(" * 30 + "TopK(1)" + ", 'best')" * 30,
    ],
)
def test_sources_that_are_no_policy_are_refused(source):
    """Nothing but policies is read, and nothing is evaluated."""
    with pytest.raises(ValueError):
        Policy.parse(source)


def test_default_is_a_policy_like_any_other():
    """`Default()` is written down as itself, read back, compared, hashed and combined."""
    assert repr(Default()) == "Default()"
    assert Policy.parse("Default()") == Default() != Threshold(0.5)
    assert len({Default(), Default()}) == 1
    assert Policy.parse("Default() & TopK(2)") == Default() & TopK(2)
    with pytest.raises(ValueError, match="not a policy"):
        Policy.parse("Default(0.5)")


@given(policies, simple)
def test_resolving_is_writing_the_default_in_its_place(policy, default):
    """`resolve` gives what the source means with the default's own source, in brackets, in place of `Default()`."""
    resolved = resolve(policy, default)
    assert resolved == Policy.parse(repr(policy).replace("Default()", f"({default!r})"))
    assert (
        resolved is policy or "Default()" in repr(policy) or "ToolOutput(" in repr(policy)
    )  # its own is not written


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=12))
def test_an_unresolved_default_keeps_what_is_marked(marked):
    """Called without `resolve`, `Default()` keeps the sentences marked as kept, as `Neighbours` starts from them."""
    document = [Sentence(at, at + 1, "x", score, kept) for at, (score, kept) in enumerate(marked)]
    kept = [sentence.kept for sentence in document]
    assert Default()(document, count) == kept
    assert (Default() | Neighbours(1, 1))(document, count) == Neighbours(1, 1)(document, count)


def test_a_default_with_a_budget_is_refused_inside_or():
    """What may not stand inside `|` may not come there in the place of `Default()` either."""
    with pytest.raises(ValueError, match="TokenBudget"):
        resolve(Default() | TopK(1), Threshold(0.1) & TokenBudget(5))


def test_a_call_resolves(tiny):
    """In a call `Default()` is the checkpoint's own policy, and the result names what decided."""
    documents = ["the book . it rained .", "who wrote it . the end ."]
    own = tiny.policy
    for policy, same in (
        (Default(), own),
        (Default() & TopK(1), own & TopK(1)),
        (TopK(1) | Default(), TopK(1) | own),
    ):
        found = tiny.compress("who wrote the book ?", documents, policy=policy)
        assert found == tiny.compress("who wrote the book ?", documents, policy=same)
        assert {one.policy for one in found} == {repr(same)}


def test_a_callable_that_is_no_policy_is_left_alone():
    """A function that decides like a policy has no `Default()` in it to resolve."""

    def everything(sentences, count):
        return [True] * len(sentences)

    assert resolve(everything, Threshold(0.5)) is everything


def test_plain_settings_combine_with_and():
    """threshold, top_k and max_tokens limit each other."""
    default = Threshold(0.2)
    assert combine(threshold=None, top_k=None, max_tokens=None, default=default) == default
    assert combine(threshold=0.4, top_k=2, max_tokens=9, default=default) == Threshold(0.4) & TopK(2) & TokenBudget(9)
