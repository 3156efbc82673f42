"""Counting LLM tokens: exactly as tiktoken does, offline."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from secateurs import Savings
from secateurs.result import encoders
from secateurs.result.encoders import bundled
from secateurs.result.savings import TokenCounter, _pieces

HARD = [
    "",
    " ",
    "<|endoftext|> and <|fim_prefix|> and </s>",
    "a\ud800b",
    "naïve café — 的确如此。ヿ 👩‍👩‍👧",
    "x" * 5000,
    "line\r\n\r\n  indented\n\ttab",
    "don't WON'T 12345678 3.14 https://example.com/a?b=c",
    "halves \ud800\udc00 of \udc00\ud800 pairs \udbff",
    "y" * 65_000 + " " + "z" * 65_000 + " " * 390_000 + "7",
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
    for name, encoding in reference_encodings.items():
        assert bundled(name)._pat_str == encoding._pat_str
        assert bundled(name)._special_tokens == encoding._special_tokens


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


@pytest.mark.parametrize("name", ["o200k_base", "cl100k_base"])
@pytest.mark.parametrize(
    "unit", ["a", "A", "é", "中", "\u0301", "!", "-", " ", "\n", "\u00a0", "1", "\0", "\ud800", "ab"]
)
def test_a_million_of_one_character_is_counted_in_under_a_second(name, unit):
    """No run of a character takes long to count, and one that had to be cut for that is flagged."""
    text = unit * (1_000_000 // len(unit))
    counter = TokenCounter(name)
    counter("")
    begun = time.thread_time()
    tokens = counter(text)
    assert time.thread_time() - begun < 1
    assert 0 < tokens <= len(text.encode(errors="replace")) * 3
    assert counter.exact(text) == (unit == "1")


def test_whether_a_count_is_exact_is_found_in_linear_time():
    """Blanks that are almost too many do not make whoever looks for them slow."""
    text = "a" + (" " * 390_000 + "b") * 5
    begun = time.thread_time()
    assert TokenCounter().exact(text)
    assert time.thread_time() - begun < 1


def test_runs_are_cut_below_what_overflows_tiktokens_stack():
    """Wherever a run of blanks begins, no piece of it has 800,000 characters, and no piece is lost."""
    for before in (0, 1, 399_999, 400_000, 400_001):
        text = "a\n" * (before // 2) + "a" * (before % 2) + "\u00a0" * 1_300_000 + "b"
        pieces = _pieces(text)
        assert "".join(pieces) == text
        assert max(piece.count("\u00a0") for piece in pieces) < 800_000


class Downloading:
    """tiktoken on a network that does not answer."""

    def __init__(self, monkeypatch) -> None:
        self.asked: list[str] = []
        self.answers = threading.Event()
        self.fails = False
        self.lock = threading.Lock()  # as tiktoken has one, around every download and every list of names
        self.names = frozenset(tiktoken.list_encoding_names())
        monkeypatch.setattr(tiktoken, "get_encoding", self.get)
        monkeypatch.setattr(tiktoken, "list_encoding_names", self.list_names)
        monkeypatch.setattr(encoders, "_FOREIGN", {})
        monkeypatch.setattr(encoders, "_PATIENCE", 0.3)
        monkeypatch.setattr(encoders, "_AGAIN", 0.3)

    def get(self, name: str) -> tiktoken.Encoding:
        with self.lock:
            self.asked.append(name)
            if self.fails:
                raise OSError("no network")
            self.answers.wait(30)
            return bundled("cl100k_base")

    def list_names(self) -> list[str]:
        with self.lock:
            return sorted(self.names)


@pytest.fixture
def downloading(monkeypatch) -> Iterator[Downloading]:
    TokenCounter("p50k_base")  # names are known from here on, as in any process that made a counter
    found = Downloading(monkeypatch)
    yield found
    found.answers.set()


def test_nobody_waits_for_another_encodings_download(downloading):
    """While one encoding is downloaded, others are counted in and counters are made."""
    waiting = threading.Thread(target=TokenCounter("p50k_base"), args=("two words",))
    waiting.start()
    while not downloading.asked:
        time.sleep(0.001)
    begun = time.monotonic()
    assert TokenCounter()("two words") == TokenCounter("cl100k_base")("two words") == 2
    TokenCounter("r50k_base")
    assert time.monotonic() - begun < 0.25
    waiting.join()


def test_a_download_is_waited_for_once_and_not_long(downloading):
    """A download has a time limit; afterwards nobody waits for it, and what comes late is used."""
    begun = time.monotonic()
    threads = [threading.Thread(target=TokenCounter("p50k_base"), args=("two words",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not TokenCounter("p50k_base").exact("two words")
    assert time.monotonic() - begun < 2
    assert downloading.asked == ["p50k_base"]
    downloading.answers.set()
    until(lambda: TokenCounter("p50k_base").exact("two words"))


def test_what_could_not_be_had_is_asked_for_again_later(downloading):
    """A network that was away does not leave a process without its encoding for ever."""
    downloading.fails = True
    counter = TokenCounter("p50k_base")
    assert not counter.exact()
    assert not counter.exact()
    assert len(downloading.asked) == 1
    downloading.fails = False
    downloading.answers.set()
    until(counter.exact)
    assert len(downloading.asked) == 2


def test_a_call_counts_before_and_after_in_the_same_way(downloading):
    """A counter that is held for a call does not change its encoding when another one comes."""
    counter = TokenCounter("p50k_base")
    steady = counter.steady()
    downloading.answers.set()
    until(counter.exact)
    assert not steady.exact()
    assert counter.steady().exact()
    assert TokenCounter().steady().exact()


def until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not met():
        assert time.monotonic() < end
        time.sleep(0.01)


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
