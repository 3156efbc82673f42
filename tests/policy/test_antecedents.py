"""A kept sentence that points back brings the one before it: `Neighbours(antecedents=True)`."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from growth import LINEAR, grows
from hypothesis import given
from hypothesis import strategies as st

from secateurs import Neighbours, Policy, Sentence, Threshold, TopK
from secateurs.policy.pointing import points_back

POINTED = Neighbours(antecedents=True)


def sentences(*texts: str, kept: Sequence[int]) -> list[Sentence]:
    made, at = [], 0
    for index, text in enumerate(texts):
        made.append(Sentence(at, at + len(text), text, float(index in kept), index in kept))
        at += len(text)
    return made


def stays(policy: Policy, *texts: str, kept: Sequence[int]) -> list[int]:
    """Which of some sentences stay."""
    return [index for index, flag in enumerate(policy(sentences(*texts, kept=kept), len)) if flag]


@pytest.mark.parametrize(
    "opener",
    [
        *(
            "It is",
            "This is",
            "They are",
            "He was",
            "She’s",
            "Such a",
            "However, it",
            "also known",
            "“It was",
            "*These*",
        ),
        *("The latter is", "For example, a", "As a result,", "But a", "It's"),
        *("它建于", "这是", "该塔", "其高度", "他们", "此外，", "但是", "然而", "因此", "「它", "該塔", "後者"),
    ],
)
def test_openers_that_point_back(opener):
    """Pronouns and connectives at the beginning, behind quotes and emphasis too, in English and Chinese."""
    assert points_back(f"{opener} x.")


@pytest.mark.parametrize(
    "text",
    ["Italy won.", "The tower is it.", "Theyre", "Heather left.", "Sofia is here.", "其他人走了。",
     "其实不然。", "塔建于1889年，它很高。", "他人不知。", "", "   ", "- It", "Butter is fat.",
     "that-clause", "\ud800It"],
)  # fmt: skip
def test_openers_that_do_not(text):
    """Words that only begin so, and what points back further on, do not."""
    assert not points_back(text)


def test_what_is_pointed_at_stays():
    """The sentence before one that points back stays, that before another one does not."""
    texts = "Rain came. ", "The tower is iron. ", "It was built in 1889. ", "Tickets cost five euros. "
    assert stays(Threshold(0.5) | POINTED, *texts, kept=[2]) == [1, 2]
    assert stays(Threshold(0.5) | POINTED, *texts, kept=[3]) == [3]
    assert stays(POINTED, *texts, kept=[2, 3]) == [1, 2, 3]


def test_nothing_comes_from_another_paragraph():
    """A sentence that opens a paragraph points at nothing of the one before it; one line break ends none."""
    assert stays(POINTED, "The tower.\n\n", "It was built.", kept=[1]) == [1]
    assert stays(POINTED, "The tower.\n", "It was built.", kept=[1]) == [0, 1]


def test_a_longer_chain_is_followed_as_far_as_before_says():
    """What is pointed at may itself point back; sentences behind are kept as without it."""
    texts = "The tower is iron. ", "It was built. ", "It was painted. ", "Rain came. "
    assert stays(POINTED, *texts, kept=[2]) == [1, 2]
    assert stays(Neighbours(5, antecedents=True), *texts, kept=[2]) == [0, 1, 2]
    assert stays(Neighbours(5, 1, antecedents=True), *texts, kept=[2]) == [0, 1, 2, 3]
    assert stays(Neighbours(0, antecedents=True), *texts, kept=[2]) == [2]


def test_a_limit_counts_what_is_brought():
    """`(a | Neighbours(antecedents=True)) & TopK(k)` keeps no more than `k`."""
    policy = Policy.parse("(Threshold(0.5) | Neighbours(antecedents=True)) & TopK(1)")
    assert policy == (Threshold(0.5) | POINTED) & TopK(1)
    assert stays(policy, "The tower is iron. ", "It was built. ", kept=[1]) == [1]


def test_what_is_written_down_is_read_again():
    """The source says it where it is asked for, and is what it was where it is not."""
    assert repr(Neighbours(2)) == "Neighbours(before=2, after=0)"
    assert Policy.parse(repr(POINTED)) == POINTED
    with pytest.raises(TypeError, match="antecedents must be True or False"):
        Neighbours(antecedents=1)


def test_the_whole_way_through(tiny):
    """A compressor takes it as any policy, and the text is what stays."""
    text = "The mill is old. It was built in 1842. Rain came. The end."
    plain = tiny.compress("mill?", [text], policy=TopK(1))[0]
    both = tiny.compress("mill?", [text], policy=TopK(1) | POINTED)[0]
    assert {one.start for one in plain.kept} <= {one.start for one in both.kept}
    assert both.policy == "TopK(1) | Neighbours(before=1, after=0, antecedents=True)"


@pytest.mark.parametrize("text", ["It ", "\"'", "[[", "the same ", "它", " "])
def test_looking_takes_linear_time(text):
    """An opener is looked for at the beginning alone."""
    assert grows(points_back, text, 400_000) <= LINEAR


@pytest.mark.parametrize("pointed", [False, True])
def test_any_number_of_neighbours_takes_linear_time(pointed):
    """However many are asked for, each sentence is looked at once."""
    policy = Neighbours(2**40, 2**40, antecedents=pointed)

    def decide(text: str) -> None:
        policy.extend([True] * len(text), [Sentence(at, at + 1, "It ", 1.0, True) for at in range(len(text))])

    assert grows(decide, "x", 8_000) <= LINEAR


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=12), st.integers(0, 5), st.integers(0, 5))
def test_neighbours_are_those_of_each_kept_sentence_alone(units, before, after):
    """What all kept sentences bring is what each of them brings, together."""
    texts = ["It is so. " if points else "Ann came. " for points, _ in units]
    for pointed in (False, True):
        policy = Neighbours(before, after, antecedents=pointed)
        kept = [index for index, (_, stays_) in enumerate(units) if stays_]
        alone = [stays(policy, *texts, kept=[index]) for index in kept]
        assert stays(policy, *texts, kept=kept) == sorted({one for some in alone for one in some})
