"""The store of originals: what was used last stays, within its bounds, and nobody gets what is another's."""

from __future__ import annotations

import copy
import doctest
import pickle
import re
from sys import getsizeof
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import secateurs.adapters.originals
from secateurs.adapters.originals import Originals

COST = 500 + getsizeof("")  # of an entry without a character

steps = st.lists(st.tuples(st.booleans(), st.sampled_from("abcdef"), st.integers(0, 30)), max_size=30)


@given(steps, st.integers(1, 6 * COST))
def test_the_texts_longest_unused_are_forgotten(steps, most):
    """What is kept are the texts used last that together take no more than the limit; the newest in any case."""
    originals, used = Originals(most), []
    for new, character, length in steps:
        text = character * length
        if new:
            originals.put(text)
        if new or text in used:
            assert originals.get(originals.handle(text)) == text
            used = [*(one for one in used if one != text), text]
        while sum(500 + getsizeof(one) for one in used) > most and len(used) > 1:
            used.pop(0)
    for text in used:
        assert originals.get(originals.handle(text)) == text
    gone = {character * length for _, character, length in steps} - set(used)
    assert all(originals.get(originals.handle(text)) is None for text in gone)


def test_many_short_texts_are_bounded():
    """Texts of no or few characters cannot fill the memory: each is charged what it takes."""
    originals = Originals(max_bytes=100_000)
    handles = [originals.put(f"{number}"[:2], f"thread {number}") for number in range(2000)]
    kept = [number for number, handle in enumerate(handles) if originals.get(handle, f"thread {number}")]
    assert 0 < len(kept) < 200


def test_what_is_kept_for_a_time_is_forgotten_after_it():
    """With a time a text is there until it is over, anew each time it is put, and its memory is free afterwards."""
    now = 0.0
    originals = Originals(seconds=900.0, clock=lambda: now)
    handle = originals.put("All of it.")
    now = 899.0
    assert originals.get(handle) == "All of it."
    assert originals.put("All of it.") == handle
    now = 1_700.0
    assert originals.get(handle) == "All of it."
    now = 1_800.0
    assert originals.get(handle) is None
    assert originals._texts.currsize == 0
    kept = Originals(clock=lambda: now)
    handle = kept.put("All of it.")
    now = 1e9
    assert kept.get(handle) == "All of it."


def test_handles_cannot_be_told_from_their_text():
    """A handle has 128 bits, is another in each store, process and conversation, and stays the same within one."""
    one, other = Originals(), Originals()
    handle = one.put("12345", "thread 7")
    assert re.fullmatch("[a-z2-7]{26}", handle)
    assert handle == one.put("12345", "thread 7") == one.handle("12345", "thread 7")
    others = {other.put("12345", "thread 7"), one.put("12345", "thread 8"), one.put("12345"), one.put("5", "1234")}
    assert len(others | {handle, one.put("", "12345")}) == 6
    assert all(one.get(Originals().handle(f"{number:05d}", "thread 7"), "thread 7") is None for number in range(500))


def test_a_handle_is_good_in_its_conversation_only():
    """Whoever sees a handle of another conversation gets nothing for it."""
    originals = Originals()
    handle = originals.put("All of it.", "mine")
    assert originals.get(handle, "mine") == "All of it."
    assert originals.get(handle, "yours") is originals.get(handle) is None


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_of_a_store_is_empty_and_has_its_own_key(clone: Any) -> None:
    """An adapter that holds one can be copied and pickled; neither texts nor the key travel."""
    store = Originals(9999)
    handle = store.put("All of it.")
    copied = clone(store)
    assert copied.get(handle) is None
    assert copied.put("All of it.") != handle
    assert store.get(handle) == "All of it."


def test_docstring_examples_run() -> None:
    """The examples give what they say."""
    assert doctest.testmod(secateurs.adapters.originals).failed == 0
