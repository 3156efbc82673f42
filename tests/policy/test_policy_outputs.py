"""Policies around others: what stays where another keeps nothing, and what agents keep of a tool's output."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs import (
    Default,
    Fallback,
    Neighbours,
    Policy,
    Sentence,
    Signals,
    Threshold,
    TokenBudget,
    ToolOutput,
    TopK,
)
from secateurs.policy import leaves, mapped, resolve, split

count = len  # a character is a token


def lines(texts: list[str], scores: list[float] | None = None, own: float = 0.5) -> list[Sentence]:
    """Lines as units; those at or above the checkpoint's own threshold are marked as kept."""
    made, at = [], 0
    for text, score in zip(texts, scores or [0.0] * len(texts), strict=True):
        made.append(Sentence(at, at + len(text), text, score, score >= own))
        at += len(text)
    return made


def kept(policy: Policy, units: list[Sentence]) -> list[int]:
    return [index for index, flag in enumerate(policy(units, count)) if flag]


SERVED = [f"served /{number:04d}\n" for number in range(100)]  # 13 tokens each; only its edges are signals
scored = st.lists(st.tuples(st.sampled_from([*SERVED[:9], "error: no wheel\n"]), st.floats(0, 1)), min_size=1)


# --- Fallback ---


@pytest.mark.parametrize(("when_empty", "stays"), [("drop", []), ("best", [1]), ("original", [0, 1, 2])])
def test_a_fallback_is_for_what_keeps_nothing(when_empty: str, stays: list[int]) -> None:
    """Where another policy keeps nothing, the document goes, its best sentence stays, or all of it does."""
    units = lines(["a", "b", "c"], [0.1, 0.3, 0.2])
    policy = Policy.parse(f"Fallback(Threshold(0.9) | (TopK(1) & Threshold(0.8)), {when_empty!r})")
    assert kept(policy, units) == stays
    assert kept(policy, lines(["a", "b", "c"], [0.1, 0.85, 0.84])) == [1]


@given(st.floats(0, 1), st.sampled_from(["drop", "best", "original"]), scored)
def test_a_fallback_is_what_a_threshold_does_itself(
    t: float, when_empty: str, values: list[tuple[str, float]]
) -> None:
    """Around a threshold it is that threshold's own `when_empty`."""
    units = lines([text for text, _ in values], [score for _, score in values])
    assert Fallback(Threshold(t), when_empty)(units, count) == Threshold(t, when_empty)(units, count)


# --- ToolOutput ---


def test_it_keeps_what_answers_and_what_must_not_be_lost() -> None:
    """What the checkpoint keeps, signals and edges stay: `(Default() | Signals()) & TokenBudget(n)`."""
    texts = [*SERVED[:40], "error: no wheel\n", *SERVED[40:]]
    units = lines(texts, [0.9 if index == 20 else 0.1 for index in range(len(texts))])
    assert kept(ToolOutput(), units) == [0, 1, 20, 40, 41, 42, 43, 98, 99, 100]
    assert kept(ToolOutput(), units) == kept((Default() | Signals()) & TokenBudget(6000), units)
    assert kept(ToolOutput(30), units) == kept((Default() | Signals()) & TokenBudget(30), units) == [20, 40]


def test_where_nothing_passes() -> None:
    """A short output in which nothing passes stays whole; of a longer one the best lines stay."""
    assert kept(ToolOutput(), lines(SERVED)) == list(range(100))
    scores = [number / 1000 for number in range(100)]
    assert kept(ToolOutput(short=130), lines(SERVED, scores)) == [*range(0, 2), *range(92, 100)]
    assert kept(ToolOutput(65, short=130), lines(SERVED, scores)) == [0, 1, 97, 98, 99]
    assert kept(ToolOutput(short=130, when_empty="drop"), lines(SERVED)) == []
    assert kept(ToolOutput(short=130, when_empty="best"), lines(SERVED, scores)) == [0]  # an edge, which weighs more
    assert kept(ToolOutput(130, short=13, when_empty="original"), lines(SERVED, scores)) == [0, 1, *range(92, 100)]
    assert kept(ToolOutput(None, short=13, when_empty="original"), lines(SERVED)) == list(range(100))


def test_a_line_longer_than_the_budget_is_passed_over() -> None:
    """The best that fit stay, though a better would not fit; where none fits, the best one stays all the same."""
    units = lines(["x" * 500 + "\n", "short\n", "also short\n"], [0.9, 0.6, 0.7])
    assert kept(ToolOutput(20), units) == [1, 2]
    assert kept(ToolOutput(3), units) == [0]
    assert kept(ToolOutput(3, when_empty="drop"), units) == []


@given(scored, st.integers(0, 200), st.integers(0, 200), st.none() | st.sampled_from(["best", "original"]))
def test_never_everything_goes(values: list[tuple[str, float]], n: int, short: int, when_empty: str | None) -> None:
    """Something always stays, and no more than the budget, unless one line alone is more."""
    units = lines([text for text, _ in values], [score for _, score in values])
    stays = kept(ToolOutput(n, when_empty, short), units)
    assert stays
    assert len(stays) == 1 or sum(len(units[index].text) for index in stays) <= n


@given(scored, st.integers(0, 200))
def test_dropping_is_for_what_keeps_nothing(values: list[tuple[str, float]], n: int) -> None:
    """With `when_empty="drop"` an output goes where nothing but its first and last lines would stay."""
    units = lines([text for text, _ in values], [score for _, score in values])
    policy = ToolOutput(None, "drop")
    assert (
        bool(kept(policy, units))
        == policy.passes(units, count)
        == bool(kept(Default() | Signals(edges=False), units))
    )


def test_its_default_may_have_a_budget() -> None:
    """A compressor whose own policy has a limit can stand for `Default()`: the limit holds for signals as well."""
    resolved = resolve(ToolOutput(), Threshold(0.3) & TokenBudget(9))
    assert repr(resolved) == "ToolOutput(6000, policy=(Threshold(0.3) | Signals()) & TokenBudget(9))"
    assert resolve(ToolOutput(policy=Threshold(0.5)), TokenBudget(9)) == ToolOutput(policy=Threshold(0.5))
    assert resolve(ToolOutput(), Threshold(0.3)).policy == Threshold(0.3) | Signals()


# --- taking policies apart ---


def test_limits_come_off() -> None:
    """`split` takes off what limits; what is a limit and nothing else chooses."""
    assert split((Threshold(0.3) | TopK(1)) & TokenBudget(9) & TopK(2)).keeps == Threshold(0.3) | TopK(1)
    assert split((Threshold(0.3) | TopK(1)) & TokenBudget(9) & TopK(2)).limits == (TokenBudget(9), TopK(2))
    assert split(Threshold(0.3) & Neighbours(1) & TopK(2)).keeps == Threshold(0.3) & Neighbours(1)
    for policy in (TopK(2), TokenBudget(9), TopK(2) & TokenBudget(9), Threshold(0.3) | TopK(1)):
        assert split(policy).keeps == policy
        assert split(policy).limits == ()


def test_simple_policies_are_found_and_changed_everywhere() -> None:
    """`leaves` and `mapped` reach into every combination, and a policy in which nothing changes is the very same."""
    policy = ToolOutput(9, policy=Fallback((Default() | Signals()) & TopK(2), "best"))
    assert list(leaves(policy)) == [Default(), Signals(), TopK(2)]
    assert mapped(policy, lambda leaf: leaf) is policy
    changed = mapped(policy, lambda leaf: Threshold(0.5) if leaf == Default() else leaf)
    assert repr(changed) == "ToolOutput(9, policy=Fallback((Threshold(0.5) | Signals()) & TopK(2), 'best'))"


def test_policies_are_pickled_under_their_public_name() -> None:
    """A pickle names `secateurs.policy`, wherever a policy's code stands."""
    for policy in (ToolOutput(), Fallback(Signals() | TopK(1), "best"), Threshold(0.5) & TokenBudget(9)):
        data = pickle.dumps(policy, protocol=0)
        assert pickle.loads(data) == policy
        assert b"secateurs.policy" in data
        assert b"secateurs.policy." not in data


def test_a_budget_over_all_documents_knows_signals(tiny) -> None:
    """`max_total_tokens` spends on a failure before it spends on lines that merely score better."""
    texts = ["".join(f"the book {number} .\n" for number in range(30)) + "fatal: no wheel\n", "who wrote it .\n" * 20]
    scores = [one.score for one in tiny.compress("it rained .", texts, policy=Threshold(0.0))[0].sentences]
    assert scores[-1] < sorted(scores)[-8] <= max(scores) < 0.9
    for policy, stays in ((Threshold(0.0), False), (Threshold(0.0) | Signals(), True)):
        found = tiny.compress("it rained .", texts, policy=policy, max_total_tokens=40)
        assert ("fatal: no wheel" in found[0].text) == stays
        assert sum(one.savings.after for one in found) <= 40
