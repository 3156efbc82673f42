"""Labels, mixing and losses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tokenizers
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import TEXTS, tiny_tokenizer

from secateurs.segment import segment
from secateurs.train.config import ConfigError, TrainConfig
from secateurs.train.data import Corpus, Preparer, label_sentences
from secateurs.train.losses import Learner, collate, order_loss
from secateurs.train.measures import evidence_threshold
from secateurs.train.mixing import Mixer
from secateurs.train.pieces import grow
from secateurs.train.records import MASKED, read_records
from secateurs.train.start import Start, load_start
from secateurs.train.vocabulary import trim

Make = Callable[..., TrainConfig]


def prepare(config: TrainConfig) -> tuple[Start, Corpus]:
    """Load the start and the corpus of a config."""
    start = load_start(config.start)
    return start, Preparer(start.tokenizer, start.pipeline).run(config.sources, Path(config.data))


def mixed(config: TrainConfig, **mix: float) -> Mixer:
    """Make a mixer with other shares."""
    config = replace(config, mix=replace(config.mix, **mix))
    start, corpus = prepare(config)
    return Mixer(corpus, config, start.layout.template, start.layout.max_length)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 10)), max_size=4))
def test_a_sentence_is_positive_iff_it_overlaps_evidence(spans: list[tuple[int, int]]) -> None:
    """The label rule, against its definition character by character."""
    evidence = [(start, start + length) for start, length in spans]
    sentences = [(0, 7), (7, 8), (8, 30), (30, 50)]
    marked = {place for start, end in evidence for place in range(start, end)}
    expected = [int(any(place in marked for place in range(start, end))) for start, end in sentences]
    assert label_sentences(sentences, evidence).tolist() == expected


def test_tokens_are_those_of_the_compressor(make_config: Make) -> None:
    """Each sentence is tokenized as in use, and its label is the rule's."""
    config = make_config()
    start, corpus = prepare(config)
    records = list(read_records(Path(config.data) / "train.jsonl"))
    for item, record in zip(corpus.items, records, strict=True):
        spans = segment(record.context)
        tokens = start.tokenizer.encode([record.context[a:b] for a, b in spans])
        document = corpus.documents[item.document]
        assert document.ids.tolist() == tokens.ids.tolist()
        assert np.diff(document.starts).tolist() == tokens.lengths.tolist()
        assert item.labels.tolist() == label_sentences(spans, record.evidence).tolist()


def test_an_annotators_sentences_and_labels_are_kept(tmp_path: Path, make_config: Make) -> None:
    """`null` is masked, and the record's own sentences are used."""
    record = {"query": "who?", "context": "Ann did. Bob did not. Who knows.", "evidence": [[0, 9]]}
    record |= {"sentences": [[0, 9], [9, 22], [22, 32]], "labels": [1, None, 0]}
    (tmp_path / "own.jsonl").write_text(json.dumps(record), encoding="utf-8")
    config = make_config()
    source = replace(config.sources[0], path="own.jsonl")
    _, corpus = prepare(replace(config, sources=(source,), data=str(tmp_path)))
    assert corpus.items[0].labels.tolist() == [1, MASKED, 0]


@pytest.mark.parametrize("line", ["[]", "{", '{"query": "q"}', '{"query": "q", "context": "c", "evidence": [1]}'])
def test_a_bad_record_is_named_by_file_and_line(tmp_path: Path, line: str) -> None:
    """The error says where the record is and what was expected."""
    path = tmp_path / "bad.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"line 1.*expected"):
        list(read_records(path))


def test_ambiguous_records_are_left_out(tmp_path: Path) -> None:
    """Labels that may be wrong teach nothing."""
    path = tmp_path / "some.jsonl"
    lines = [{"query": "q", "context": "c", "evidence": [], "ambiguous": flag} for flag in (True, False)]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert len(list(read_records(path))) == 1


def test_mixing_is_decided_by_the_seed(make_config: Make) -> None:
    """The same seed and pool give the same batches; another pool gives others."""
    config = make_config()
    shares = {"negative": 0.2, "joined": 0.4, "without_evidence": 0.1, "keywords": 0.5}

    def ids(pool: int) -> list[list[list[int]]]:
        mixer = mixed(config, **shares)
        return [[example.document.ids.tolist() for example in batch] for batch in mixer.pool(pool)]

    assert ids(3) == ids(3)
    assert ids(3) != ids(4)


def test_every_window_fits_and_its_labels_lie_on_its_tokens(make_config: Make) -> None:
    """No window passes max_length, no batch its budget, and lengths count the tokens."""
    config = make_config()
    mixer = mixed(config, joined=0.6, negative=0.2, shortest=8)
    for number in range(20):
        for batch in mixer.pool(number):
            sizes = [4 + len(example.query) + len(example.document.ids) for example in batch]
            assert max(sizes) <= 64
            assert sum(sizes) <= config.run.batch_tokens or len(batch) == 1
            for example in batch:
                document = example.document
                assert document.lengths.sum() == len(document.ids) == len(document.inside)
                assert len(document.lengths) == len(document.labels) > 0
                assert document.lengths.min() > 0


def test_a_negative_never_holds_the_answer(make_config: Make) -> None:
    """With negatives only, no sentence of an answered query is positive."""
    examples = [example for batch in mixed(make_config(), negative=1.0).pool(0) for example in batch]
    assert examples
    assert not any((example.document.labels == 1).any() for example in examples)


def test_an_answer_may_stand_twice_among_others(make_config: Make) -> None:
    """Where it is asked for, the sentence that answers comes up again in a joined window, and is right both times."""

    def right(repeated: float) -> list[list[tuple[int, ...]]]:
        mixer = mixed(make_config(), joined=1.0, negative=0.0, without_evidence=0.0, repeated=repeated, shortest=50)
        found = []
        for example in (example for batch in mixer.pool(0) for example in batch):
            document = example.document
            parts = np.split(document.ids, np.cumsum(document.lengths)[:-1])
            found.append([tuple(part) for part, label in zip(parts, document.labels, strict=True) if label == 1])
        return found

    assert all(len(set(some)) == len(some) for some in right(0.0))
    twice = [some for some in right(1.0) if len(some) > 1]
    assert twice
    assert all(len(set(some)) == 1 for some in twice)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.data())
def test_a_crop_holds_its_anchor_and_fits(lengths: list[int], data: st.DataObject) -> None:
    """A crop is consecutive, holds the anchor, and is longer than asked for only if the anchor is."""
    starts = np.cumsum([0, *lengths])
    anchor = data.draw(st.integers(0, len(lengths) - 1))
    target = data.draw(st.integers(1, 100))
    run = grow(starts, anchor, target, data.draw(st.floats(0, 1)))
    assert 0 <= run.first <= anchor < run.last <= len(lengths)
    assert starts[run.last] - starts[run.first] <= max(target, lengths[anchor])


def test_masked_sentences_do_not_count(make_config: Make) -> None:
    """Turning the label of a masked sentence changes no part of the loss."""
    config = make_config()
    start, corpus = prepare(config)
    mixer = Mixer(corpus, config, start.layout.template, start.layout.max_length)
    examples = mixer.pool(0)[0]
    batch = collate(examples, start.layout.template, config.sources)
    labels = batch.labels.clone()
    labels[0] = MASKED
    learner = Learner(start.model, config.loss)
    masked = learner(replace(batch, labels=labels))
    weights = batch.weights.clone()
    weights[0] = 0.0
    left_out = learner(replace(batch, weights=weights))
    for name in ("sentence", "token"):
        assert torch.isclose(masked[name], left_out[name])
    assert all(torch.isfinite(part) for part in masked.values())


def test_tokens_of_a_masked_sentence_do_not_count_either(make_config: Make) -> None:
    """No token of a sentence labelled null has a weight in the span loss, every other token keeps its own."""
    config = make_config()
    start, corpus = prepare(config)
    mixer = Mixer(corpus, config, start.layout.template, start.layout.max_length)
    examples = mixer.pool(0)[0]
    before = collate(examples, start.layout.template, config.sources).inside_weights
    document = examples[0].document
    labels = document.labels.copy()
    labels[0] = MASKED
    examples = [replace(examples[0], document=replace(document, labels=labels)), *examples[1:]]
    after = collate(examples, start.layout.template, config.sources).inside_weights
    size = int(document.lengths[0])
    assert before[:size].sum() > 0
    assert after[:size].sum() == 0
    assert torch.equal(after[size:], before[size:])


def test_order_loss_is_zero_only_if_right_sentences_hold_all_odds() -> None:
    """Windows without a right sentence do not count, and masked sentences are not there."""
    means = torch.tensor([0.9, 0.1, 0.5, 0.5, 0.3])
    windows = torch.tensor([0, 0, 0, 1, 1])
    labels = torch.tensor([1.0, 0.0, -1.0, 0.0, 0.0])
    expected = -np.log(9 / (9 + 1 / 9))
    assert float(order_loss(means, labels, windows, 2)) == pytest.approx(expected, rel=1e-5)
    assert float(order_loss(means, labels * 0, windows, 2)) == 0.0


@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=30), min_size=1, max_size=4), st.floats(0.05, 1))
def test_the_calibrated_threshold_is_the_highest_that_keeps_enough(files: list[list[float]], share: float) -> None:
    """Enough evidence survives at it, and at no score above it."""
    arrays = [np.sort(np.array(one)) for one in files]

    def kept(threshold: float) -> float:
        return float(np.mean([(one >= threshold).mean() for one in arrays]))

    found = evidence_threshold(arrays, share)
    assert kept(found) >= share - 1e-9
    above = [score for one in arrays for score in one if score > found + 1e-4]
    assert all(kept(score) < share for score in above)


@settings(deadline=None)
@given(st.lists(st.sampled_from([*TEXTS, "The Moon rose.", "1842年 Ann"]), min_size=1, max_size=3))
def test_a_trimmed_tokenizer_cuts_its_texts_as_before(texts: list[str]) -> None:
    """Same pieces in the same order, and the rows say where each one came from."""
    before = tiny_tokenizer()
    trimmed = trim(before, texts)
    for text in texts:
        old, new = before.encode(text, text), trimmed.pipeline.encode(text, text)
        assert old.tokens == new.tokens
        assert trimmed.rows[new.ids].tolist() == old.ids
    assert trimmed.pipeline.get_vocab_size() <= before.get_vocab_size()


def test_a_wordpiece_tokenizer_can_be_trimmed() -> None:
    """BERT's own kind, with its post-processor."""
    vocab = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "never": 3, "mill": 4, "##s": 5, "m": 6}
    pipeline = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocab, unk_token="[UNK]"))
    pipeline.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    pipeline.add_special_tokens(["[UNK]", "[CLS]", "[SEP]"])
    pipeline.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    trimmed = trim(pipeline, ["mills m"])
    assert trimmed.rows.tolist() == [0, 1, 2, 4, 5, 6]
    assert trimmed.pipeline.encode("mills").tokens == ["[CLS]", "mill", "##s", "[SEP]"]
    assert trimmed.pipeline.encode("mills").ids == [1, 3, 4, 2]


def test_a_bpe_tokenizer_is_refused() -> None:
    """Its merges rest on pieces that may be unused themselves."""
    pipeline = tokenizers.Tokenizer(tokenizers.models.BPE())
    with pytest.raises(ConfigError, match="BPE"):
        trim(pipeline, ["a"])
