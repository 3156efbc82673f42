"""The peers score what they say they score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_tokenizer
from tokenizers import processors

from secateurs import Compressor, Threshold
from secateurs.errors import CheckpointError
from secateurs.evaluate.embeddings import Encoder, LlamaIndexSystem, SimilaritySystem, Vectors
from secateurs.evaluate.ladder import Floats, build
from secateurs.evaluate.peers import keep_first, keyword_overlap, words
from secateurs.evaluate.records import Record
from secateurs.evaluate.systems import ScoreSystem, texts
from secateurs.result.savings import TokenCounter
from secateurs.result.span import Span

TEXT = "The mill was built by Ann Lee. It burned down twice. Nobody knows why. It stands on a hill by the sea."
QUERY = "Who built the mill?"


def record(text: str = TEXT) -> Record:
    return Record("a", "en", QUERY, text, (Span(4, 8),))


class Letters(Encoder):
    """Embeds a text by how often each letter of `mil` stands in it."""

    def __init__(self) -> None:
        self.prefixes = ("", "")
        self._known: dict[str, Vectors] = {}
        self._run = lambda texts: np.stack([self._vector(text) for text in texts])

    def _vector(self, text: str) -> Vectors:
        vector = np.array([1 + text.lower().count(letter) for letter in "mil"], dtype=np.float32)
        return vector / np.linalg.norm(vector)


def test_words_know_chinese_and_japanese():
    """A word of letters is a token; ideographs and kana give characters and pairs of neighbours."""
    assert words("Ann's 2nd MILL_house") == ["ann", "s", "2nd", "mill", "house"]
    assert words("水车mill") == ["水", "车", "水车", "mill"]
    assert words("ミルを") == ["ミ", "ル", "を", "ミル", "ルを"]
    assert words("...") == []


def test_keyword_overlap_is_bm25():
    """The scores agree with the formula, written out, and are relative to the best."""
    pytest.importorskip("bm25s", reason="BM25 needs the extra evaluate")
    sentences = ["The mill was built by Ann.", "The mill burned.", "Nobody knows.", "Who knows? Who? Who?"]
    bags = [words(sentence) for sentence in sentences]
    mean = sum(map(len, bags)) / len(bags)
    raw = []
    for bag in bags:
        score = 0.0
        for term in words("Who built the mill?"):
            has = sum(term in other for other in bags)
            idf = math.log(1 + (len(bags) - has + 0.5) / (has + 0.5))
            n = bag.count(term)
            score += idf * n / (n + 1.5 * (1 - 0.75 + 0.75 * len(bag) / mean))
        raw.append(score)
    assert keyword_overlap("Who built the mill?", sentences) == pytest.approx([s / max(raw) for s in raw], rel=1e-5)


@pytest.mark.parametrize(("query", "sentences"), [("?!", ["One."]), ("cat", ["One.", "..."]), ("cat", ["..."])])
def test_no_shared_word_scores_nothing(query: str, sentences: list[str]):
    """A query without words, or that shares none, scores 0 everywhere."""
    pytest.importorskip("bm25s", reason="BM25 needs the extra evaluate")
    assert keyword_overlap(query, sentences).tolist() == [0.0] * len(sentences)


def test_keep_first_keeps_the_first():
    """A threshold of 1/k keeps k sentences, from the start."""
    item = record()
    ladder = build(item, ScoreSystem("first", keep_first).score([item])[0], TokenCounter())
    assert [ladder.at(1 / k).kept for k in (1, 2, 3)] == [1, 2, 3]
    assert ladder.at(1.0).characters == TEXT.index(" It burned")  # no white space is left at the end


def test_peers_rank_the_compressors_units_and_are_joined_like_it(tiny: Compressor):
    """A peer scores what can be chosen, headings too and marks not, and what it keeps brings its frame along."""
    text = "# Mills\n\n- By Ann Lee\n  - in 1842\n- Burned twice\n\n---\n\nNobody knows.\n"
    seen: list[str] = []

    def second_item(query: str, units: Sequence[str]) -> Floats:
        seen.extend(units)
        return np.array([float("1842" in unit) for unit in units])

    item = record(text)
    scored = ScoreSystem("one", second_item).score([item])[0]
    units = [one for one in tiny.compress(QUERY, [text], policy=Threshold(0.0))[0].sentences if not one.frame]
    assert seen == [one.text for one in units] and "---" not in "".join(seen)
    assert build(item, scored, len).at(1.0).characters == len("# Mills\n\n- By Ann Lee\n  - in 1842")


def test_similarity_is_the_cosine_with_the_query():
    """Each sentence's score is its cosine with its own document's query, whatever else is in the batch."""
    encoder = Letters()
    system = SimilaritySystem("letters", encoder)
    alone = system.score([record()])[0]
    among = system.score([record("A short one."), record(), record("")])
    query = encoder.queries([QUERY])[0]
    expected = [float(encoder.sentences([text])[0] @ query) for text in texts(alone.parts)]
    assert alone.scores == pytest.approx(expected) == among[1].scores
    assert len(among[2].scores) == 0


def test_llama_index_runs_its_own_class():
    """The peer's text and tokens are those of LlamaIndex's class with the same vectors, at its share of sentences."""
    pytest.importorskip("llama_index.core", reason="the peer is LlamaIndex's own class")
    encoder, count = Letters(), TokenCounter()
    system = LlamaIndexSystem("llama-index", encoder, count)
    item = record()
    scored = system.score([item])[0]
    assert scored.cuts is not None and scored.default is not None
    half = next(cut for cut in scored.cuts if cut.level == 0.5)
    order = np.argsort(-scored.scores)[:2]  # half of four sentences
    near = {place for best in order for place in (best - 1, best, best + 1) if 0 <= place < 4}
    assert set(np.flatnonzero(half.flags)) == near
    assert half.flags.tolist() == scored.default.flags.tolist()
    whole = scored.cuts[-1]
    assert whole.level == 0.0 and whole.flags.all()
    assert whole.tokens is not None and whole.tokens > count(TEXT), "windows overlap: it writes sentences twice"
    ladder = build(item, scored, count)
    assert ladder.at(0.5).tokens == half.tokens


def test_the_bundled_encoder_embeds():
    """The bundled checkpoint's encoder gives vectors of length 1 that do not depend on their batch."""
    encoder = Encoder()
    both = encoder.sentences(["The mill was built by Ann Lee.", "Nobody knows why."])
    encoder._known.clear()
    fresh = encoder.sentences(["Nobody knows why."])
    assert np.linalg.norm(both, axis=1) == pytest.approx([1.0, 1.0], abs=1e-5)
    assert fresh[0] == pytest.approx(both[1], abs=1e-5)


def test_any_encoder_of_transformers_will_do(tmp_path: Path):
    """A folder that AutoModel loads is mean-pooled over its real tokens; prefixes are E5's only."""
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    tokenizer = tiny_tokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>").save_pretrained(tmp_path / "mini")
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=tokenizer.get_vocab_size(), **shape)).save_pretrained(tmp_path / "mini")
    encoder = Encoder(str(tmp_path / "mini"))
    assert encoder.prefixes == ("", "")
    long, short = encoder.queries(["The mill was built by Ann Lee.", "Who?"])
    assert Encoder(str(tmp_path / "mini")).queries(["Who?"])[0] == pytest.approx(short, abs=1e-5)
    assert long.shape == (16,) and np.linalg.norm(long) == pytest.approx(1.0, abs=1e-5)


def test_an_encoder_that_is_not_there_is_a_checkpoint_error(tmp_path: Path):
    """The message names what was asked for."""
    with pytest.raises(CheckpointError, match="cannot load the encoder"):
        Encoder(str(tmp_path / "nothing"))
