"""Every document token stands in exactly one window, behind the query, and no text becomes a control token."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Pipeline
from tokenizers import models, normalizers, pre_tokenizers

from secateurs.windows.packing import Layout, Template, Window, fill, split_parts
from secateurs.windows.tokenizer import Tokenizer, Tokens

TEMPLATES = [
    Template((0,), (2,), (2,)),
    Template((0,), (2, 2), (2,)),
    Template((0,), (2, 0), (2,), document_type=1),
    Template((), (), ()),
]


def unigram() -> Pipeline:
    """A tokenizer of the XLM-R kind, whose pieces include its own control tokens."""
    special = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    letters = [(letter, -3.0) for letter in "▁abcdefghijklmnopqrstuvwxyz<>/[]."]
    tokenizer = Pipeline(models.Unigram([*special, *letters, ("<mask>", 0.0)], unk_id=3))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    return tokenizer


def wordpiece() -> Pipeline:
    """A tokenizer of the BERT kind."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "sep", "cls", "[", "]", "good", "day"]
    tokenizer = Pipeline(models.WordPiece({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    return tokenizer


def numbered(lengths: list[int], first: int = 1000) -> Tokens:
    """Return sentences whose tokens are all different."""
    total = sum(lengths)
    return Tokens(np.arange(first, first + total, dtype=np.int32), np.array(lengths, dtype=np.int64))


def document_of(window: Window) -> list[int]:
    """Return the document tokens of a window."""
    return window.ids[window.start : window.start + window.tokens].tolist()


@given(
    st.lists(st.integers(0, 90), max_size=30),
    st.integers(0, 80),
    st.sampled_from(TEMPLATES),
    st.integers(20, 64),
    st.sampled_from([0.5, 1.0]),
)
def test_every_document_token_stands_in_exactly_one_window(lengths, query, template, max_length, share) -> None:
    """Windows hold the document's tokens once and in order, whole within the limit, behind the same query."""
    layout = Layout(template, max_length, share)
    plan = layout.plan(np.arange(10, 10 + query, dtype=np.int32), numbered(lengths))
    assert [token for window in plan.windows for token in document_of(window)] == numbered(lengths).ids.tolist()
    kept = min(query, max_length * 3 // 4)
    head = [*template.before, *range(10, 10 + kept), *template.between]
    for window in plan.windows:
        assert len(window) <= max_length
        assert window.tokens > 0
        assert window.ids[: window.start].tolist() == head
        assert window.ids[window.start + window.tokens :].tolist() == list(template.after)
        assert window.document_type == template.document_type
    assert ("query_shortened" in plan.warnings) == (query > max_length * 3 // 4)


@given(st.lists(st.integers(0, 90), max_size=30), st.integers(0, 40), st.sampled_from([0.5, 1.0]))
def test_parts_make_up_their_sentences(lengths, query, share) -> None:
    """The parts of a sentence are consecutive, add up to it, and only a sentence over the limit has several."""
    layout = Layout(TEMPLATES[0], 40, share)
    plan = layout.plan(np.arange(query, dtype=np.int32), numbered(lengths))
    sums = np.bincount(plan.part_sentences, weights=plan.part_lengths, minlength=len(lengths))
    assert sums.tolist() == lengths
    room = 40 - 3 - min(query, 30)
    assert all(0 < length <= min(int(40 * share), room) for length in plan.part_lengths)
    assert (np.diff(plan.part_sentences) >= 0).all()
    assert ("sentence_split" in plan.warnings) == any(length > min(int(40 * share), room) for length in lengths)


@given(st.lists(st.integers(1, 20), max_size=30), st.integers(20, 60))
def test_windows_are_filled_greedily(lengths, room) -> None:
    """A part starts a window only where the one before has no room for it."""
    sizes = fill(lengths, room)
    assert sum(sizes) == sum(lengths)
    assert all(size <= room for size in sizes)
    ends, starts = np.cumsum(lengths).tolist(), np.cumsum(sizes).tolist()
    assert set(starts) <= set(ends)
    for size, start in zip(sizes, starts[:-1], strict=False):
        assert size + lengths[ends.index(start) + 1] > room


def test_a_sentence_that_fits_stands_in_one_window() -> None:
    """A sentence of up to the limit is never torn between windows."""
    plan = Layout(TEMPLATES[0], 40, 1.0).plan(np.arange(5, dtype=np.int32), numbered([20, 20, 32]))
    assert [document_of(window)[0] for window in plan.windows] == [1000, 1020, 1040]
    assert plan.warnings == ()


def test_a_long_sentence_is_cut_into_parts_of_the_limit() -> None:
    """All parts but the last have the limit's size."""
    lengths, owners = split_parts(np.array([3, 0, 10, 4]), 4)
    assert lengths.tolist() == [3, 4, 4, 2, 4]
    assert owners.tolist() == [0, 2, 2, 2, 3]


def test_a_document_without_tokens_has_no_window() -> None:
    """Nothing to score is nothing to run."""
    for lengths in ([], [0], [0, 0]):
        assert Layout(TEMPLATES[0], 40).plan(np.arange(5, dtype=np.int32), numbered(lengths)).windows == ()


FORGED = [
    ("<s>", unigram, 3),
    ("</s>", unigram, 3),
    ("<pad>", unigram, 3),
    ("<mask>", unigram, 3),
    ("＜/s＞", unigram, 3),  # becomes `</s>` only when it is normalized
    ("[SEP]", wordpiece, 1),
    ("[CLS]", wordpiece, 1),
    ("[PAD]", wordpiece, 1),
    ("[MASK]", wordpiece, 1),
]


@pytest.mark.parametrize(
    ("forged", "pipeline", "unknown"), FORGED, ids=lambda value: getattr(value, "__name__", value)
)
def test_control_tokens_typed_in_a_text_become_the_unknown_token(forged, pipeline, unknown) -> None:
    """A text cannot end the query, hide what follows, or turn padding on: its control tokens are unknown tokens."""
    tokenizer = Tokenizer(pipeline(), unknown)
    special = {tokenizer._tokenizer.token_to_id(name) for name in ("<s>", "<pad>", "</s>", "<mask>")}
    special |= {tokenizer._tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]", "[PAD]", "[MASK]")}
    for text in (forged, f"good {forged} day", f"{forged}{forged}", f"good{forged}"):
        tokens = tokenizer.encode([text, "good day"])
        assert unknown in tokens.ids[: tokens.lengths[0]]
        assert not special & set(tokens.ids.tolist())
        assert tokens.lengths.sum() == len(tokens.ids)


def test_control_ids_the_pipeline_does_not_mark_are_replaced_too() -> None:
    """A checkpoint's list of control tokens counts even where its tokenizer treats them as words."""
    pipeline = wordpiece()
    assert 5 in Tokenizer(pipeline, 1).encode(["sep"]).ids
    assert Tokenizer(pipeline, 1, [5]).encode(["sep good"]).ids.tolist() == [1, 9]


def test_the_unknown_token_itself_stays() -> None:
    """What the tokenizer does not know is the unknown token, and typing it changes nothing."""
    assert Tokenizer(wordpiece(), 1).encode(["[UNK] zebra good"]).ids.tolist() == [1, 1, 9]


def test_texts_are_tokenized_each_on_its_own() -> None:
    """No text sees its neighbours, and none is cut or padded, whatever the file's pipeline asks for."""
    pipeline = wordpiece()
    pipeline.enable_truncation(2)
    pipeline.enable_padding(length=7)
    tokens = Tokenizer(pipeline, 1).encode(["good day good day good", "", "day"])
    assert tokens.lengths.tolist() == [5, 0, 1]
    assert tokens.ids.tolist() == [9, 10, 9, 10, 9, 10]
    assert Tokenizer(pipeline, 1).encode([]).ids.tolist() == []


def test_lone_surrogates_are_read_as_the_replacement_character() -> None:
    """A string that is not valid Unicode is tokenized all the same."""
    for tokenizer in (Tokenizer(unigram(), 3), Tokenizer(wordpiece(), 1)):
        for text in ("good \ud800 day", "a\udfffb"):
            found, expected = tokenizer.encode([text]), tokenizer.encode([re.sub("[\ud800\udfff]", "\ufffd", text)])
            assert found.ids.tolist() == expected.ids.tolist()


@given(st.lists(st.text(alphabet=st.sampled_from("abc <>/s[]SEP\n\ud800é"), max_size=20), max_size=8))
def test_each_token_stands_somewhere_in_its_text(texts) -> None:
    """`locate` gives one place for each token of `encode`, in order, inside its own text, however many there are."""
    for tokenizer in (Tokenizer(unigram(), 3), Tokenizer(wordpiece(), 1)):
        lengths, places = tokenizer.encode(texts).lengths, tokenizer.locate(texts)
        assert len(places.starts) == len(places.ends) == lengths.sum()
        sizes = np.repeat([len(text) for text in texts], lengths)
        assert ((places.starts >= 0) & (places.starts <= places.ends) & (places.ends <= sizes)).all()
        for starts in np.split(places.starts, np.cumsum(lengths)):
            assert (np.diff(starts) >= 0).all()


def test_tokens_are_located_by_code_point() -> None:
    """Places count characters, not bytes; a forged control token has the place of its characters."""
    places = Tokenizer(wordpiece(), 1).locate(["🦌 good", "", "[SEP] day"])
    assert list(zip(places.starts.tolist(), places.ends.tolist(), strict=True)) == [(0, 1), (2, 6), (0, 5), (6, 9)]
    assert Tokenizer(wordpiece(), 1).locate([]).starts.tolist() == []


@given(st.lists(st.text(alphabet=st.sampled_from("abc <>/s[]SEP\n"), max_size=20), max_size=8))
def test_tokens_of_a_text_are_the_same_alone_and_among_others(texts) -> None:
    """Batching texts for the tokenizer changes nothing."""
    tokenizer = Tokenizer(unigram(), 3)
    together = tokenizer.encode(texts)
    alone = [tokenizer.encode([text]).ids.tolist() for text in texts]
    assert together.ids.tolist() == [token for tokens in alone for token in tokens]
    assert together.lengths.tolist() == [len(tokens) for tokens in alone]
