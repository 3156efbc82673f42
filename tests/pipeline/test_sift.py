"""What of a long output is read, and that no signal is lost by it."""

from __future__ import annotations

from growth import LINEAR, growth
from hypothesis import given
from hypothesis import strategies as st

from secateurs import Compressor, Default, ScoreCache, Signals, Threshold, TokenBudget, ToolOutput
from secateurs.pipeline import sift
from secateurs.pipeline.sift import SKIPPED, Sifter
from secateurs.policy.candidates import interleaved
from secateurs.policy.signals import find_signals
from secateurs.result.join import Parts
from secateurs.segment import units

LINE = "2031-02-03 06:{minute:02d}:{second:02d} INFO wheel {number} turns, {sacks} sacks of flour\n"


def log(many: int) -> str:
    """Return a log of lines that differ in figures alone, with one of its own and one failure in it."""
    lines = [LINE.format(minute=n // 60 % 60, second=n % 60, number=n, sacks=n % 7) for n in range(many)]
    lines[many // 3] = "2031-02-03 06:30:00 INFO the miller Bert Gray went fishing\n"
    lines[many // 2] = "2031-02-03 06:40:00 ERROR sluice gate jammed at 40 percent\n"
    return "".join(lines)


def sifter(text: str) -> Sifter:
    """Return what sifts a text, a word being a token."""
    import numpy as np

    return Sifter.of(Parts(text, tuple(units(text))), lambda some: np.array([len(one.split()) for one in some]))


def test_lines_that_look_alike_are_read_once():
    """Of lines that differ in figures alone the first; those that hold a word of the query apart from the others."""
    text = log(4000)
    found = sifter(text).sift("What did the miller do at wheel 3321?", 1.0)
    assert found is not None
    lines = text.splitlines()
    read = [lines[index] for index, it_is in enumerate(found.read) if it_is]
    assert any("miller" in line for line in read) and any("ERROR" in line for line in read)
    assert any("wheel 3321 " in line for line in read) and len(read) < 20


def test_lines_that_were_not_read_score_as_what_they_look_like():
    """The less the more of them there are; what looks like nothing that was read has 0."""
    found = sifter(log(4000)).sift("wheel", 1.0)
    assert found is not None
    scores = found.filled([0.8] * len(found.read))
    first = list(found.read).index(True)
    assert scores[first] == 0.8 and 0.5 < scores[first + 1] < 0.8 and scores[-1] < 0.01


def test_a_query_of_any_length_takes_linear_time():
    """Who pastes a page as the query waits no longer for each line of an output."""
    sizes, asked = [1000, 2000, 4000], []
    for size in sizes:
        words = [f"{chr(97 + number % 26)}{number:x}" for number in range(size)]
        output, query = sifter("".join(f"{word}y done\n" for word in reversed(words))), "x ".join(words)
        asked.append((output, query))
    assert growth(lambda pair: pair[0].sift(pair[1], 1e-3), asked, sizes) <= LINEAR


def test_no_signal_is_lost(tiny: Compressor):
    """Whatever is read, what `Signals()` keeps of an output stays within the budget, and the result says so."""
    text = log(2500)
    whole = tiny.compress("What is it?", [text], policy=Threshold(0.0))[0]
    signals = [one.start for one, flag in zip(whole.sentences, Signals()(whole.sentences, len), strict=True) if flag]
    for policy in (ToolOutput(), (Default() | Signals()) & TokenBudget(6000)):
        result = tiny.compress("What is it?", [text], policy=policy)[0]
        assert SKIPPED in result.warnings and SKIPPED not in whole.warnings
        assert set(signals) <= {one.start for one in result.sentences if one.kept}
        assert "sluice gate jammed" in result.text


def test_what_is_read_in_part_is_remembered_apart(tiny: Compressor):
    """A policy that needs every score has every score, though one that does not asked before."""
    text = log(1500)
    tiny.cache = ScoreCache()
    try:
        part = tiny.compress("miller", [text], policy=ToolOutput())[0]
        again = tiny.compress("miller", [text], policy=ToolOutput())[0]
        whole = tiny.compress("miller", [text], policy=Threshold(0.5))[0]
    finally:
        tiny.cache = None
    assert part == again and whole == tiny.compress("miller", [text], policy=Threshold(0.5))[0]
    assert SKIPPED in part.warnings and SKIPPED not in whole.warnings


def test_a_short_output_is_read_whole():
    """So is a longer one that the model reads in time, if it is prose or data."""
    assert sifter(log(50)).sift("miller", 1.0) is None
    prose = "The miller went to the river on that day, and nobody knew what it was for. " * 500
    assert len(prose) > sift.OF_OUTPUT and sifter(prose).sift("miller", 1.0) is None
    assert not find_signals([]).output


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(1, 500)), max_size=30))
def test_taking_turns_keeps_both_orders(units_: list[tuple[float, float, int]]):
    """Where there is one order alone, of scores or of weights, worths fall as it does."""
    scores, weights, sizes = ([one[column] for one in units_] for column in range(3))
    worths = interleaved(scores, [0.0] * len(scores), sizes)
    assert [worths[i] for i in sorted(range(len(scores)), key=lambda i: -scores[i])] == sorted(worths, reverse=True)
    worths = interleaved([0.0] * len(scores), weights, sizes)
    assert [worths[i] for i in sorted(range(len(scores)), key=lambda i: -weights[i])] == sorted(worths, reverse=True)
    assert all(0 <= worth <= 1 for worth in interleaved(scores, weights, sizes))
