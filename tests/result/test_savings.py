"""Counting LLM tokens: exactly as tiktoken does, offline."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs import Savings
from secateurs.result.savings import TokenCounter

HARD = [
    "",
    " ",
    "<|endoftext|> and <|fim_prefix|> and </s>",
    "a\ud800b",
    "naïve café — 的确如此。ヿ 👩‍👩‍👧",
    "x" * 5000,
    "line\r\n\r\n  indented\n\ttab",
    "don't WON'T 12345678 3.14 https://example.com/a?b=c",
]


@pytest.mark.parametrize("name", ["o200k_base", "cl100k_base"])
@pytest.mark.parametrize("text", HARD)
def test_counts_are_tiktokens_own(name, text, reference_encodings):
    """The bundled ranks and patterns count what tiktoken counts."""
    assert TokenCounter(name)(text) == len(reference_encodings[name].encode_ordinary(text))


@given(st.text(max_size=200))
def test_any_text_counts_like_tiktoken(reference_encodings, text):
    """No text is counted differently."""
    assert TokenCounter()(text) == len(reference_encodings["o200k_base"].encode_ordinary(text))


def test_the_copied_facts_are_tiktokens(reference_encodings):
    """Pattern and special tokens in the package are those of the library."""
    from secateurs.result.savings import _bundled

    for name, encoding in reference_encodings.items():
        assert _bundled(name)._pat_str == encoding._pat_str
        assert _bundled(name)._special_tokens == encoding._special_tokens


def test_counts_without_network_or_cache(tmp_path):
    """A fresh machine counts exactly: no cache folder, no network."""
    code = (
        "import socket; socket.socket.connect = None\n"
        "from secateurs.result.savings import TokenCounter\n"
        "print(TokenCounter()('Hello, wide world'), TokenCounter('cl100k_base')('Hello, wide world'))"
    )
    environment = {"TIKTOKEN_CACHE_DIR": str(tmp_path), "PATH": "", "TMPDIR": str(tmp_path), "PYTHONPATH": _path()}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["4", "4"]
    assert list(tmp_path.iterdir()) == []


def test_an_encoding_that_cannot_be_loaded_is_approximated_and_flagged(monkeypatch, tmp_path):
    """A count that is not exact says so."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    counter = TokenCounter("p50k_base")
    assert counter("two words") == 2
    assert not counter.exact()
    assert TokenCounter("o200k_harmony").exact()


def test_a_million_blanks_do_not_take_the_process_down():
    """A run of white space that overflows tiktoken's stack is counted in pieces, and flagged."""
    text = "a" + " " * 1_200_000 + "b"
    assert 9_000 < TokenCounter()(text) < 10_000
    assert not TokenCounter().exact(text)
    assert TokenCounter().exact("a" + " " * 400_000 + "b")


@pytest.mark.parametrize("name", ["", "gpt-4o", "o300k_base"])
def test_unknown_encodings_are_refused_by_name(name):
    """An unknown encoding is an error that lists the known ones."""
    with pytest.raises(ValueError, match="o200k_base"):
        TokenCounter(name)


def test_encoding_must_be_a_string():
    """A wrong type is a TypeError."""
    with pytest.raises(TypeError, match="encoding"):
        TokenCounter(None)


def test_threads_share_one_load():
    """Many first counts at once agree."""
    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(TokenCounter()("the same text"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [3] * 8


@given(st.lists(st.tuples(st.integers(0, 10**9), st.floats(0, 1)), max_size=6))
def test_savings_add_up(pairs):
    """The sum of savings is the savings of the sum."""
    savings = [Savings(before, int(before * share)) for before, share in pairs]
    total = sum(savings, Savings(0, 0))
    assert total.before == sum(s.before for s in savings)
    assert total.saved == sum(s.saved for s in savings) >= 0
    assert 0.0 <= total.saved_fraction <= 1.0


def test_savings_of_different_encodings_do_not_add():
    """Counts in different units are never summed."""
    with pytest.raises(ValueError, match="cl100k_base"):
        Savings(2, 1) + Savings(2, 1, "cl100k_base")
    with pytest.raises(TypeError):
        Savings(2, 1) + 3


def test_exactness_is_lost_by_one_approximation():
    """A sum is exact only if all its parts are."""
    assert not (Savings(2, 1) + Savings(2, 1, exact=False)).exact


def test_cost_is_in_the_currency_of_the_price():
    """A million tokens saved are worth the price of a million tokens."""
    assert Savings(1_500_000, 500_000).cost(3.0) == 3.0
    assert Savings(0, 0).saved_fraction == 0.0


def _path() -> str:
    import secateurs

    return str(next(iter(secateurs.__path__))).rsplit("/", 1)[0]
