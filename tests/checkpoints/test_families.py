"""What is particular to each family: query, joins, separators, rule, fall-back, long sentences, limits."""

from __future__ import annotations

import logging
import string

import numpy as np
import pytest
import torch
from build import KINDS, POSITIONS, build
from hypothesis import given
from hypothesis import strategies as st
from reference import (
    FOLDERS,
    GOLDEN,
    Given,
    case_of,
    changed,
    checkpoint_of,
    compressor_of,
    family_of,
    load_cpu,
    open_compressor,
    sentences_of,
)

from secateurs import Compressor, Threshold, TopK
from secateurs.checkpoints import FAMILIES
from secateurs.checkpoints.family import spaced
from secateurs.checkpoints.provence import normalize_query
from secateurs.model.scorer import Scorer
from secateurs.result.token_scores import probability
from secateurs.windows.tokenizer import Tokens

QUERY = "Who built the mill?"
DOCUMENT = (
    "The mill was built in 1842 by Ann Lee. It burned down twice, and nobody knows why. The Moon causes tides. "
)


@pytest.fixture(scope="module", params=KINDS)
def tiny_family(request, tmp_path_factory) -> tuple[str, Compressor, Given]:
    """A compressor on a tiny checkpoint of each kind, and its segmenter."""
    folder = tmp_path_factory.mktemp(request.param)
    build(request.param, folder)
    given_sentences = Given()
    return request.param, open_compressor(folder, given_sentences), given_sentences


def compress(compressor: Compressor, given_sentences: Given, sentences: list[str], query: str = QUERY):
    """Compress one document that is already in sentences, keeping what scores 0.5."""
    given_sentences.sentences = sentences
    return compressor.compress(query, ["".join(sentences)], policy=Threshold(0.5))[0]


def test_every_family_is_registered_under_its_name() -> None:
    """The registry holds the four layouts, each with a licence and its published checkpoints."""
    assert list(FAMILIES) == ["openprovence", "provence", "xprovence", "opensearch"]
    for name, family in FAMILIES.items():
        assert family.name == name
        assert family.licence
        assert all(published.window >= 510 for published in family.published)
    assert [name for name, family in FAMILIES.items() if "NC" in family.licence] == ["provence", "xprovence"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_default_policy_is_the_familys(folder) -> None:
    """Without a policy, a checkpoint keeps what its family's default keeps."""
    expected = {
        "provence": Threshold(0.1),
        "xprovence": Threshold(0.3),
        "xprovence-bge-head": Threshold(0.3),
        "opensearch": Threshold(0.5) | (TopK(1) & Threshold(0.05)),
    }
    assert checkpoint_of(folder).default_policy == expected.get(folder, Threshold(0.1))
    assert compressor_of(folder)[0].policy == checkpoint_of(folder).default_policy


@pytest.mark.parametrize("key", ["default_threadshold", "default_threshold"])
def test_an_openprovence_checkpoint_brings_its_own_threshold(key, tmp_path) -> None:
    """Under the layout's own spelling and under the right one."""
    folder = changed("openprovence-gte", tmp_path / "c", config=lambda c: c.update({key: 0.3}))
    assert load_cpu(folder).default_policy == Threshold(0.3)


def test_provence_reads_the_query_as_it_was_trained() -> None:
    """Case and ASCII punctuation make no difference to Provence, and all to XProvence."""
    one, other = "What's an API, exactly?", "  WHATS an api exactly"
    assert (
        checkpoint_of("provence").encode_query(one).tolist() == checkpoint_of("provence").encode_query(other).tolist()
    )
    assert (
        checkpoint_of("xprovence").encode_query(one).tolist()
        != checkpoint_of("xprovence").encode_query(other).tolist()
    )


@given(st.text())
def test_normalized_queries_hold_no_punctuation_unless_they_hold_nothing_else(query) -> None:
    """Normalizing twice changes nothing more, and no query becomes empty."""
    clean = normalize_query(query)
    assert normalize_query(clean) == clean
    assert bool(clean) == bool(query)
    if clean != query:
        assert not set(clean) & set(string.punctuation)


@given(st.lists(st.text(max_size=8), max_size=6))
def test_sentences_of_provence_are_joined_by_one_space(sentences) -> None:
    """However sentences are separated in the document, the model reads them stripped with one space between."""
    laid = spaced(sentences)
    assert "".join(laid) == " ".join(sentence.strip() for sentence in sentences)
    assert spaced([f"\n {sentence}\t" for sentence in sentences]) == laid


@pytest.mark.parametrize(
    ("folder", "between"),
    [
        ("zilliz", (2, 2)),
        ("xprovence", (2,)),
        ("xprovence-bge-head", (2,)),
        ("provence", (2,)),
        ("opensearch", (102,)),
    ],
)
def test_the_separators_are_the_familys(folder, between) -> None:
    """XProvence has one separator where other models on XLM-RoBERTa have two."""
    assert checkpoint_of(folder).layout.template.between == between


def test_only_the_highlighter_has_two_token_types() -> None:
    """Query and document are types 0 and 1 for OpenSearch; models with one type are given no other."""
    types = {folder: checkpoint_of(folder).layout.template.document_type for folder in FOLDERS}
    assert {folder for folder, kind in types.items() if kind} == {"opensearch"}


def test_both_ranking_heads_of_xprovence_are_the_same_arithmetic() -> None:
    """The same weights under the pooler's and under bge's names rank alike."""
    one, other = (checkpoint_of(folder).model.state_dict() for folder in ("xprovence", "xprovence-bge-head"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("best", "kept"), [(0.3, 1), (0.051, 1), (0.049, 0)])
def test_the_fall_back_of_the_highlighter_acts_once_a_document(best, kept, tmp_path) -> None:
    """Where nothing reaches 0.5, the best sentence stays from 0.05 on: one a document, however many its windows."""
    case = case_of("opensearch", "several_windows")
    compressor, given_sentences = compressor_of("opensearch")
    top = max(
        sentence.score
        for sentence in compress(compressor, given_sentences, case["sentences"], case["query"]).sentences
    )
    shift = np.log(top / (1 - top)) - np.log(best / (1 - best))

    def lower(tensors) -> None:
        tensors["classifier.bias"][1] -= shift

    lowered = open_compressor(changed("opensearch", tmp_path / "c", tensors=lower), given_sentences)
    result = lowered.compress(case["query"], ["".join(case["sentences"])])[0]
    assert max(sentence.score for sentence in result.sentences) == pytest.approx(best, abs=1e-5)
    assert [sentence.score for sentence in result.kept] == [pytest.approx(best, abs=1e-5)] * kept
    assert result.status == ("compressed" if kept else "dropped")


def test_long_documents_of_the_highlighter_differ_from_the_reference_for_their_windows_only() -> None:
    """Where the reference's windows overlap by 128 tokens ours do not: the first one holds the same tokens.

    The reference cuts windows anywhere, scores a cut sentence from the fragment inside, and takes the best of several
    scores; ours end between sentences, and each sentence has one score.
    """
    for name in ("several_windows", "very_long_many_words"):
        case, checkpoint = case_of("opensearch", name), checkpoint_of("opensearch")
        query, sentences = checkpoint.encode_query(case["query"]), checkpoint.encode_sentences(case["sentences"])
        plan = checkpoint.layout.plan(query, sentences)
        ours, theirs = plan.windows[0].ids[:-1].tolist(), case["windows"][0]["input_ids"]
        assert ours == theirs[: len(ours)]
        assert len(plan.windows) < len(case["windows"])
        assert len(plan.part_lengths) == len(case["sentences"])


@pytest.mark.parametrize("folder", ["provence", "xprovence"])
def test_loading_weights_that_may_not_be_sold_says_so_in_one_line(folder, caplog) -> None:
    """A CC BY-NC licence is logged once at load; a free one is not mentioned."""
    with caplog.at_level(logging.INFO):
        load_cpu(GOLDEN / folder)
        load_cpu(GOLDEN / "openprovence-gte")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "CC BY-NC-ND 4.0" in caplog.text


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_named_family_must_be_the_checkpoints_own(folder) -> None:
    """Naming the right family is allowed, naming another is an error."""
    family = checkpoint_of(folder).family.name
    assert load_cpu(GOLDEN / folder, family).family.name == family
    if family_of(folder) is None:
        wrong = "xprovence" if family != "xprovence" else "provence"
        with pytest.raises(Exception, match=f"is of family '{family}', not '{wrong}'"):
            load_cpu(GOLDEN / folder, wrong)
    with pytest.raises(ValueError, match="unknown family 'bert': use 'openprovence'"):
        load_cpu(GOLDEN / folder, "bert")


def test_every_family_compresses_through_the_public_door(tiny_family) -> None:
    """Sentences tile the document, scores and ranking are probabilities, and the text is a slice of the original."""
    kind, compressor, given_sentences = tiny_family
    sentences = [f"{part}. " for part in DOCUMENT.strip().split(". ")] * 7
    result = compress(compressor, given_sentences, sentences)
    assert result.status in ("compressed", "dropped", "unchanged")
    assert [sentence.text for sentence in result.sentences] == sentences
    assert all(0.0 <= sentence.score <= 1.0 for sentence in result.sentences)
    assert (result.ranking_score is None) == (kind == "opensearch")
    assert result.ranking_score is None or 0.0 <= result.ranking_score <= 1.0
    if result.reason != "no_gain":
        assert all(sentence.kept == (sentence.score >= 0.5) for sentence in result.sentences)


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_a_document_as_long_as_the_window_and_one_token_to_each_side(tiny_family, extra) -> None:
    """N-1 and N tokens are one full window; one more begins a second, and nothing fails or is lost."""
    _, compressor, given_sentences = tiny_family
    checkpoint = compressor._loaded
    control = checkpoint.layout.template.size + len(checkpoint.encode_query(QUERY))
    room = POSITIONS + extra - control
    # one-letter words are two tokens each ("▁", "a"), so the last sentence makes up an odd number
    sentences = ["a b c d e. ", "f g h i. ", "j k l."]
    while (total := int(checkpoint.encode_sentences(sentences).lengths.sum())) < room:
        sentences[-1] = "j" + sentences[-1]
        grown = int(checkpoint.encode_sentences(sentences).lengths.sum())
        assert grown > total
    assert total == room
    plan = checkpoint.layout.plan(checkpoint.encode_query(QUERY), checkpoint.encode_sentences(sentences))
    assert max(len(window) for window in plan.windows) <= POSITIONS
    if checkpoint.layout.part_of_window == 1.0 or not plan.warnings:
        assert len(plan.windows) == 1 + (extra > 0)
        assert len(plan.windows[0]) == POSITIONS + extra or extra > 0
    assert sum(window.tokens for window in plan.windows) == room
    assert compress(compressor, given_sentences, sentences).status != "error"


@pytest.mark.parametrize("kind", ["openprovence-xlmr", "xprovence"])
def test_all_8192_positions_of_xlm_roberta_are_usable(kind, tmp_path) -> None:
    """8191 and 8192 tokens are one window, 8193 are two: the published position table has 8194 rows, two unused."""
    build(kind, tmp_path, positions=8192)
    checkpoint = load_cpu(tmp_path)
    assert checkpoint.layout.max_length == 8192
    assert checkpoint.model.encoder.positions.weight.shape[0] == 8194
    query = checkpoint.encode_query(QUERY)
    room = 8192 - checkpoint.layout.template.size - len(query)
    for extra in (-1, 0, 1):
        lengths = [*[100] * ((room + extra) // 100), (room + extra) % 100]
        ids = np.random.default_rng(0).integers(5, 90, size=room + extra).astype(np.int32)
        plan = checkpoint.layout.plan(query, Tokens(ids, np.array(lengths)))
        expected = 8192 + extra if extra <= 0 else 8193 - lengths[-1]
        assert len(plan.windows[0]) == expected
        assert len(plan.windows) == 1 + (extra > 0)
        if extra == 0:
            assert len(Scorer(checkpoint.model).score(plan.windows)[0].tokens) == room


def test_a_sentence_longer_than_any_window_is_scored_from_all_of_its_tokens(tiny_family) -> None:
    """Nothing of a long sentence is lost: its parts make it up, and its score follows the family's rule."""
    kind, compressor, given_sentences = tiny_family
    long = "the mill was built by ann lee and the moon causes tides " * 12
    sentences = ["It burned down. ", long, "Nobody knows why."]
    result = compress(compressor, given_sentences, sentences)
    assert result.status != "error"
    assert "sentence_split" in result.warnings
    checkpoint = compressor._loaded
    plan = checkpoint.layout.plan(checkpoint.encode_query(QUERY), checkpoint.encode_sentences(sentences))
    tokens = np.concatenate([scores.tokens for scores in Scorer(checkpoint.model).score(plan.windows)])
    lengths = checkpoint.encode_sentences(sentences).lengths
    assert len(tokens) == lengths.sum()
    mine = tokens[lengths[0] : lengths[0] + lengths[1]]
    parts = np.split(mine, np.cumsum(plan.part_lengths[plan.part_sentences == 1])[:-1])
    assert len(parts) > 1
    if kind.startswith("openprovence"):
        assert len(parts[0]) == POSITIONS // 2
        expected = np.mean([probability(part).mean() for part in parts])
    elif kind == "opensearch":
        expected = max(probability(np.float64(part.mean(dtype=np.float64))) for part in parts)
    else:
        falling = np.sort(probability(mine))[::-1]
        expected = np.minimum(falling, np.arange(1, len(mine) + 1) / len(mine)).max()
    assert result.sentences[1].score == pytest.approx(expected, abs=1e-6)


def test_a_query_longer_than_the_window_is_shortened_and_told(tiny_family) -> None:
    """Three quarters of the window are the query's at most; the document is scored all the same."""
    _, compressor, given_sentences = tiny_family
    result = compress(
        compressor, given_sentences, ["It burned down. ", "Nobody knows why."], "who built it and why " * 40
    )
    assert "query_shortened" in result.warnings
    assert result.status != "error"


def test_control_tokens_in_query_and_document_reach_no_family(tiny_family) -> None:
    """What is typed in a text is text: windows hold the template's control tokens and no others."""
    _, compressor, _ = tiny_family
    checkpoint = compressor._loaded
    query = checkpoint.encode_query("who </s> built <pad> it <s>")
    sentences = checkpoint.encode_sentences(["The mill</s></s>. ", "<mask> <pad> It burned. "])
    assert not {0, 1, 2, 4} & {*query.tolist(), *sentences.ids.tolist()}
    assert 3 in sentences.ids


def test_reduced_precision_stays_near(tiny_family) -> None:
    """In bfloat16 scores differ by rounding only."""
    kind, compressor, given_sentences = tiny_family
    family = "opensearch" if kind == "opensearch" else None
    short = Compressor.from_pretrained(
        compressor.checkpoint, device="cpu", dtype="bfloat16", family=family, segmenter=given_sentences
    )
    sentences = [f"{part}. " for part in DOCUMENT.strip().split(". ")]
    found, expected = (
        [sentence.score for sentence in compress(some, given_sentences, sentences).sentences]
        for some in (short, compressor)
    )
    np.testing.assert_allclose(found, expected, atol=0.08)


def test_golden_scores_survive_company(tmp_path) -> None:
    """Each family's golden documents score the same together, in any order, as alone."""
    for folder in FOLDERS:
        compressor, _ = compressor_of(folder)
        alone = Compressor(compressor._loaded, segmenter=lambda text: [(0, len(text))])
        documents = [
            "".join(sentences_of(case_of(folder, name))) for name in ("en_short", "ja", "zh_long", "tiny_document")
        ]
        one_by_one = [alone.compress(QUERY, [document])[0] for document in documents]
        together = alone.compress(QUERY, documents[::-1])[::-1]
        for found, expected in zip(together, one_by_one, strict=True):
            assert found.sentences[0].score == pytest.approx(expected.sentences[0].score, abs=1e-5)
            assert (found.ranking_score or 0) == pytest.approx(expected.ranking_score or 0, abs=1e-5)
