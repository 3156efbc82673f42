"""Large documents, and many: bounded in time and memory, and equal where they are equal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from growth import LINEAR, growth
from laws import check_laws
from texts import QUERY, TEXT
from tiny import tiny_checkpoint, word_tokenizer
from watchdog import run_python

from secateurs import Compressor, Threshold, TokenBudget, TopK

PEAK = """
import json, resource, sys
sys.path.insert(0, {tests!r})
from secateurs import Compressor, Threshold
with Compressor.from_pretrained({model!r}, device="cpu") as compressor:
    compressor.compress("Who built the mill?", ["It burned. It rained."] * 4)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    documents = {documents}
    results = compressor.compress("Who built the mill?", documents, policy=Threshold(0.5))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert len(results) == len(documents)
assert all(one.original is document for one, document in zip(results, documents))
statuses = sorted({{one.status for one in results}})
sentences = sum(len(one.sentences) for one in results)
print(json.dumps([(after - before) / 1024, sum(map(len, documents)) / 1e6, statuses, sentences]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A tiny checkpoint of one token a word, with windows of 512."""
    place = tmp_path_factory.mktemp("scale")
    return tiny_checkpoint(place, max_length=512, tokenizer=word_tokenizer(), layers=1)


@pytest.fixture(scope="module")
def words(folder):
    """A compressor on it."""
    with Compressor.from_pretrained(folder, device="cpu") as compressor:
        yield compressor


def peak(folder: Path, documents: str, seconds: float) -> tuple[float, float, list[str], int]:
    """Compress in a process of its own; return growth (MiB), size (million characters) and what came."""
    program = PEAK.format(tests=str(Path(__file__).parents[1]), model=str(folder), documents=documents)
    ended = run_python(["-c", program], seconds=seconds)
    assert (ended.status, ended.stderr) == (0, "")
    grown, size, statuses, sentences = json.loads(ended.stdout)
    return grown, size, statuses, sentences


def test_five_thousand_sentences_are_one_document(words):
    """A document of 5,000 sentences comes back by the laws under every kind of policy, in linear time."""
    document = "".join(f"The mill of {number} burned. " for number in range(5000))
    for policy in (Threshold(0.5), TopK(7), Threshold(0.2) & TokenBudget(100)):
        result = words.compress(QUERY, [document], policy=policy)[0]
        check_laws(result, document)
        assert len(result.sentences) == 5000
    assert words.compress(QUERY, [document], policy=TopK(7))[0].savings.after <= 7 * 12
    sizes = [625, 1250, 2500, 5000]
    parts = [document[: sum(len(s.text) for s in result.sentences[:size])] for size in sizes]
    assert growth(lambda part: words.compress(QUERY, [part]), parts, sizes) <= LINEAR


def test_equal_documents_have_equal_results(layout):
    """Documents that are the same get the same decisions, wherever they stand and whatever stands between."""
    other = [f"{TEXT} Number {number}." for number in range(9)]
    mixed = [one for pair in zip([TEXT] * 9, other, strict=True) for one in pair]
    results = layout.compress(QUERY, mixed, policy=Threshold(0.5))
    assert len({(one.text, one.spans, one.ranking_score, one.sentences) for one in results[::2]}) == 1
    alone = layout.compress(QUERY, [TEXT], policy=Threshold(0.5))[0]
    assert (alone.text, alone.spans) == (results[0].text, results[0].spans)


def test_equal_sentences_of_one_window_are_decided_by_the_laws(words):
    """A document of one sentence, 300 times over, is by the laws; a tie of all scores keeps the earlier ones."""
    document = "The mill was built. " * 300
    result = words.compress(QUERY, [document], policy=TopK(3))[0]
    check_laws(result, document)
    best = sorted(range(300), key=lambda i: (-result.sentences[i].score, i))[:3]
    assert [i for i, s in enumerate(result.sentences) if s.kept] == sorted(best)


def test_two_thousand_documents_in_one_call(folder):
    """2,000 different documents in one call come back in order, with at most 100 MiB more than before."""
    documents = '[f"The mill of {i} was built. It burned. " * 3 for i in range(2000)]'
    grown, _, statuses, sentences = peak(folder, documents, 100)
    assert set(statuses) <= {"compressed", "dropped", "unchanged"}
    assert sentences == 2000 * 6
    assert grown < 100


@pytest.mark.slow
def test_ten_thousand_documents_in_one_call(folder):
    """10,000 different documents in one call come back in order, with at most 300 MiB more than before."""
    documents = '[f"The mill of {i} was built. It burned. " * 5 for i in range(10_000)]'
    grown, size, statuses, sentences = peak(folder, documents, 1200)
    print(f"10,000 documents, {size:.1f} million characters: {grown:.0f} MiB more")
    assert set(statuses) <= {"compressed", "dropped", "unchanged"}
    assert sentences == 100_000
    assert grown < 300


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [1, 10])
@pytest.mark.parametrize("kind", ["prose", "one sentence"])
def test_a_document_of_megabytes(folder, megabytes, kind):
    """A document of 1 and of 10 million characters, in sentences or in one, takes at most 120 bytes a character."""
    unit = "The mill was built in 1842 by Ann Lee. " if kind == "prose" else "The mill was built in and by "
    grown, size, statuses, sentences = peak(folder, f'["{unit}" * {megabytes * 1_000_000 // len(unit)}]', 3000)
    print(f"{megabytes} MB, {kind}: {grown:.0f} MiB more, {sentences:,} sentences")
    assert set(statuses) <= {"compressed", "dropped", "unchanged"}
    assert grown < 60 + 120 * size
