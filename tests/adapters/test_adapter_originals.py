"""The store of originals: what was used last stays, and never more than it may hold."""

from __future__ import annotations

import copy
import doctest
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import secateurs.adapters.originals
from secateurs.adapters.originals import Originals, handle_of

steps = st.lists(st.tuples(st.booleans(), st.sampled_from("abcdef"), st.integers(1, 30)), max_size=30)


@given(steps, st.integers(1, 60))
def test_the_texts_longest_unused_are_forgotten(steps, most):
    """What is kept are the texts used last that together are no longer than the limit; the newest in any case."""
    originals, used = Originals(most), []
    for new, character, length in steps:
        text = character * length
        if new:
            originals.put(text)
        if new or text in used:
            assert originals.get(handle_of(text)) == text
            used = [*(one for one in used if one != text), text]
        while sum(map(len, used)) > most and len(used) > 1:
            used.pop(0)
    for text in used:
        assert originals.get(handle_of(text)) == text
    gone = {character * length for _, character, length in steps} - set(used)
    assert all(originals.get(handle_of(text)) is None for text in gone)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_an_unused_store_can_be_copied(clone: Any) -> None:
    """An adapter that holds one can be copied and pickled before its first use."""
    assert clone(Originals(9)).put("All of it.") == handle_of("All of it.")


def test_docstring_examples_run() -> None:
    """The examples give what they say."""
    assert doctest.testmod(secateurs.adapters.originals).failed == 0
