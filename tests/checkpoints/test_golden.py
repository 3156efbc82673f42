"""Every family gives the numbers its reference gives: ids, token probabilities, scores, flags."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from reference import (
    FOLDERS,
    Given,
    case_of,
    cases,
    changed,
    checkpoint_of,
    compressor_of,
    golden,
    load_cpu,
    open_compressor,
    sentences_of,
)

from secateurs import Compressor, Threshold
from secateurs.model.scorer import Scorer
from secateurs.result.token_scores import probability
from secateurs.windows.aggregate import head_scores
from secateurs.windows.packing import Window

PROBABILITY, LOGIT = 1e-5, 1e-4
VOTING = ("provence", "xprovence", "xprovence-bge-head")
AVERAGING = ("openprovence-gte", "openprovence-jp", "zilliz")


def left_out(folder: str, name: str) -> str | None:
    """Say why a case does not go through the compressor; None if it does."""
    case = case_of(folder, name)
    if case["reference_bug"]:
        return f"passes only with faults of the reference: {', '.join(case['quirks'])}"
    if case.get("options"):
        return f"shows options of the reference we do not have: {', '.join(case['options'])}"
    if not "".join(sentences_of(case)).strip():
        return "a blank document: we ask no model, the reference does"
    if name.endswith("_raw_query"):
        return "skips the query's normalization, which the family always applies"
    if "several_windows" in case["quirks"]:
        return "the reference's windows overlap by 128 tokens, ours do not, so sentences see other neighbours"
    return None


COMPARED = [item for item in cases(*FOLDERS) if left_out(*item) is None]


def listed_windows(folder: str, name: str) -> list[tuple[Window, dict]]:
    """Return the windows a case lists, all of their tokens counted as the document's, with what is said of them."""
    case = case_of(folder, name)
    listed = case.get("blocks") or case["windows"]
    windows = []
    for item in listed:
        start = item.get("token_type_ids_second_from", 0)
        ids = np.array(item["input_ids"], dtype=np.int32)
        windows.append((Window(ids, start, len(ids) - start, int(folder == "opensearch")), item))
    return windows


def test_few_cases_are_left_out() -> None:
    """A case is left out for a reason that stands in the test, and most are not."""
    reasons = {item: left_out(*item) for item in cases(*FOLDERS)}
    assert len(COMPARED) >= 110
    assert sum(reason is not None for reason in reasons.values()) == len(reasons) - len(COMPARED)
    assert {re.split("[:,]", reason)[0] for reason in reasons.values() if reason} == {
        "passes only with faults of the reference",
        "shows options of the reference we do not have",
        "a blank document",
        "skips the query's normalization",
        "the reference's windows overlap by 128 tokens",
    }


@pytest.mark.parametrize(("folder", "name"), COMPARED)
def test_input_ids_are_those_of_the_reference(folder: str, name: str) -> None:
    """Query and sentences become exactly the windows the reference feeds its model."""
    case, checkpoint = case_of(folder, name), checkpoint_of(folder)
    plan = checkpoint.layout.plan(
        checkpoint.encode_query(case["query"]), checkpoint.encode_sentences(sentences_of(case))
    )
    assert [window.ids.tolist() for window in plan.windows] == [
        window.ids.tolist() for window, _ in listed_windows(folder, name)
    ]


# Where a text spells a control token, XLM-RoBERTa's positions in the reference stand still at `<pad>`; a window of
# ours never holds one.
SOUND = [item for item in cases(*FOLDERS) if "special_ids_in_text" not in case_of(*item)["quirks"]]


@pytest.mark.parametrize(("folder", "name"), SOUND)
def test_listed_windows_get_the_scores_of_the_reference(folder: str, name: str) -> None:
    """Given the same ids, every token's probability and every window's ranking logit is the reference's."""
    listed = listed_windows(folder, name)
    results = Scorer(checkpoint_of(folder).model).score([window for window, _ in listed])
    for scores, (window, item) in zip(results, listed, strict=True):
        if folder == "opensearch":
            assert scores.ranking is None
            found = of_sentences(scores.tokens, item["sentence_ids"][window.start :])
            np.testing.assert_allclose(found, item["sentence_probs"], rtol=0, atol=PROBABILITY)
            continue
        np.testing.assert_allclose(probability(scores.tokens), item["keep_probs"], rtol=0, atol=PROBABILITY)
        if "ranking_logit" in item:
            assert scores.ranking == pytest.approx(item["ranking_logit"], abs=LOGIT)
        else:
            assert probability(np.float64(scores.ranking)) == pytest.approx(item["ranking_score"], abs=PROBABILITY)


def of_sentences(tokens: np.ndarray, owners: list[int]) -> np.ndarray:
    """Reduce token scores by the sentence ids the reference lists; -100 is no sentence."""
    real = np.array(owners) >= 0
    sentences, lengths = np.unique(np.array(owners)[real], return_counts=True)
    return head_scores(tokens[real], lengths, np.arange(len(sentences)), len(sentences))


@pytest.mark.parametrize(("folder", "name"), COMPARED)
def test_scores_and_flags_of_the_compressor_are_those_of_the_reference(folder: str, name: str) -> None:
    """Through the public door: sentence scores, the ranking score, and what is kept at each threshold."""
    case = case_of(folder, name)
    expected = case["expected"]
    compressor, given = compressor_of(folder)
    given.sentences = sentences_of(case)
    document = "".join(given.sentences)
    result = compressor.compress(case["query"], [document])[0]
    scores = [sentence.score for sentence in result.sentences]
    exact = expected.get("sentence_scores", expected.get("score_max_over_windows"))
    if exact is not None:
        np.testing.assert_allclose(scores, exact, rtol=0, atol=PROBABILITY)
    if "ranking_score" in expected:
        assert result.ranking_score == pytest.approx(expected["ranking_score"], abs=PROBABILITY)
    elif "ranking_logit_per_block" in expected:
        best = max(expected["ranking_logit_per_block"])
        assert result.ranking_score == pytest.approx(probability(np.float64(best)), abs=PROBABILITY)
    else:
        assert result.ranking_score is None
    for threshold in golden(folder)["thresholds"]:
        flags = expected["by_threshold"][str(threshold)]
        kept = [score >= threshold for score in scores]
        assert kept == flags.get("kept", flags.get("kept_without_backoff"))
        again = compressor.compress(case["query"], [document], policy=Threshold(threshold))[0]
        if again.reason != "no_gain":
            assert [sentence.kept for sentence in again.sentences] == kept
            # between slices the reference has their own white space, we have the strongest of what was cut
            assert "".join(again.text.split()) == "".join(flags.get("pruned_text", again.text).split())


@pytest.mark.parametrize("folder", AVERAGING)
def test_many_documents_at_once_are_scored_as_the_reference_scores_them(folder: str) -> None:
    """A batch of documents of very different lengths gets the reference's batch numbers."""
    case = golden(folder)["batch_cases"][0]
    documents = {"".join(sentences): sentences for sentences in case["documents"]}

    def known(text: str) -> list[tuple[int, int]]:
        given = Given()
        given.sentences = documents[text]
        return given(text)

    compressor = Compressor(checkpoint_of(folder), segmenter=known)
    results = compressor.compress(case["query"], list(documents))
    for result, scores in zip(results, case["expected"]["sentence_scores"], strict=True):
        np.testing.assert_allclose([s.score for s in result.sentences], scores, rtol=0, atol=PROBABILITY)


@pytest.mark.parametrize("name", [name for folder, name in COMPARED if folder == "opensearch"])
def test_the_default_policy_of_the_highlighter_selects_what_the_reference_selects(name: str) -> None:
    """From 0.5 on, else the best from 0.05 on: the same sentences as the reference."""
    case = case_of("opensearch", name)
    compressor, given = compressor_of("opensearch")
    given.sentences = case["sentences"]
    result = compressor.compress(case["query"], ["".join(case["sentences"])])[0]
    kept = [index for index, sentence in enumerate(result.sentences) if sentence.kept]
    if result.reason == "no_gain":
        kept = [0]  # one sentence, kept whole in any case
        assert len(result.sentences) == 1
    assert kept == case["expected"]["selected_union"]


def scores_of(path, folder: str) -> list[np.ndarray]:
    """Return the sentence scores of every compared case of a golden set, scored by another checkpoint."""
    given = Given()
    compressor = open_compressor(path, given)
    found = []
    for name in (name for where, name in COMPARED if where == folder):
        case = case_of(folder, name)
        given.sentences = sentences_of(case)
        result = compressor.compress(case["query"], ["".join(given.sentences)])[0]
        assert result.status != "error"
        found.append(np.array([*(s.score for s in result.sentences), result.ranking_score or 0.0]))
    return found


def unprefixed(tensors):
    """Name the tensors as older checkpoints do."""
    return {name.removeprefix("ranking_model."): tensor for name, tensor in tensors.items()}


def short_head(tensors):
    """Name the pruning head as a port of zilliz's model does."""
    return {name.replace("pruning_head.classifier.", "pruning_head."): tensor for name, tensor in tensors.items()}


def with_pooler(tensors):
    """Add the pooler that BERT files have and the highlighter does not read."""
    return tensors | {"bert.pooler.dense.weight": torch.ones(40, 40), "bert.pooler.dense.bias": torch.ones(40)}


def with_buffers(tensors):
    """Add what older library versions and one training option write beside the weights."""
    return tensors | {
        "ranking_model.roberta.embeddings.position_ids": torch.arange(514)[None],
        "pruning_head.pooling_weights.weight": torch.ones(1, 48),
        "pruning_head.pooling_weights.bias": torch.ones(1),
    }


@pytest.mark.parametrize(
    ("folder", "change"),
    [
        ("openprovence-gte", unprefixed),
        ("zilliz", short_head),
        ("zilliz", with_buffers),
        ("opensearch", with_pooler),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_other_names_of_the_same_tensors_give_the_same_scores(tmp_path, folder, change) -> None:
    """The layouts under which the same weights are published are the same model."""
    other = changed(folder, tmp_path / "other", tensors=change)
    same = changed(folder, tmp_path / "same")
    for found, expected in zip(scores_of(other, folder), scores_of(same, folder), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_weights_stored_in_16_bits_compute_in_32(tmp_path) -> None:
    """What a file stores its tensors in changes the weights' rounding and nothing else."""
    short = changed("openprovence-gte", tmp_path / "short", tensors=lambda t: {k: v.bfloat16() for k, v in t.items()})
    rounded = changed(
        "openprovence-gte", tmp_path / "long", tensors=lambda t: {k: v.bfloat16().float() for k, v in t.items()}
    )
    assert load_cpu(short).model.pruning.weight.dtype == torch.float32
    pairs = zip(scores_of(short, "openprovence-gte"), scores_of(rounded, "openprovence-gte"), strict=True)
    for found, expected in pairs:
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_a_window_as_long_as_the_position_table_is_filled_and_not_exceeded(tmp_path) -> None:
    """Where `max_length` is the number of positions, the reference crashes; we score as with positions to spare."""

    def tight(config):
        config["max_length"] = 128
        config["base_model_config"]["max_position_embeddings"] = 130

    def cut(tensors):
        name = "ranking_model.roberta.embeddings.position_embeddings.weight"
        tensors[name] = tensors[name][:130].contiguous()

    small = changed("zilliz", tmp_path / "small", config=tight, tensors=cut)
    large = changed("zilliz", tmp_path / "large", config=lambda config: config.update(max_length=128))
    assert load_cpu(small).layout.max_length == 128
    for found, expected in zip(scores_of(small, "zilliz"), scores_of(large, "zilliz"), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
