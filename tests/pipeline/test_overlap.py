"""Overlap: three steps, in order, nothing lost, and only the middle one on the caller's thread."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.pipeline.overlap import groups, overlapped


@given(st.lists(st.tuples(st.just("q"), st.text(max_size=12)), max_size=40), st.integers(1, 30))
def test_groups_hold_every_pair_in_order(pairs, characters):
    """Groups put together are the pairs; only a single long document exceeds the bound."""
    made = list(groups(pairs, characters))
    assert [pair for group in made for pair in group] == pairs
    assert all(group for group in made)
    assert all(len(group) == 1 or sum(len(document) for _, document in group) <= characters for group in made)


@given(st.integers(0, 12))
def test_every_item_takes_the_three_steps(count):
    """Results come in order, one an item."""
    done = overlapped(range(count), lambda n: (n,), lambda t: (*t, "scored"), lambda t: (*t, "finished"))
    assert list(done) == [(n, "scored", "finished") for n in range(count)]


def test_the_next_item_is_prepared_while_one_is_scored():
    """Scoring waits for no preparation that could have been done before."""
    prepared: list[int] = []
    ready = threading.Event()

    def prepare(item: int) -> int:
        prepared.append(item)
        if item == 1:
            ready.set()
        return item

    def score(item: int) -> int:
        if item == 0:
            assert ready.wait(5), "the second item was not prepared beside the first one's scoring"
        return item

    assert list(overlapped([0, 1, 2], prepare, score, lambda item: item)) == [0, 1, 2]


def test_only_the_middle_step_runs_on_the_callers_thread():
    """The other two share one thread, and a single item needs none."""
    where: dict[str, set[threading.Thread]] = {"prepare": set(), "score": set(), "finish": set()}

    def step(name: str):
        return lambda item: where[name].add(threading.current_thread()) or item

    list(overlapped([1, 2, 3], step("prepare"), step("score"), step("finish")))
    mine = threading.current_thread()
    assert where["score"] == {mine}
    assert where["prepare"] == where["finish"] != {mine}
    assert len(where["prepare"]) == 1
    where = {name: set() for name in where}
    list(overlapped([1], step("prepare"), step("score"), step("finish")))
    assert where == {name: {mine} for name in where}


@pytest.mark.parametrize("failing", ["prepare", "score", "finish"])
def test_what_a_step_raises_is_raised(failing):
    """A failure ends the work, and no thread is left behind."""

    def step(name: str):
        def run(item: int) -> int:
            if name == failing and item == 2:
                raise ValueError(name)
            return item

        return run

    before = threading.active_count()
    with pytest.raises(ValueError, match=failing):
        list(overlapped(range(5), step("prepare"), step("score"), step("finish")))
    assert threading.active_count() == before
