"""Everyday records: groups stay together, negatives are what a retriever returns, cuts are the product's."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secateurs import Compressor
from secateurs.train.config import DevConfig, MixConfig, SourceConfig, TrainConfig
from secateurs.train.data import Corpus, Preparer, label_sentences, read_units
from secateurs.train.dev import DevSet, calibration_half, sample
from secateurs.train.measures import DevItem, as_line, calibrate, measure
from secateurs.train.mixing import Mixer, Shares
from secateurs.train.negatives import Negatives
from secateurs.train.pieces import Example, lay_out
from secateurs.train.placement import place
from secateurs.train.records import Record, place_of, read_records
from secateurs.train.start import Start, load_start
from secateurs.windows.packing import Layout, Template, WindowPlan
from secateurs.windows.tokenizer import Tokens

Make = Callable[..., TrainConfig]

PAGES = [
    ("mill", "It rained. The mill was built by Ann Lee. Nobody knows why.", "Who built the mill?"),
    ("mill", "The mill was old. It burned down twice. Ann Lee left.", "Did the mill burn?"),
    ("mill", "Ann Lee left the mill in 1842. The tides are high.", "When did Ann leave?"),
    ("moon", "The Moon is far. The pull of the Moon causes tides. It rained.", "What causes tides?"),
    ("moon", "Nobody was there. The Moon is old. It is not a mill.", "How old is the Moon?"),
    ("水车", "月球的引力造成潮汐。水车建于1842年。没有人知道原因。", "水车建于何年？"),
]


def everyday_records() -> list[dict[str, Any]]:
    """Return three queries for each passage: of its own language, of the other one, and a near miss."""
    records = []
    for number, (source, context, query) in enumerate(PAGES):
        lang = "zh" if "。" in context else "en"
        spans = read_units(context)
        shared = {"context": context, "lang": lang, "source": f"docs/{source}.md", "group": f"g{number}"}
        other = "谁建的水车？" if lang == "en" else "When was the mill built?"
        for kind, text, answered in (("Q", query, True), ("X", other, True), ("N", "Why " + query.lower(), False)):
            records.append(
                {
                    **shared,
                    "id": f"{number}-{kind}",
                    "kind": kind,
                    "query": text,
                    "query_lang": lang if kind != "X" else ("zh" if lang == "en" else "en"),
                    "evidence": [list(spans[1])] if answered else [],
                    "why": "it says so",
                }
            )
    return records


@pytest.fixture
def everyday(make_config: Make, tmp_path: Path) -> TrainConfig:
    """A config whose data are everyday records."""
    lines = [json.dumps(record, ensure_ascii=False) for record in everyday_records()]
    (tmp_path / "everyday.jsonl").write_text("\n".join(lines), encoding="utf-8")
    source = SourceConfig("everyday.jsonl", spans=False)
    return replace(make_config(), sources=(source,), data=str(tmp_path))


def prepare(config: TrainConfig) -> tuple[Start, Corpus]:
    start = load_start(config.start)
    return start, Preparer(start.tokenizer, start.pipeline).run(config.sources, Path(config.data))


def mixed(config: TrainConfig, **mix: float) -> tuple[Corpus, list[Example]]:
    """Return 400 examples of a config with other shares."""
    config = replace(config, mix=replace(config.mix, **mix))
    start, corpus = prepare(config)
    mixer = Mixer(corpus, config, start.layout.template, start.layout.max_length)
    rng = np.random.default_rng(0)
    return corpus, [mixer.example(rng) for _ in range(400)]


def test_everyday_fields_are_read(everyday: TrainConfig) -> None:
    """Kind, group and both languages are kept; the source is the article, the evidence what no negative may hold."""
    first, other, miss = list(read_records(Path(everyday.data) / "everyday.jsonl"))[:3]
    assert (first.kind, first.group, first.lang, first.query_lang) == ("Q", "g0", "en", "en")
    assert (other.kind, other.query_lang) == ("X", "zh")
    assert first.title == "docs/mill.md"
    assert first.answers == ("the mill was built by ann lee.",)
    assert miss.kind == "N" and not miss.evidence and not miss.answers


def test_without_a_group_the_records_of_one_text_are_one(data_folder: Path) -> None:
    """Two queries about one text are never parted, whoever labelled them."""
    groups = [record.group for record in read_records(data_folder / "train.jsonl")]
    contexts = [record.context for record in read_records(data_folder / "train.jsonl")]
    assert len(set(groups)) == len(set(contexts))


@given(st.floats(0.05, 1.0), st.floats(0.05, 1.0))
def test_a_smaller_fraction_is_part_of_a_larger_one(one: float, two: float) -> None:
    """Whole groups are taken, about as many as asked for, and the same ones each time."""
    low, high = sorted((one, two))
    groups = [f"group-{number}" for number in range(2000)]
    small, large = ({group for group in groups if place_of(group) < share} for share in (low, high))
    assert small <= large
    assert len(large) / 2000 == pytest.approx(high, abs=0.05)


def test_a_fraction_takes_whole_groups(everyday: TrainConfig) -> None:
    """All records of a group are there, or none."""
    path = Path(everyday.data) / "everyday.jsonl"
    found = [record.group for record in read_records(path, fraction=0.5)]
    assert 0 < len(set(found)) < len(PAGES)
    assert all(found.count(group) == 3 for group in found)


MARKED = "# Oil\n\n- Drain it.\n\n```sh\nrm x\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"


def test_what_is_frame_alone_is_not_read(everyday: TrainConfig, tmp_path: Path) -> None:
    """Tokens and labels are of the units that the compressor scores; marks have neither."""
    record = {"query": "oil?", "context": MARKED, "evidence": [[9, 18]]}
    (tmp_path / "marked.jsonl").write_text(json.dumps(record), encoding="utf-8")
    start, corpus = prepare(replace(everyday, sources=(SourceConfig("marked.jsonl"),)))
    spans = read_units(MARKED)
    read = [MARKED[a:b] for a, b in spans]
    assert "".join(read) == MARKED.replace("|---|---|\n", "")
    assert np.diff(corpus.documents[0].starts).tolist() == start.tokenizer.encode(read).lengths.tolist()
    assert corpus.items[0].labels.tolist() == label_sentences(spans, [(9, 18)]).tolist()


def test_a_text_of_nothing_but_frame_is_left_out(everyday: TrainConfig, tmp_path: Path) -> None:
    """A document without a unit to score teaches nothing, and stops nothing."""
    lines = [{"query": "a?", "context": "---", "evidence": []}, {"query": "b?", "context": "Yes.", "evidence": []}]
    (tmp_path / "thin.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    if read_units("---"):
        pytest.skip("a lone rule is a unit to score here")
    _, corpus = prepare(replace(everyday, sources=(SourceConfig("thin.jsonl"),)))
    assert [item.record.query for item in corpus.items] == ["b?"]


def test_dev_scores_of_marked_text_are_the_compressors(
    everyday: TrainConfig, tmp_path: Path, tiny: Compressor
) -> None:
    """What is frame alone is left out of the measure; all else has the compressor's score."""
    record = {"query": "oil?", "context": MARKED, "evidence": [[9, 18]], "group": "g", "kind": "Q"}
    (tmp_path / "dev.jsonl").write_text(json.dumps(record), encoding="utf-8")
    config = DevConfig(files=("dev.jsonl",))
    start = load_start(everyday.start)
    (scores,) = DevSet(config, tmp_path, start, 8).score(start.model, place(everyday.run))
    spans = read_units(MARKED)
    result = tiny.compress_pairs([("oil?", MARKED)])[0]
    expected = [sentence.score for sentence in result.sentences if (sentence.start, sentence.end) in spans]
    assert scores == pytest.approx(expected, abs=1e-5)


@given(st.floats(0.5, 4.0), st.floats(0.0, 0.4), st.floats(0.3, 1.0))
def test_the_ratio_is_what_comes_out(ratio: float, without: float, answered: float) -> None:
    """Of a source's windows one in (1 + ratio) holds an answer, or as many as its records have."""
    shares = Shares.of(MixConfig(ratio=ratio, without_evidence=without), answered)
    right = answered * (1 - shares.negative - shares.without_evidence)
    assert right == pytest.approx(min(1 / (1 + ratio), answered * (1 - without)), abs=1e-9)
    assert 0 <= shares.joined <= 1 - shares.negative


def test_a_ratio_of_two_makes_two_windows_without_an_answer_to_one(everyday: TrainConfig) -> None:
    """Near misses are counted in, and the mixer draws what the shares say."""
    _, examples = mixed(everyday, ratio=2.0, joined=0.5)
    answered = np.mean([(example.document.labels == 1).any() for example in examples])
    assert answered == pytest.approx(1 / 3, abs=0.07)


def test_a_near_miss_is_never_shown_other_passages(everyday: TrainConfig) -> None:
    """A query without an answer in its passage may well have one in the next: it is shown its own passage alone."""
    corpus, examples = mixed(everyday, ratio=3.0, joined=1.0)
    misses = [item for item in corpus.items if not (item.labels == 1).any()]
    for example in examples:
        for item in misses:
            if np.array_equal(example.query, item.query):
                own = corpus.documents[item.document].ids.tolist()
                text = example.document.ids.tolist()
                assert text in [own[at : at + len(text)] for at in range(len(own))]


def test_passages_of_one_source_weigh_less(everyday: TrainConfig) -> None:
    """Sentences of a negative of the same source have its weight, all others 1."""
    _, examples = mixed(everyday, negative=1.0, same_title=1.0, hard=0.0, same_weight=0.25)
    found = {float(weight) for example in examples for weight in example.document.weights}
    assert found == {0.25, 1.0}  # the one Chinese passage has no other of its source
    _, examples = mixed(everyday, negative=0.0, joined=0.0, same_weight=0.25)
    assert {float(weight) for example in examples for weight in example.document.weights} == {1.0}


def test_negatives_come_in_both_languages_of_a_query(everyday: TrainConfig) -> None:
    """For a query in another language than its document, passages of either language are offered."""
    _, corpus = prepare(everyday)
    negatives = Negatives(corpus, MixConfig(same_title=0.0, hard=0.5))
    rng = np.random.default_rng(0)
    lang = {item.document: item.record.lang for item in corpus.items}
    for index, item in enumerate(corpus.items):
        drawn = [negatives.draw(index, rng) for _ in range(60)]
        found = {lang[one.document] for one in drawn if one is not None}
        expected = {"en", "zh"} if item.record.kind == "X" else {item.record.lang}
        assert found <= expected
        assert item.document not in {one.document for one in drawn if one is not None}
        if item.record.kind == "X" and item.record.lang == "en":
            assert found == expected


def test_a_passage_that_holds_the_evidence_is_no_negative(everyday: TrainConfig, tmp_path: Path) -> None:
    """Chunks of a document overlap: one with the sentence that answers is never offered."""
    records = everyday_records()
    copy = {**records[4], "id": "copy", "context": "Look: " + PAGES[0][1], "group": "g9", "evidence": [], "kind": "N"}
    lines = [json.dumps(record, ensure_ascii=False) for record in [*records, copy]]
    (tmp_path / "overlap.jsonl").write_text("\n".join(lines), encoding="utf-8")
    _, corpus = prepare(replace(everyday, sources=(SourceConfig("overlap.jsonl"),)))
    twin = corpus.items[-1].document
    negatives = Negatives(corpus, MixConfig(same_title=0.5, hard=0.5))
    rng = np.random.default_rng(0)
    drawn = [negatives.draw(0, rng) for _ in range(200)]
    assert all(one is not None and one.document != twin for one in drawn)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=15), st.integers(20, 60), st.data())
def test_whole_windows_are_those_of_use(lengths: list[int], room: int, data: st.DataObject) -> None:
    """From its beginning a document falls into the windows that the layout makes, where no sentence is too long."""
    lengths = [min(length, room // 2) for length in lengths]
    anchor = data.draw(st.integers(0, len(lengths) - 1))
    starts = np.cumsum([0, *lengths])
    run = lay_out(starts, anchor, room)
    assert run.first <= anchor < run.last
    if lengths[anchor]:
        ids = np.arange(starts[-1], dtype=np.int32)
        tokens = Tokens(ids, np.array(lengths, dtype=np.int64))
        plan = Layout(Template((), (), ()), room).plan(np.zeros(0, np.int32), tokens)
        (window,) = [window for window in plan.windows if starts[anchor] in window.ids]
        assert (window.ids[0], window.ids[-1] + 1) == (starts[run.first], starts[run.last])


def test_with_whole_windows_a_passage_stands_there_as_in_use(everyday: TrainConfig) -> None:
    """Every window is one of those that its document falls into behind that query."""
    corpus, examples = mixed(everyday, whole=1.0, negative=0.0, joined=0.0)
    for example in examples:
        room = 64 - 4 - len(example.query)
        possible = []
        for document in corpus.documents:
            for anchor in range(len(document.starts) - 1):
                run = lay_out(document.starts, anchor, room)
                possible.append(document.ids[document.starts[run.first] : document.starts[run.last]][:room].tolist())
        assert example.document.ids.tolist() in possible


@settings(deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=40))
def test_no_group_is_in_both_halves(numbers: list[int]) -> None:
    """Everyday records are halved by group; of others every second one calibrates."""
    records = [Record(str(at), "q", "c", (), kind="Q", group=f"g{number}") for at, number in enumerate(numbers)]
    some = sample(records, 30)
    halves = calibration_half(records, some)
    sides: dict[str, set[bool]] = {}
    for record, half in zip(some, halves, strict=True):
        sides.setdefault(record.group, set()).add(half)
    assert all(len(side) == 1 for side in sides.values())
    groups = {record.group for record in records}
    even = calibration_half(records, records)
    assert abs(len({r.group for r, half in zip(records, even, strict=True) if half}) * 2 - len(groups)) <= 1
    plain = [replace(record, kind="") for record in some]
    assert calibration_half(plain, plain) == [at % 2 == 0 for at in range(len(plain))]


def dev_item(labels: list[int], file: int = 0, *, calibrates: bool = True) -> DevItem:
    right = np.array(labels, dtype=np.bool_)
    spans = tuple(np.array([place]) for place in np.flatnonzero(right))
    none = np.zeros(0, dtype=np.int64)
    return DevItem(file, WindowPlan((), none, none, ()), right, spans, np.ones(len(labels), np.int64), calibrates)


def test_units_are_pooled_over_the_files_that_calibrate() -> None:
    """The threshold is the highest that keeps the share of all right units of those files together."""
    items = [dev_item([1, 1, 1, 0]), dev_item([1, 0], 1), dev_item([1], 2)]
    scores = [np.array([0.9, 0.8, 0.7, 0.95]), np.array([0.3, 0.2]), np.array([0.1])]
    config = DevConfig(files=("a", "b", "c"), calibrate=("a", "b"), count="units", evidence=0.75)
    assert calibrate(config, items, scores) == pytest.approx(0.7)
    assert calibrate(replace(config, evidence=1.0), items, scores) == pytest.approx(0.3)
    assert calibrate(replace(config, calibrate=(), evidence=1.0), items, scores) == pytest.approx(0.1)
    halved = [items[0], replace(items[1], calibrates=False), items[2]]
    assert calibrate(replace(config, evidence=1.0), halved, scores, half=True) == pytest.approx(0.7)


def test_order_and_near_misses_are_measured() -> None:
    """AP is of the records with right and wrong units; what is kept without an answer is told where there is none."""
    items = [dev_item([1, 0, 1]), dev_item([0, 0]), dev_item([1, 1])]
    scores = [np.array([0.9, 0.8, 0.7]), np.array([0.75, 0.1]), np.array([0.9, 0.9])]
    result = measure(DevConfig(files=("a",), evidence=1.0), items, scores)
    assert result.ap == pytest.approx((1 + 2 / 3) / 2)
    assert result.top1 == 1.0
    assert result.evidence_threshold == pytest.approx(0.7)
    assert result.files[0].kept_empty == pytest.approx(0.5)
    assert as_line(result)["files"]["a"]["kept_empty"] == 0.5
    assert measure(DevConfig(files=("a",)), items[:1], scores[:1]).files[0].kept_empty is None
