"""A conversation in OpenAI's shape: which messages are compressed, and what each is asked for."""

from __future__ import annotations

import doctest
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import secateurs.adapters.chat
from secateurs.adapters.asking import Asking
from secateurs.adapters.chat import turns_of

CALL = {"id": "a", "type": "function", "function": {"name": "grep", "arguments": '{"pattern": "mill"}'}}
TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "You look things up."},
    {"role": "user", "content": "Here is what I know of mills."},
    {"role": "assistant", "content": "Let me look.", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "a", "content": "mill.txt: built in 1842"},
    {"role": "user", "content": [{"type": "text", "text": "Who built it?"}, {"type": "image_url", "image_url": {}}]},
]


def test_results_and_context_are_asked_as_agents_do():
    """A result is asked with its arguments, the words and the last question; context with that alone."""
    context, result = turns_of(TALK)
    assert (context.index, context.asking) == (1, Asking("Who built it?"))
    assert result.index == 3
    assert result.asking == Asking("pattern: mill", {"Let me look.": 0.9, "Who built it?": 0.8}, "Who built it?")


def test_an_argument_named_as_a_query_stands_alone():
    """As for every agent: what the model itself searched for is what its result is cut to."""
    call = {"id": "a", "function": {"name": "search", "arguments": '{"query": "mill of Ann Lee", "k": 3}'}}
    found = turns_of([{"role": "assistant", "tool_calls": [call]}, TALK[3], TALK[4]])
    assert [turn.asking for turn in found] == [Asking("mill of Ann Lee")]


def test_what_is_asked_for_where_little_is_said():
    """Without the call its result is asked with the question, without that with its tool's name; else it stays."""
    result = {"role": "tool", "tool_call_id": "a", "name": "read_file", "content": "text"}
    assert [turn.asking.query for turn in turns_of([result, TALK[4]])] == ["Who built it?"]
    assert [turn.asking.query for turn in turns_of([result])] == ["read file"]
    assert turns_of([{**result, "name": None}]) == []
    older = {"role": "assistant", "function_call": {"name": "read", "arguments": '{"path": "a.py"}'}}
    assert turns_of([older, {"role": "function", "name": "read", "content": "x"}])[0].asking.query == "path: a.py"


def test_settings_say_what_is_compressed():
    """A query takes the question's place; context and some tools' results can be left out."""
    assert [turn.asking.query for turn in turns_of(TALK, query="When?")] == ["When?", "pattern: mill"]
    assert [turn.index for turn in turns_of(TALK, user=False)] == [3]
    assert [turn.index for turn in turns_of(TALK, exclude={"grep"})] == [1]
    assert [turn.index for turn in turns_of(TALK[:4])] == [3]  # the only message of the user is the question


anything = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "text", "type", "id", "function", "name", "arguments"])
            | st.text(max_size=2),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
message = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "tool", "assistant", "function", "system"])},
    optional=dict.fromkeys(("content", "tool_calls", "function_call", "tool_call_id", "name"), anything),
)


@given(st.lists(message, max_size=6), st.none() | st.text(max_size=3))
def test_whatever_a_message_holds(messages: list[dict[str, Any]], query: str | None):
    """Nothing a message holds is an error or is changed; what is compressed comes in order, asked for something."""
    before = repr(messages)
    found = turns_of(messages, query=query)
    assert repr(messages) == before
    places = [turn.index for turn in found]
    assert places == sorted(set(places))
    for turn in found:
        assert turn.asking.query.strip()
        assert messages[turn.index]["role"] in ("user", "tool", "function")
        assert turn.content == messages[turn.index]["content"]


@pytest.mark.parametrize(
    "arguments", ['{"a": ' * 100_000, "[" * 1_000_000, json.dumps({"path": "x " * 1_000_000}), "9" * 5_000]
)
def test_long_conversations_take_linear_time(arguments: str):
    """A thousand results of one call with endless arguments are looked at in a moment."""
    call = {"id": "a", "function": {"name": "write", "arguments": arguments}}
    said = {"role": "assistant", "content": "x " * 1_000_000, "tool_calls": [call] * 1_000}
    began = time.monotonic()
    found = turns_of([said, *[{"role": "tool", "tool_call_id": "a", "content": "done"}] * 1_000])
    assert len(found) == 1_000
    assert time.monotonic() - began < 5.0


def test_the_examples_run():
    """The examples in the docstrings give what they say."""
    assert doctest.testmod(secateurs.adapters.chat).failed == 0
