"""The texts inside a tool result, taken out and put back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from agent_parts import LONG, RAIN

from secateurs.adapters.contents import split_content


@pytest.mark.parametrize(
    "content",
    [
        "",
        " ",
        "plain",
        '"' + RAIN * 3 + '"',
        "[1, 2",
        "{}",
        json.dumps([LONG, {LONG: LONG}]),
        [],
        ["a", {"type": "x"}],
    ],
)
def test_a_content_comes_back_whole(content: Any):
    """Taken apart and put together with its own texts, a content is the same."""
    parts = split_content(content)
    assert parts.rebuild(parts.texts) == content


@pytest.mark.parametrize("value", ['say "deer" \\ now. ' * 9, "鹿は走る。" * 20, "\ud800 " * 50, "a\nb\t" * 40])
def test_json_strings_are_written_as_they_were(value: str):
    """What is cut out of a JSON string is escaped again, and valid UTF-8."""
    for ascii_only in (True, False):
        source = json.dumps({"text": value, value: 1}, ensure_ascii=ascii_only)
        parts = split_content(source)
        assert parts.texts == (value,)
        assert json.loads(str(parts.rebuild([value[:40]])))["text"] == value[:40]
