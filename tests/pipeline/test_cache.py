"""The score cache: the same results without a forward pass, and never more than it may hold."""

from __future__ import annotations

import pickle

import pytest

from secateurs import ScoreCache, Threshold
from secateurs.pipeline.documents import Scored
from secateurs.result.join import Parts

QUERY = "who wrote the book ?"
DOCUMENTS = ["the book . it rained .", "who wrote it . the end ."]


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
    """Never more characters than allowed; what was used last stays."""
    cache = ScoreCache(max_characters=10)
    for name in ("aaaa", "bbbb"):
        cache.put("owner", "q", Scored(Parts(name, ()), (), None, ()))
    assert cache.get("owner", "q", "aaaa") is not None
    cache.put("owner", "q", Scored(Parts("cccc", ()), (), None, ()))
    assert cache.get("owner", "q", "bbbb") is None
    assert cache.get("owner", "q", "aaaa") is not None
    cache.put("owner", "q", Scored(Parts("x" * 11, ()), (), None, ()))
    assert len(cache) == 2
    cache.put("owner", "q", Scored(Parts("aaaa", ()), (), None, ()))
    assert len(cache) == 2
    cache.clear()
    assert len(cache) == 0


def test_no_two_pairs_are_one():
    """Query and document cannot run together, and a lone surrogate is as good a text as any."""
    cache = ScoreCache()
    cache.put("owner", "ab", Scored(Parts("c\ud800", ()), (), None, ()))
    assert cache.get("owner", "a", "bc\ud800") is None
    assert cache.get("owner", "ab", "c\ud800") is not None


def test_a_pickled_cache_is_empty(tiny):
    """Only its bound travels, also inside a compressor."""
    cache = ScoreCache(max_characters=77)
    cache.put("owner", "q", Scored(Parts("text", ()), (), None, ()))
    copy = pickle.loads(pickle.dumps(cache))
    assert (len(copy), copy.max_characters) == (0, 77)


@pytest.mark.parametrize(("size", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)])
def test_a_senseless_bound_is_refused(size, error):
    """The bound is a positive whole number."""
    with pytest.raises(error, match="max_characters"):
        ScoreCache(max_characters=size)
