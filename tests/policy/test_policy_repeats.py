"""Lines that repeat: kept once, and counted where an elision mark may stand."""

from __future__ import annotations

import json

import pytest

from secateurs import Compressor, Threshold, TokenBudget, ToolOutput

WAIT = [f"06:00:{second:02d} INFO waiting for the sluice\n" for second in range(60)]
STOP = "06:01:00 ERROR sluice gate jammed at 40 percent\n"
START = "06:00:00 INFO mill starts\n"
LOG = "".join([START, *WAIT, STOP, "06:01:01 INFO mill stops\n"])


def test_a_line_that_repeats_is_kept_once(tiny: Compressor):
    """Time stamps aside the lines are the same: the first stays, and how many there were stands in the mark."""
    policy = ToolOutput(policy=Threshold(0.0))
    text = tiny.compress("sluice", [LOG], policy=policy)[0].text
    assert text == START + WAIT[0] + STOP + "06:01:01 INFO mill stops\n"
    marked = tiny.compress("sluice", [LOG], policy=policy, elision="[…]")[0]
    assert marked.text == START + WAIT[0] + "× 60\n" + STOP + "06:01:01 INFO mill stops\n"
    assert marked.savings.after > tiny.compress("sluice", [LOG], policy=policy)[0].savings.after


def test_other_lines_are_an_elision(tiny: Compressor):
    """Where anything else was cut as well the mark is the one that was asked for; prose and rows are not counted."""
    other = LOG.replace(WAIT[30], "06:00:30 INFO a boat came\n")
    policy = lambda sentences, count: [index in (0, 1, len(sentences) - 1) for index in range(len(sentences))]  # noqa: E731 - a policy in a line
    assert "× " not in tiny.compress("sluice", [other], policy=policy, elision="[…]")[0].text
    assert "× 60" in tiny.compress("sluice", [LOG.replace(STOP, "")], policy=policy, elision="[…]")[0].text
    prose = "It rained on day 1. It rained on day 2. It rained on day 3. It rained on day 4. The sun came out."
    assert "× " not in tiny.compress("sluice", [prose], policy=policy, elision="[…]")[0].text


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([{"id": n} for n in range(90)]),
        "a,b\n" + "1,2\n" * 90,
        "who,where,what,when\n" + "Ann,Leeds,mill,Monday\n" * 90,
    ],
)
def test_data_is_no_output(tiny: Compressor, text: str):
    """Rows and elements that repeat are data: all of them stay, and no mark stands among them."""
    result = tiny.compress("a", [text], policy=ToolOutput(policy=Threshold(0.0)), elision="[…]")[0]
    assert (result.text, result.status) == (text, "unchanged")
    few = tiny.compress("a", [text], policy=TokenBudget(60), elision="[…]")[0]
    assert "×" not in few.text
