"""Tool output: what is read, what counts as surviving, the simple ways, and why facts are lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outputs import job, made, record, write

from secateurs import Compressor, TokenBudget
from secateurs.evaluate.records import BadRecordError
from secateurs.evaluate.tool_output.cases import Case, read_cases
from secateurs.evaluate.tool_output.check import folded, form, stands_in
from secateurs.evaluate.tool_output.losses import find_loss
from secateurs.evaluate.tool_output.measure import measure, outcome
from secateurs.evaluate.tool_output.report import Part, summary
from secateurs.evaluate.tool_output.ways import head, peers, tail
from secateurs.result.compression import Compression
from secateurs.result.savings import TokenCounter
from secateurs.result.span import Sentence
from secateurs.segment import units

COUNT = TokenCounter()


@pytest.fixture
def cases(tmp_path: Path) -> list[Case]:
    return read_cases([write(tmp_path / "made.jsonl", made())])


def test_a_record_is_a_case(cases: list[Case]):
    """Its facts are the gold one and all others; what an answer must not name is kept apart."""
    assert [case.id for case in cases] == ["log", "rows", "parts", "page", "text"]
    assert cases[0].facts == ("sluice gate jammed at 40 percent",) and cases[0].decoys == ()
    assert cases[4].facts == ("BERT  Gray", "the miller") and cases[4].decoys == ("Nobody sleeps",)


def test_a_log_with_signals_is_a_case(tmp_path: Path):
    """Its critical signals are its facts: a value with its aliases, a place with its line, an exit code with its."""
    [case] = read_cases([write(tmp_path / "logs.jsonl", [job()])])
    assert (case.id, case.kind, case.set, case.query) == ("job", "pytest", "LogDx", "Why did it fail?")
    assert case.facts == ("wheel_test::turns", "mill/wheel.py:12", "3 tests run: 2 passed, 1 failed", "exit code 7")
    lines = case.text.split("\n")
    for fact, line in zip(case.facts, lines[60:], strict=True):
        assert case.holds(fact, folded(line)) and not case.holds(fact, folded("\n".join(lines[:60])))
    assert not case.holds("exit code 7", folded("exit code 7")), "another line may tell of another exit code"


def test_grep_keeps_lines_that_speak_of_failure(tmp_path: Path):
    """And no others, whatever was asked."""
    [case] = read_cases([write(tmp_path / "logs.jsonl", [job()])])
    left = peers(0)["grep"](case, 500, COUNT).splitlines()
    assert len(left) == 3 and all("fail" in line.lower() or "error" in line for line in left)


def test_files_are_read_together(tmp_path: Path):
    """Compressed or not, the cases of all files come in order; a record without gold has its other facts."""
    rows = made()
    rows[4]["gold"] = None
    first, second = write(tmp_path / "a.jsonl.gz", rows[:2]), write(tmp_path / "b.jsonl", rows[2:])
    found = read_cases([first, second])
    assert [case.id for case in found] == ["log", "rows", "parts", "page", "text"]
    assert found[4].facts == ("the miller",)


GOOD = record("a", "text", "Who?", "Ann", "It was Ann.")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{", "line 1: not JSON"),
        ("[1]\n", "line 1: holds list"),
        (
            {"id": "a"},
            "line 1: has the fields id, expected id, content_type, question, gold, tool_output or id",
        ),
        ({}, "has the fields of nothing"),
        ({**GOOD, "question": " "}, "line 1: the question is blank"),
        ({**GOOD, "question": 7}, "line 1: 'question' is 7, expected a string"),
        ({**GOOD, "tool_output": None}, "line 1: 'tool_output' is None, expected a string"),
        ({**GOOD, "all_of": "Ann"}, "line 1: 'all_of' is 'Ann', expected a list of strings"),
        ({**GOOD, "gold": None}, "line 1: names no fact"),
        ({**GOOD, "gold": "Bert"}, "line 1: the fact 'Bert' does not stand in the output"),
        ({**GOOD, "gold": ""}, "line 1: the fact '' does not stand in the output"),
    ],
)
def test_a_bad_record_says_where_it_is_and_what_was_expected(tmp_path: Path, row: Any, says: str):
    """The message names the file and the line."""
    path = write(tmp_path / "bad.jsonl", [row])
    with pytest.raises(BadRecordError, match=says.replace("[", r"\[")) as error:
        read_cases([path])
    assert str(path) in str(error.value)


def test_an_id_is_there_once(tmp_path: Path):
    """The second record of an id says where the first one is."""
    paths = [write(tmp_path / f"{name}.jsonl", [GOOD]) for name in "ab"]
    with pytest.raises(BadRecordError, match=r"b.jsonl, line 1: the id 'a' was there before, in .*a.jsonl, line 1"):
        read_cases(paths)


def test_a_file_without_records_is_refused(tmp_path: Path):
    """There is nothing to measure in it."""
    with pytest.raises(ValueError, match="no records"):
        read_cases([write(tmp_path / "empty.jsonl", ["\n"])])


@pytest.mark.parametrize(
    ("fact", "text", "stands"),
    [
        ("port 91", "Port\n  91.", True),
        ("PORT 91", "port 91", True),
        ("91", "port 9187", False),
        ("91", "port 191", False),
        ("91", "port 9187 or 91", True),
        ("500 dollars", "25500 dollars", False),
        ("failed login", "failed logins", True),
        ("straße 4", "STRASSE 4", True),
        ("第4条", "见第4条", True),
        (" ", "a b", False),
        ("", "a", False),
    ],
)
def test_what_stands_in_a_text(fact: str, text: str, stands: bool):
    """Letter case and white space do not matter; a number does not stand in a longer one."""
    assert stands_in(fact, folded(text)) is stands


@given(st.text("a1 \n", max_size=30), st.text("a1", min_size=1, max_size=3))
def test_standing_in_a_text_agrees_with_looking_everywhere(text: str, fact: str):
    """Every place is tried, and the neighbours of each are looked at."""
    line = folded(text)

    def alone(at: int) -> bool:
        around = [(line[at - 1 : at], fact[0]), (line[at + len(fact) : at + len(fact) + 1], fact[-1])]
        return not any(outer == "1" and inner == "1" for outer, inner in around)

    places = [at for at in range(len(line)) if line.startswith(fact, at)]
    assert stands_in(fact, line) == any(map(alone, places))


@pytest.mark.parametrize(
    ("text", "is_a"),
    [
        ('{"a": [1, 2]}', "json"),
        (" [1]\n", "json"),
        ('{"a": [1, 2}', None),
        ("7", None),
        ("", None),
        ("[" * 100_000, None),
        ("<p>one<br>two <img src='x'/></p>", "html"),
        ("<!doctype html><script>if (a < b) {}</script>", "html"),
        ("<p>one", None),
        ("<b><i>one</b></i>", None),
        ("one</p>", None),
        ("<p>one</p></p>", None),
        ("< 7", None),
        ("- <b>one</b>", None),
    ],
)
def test_what_a_text_parses_as(text: str, is_a: str | None):
    """JSON is what json.loads takes for an object or an array, HTML what begins with a tag and is balanced."""
    assert form(text) == is_a


def test_every_way_keeps_to_the_tokens_and_to_the_text(cases: list[Case]):
    """No way leaves more tokens than it has; head and tail take what fits, ways by line whole lines in order."""
    for case in cases:
        for most in (1, 12, 40, 100_000):
            left = {name: way(case, most, COUNT) for name, way in peers(0).items()}
            assert all(COUNT(text) <= most for text in left.values())
            assert case.text.startswith(left["head"]) and case.text.endswith(left["tail"])
            lines = case.text.splitlines(keepends=True)
            for name in ("BM25 lines", "grep", "random lines"):
                rest = iter(lines)
                assert all(line in rest for line in left[name].splitlines(keepends=True))
            if most == 100_000:
                assert {text for name, text in left.items() if name != "grep"} == {case.text}
    assert COUNT(head(cases[0], 40, COUNT)) == COUNT(tail(cases[0], 40, COUNT)) == 40


def test_lines_by_bm25_are_those_that_share_words(cases: list[Case]):
    """The one line that speaks of the sluice gate is the first to be kept."""
    pytest.importorskip("bm25s", reason="BM25 needs the extra evaluate")
    assert "sluice" in peers(0)["BM25 lines"](cases[0], 24, COUNT)


def test_random_lines_are_drawn_anew_for_each_seed_and_case(cases: list[Case]):
    """The same seed draws the same lines; another seed, or another case with the same output, others."""
    same, other = peers(1)["random lines"](cases[0], 60, COUNT), peers(2)["random lines"](cases[0], 60, COUNT)
    assert same == peers(1)["random lines"](cases[0], 60, COUNT) != other
    twin = Case("twin", "logs", cases[0].query, cases[0].text, cases[0].facts)
    assert peers(1)["random lines"](twin, 60, COUNT) != same


def test_what_is_left_is_counted(cases: list[Case]):
    """A fact that is gone is lost, a decoy that stays is counted, and what parsed has to parse as the same."""
    text = cases[4]
    whole = outcome(text, text.text, COUNT)
    assert (whole.lost, whole.facts, whole.decoys, whole.parsed, whole.parses) == ((), 2, 1, None, False)
    part = outcome(text, "The miller is late.", COUNT)
    assert (part.lost, part.decoys, part.after) == (("BERT  Gray",), 0, COUNT("The miller is late."))
    parts = cases[2]
    assert outcome(parts, '{"parts": []}', COUNT).parses and not outcome(parts, "", COUNT).parses
    assert not outcome(parts, "<p></p>", COUNT).parses, "it parses, but not as what it was"


def test_the_compressors_results_are_what_is_measured(cases: list[Case], tiny: Compressor):
    """Each outcome is that of a real compression to the budget, and every lost fact is explained once."""
    runs = measure(cases, "tiny", tiny, most=30, seed=0)
    assert [run.way for run in runs] == ["tiny", *peers(0)]
    for case, got in zip(cases, runs[0].outcomes, strict=True):
        result = tiny.compress(case.query, [case.text], policy=TokenBudget(30))[0]
        assert got == outcome(case, result.text, COUNT)
        assert (got.before, got.after) == (result.savings.before, result.savings.after)
    lost = [(case.id, fact) for case, got in zip(cases, runs[0].outcomes, strict=True) for fact in got.lost]
    assert [(loss.case, loss.fact) for loss in runs[0].losses] == lost
    assert runs[0].failed == () and not any(run.losses for run in runs[1:])


def result_of(text: str, scores: list[float], kept: list[int], left: str) -> Compression:
    """Make a result by hand."""
    spans = units(text)
    sentences = tuple(
        Sentence(unit.start, unit.end, text[unit.start : unit.end], score, place in kept)
        for place, (unit, score) in enumerate(zip(spans, scores, strict=True))
    )
    return Compression(left, text, sentences, COUNT.savings(COUNT(text), COUNT(left), exact=True), "compressed")


def loss_of(fact: str, result: Compression, most: int) -> tuple[str, str]:
    case = Case("a", "text", "Who?", result.original, (fact,))
    loss = find_loss(case, fact, result, most, COUNT)
    assert (loss.case, loss.kind, loss.query, loss.fact) == ("a", "text", "Who?", fact)
    return loss.cause, loss.why


TEXT = "It was Ann who came. It rained. Nobody knows why it was so, or for how many days it went on like that."


def test_a_loss_says_why():
    """Outranked, too long for the budget, held by no unit, or kept and yet not in the text."""
    first, second, last = [TEXT[unit.start : unit.end] for unit in units(TEXT)]
    cause, why = loss_of("Ann", result_of(TEXT, [0.2, 0.9, 0.1], [1], second.strip()), 7)
    assert cause == "ranking"
    assert f"number 2 of 3 with a score of 0.2; 1 better ones take {COUNT(second.strip())} of 7 tokens" in why
    assert f"the next (0.2, {len(first)} characters) would make it {COUNT((first + second).strip())}" in why
    cause, why = loss_of("how many days", result_of(TEXT, [0.2, 0.9, 0.1], [1], second.strip()), 8)
    assert cause == "size" and f"take {COUNT(last)} tokens, the budget is 8" in why
    assert loss_of("came. It", result_of(TEXT, [0.2, 0.9, 0.1], [1], second.strip()), 8)[0] == "cut"
    assert loss_of("Ann", result_of(TEXT, [0.9, 0.2, 0.1], [0], "It was"), 8)[0] == "joining"


def test_sums_are_by_kind_and_over_all(cases: list[Case], tiny: Compressor):
    """A case survives when all its facts do; the row of all kinds is the sum of the others."""
    runs = measure(cases, "tiny", tiny, most=30, seed=0)
    part = Part("TOFB", 30, False, cases, runs)
    for run in runs:
        found = part.summaries(run)
        assert list(found) == ["logs", "tabular", "json", "html", "text", "all"]
        everything = found.pop("all")
        assert everything.most == max(one.most for one in found.values())
        for name in set(everything.__slots__) - {"most"}:
            assert getattr(everything, name) == sum(getattr(one, name) for one in found.values()), name
    left = outcome(cases[4], "The miller is late.", COUNT)
    assert (summary([left]).survived, summary([left]).found, summary([left]).facts) == (0, 1, 2)


def test_the_bundled_model_keeps_what_was_asked_for(cases: list[Case], bundled: Compressor):
    """At 48 tokens an output every fact of a plain output survives, and JSON stays JSON."""
    run = measure(cases, "bundled", bundled, most=48, seed=0)[0]
    assert [(loss.case, loss.fact, loss.why) for loss in run.losses if loss.kind in ("logs", "json", "text")] == []
    assert run.outcomes[2].parses and json.loads(cases[2].text)
