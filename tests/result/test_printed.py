"""What is printed of a result and of a report: one line a person wants, whatever the documents hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs import Compression, Compressor, Report, Savings, Sentence, Threshold
from secateurs.adapters.report import report_to_dict

TEXT = "Ann Lee built it. It rained. Nobody knows why."


def result(text: str = TEXT, status: str = "compressed", reason: str | None = None) -> Compression:
    """Return a result that keeps the first of three units."""
    sentences = tuple(Sentence(9 * n, 9 * n + 9, text[9 * n : 9 * n + 9], 0.5, n == 0) for n in range(3))
    return Compression(text[:9], text, sentences, Savings(146, 72), status, reason)


def test_a_result_is_one_line():
    """Printed, a result says how many units it kept and what that saves; its repr how it came out and begins."""
    assert str(result()) == "1 of 3 units kept, 146 → 72 tokens (51 %)"
    assert repr(result()) == "<Compression compressed: 1 of 3 units kept, 146 → 72 tokens (51 %), 'Ann Lee b'>"
    failed = result(status="error", reason="error: ValueError: two\nlines")
    assert str(failed) == "returned whole, error: ValueError: two\\nlines"
    assert str([result()]) == f"[{result()!r}]"


def test_a_report_is_one_line():
    """Printed, a report says the same of all its documents, how many were left out, and what failed."""
    report = Report("Who?", (result(), result()), Savings(292, 144), ("a", None))
    assert str(report) == "2 documents: 2 of 6 units kept, 292 → 144 tokens (51 %), 2 left out"
    assert repr(report) == f"<Report of 'Who?': {report}>"
    one = replace(report, compressions=(result(status="error", reason="error: no"),), dropped_ids=())
    assert str(one) == "1 document: 1 of 3 units kept, 292 → 144 tokens (51 %), 1 failed"
    assert str(Report("Who?", (), Savings(0, 0), error="TimeoutError: 2 s")) == "not compressed, TimeoutError: 2 s"
    assert report_to_dict(report)["dropped_ids"] == ["a", None]


@given(st.text(), st.text(max_size=3000), st.sampled_from(["compressed", "unchanged", "dropped", "error"]))
def test_no_document_drives_a_line(text: str, reason: str, status: str):
    """Whatever a document, a query or an error says, what is printed is one printable line of bounded length."""
    one = result(text.ljust(27), status, reason)
    for thing in (one, Report(text, (one,), Savings(9, 3)), Report(text, (), Savings(0, 0), error=reason)):
        for shown in (str(thing), repr(thing)):
            assert shown.isprintable()
            assert len(shown) < 700


def test_ten_lines_are_printed_as_one(tiny: Compressor):
    """A long document's result does not print its text and every score."""
    (found,) = tiny.compress("Who?", ["It rained all day, and nobody knows why. " * 300], policy=Threshold(0.0))
    assert len(repr(found)) < 200


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (5876, 23, "99.6%"), (9, 0, "100%"), (9, 9, "0%"), (100_000, 99_999, "<0.1%"), (0, 0, "0%"),
        (200, 1, "99.5%"), (100_000, 1, "99.9%"), (1000, 995, "0.5%"), (146, 71, "51%"), (100, 1, "99.0%"),
    ],
)  # fmt: skip
def test_all_and_nothing_are_not_rounded_to(before: int, after: int, shown: str):
    """100% is said where all tokens went, 0% where none did, and nowhere else: the page's own rule."""
    assert Savings(before, after).percent == shown


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_percentage_is_honest(one: int, other: int):
    """No figure rounds to all or to nothing, and every other one is within half a percent."""
    savings = Savings(max(one, other), min(one, other))
    assert (savings.percent == "100%") is (savings.after == 0 < savings.before)
    assert (savings.percent == "0%") is (savings.saved == 0)
    if savings.percent[0] != "<":
        assert abs(float(savings.percent[:-1]) - 100 * savings.saved_fraction) <= 0.5 + 1e-9
