"""The score cache: the same results without a forward pass, and never more than it may hold."""

from __future__ import annotations

import gc
import json
import pickle
import tracemalloc

import pytest
from slices import part
from tiny import tiny_checkpoint

from secateurs import Compressor, ScoreCache, Threshold
from secateurs.pipeline.documents import Scored
from secateurs.result.join import Parts
from secateurs.result.span import Sentence
from secateurs.segment.units import Unit

QUERY = "who wrote the book ?"
DOCUMENTS = ["the book . it rained .", "who wrote it . the end ."]


def scored(text: str) -> Scored:
    """A document of one sentence."""
    return Scored(Parts(text, (Unit(0, len(text)),)), (Sentence(0, len(text), text, 0.5, True),), None, ())


@pytest.fixture
def passes(tiny):
    """Count the tiny model's forward passes, by a hook torch offers for that."""
    count: list[int] = []
    handle = tiny._scorer.model.register_forward_hook(lambda *_: count.append(1))
    tiny.cache = ScoreCache()
    yield count
    tiny.cache = None
    handle.remove()


def test_a_remembered_document_is_not_scored_again(tiny, passes):
    """The second call gives the same results and runs no forward pass, whatever the policy."""
    first = tiny.compress(QUERY, DOCUMENTS)
    ran = len(passes)
    assert ran
    assert tiny.compress(QUERY, DOCUMENTS) == first
    strict = tiny.compress(QUERY, DOCUMENTS, policy=Threshold(0.9))
    assert len(passes) == ran
    assert [[s.score for s in r.sentences] for r in strict] == [[s.score for s in r.sentences] for r in first]
    assert (tiny.cache.hits, tiny.cache.misses) == (4, 2)


def test_query_document_and_checkpoint_all_count(tiny, passes):
    """Another query, or another document, is scored."""
    tiny.compress(QUERY, DOCUMENTS[:1])
    ran = len(passes)
    tiny.compress("the end ?", DOCUMENTS[:1])
    tiny.compress(QUERY, DOCUMENTS[1:])
    assert len(passes) == ran + 2
    assert tiny.cache.get("another checkpoint", QUERY, DOCUMENTS[0]) is None


def test_a_checkpoint_written_anew_into_its_folder_is_another(tmp_path):
    """Who trains into the same folder again, and shares the cache, gets the new model's scores."""
    cache, found = ScoreCache(), []
    for seed in (0, 5):
        compressor = Compressor.from_pretrained(tiny_checkpoint(tmp_path / "mine", seed=seed), device="cpu")
        for compressor.cache in (cache, None):
            found.append([s.score for s in compressor.compress(QUERY, DOCUMENTS[:1])[0].sentences])
    assert found[0] == found[1] != found[2] == found[3]


def test_known_and_new_documents_keep_their_places(tiny, passes):
    """A call that is partly remembered gives what one without a cache gives."""
    tiny.compress(QUERY, DOCUMENTS[1:])
    mixed = tiny.compress(QUERY, ["it rained .", *DOCUMENTS, "  ", ""])
    tiny.cache = None
    plain = tiny.compress(QUERY, ["it rained .", *DOCUMENTS, "  ", ""])
    for one, other in zip(mixed, plain, strict=True):
        assert (one.original, one.text, one.status, one.reason) == (
            other.original,
            other.text,
            other.status,
            other.reason,
        )
        assert [s.score for s in one.sentences] == pytest.approx([s.score for s in other.sentences], abs=1e-5)


def test_the_least_recently_used_goes_first():
    """Never more bytes than allowed; what was used last stays."""
    cache = ScoreCache(max_bytes=6_000)
    for name in ("aaaa", "bbbb"):
        cache.put("owner", "q", scored(name))
    assert cache.get("owner", "q", "aaaa") is not None
    cache.put("owner", "q", scored("cccc"))
    assert cache.get("owner", "q", "bbbb") is None
    assert cache.get("owner", "q", "aaaa") is not None
    cache.put("owner", "q", scored("x" * 6_000))
    assert len(cache) == 2
    cache.put("owner", "q", scored("aaaa"))
    assert len(cache) == 2
    assert 0 < cache.size <= 6_000
    cache.clear()
    assert len(cache) == 0


@pytest.mark.parametrize("text", ["", " \n", "\u00a0" * 5000])
def test_blank_documents_are_not_remembered(tiny, passes, text):
    """What is not scored is not kept either, however many of them come."""
    for number in range(300):
        tiny.compress(f"{QUERY} {number}", [text])
    assert (len(tiny.cache), tiny.cache.size) == (0, 0)


DOCUMENT_KINDS = {
    "five characters": lambda n: f"{n:05d}",
    "prose": lambda n: f"the book number {n} . it rained . who wrote it . " * 20,
    "wide characters": lambda n: f"第{n}号。我们在这里。" * 40,
    "json": lambda n: json.dumps([{"id": m, "text": f"row {n} {m}"} for m in range(60)]),
    "table": lambda n: "| a | b |\n|---|---|\n" + "".join(f"| {n} | {m} |\n" for m in range(80)),
}


@pytest.mark.sliced
@pytest.mark.parametrize("kind", DOCUMENT_KINDS)
def test_an_entry_is_charged_what_it_costs(tiny, passes, kind):
    """The bytes a cache counts are those it takes, be the documents short or wide or full of structure."""
    documents = [DOCUMENT_KINDS[kind](number) for number in range(part(400 if kind == "five characters" else 20, 2))]
    tiny.compress(QUERY, [DOCUMENT_KINDS[kind](10**6)])[0].highlights(0.1)  # whatever is made once
    tiny.cache.clear()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for document in documents:
        for threshold in (0.1, 0.5):
            tiny.compress(QUERY, [document], policy=Threshold(threshold))[0].highlights(0.5)
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(tiny.cache) == len(documents)
    assert 0.8 * taken < tiny.cache.size < 2 * taken


def test_no_two_pairs_are_one():
    """Query and document cannot run together, and a lone surrogate is as good a text as any."""
    cache = ScoreCache()
    cache.put("owner", "ab", scored("c\ud800"))
    assert cache.get("owner", "a", "bc\ud800") is None
    assert cache.get("owner", "ab", "c\ud800") is not None


def test_a_pickled_cache_is_empty(tiny):
    """Only its bound travels, also inside a compressor."""
    cache = ScoreCache(max_bytes=7_777)
    cache.put("owner", "q", scored("text"))
    copy = pickle.loads(pickle.dumps(cache))
    assert (len(cache), len(copy), copy.max_bytes) == (1, 0, 7_777)


@pytest.mark.parametrize(("size", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)])
def test_a_senseless_bound_is_refused(size, error):
    """The bound is a positive whole number."""
    with pytest.raises(error, match="max_bytes"):
        ScoreCache(max_bytes=size)
