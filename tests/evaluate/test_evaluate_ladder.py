"""The ladder says at every threshold what `Compressor` does there."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secateurs import Compressor, Threshold
from secateurs.evaluate.figures import figures, table
from secateurs.evaluate.ladder import MOST, Cut, Outcome, Scored, build, covers, unit_labels
from secateurs.evaluate.records import Record
from secateurs.evaluate.systems import CheckpointSystem, parts_of
from secateurs.pipeline.cache import ScoreCache
from secateurs.result.compression import Compression
from secateurs.result.join import Parts
from secateurs.result.savings import TokenCounter
from secateurs.result.span import Sentence, Span, merge_spans
from secateurs.segment import Unit

TEXT = (
    "The mill was built in 1842 by Ann Lee. It burned down twice. Nobody knows why. 水车建于1842年。没有人知道原因。"
)

# kinds of documents in which a unit brings others along: headings, items, a table's header, brackets, tags, speakers
FRAMED = {
    "markdown": "# Mills\n\n- By Ann Lee\n  - in 1842\n  - of oak\n- Burned twice\n\n## Tides\n\nThe Moon pulls.\n",
    "table": "| mill | year |\n|---|---|\n| north | 1842 |\n| south | 1851 |\n| west | 1860 |\n",
    "rule": "The mill was built in 1842.\n\n---\n\nIt burned down twice.\n\n---\n\nNobody knows why.\n",
    "json": '{"mill": {"built": 1842, "by": "Ann Lee"}, "burned": ["once", "twice"], "why": null}',
    "csv": "mill,year\nnorth,1842\nsouth,1851\nwest,1860\n",
    "html": "<html><body><h1>Mills</h1><p>Built in 1842. It burned.</p><p>Nobody knows.</p></body></html>",
    "turns": "Ann: The mill was built in 1842. It burned.\nBob: Who built the mill?\nAnn: Nobody knows.\n",
}


def record(text: str = TEXT, evidence=((4, 8), (30, 45)), query: str = "Who built the mill?") -> Record:
    return Record("a", "en", query, text, tuple(Span(*pair) for pair in evidence))


tilings = st.lists(st.integers(1, 9), min_size=1, max_size=10).map(lambda sizes: np.cumsum(sizes).astype(np.int64))


@st.composite
def tiled_evidence(draw):
    ends = draw(tilings)
    cuts = sorted(draw(st.sets(st.integers(0, int(ends[-1])), max_size=8)))
    return ends, [(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]


@given(tiled_evidence())
def test_a_unit_is_positive_iff_it_overlaps_evidence(case):
    """Labels agree with the label rule, character by character."""
    ends, evidence = case
    marked = {place for start, end in evidence for place in range(start, end)}
    starts = [0, *ends[:-1]]
    naive = [any(place in marked for place in range(a, b)) for a, b in zip(starts, ends, strict=True)]
    assert unit_labels(ends, evidence).tolist() == naive


@given(tiled_evidence(), st.data())
def test_evidence_survives_whole_iff_it_lies_in_one_merged_kept_span(case, data):
    """Whole means: fully inside the merged kept spans."""
    ends, evidence = case
    flags = data.draw(st.lists(st.booleans(), min_size=len(ends), max_size=len(ends)))
    starts = [0, *ends[:-1]]
    kept = merge_spans((int(a), int(b)) for a, b, flag in zip(starts, ends, flags, strict=True) if flag)
    for (first, last), (start, end) in zip(covers(ends, evidence), evidence, strict=True):
        inside = any(a <= start and end <= b for a, b in kept)
        assert all(flags[first : last + 1]) == inside


def check_rungs(compressor: Compressor, item: Record) -> None:
    """Compare a ladder with real compressions at every threshold."""
    compressor = compressor.counting(compressor.encoding)
    compressor.cache = ScoreCache()  # one forward pass for all thresholds
    scored = CheckpointSystem("tiny", compressor).score([item])[0]
    ladder = build(item, scored, TokenCounter())
    for threshold in sorted({0.0, 1.0, *scored.scores.tolist(), *(scored.scores + 1e-9).tolist()}):
        result = compressor.compress(item.query, [item.context], policy=Threshold(min(threshold, 1.0)))[0]
        outcome = ladder.at(threshold)
        assert ladder.tokens == result.savings.before
        assert outcome.tokens == result.savings.after
        assert outcome.characters == len(result.text)
        check_units(item, outcome, result, scored.parts, threshold)


def check_units(item: Record, outcome: Outcome, result: Compression, parts: Parts, threshold: float) -> None:
    """Compare what is counted of units and of evidence with the units of a real compression."""

    def overlaps(one: Sentence) -> bool:
        return any(one.start < end and start < one.end for start, end in item.evidence)

    readable = [one for one, unit in zip(result.sentences, parts.units, strict=True) if not unit.pure]
    right = [one for one in readable if one.kept and overlaps(one)]
    everything = result.reason == "no_gain"  # then units come back that nobody chose, and nobody needed
    chosen = [one for one in readable if everything or one.score >= threshold]
    assert outcome.right == len(right)
    assert outcome.kept == len({*chosen, *right})
    whole = 0
    for start, end in item.evidence:
        touched = [one for one in result.sentences if one.start < end and start < one.end]
        meant = [one for one in touched if one in readable] or touched  # in pure frame alone: all of that
        whole += all(one.kept for one in meant)
    assert outcome.evidence == whole


def test_every_rung_is_what_the_compressor_does(tiny: Compressor):
    """At every threshold: the units, tokens, characters and evidence of a real compression."""
    item = record()
    check_rungs(tiny, item)
    scored = CheckpointSystem("tiny", tiny).score([item])[0]
    ladder = build(item, scored, TokenCounter())
    for threshold in scored.scores.tolist():
        result = tiny.compress(item.query, [item.context], policy=Threshold(threshold))[0]
        assert ladder.at(threshold).kept == len(result.kept)
        whole = [span for span in item.evidence if any(a <= span[0] and span[1] <= b for a, b in result.spans)]
        assert ladder.at(threshold).evidence == len(whole)
    default = tiny.compress(item.query, [item.context])[0]
    assert ladder.default is not None and ladder.default.tokens == default.savings.after


@pytest.mark.parametrize("kind", FRAMED)
def test_frames_count_as_text_at_every_rung(tiny: Compressor, kind: str):
    """Where units bring others along, tokens, characters and evidence are still those of a real compression."""
    text = FRAMED[kind]
    place = text.index("184")
    for evidence in ([(place, place + 3)], [(2, 5), (place, len(text.rstrip()))], []):
        check_rungs(tiny, record(text, evidence))


def test_frame_is_no_mistake_and_evidence_in_it_is_found():
    """A heading that comes along was not chosen: it costs text, no precision; evidence in it is found."""
    text = "# Mills of the north\n\nBuilt in 1842.\n\nIt burned down twice.\n"
    parts, scores = parts_of(text), np.array([0.1, 0.9, 0.2])
    assert [unit.kind for unit in parts.units] == ["heading", "prose", "prose"]
    place = text.index("Built")
    body = build(record(text, [(place, place + 5)]), Scored(parts, scores), len).at(0.5)
    assert (body.kept, body.right, body.characters) == (1, 1, len("# Mills of the north\n\nBuilt in 1842."))
    heading = build(record(text, [(2, 7)]), Scored(parts, scores), len).at(0.5)
    assert (heading.kept, heading.right, heading.evidence) == (2, 1, 1)


def test_evidence_in_pure_frame_alone_is_neither_found_nor_missed():
    """A record whose evidence touches nothing that can be chosen has no F1, and is no document without an answer."""
    text = "Ann: Built in 1842.\nIt burned down twice.\n"
    parts = Parts(text, (Unit(0, 5, "mark"), Unit(5, 20, frame=(0,)), Unit(20, len(text))))
    ladder = build(record(text, [(0, 3)]), Scored(parts, np.array([0.9, 0.1])), len)
    assert ladder.positives == 0 and ladder.at(0.5).evidence == 1 and ladder.at(0.95).evidence == 0
    got = figures(table([ladder], [ladder.at(0.5)]).sum(axis=0).tolist())
    assert got.f1 is got.average_precision is got.false_keep is None


def test_what_another_system_wrote_brings_nothing_along():
    """Where a system returns a text of its own, its units and tokens count as they are."""
    text = FRAMED["markdown"]
    parts = parts_of(text)
    flags = np.zeros(sum(not unit.pure for unit in parts.units), dtype=np.bool_)
    flags[2] = True
    outcome = build(record(text, ()), Scored(parts, np.zeros(len(flags)), cuts=(Cut(0.5, flags, 7),)), len).at(0.5)
    assert (outcome.kept, outcome.tokens, outcome.characters) == (1, 7, len("  - in 1842\n"))


def test_a_long_document_is_counted_at_so_many_thresholds():
    """Beyond `MOST` distinct scores the rungs are spread evenly; first and last are exact, each is a real outcome."""
    count = 2 * MOST + 1
    scores = np.random.default_rng(0).permutation(count) / count
    parts = Parts("ab " * count, tuple(Unit(3 * place, 3 * place + 3) for place in range(count)))
    ladder = build(record("ab " * count, ()), Scored(parts, scores), len)
    assert len(ladder.levels) == MOST
    assert ladder.at(1.0).kept == 0 and ladder.at(0.0).kept == count
    assert [ladder.at(level).kept for level in ladder.levels] == [(scores >= level).sum() for level in ladder.levels]


def test_a_kept_set_is_counted_once():
    """Thresholds that leave the same text, since what they choose is frame of what is kept, cost one count."""
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return len(text)

    text = FRAMED["markdown"]
    parts = parts_of(text)
    build(record(text, ()), Scored(parts, np.array([0.2, 0.3, 0.9, 0.1, 0.0, 0.0, 0.0])), count)
    assert len(counted) == len(set(counted)) and len(counted) >= 3


def test_a_cut_that_saves_nothing_is_not_made():
    """A document that cutting would not shorten comes back whole, as from the compressor."""
    item = record("abc def", [(0, 3)])
    scored = Scored(Parts("abc def", (Unit(0, 4), Unit(4, 7))), np.array([0.1, 0.9]))
    ladder = build(item, scored, lambda text: 1)
    assert ladder.at(0.5) == ladder.at(0.0) == (2, 1, 7, 1, 1)
    assert ladder.at(0.95) == (0, 0, 0, 1, 0)


@pytest.mark.parametrize("text", ["", " \n "])
def test_a_blank_document_is_never_cut(text: str):
    """A blank document comes back whole at every threshold."""
    scored = Scored(parts_of(text), np.zeros(len(text[:1])))
    ladder = build(record(text, ()), scored, len)
    assert ladder.at(1.0) == ladder.at(0.0)
    assert ladder.at(0.7).characters == len(text)


def test_a_failed_document_counts_as_kept_whole():
    """What could not be scored comes back whole, at the default, too."""
    scored = Scored(Parts(TEXT, (Unit(0, len(TEXT)),)), np.zeros(1), failed=True)
    ladder = build(record(), scored, len)
    assert ladder.failed and ladder.at(0.9).characters == len(TEXT) and ladder.at(0.9).evidence == 2


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_a_higher_threshold_never_keeps_more(scores):
    """Characters and evidence kept never rise with the threshold, where every cut saves."""
    text = "x" * len(scores)
    item = record(text, [(0, len(scores))])
    parts = Parts(text, tuple(Unit(place, place + 1) for place in range(len(scores))))
    ladder = build(item, Scored(parts, np.array(scores)), len)
    outcomes = [ladder.at(step / 20) for step in range(21)]
    for low, high in pairwise(outcomes):
        assert high.characters <= low.characters and high.evidence <= low.evidence
