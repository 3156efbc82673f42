"""The pipeline: groups that bound its memory, and documents that fail beside others that do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.pipeline.documents import Failed, Scored, each
from secateurs.pipeline.run import groups
from secateurs.result.join import Parts


@given(st.lists(st.tuples(st.just("q"), st.text(max_size=12)), max_size=40), st.integers(1, 30))
def test_groups_hold_every_pair_in_order(pairs, characters):
    """Groups put together are the pairs; only a single long document exceeds the bound."""
    made = list(groups(pairs, characters))
    assert [pair for group in made for pair in group] == pairs
    assert all(group for group in made)
    assert all(len(group) == 1 or sum(len(document) for _, document in group) <= characters for group in made)


def _step(document: Scored) -> Scored:
    if document.original == "bad":
        raise ValueError("bad document")
    if document.original == "stop":
        raise KeyboardInterrupt
    return document


def test_a_failed_document_travels_beside_the_others():
    """A step that fails for one document makes it a value, later steps leave it alone, and order and number stay."""
    documents = [Scored(Parts(text, ()), (), None, ()) for text in ("a", "bad", "b")]
    once = each(_step, documents)
    twice = each(_step, once)
    assert [type(one) for one in twice] == [Scored, Failed, Scored]
    assert twice[1] is once[1]
    assert (twice[1].original, str(twice[1].error)) == ("bad", "bad document")


def test_an_interrupt_is_no_failure_of_a_document():
    """What stops the process passes through every step."""
    with pytest.raises(KeyboardInterrupt):
        each(_step, [Scored(Parts("stop", ()), (), None, ())])
