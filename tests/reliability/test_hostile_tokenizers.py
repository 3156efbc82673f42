"""A hostile `tokenizer.json` is refused before it reads a text; what published tokenizers hold is not."""

from __future__ import annotations

import base64
import json
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile_parts import change_json, small_checkpoint, small_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, pre_tokenizers

from secateurs import Compressor
from secateurs.checkpoints.patterns import why_endless
from secateurs.checkpoints.screen import find_fault
from secateurs.errors import CheckpointError

Tree = dict[str, Any]
DOCUMENT = "The mill was built in 1842 by Ann Lee. It burned down twice.\n\n水车 ꙮ."
TOKEN = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}


def replace(pattern: Tree, content: str, times: int = 1) -> Tree:
    step = {"type": "Replace", "pattern": pattern, "content": content}
    return {"type": "Sequence", "normalizers": [step] * times}


def split(pattern: str) -> Tree:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def charsmap(*texts: bytes) -> Tree:
    """A character map of sentencepiece with an empty trie and these texts."""
    data = struct.pack("<I", 4) + struct.pack("<I", 0) + b"".join(text + b"\0" for text in texts)
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(data).decode()}


def template(**fields: object) -> Callable[[Tree], object]:
    return lambda t: t["post_processor"].update(fields)


def texts(*ids: str) -> list[Tree]:
    return [{"Sequence": {"id": name, "type_id": 0}} for name in ids]


def opened(ids: list[int]) -> Callable[[Tree], object]:
    return lambda t: t["post_processor"]["special_tokens"]["<s>"].update(ids=ids, tokens=["<s>"] * len(ids))


def model(**fields: object) -> Callable[[Tree], object]:
    return lambda t: t["model"].update(fields)


def step(**fields: object) -> Callable[[Tree], object]:
    return lambda t: t.update(fields)


def added(**fields: object) -> Callable[[Tree], object]:
    return lambda t: t["added_tokens"].append(TOKEN | fields)


def nested(depth: int) -> Tree:
    tree: Tree = {"type": "NFC"}
    for _ in range(depth):
        tree = {"type": "Sequence", "normalizers": [tree]}
    return tree


BYTES = json.loads(pre_tokenizers.ByteLevel().__getstate__())
GROWS = "make more than 256 characters of one"
REFUSED: dict[str, tuple[str, Callable[[Tree], object], str]] = {
    "letters-to-gigabytes": ("words", step(normalizer=replace({"String": "a"}, "a" * 10, 9)), GROWS),
    "gaps-to-gigabytes": ("words", step(normalizer=replace({"Regex": ""}, "b" * 30, 6)), GROWS),
    "one-long-content": ("words", step(normalizer=replace({"String": "a"}, "b" * 10**6)), GROWS),
    "bytes-of-bytes": (
        "bpe",
        step(normalizer={"type": "Sequence", "normalizers": [{"type": "ByteLevel"}] * 40}),
        GROWS,
    ),
    "bytes-of-bytes-later": ("bpe", step(pre_tokenizer={"type": "Sequence", "pretokenizers": [BYTES] * 20}), GROWS),
    "long-prepend": ("words", step(normalizer={"type": "Prepend", "prepend": "x" * 10**6}), GROWS),
    "map-to-a-megabyte": ("words", step(normalizer=charsmap(b"x" * 10**6)), GROWS),
    "map-that-is-none": (
        "words",
        step(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
        "cannot read",
    ),
    "map-that-is-no-text": (
        "words",
        step(normalizer={"type": "Precompiled", "precompiled_charsmap": "é"}),
        "cannot read",
    ),
    "many-steps": ("words", step(normalizer=replace({"String": "a"}, "b", 1000)), "1001 steps"),
    "exponential": ("bpe", step(pre_tokenizer=split("(a+)+$")), "may take for ever: it repeats a part that varies"),
    "exponential-choice": ("bpe", step(pre_tokenizer=split("(a|a)*b")), "may take for ever"),
    "cubic": ("bpe", step(pre_tokenizer=split(r"\p{L}*\p{L}*\d")), "may take for ever: a part of it stands behind"),
    "exponential-replace": ("bpe", step(normalizer=replace({"Regex": "(.*)*x"}, "")), "may take for ever"),
    "back-reference": ("bpe", step(pre_tokenizer=split(r"(a)\1")), "refers back"),
    "no-pattern": ("bpe", step(pre_tokenizer=split("(((")), "cannot read"),
    "empty-replace": ("words", step(normalizer=replace({"String": ""}, "x")), "looks for an empty text"),
    "chunks-of-nothing": ("words", step(pre_tokenizer={"type": "FixedLength", "length": 0}), "cannot tokenize"),
    "text-twice": ("words", template(single=texts("A", "A")), r"for a single holds the texts \['A', 'A'\]"),
    "text-a-thousand-times": ("words", template(single=texts(*"A" * 1000)), "for a single holds"),
    "texts-swapped": ("words", template(pair=texts("B", "A")), r"for a pair holds the texts \['B', 'A'\]"),
    "query-twice": ("words", template(pair=texts("A", "B", "A")), "for a pair holds"),
    "id-beyond-the-table": ("words", opened([4294967295]), "puts the id 4294967295 around texts"),
    "ids-that-fill-a-window": ("words", opened([0] * 100), "control tokens"),
    "roberta-id-beyond": (
        "words",
        step(
            post_processor={
                "type": "RobertaProcessing",
                "sep": ["</s>", 99],
                "cls": ["<s>", 0],
                "trim_offsets": True,
                "add_prefix_space": True,
            }
        ),
        "puts the id 99 around texts",
    ),
    "long-words": ("pieces", model(max_input_chars_per_word=10**9), "max_input_chars_per_word is 1000000000"),
    "long-subword-prefix": (
        "pieces",
        model(continuing_subword_prefix="#" * 10**6),
        "continuing_subword_prefix has 1,0",
    ),
    "long-word-suffix": ("bpe", model(end_of_word_suffix="#" * 10**6), "end_of_word_suffix has 1,000,000"),
    "long-unknown": ("pieces", model(unk_token="#" * 10**6), "unk_token has 1,000,000"),
    "long-literal": (
        "words",
        step(pre_tokenizer=split("") | {"pattern": {"String": "a" * 10**6}}),
        "its 'String' has",
    ),
    "long-name": (
        "words",
        step(
            post_processor={
                "type": "RobertaProcessing",
                "sep": ["s" * 10**6, 2],
                "cls": ["<s>", 0],
                "trim_offsets": True,
                "add_prefix_space": True,
            }
        ),
        "its 'sep' has",
    ),
    "long-piece": ("unigram", lambda t: t["model"]["vocab"].append(["a" * 10**5, -1.0]), "a token of it has 100,000"),
    "dropout": ("bpe", model(dropout=0.5), "dropout"),
    "words-unknown-unknown": ("words", model(unk_token="none"), "cannot tokenize a plain text.*UNK"),
    "pieces-unknown-unknown": ("pieces", model(unk_token="none"), "cannot tokenize a plain text.*UNK"),
    "bpe-unknown-unknown": ("bpe", model(unk_token="none"), "cannot tokenize a plain text.*none"),
    "unigram-no-unknown": ("unigram", model(unk_id=None), "cannot tokenize a plain text.*unk_id"),
    "unigram-unknown-beyond": ("unigram", model(unk_id=9999), "cannot read"),
    "unigram-of-nothing": ("unigram", model(vocab=[], unk_id=None), "cannot tokenize|cannot read"),
    "id-beyond": ("words", lambda t: t["model"]["vocab"].update(zz=4_000_000_000), "ids up to 4000000000"),
    "id-negative": ("words", lambda t: t["model"]["vocab"].update(zz=-1), "cannot read"),
    "id-too-large": ("words", lambda t: t["model"]["vocab"].update(zz=2**40), "cannot read"),
    "id-no-number": ("words", lambda t: t["model"]["vocab"].update(zz="0"), "cannot read"),
    "merge-of-nothing": ("bpe", lambda t: t["model"]["merges"].append(["no", "such"]), "cannot read"),
    "merge-no-pair": ("bpe", lambda t: t["model"]["merges"].append("x"), "cannot read"),
    "prefix-longer-than-a-token": ("bpe", model(continuing_subword_prefix="mmmmmmmm"), "cannot read"),
    "nested-without-end": ("words", step(normalizer=nested(200)), "cannot read"),
    "added-beyond": ("words", added(id=17, content="zz"), "embeddings only"),
    "model-of-no-kind": ("words", model(type="Evil"), "cannot read"),
    "a-list": ("words", lambda t: [], "cannot read"),
    "control-characters": ("words", lambda t: t.update(version="\x1b[2J\n"), "cannot read"),
}
HARMLESS: dict[str, tuple[str, Callable[[Tree], object]]] = {
    "truncated-and-padded": (
        "words",
        step(
            truncation={"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
            padding={
                "strategy": {"Fixed": 10**12},
                "direction": "Right",
                "pad_to_multiple_of": None,
                "pad_id": 1,
                "pad_type_id": 0,
                "pad_token": "<pad>",
            },
        ),
    ),
    "types-unknown-to-the-model": (
        "words",
        template(
            pair=[
                *texts("A"),
                {"SpecialToken": {"id": "</s>", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 4 * 10**9}},
            ]
        ),
    ),
    "empty-added-token": ("words", added(id=17, content="")),
    "one-id-twice": ("words", added(id=0, content="mill")),
    "added-space": (
        "words",
        lambda t: t["added_tokens"].append(
            TOKEN | {"id": 5, "content": "a", "lstrip": True, "rstrip": True, "normalized": True}
        ),
    ),
    "scores-without-sense": (
        "unigram",
        lambda t: t["model"].update(
            vocab=[[piece, (-1) ** n * 1e308] for n, (piece, _) in enumerate(t["model"]["vocab"])]
        ),
    ),
    "nested": ("words", step(normalizer=nested(30))),
    "splits-everywhere": ("bpe", step(pre_tokenizer=split(""))),
}


def hostile(tmp_path: Path, kind: str, change: Callable[[Tree], object]) -> Path:
    folder = small_checkpoint(tmp_path / "checkpoint", kind)
    change_json(folder / "tokenizer.json", change)
    return folder


@pytest.mark.watchdog(60)
@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_tokenizer_is_refused_before_it_reads_a_text(name: str, tmp_path: Path) -> None:
    """What costs time, memory or other tokens at each call is named, in a moment, with the file."""
    kind, change, message = REFUSED[name]
    folder = hostile(tmp_path, kind, change)
    begin = time.monotonic()
    with pytest.raises(CheckpointError, match=f"(?s){message}") as caught:
        Compressor.from_pretrained(folder, device="cpu")
    assert time.monotonic() - begin < 5
    said = str(caught.value)
    assert str(folder) in said and said.isprintable() and len(said) <= 1000


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_only_odd_loads_and_works(name: str, tmp_path: Path) -> None:
    """Truncation, padding, doubled and empty tokens in the file change no law of the result."""
    compressor = Compressor.from_pretrained(hostile(tmp_path, *HARMLESS[name]), device="cpu")
    result = compressor.compress("Who built the mill?", [DOCUMENT])[0]
    assert result.status != "error", result.reason
    assert "".join(sentence.text for sentence in result.sentences) == DOCUMENT


def test_truncation_in_the_file_cuts_nothing(tmp_path: Path) -> None:
    """A file that says to cut texts after two tokens gives the scores of one that does not."""
    folders = (small_checkpoint(tmp_path / "sound"), hostile(tmp_path, *HARMLESS["truncated-and-padded"]))
    found = [
        Compressor.from_pretrained(f, device="cpu").compress("the mill", [DOCUMENT])[0].sentences for f in folders
    ]
    assert found[0] == found[1]


def test_files_of_the_tokenizer_have_a_bounded_size(tmp_path: Path) -> None:
    """A file larger than any tokenizer is refused without being read whole: it may be larger than the memory."""
    folder = small_checkpoint(tmp_path / "checkpoint")
    with (folder / "tokenizer.json").open("r+b") as file:
        file.truncate(2**40)  # a hole: it takes no room on the disk
    begin = time.monotonic()
    with pytest.raises(CheckpointError, match="more than 134,217,728 bytes"):
        Compressor.from_pretrained(folder, device="cpu")
    assert time.monotonic() - begin < 5


TAIL = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
SHORT = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
CASES = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
PUBLISHED = {
    "gpt-2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "llama-3": SHORT + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + TAIL,
    "o200k": r"[^\r\n\p{L}\p{N}]?" + CASES + SHORT + r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + TAIL,
    "deepseek": r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*" + TAIL,
    "kimi": r"[\p{Han}]+|[^\r\n\p{L}]?[\p{Lu}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{M}&&[^\p{Han}]]+" + SHORT + "?",
    "bloom": r" ?[^(\s|[.,!?…。，、।۔،])]+",
    "digits": r"\d{1,3}(?=(?:\d{3})*\b)",
    "sentencepiece": r" {2,}",
    "bundled": r"\s+",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_patterns_pass(name: str) -> None:
    """The patterns of tokenizers in use are none that may take for ever."""
    assert why_endless(PUBLISHED[name]) is None


@pytest.mark.parametrize(
    "path", sorted(Path(__file__).parents[1].glob("golden/*/tokenizer.json")), ids=lambda p: p.parent.name
)
def test_published_layouts_pass(path: Path) -> None:
    """The tokenizers of the golden checkpoints have the parts of the published ones: there is nothing to refuse."""
    assert find_fault(Tokenizer.from_file(str(path))) is None


ATOMS = st.sampled_from(["a", "b", "[ab]", r"\p{L}", ".", r"\d", "(?!b)", "(?:ab)", "$"])
REPEATS = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", "++", "{0,90}"])


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    many = st.lists(inner, min_size=1, max_size=4)
    groups = st.builds("({}){}".format, many.map("".join) | many.map("|".join), REPEATS)
    return groups | many.map("".join) | many.map("|".join)


PATTERNS = st.recursive(st.builds("{}{}".format, ATOMS, REPEATS), grown, max_leaves=8)


@settings(max_examples=200, deadline=None)
@given(PATTERNS, st.sampled_from(["a", "ab", "aab", " a"]))
def test_patterns_that_pass_are_quick(pattern: str, unit: str) -> None:
    """A pattern that is not refused splits a text of 1,000 characters in seconds, whatever they are."""
    if why_endless(pattern) is not None:
        return
    try:
        splitter = pre_tokenizers.Split(Regex(pattern), "isolated")
    except Exception:  # the library's own: it is no pattern
        return
    begin = time.monotonic()
    splitter.pre_tokenize_str((unit * 1000)[:1000] + "!")
    assert time.monotonic() - begin < 5


@given(st.text(max_size=40) | st.text(r"()[]{}*+?|\\,1ax:=!<>#", max_size=40))
def test_any_text_can_be_read_as_a_pattern(text: str) -> None:
    """Reading a pattern never raises, whatever stands in it."""
    assert why_endless(text) is None or why_endless(text)


def test_a_small_tokenizer_is_sound() -> None:
    """The tokenizers these tests begin with hold nothing to refuse."""
    assert [find_fault(small_tokenizer(kind)) for kind in ("words", "pieces", "bpe", "unigram")] == [None] * 4
