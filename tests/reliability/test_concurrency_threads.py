"""Threads: sixteen at once get what one after the other would get, overloaded or while the compressor is closed."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from secateurs import Compression, Compressor, Threshold, TopK
from secateurs.errors import OverloadedError

PROSE = "the mill was built by Ann Lee in 1842 and burned twice nobody knows why 水车 烧毁 tides follow a Moon"
WORDS = PROSE.split()
CALLS = 48


def text(numbers: random.Random, sentences: int) -> str:
    return " ".join(" ".join(numbers.choices(WORDS, k=numbers.randint(1, 14))) + "." for _ in range(sentences))


def calls(compressor: Compressor, seed: int) -> list[tuple]:
    """Make calls that share neither query nor documents, nor lengths, thresholds, budgets and ways to call."""
    numbers = random.Random(seed)
    made = []
    for number in range(CALLS):
        documents = [text(numbers, numbers.choice((1, 2, 5, 20))) for _ in range(numbers.randint(1, 4))]
        policy = numbers.choice((None, Threshold(round(numbers.random(), 3)), Threshold(0.9) | TopK(1)))
        spend = numbers.choice((None, None, numbers.randint(0, 60)))
        made.append((f"{text(numbers, 1)} {number} ?", documents, policy, spend, 60.0 if number % 3 else None))
    return made


def one(compressor: Compressor, call: tuple) -> list[Compression]:
    query, documents, policy, spend, timeout = call
    return compressor.compress(query, documents, policy=policy, max_total_tokens=spend, timeout=timeout)


def check_same(results: list[Compression], others: list[Compression]) -> None:
    """Check that scores differ by no more than 1e-5, and that all else is equal: text, spans, savings, policy."""
    assert len(results) == len(others)
    for result, other in zip(results, others, strict=True):
        scores, right = ([s.score for s in x.sentences] for x in (result, other))
        assert scores == pytest.approx(right, abs=1e-5)
        assert result.ranking_score == pytest.approx(other.ranking_score, abs=1e-5)
        same = tuple(replace(a, score=b.score) for a, b in zip(result.sentences, other.sentences, strict=True))
        assert replace(result, sentences=same, ranking_score=other.ranking_score) == other


def test_sixteen_threads_get_what_one_gets(layout):
    """In every layout, queries, lengths, thresholds, budgets and time limits of 16 threads never mix."""
    todo = calls(layout, 16)
    serial = [one(layout, call) for call in todo]
    start = threading.Barrier(16)

    def work(number: int) -> list[list[Compression]]:
        start.wait(30)
        return [one(layout, call) for call in todo[number::16]]

    with ThreadPoolExecutor(16) as pool:
        for number, mine in enumerate(pool.map(work, range(16))):
            for results, right in zip(mine, serial[number::16], strict=True):
                check_same(results, right)


def test_a_thousand_callers_beyond_the_limit_are_refused_or_right(tiny_folder):
    """Each of 1,000 calls is answered rightly or refused with `OverloadedError`; then nothing is left waiting."""
    with Compressor.from_pretrained(tiny_folder, device="cpu") as compressor:
        shared = compressor._scorer._shared
        texts = [f"Ann Lee {number}. It burned." for number in range(1000)]
        right = compressor.compress_pairs([("who ?", one) for one in texts])
        shared._limit = 300
        most: list[int] = []

        def call(number: int) -> list[Compression] | None:
            try:
                return compressor.compress("who ?", [texts[number]])
            except OverloadedError as error:
                assert "limit of 300" in str(error)
                return None
            finally:
                most.append(shared._tokens)

        hold, held = threading.Event(), threading.Event()
        hook = compressor._scorer.model.register_forward_pre_hook(lambda *_: held.set() or (hold.wait(60) and None))
        with ThreadPoolExecutor(128) as pool:
            answers = [pool.submit(call, number) for number in range(1000)]
            assert held.wait(60)
            while sum(answer.done() for answer in answers) < 500:  # refused while a pass stalls, at once
                threading.Event().wait(0.01)
            hold.set()
            results = [answer.result(60) for answer in answers]
        hook.remove()
        refused = results.count(None)
        assert 500 <= refused < 1000
        for result, other in zip(results, right, strict=True):
            if result is not None:
                check_same(result, [other])
        assert max(most) <= 300
        assert shared._tokens == 0


def test_what_needs_no_model_is_not_refused(tiny_folder):
    """While too much waits, a blank document is answered all the same: it adds nothing to the wait."""
    with Compressor.from_pretrained(tiny_folder, device="cpu") as compressor:
        shared = compressor._scorer._shared
        hold, held = threading.Event(), threading.Event()
        hook = compressor._scorer.model.register_forward_pre_hook(lambda *_: held.set() or (hold.wait(60) and None))
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(compressor.compress, "who ?", ["Ann Lee."])
            assert held.wait(30)
            second = pool.submit(compressor.compress, "who ?", ["It burned."])
            while not shared._tokens:
                threading.Event().wait(0.01)
            shared._limit = 1
            assert compressor.compress("who ?", [" "])[0].reason == "blank"
            with pytest.raises(OverloadedError):
                compressor.compress("who ?", ["Ann."])
            hold.set()
            assert first.result(30)[0].status != "error"
            assert second.result(30)[0].status != "error"
        hook.remove()


@pytest.mark.parametrize("timeout", [None, 30.0])
def test_a_compressor_closed_under_its_callers_answers_or_says_so(tiny_folder, timeout):
    """Each call that a closing overtakes is answered rightly or told; looking at the compressor never fails."""
    texts = [f"Ann Lee {number}. It burned." for number in range(8)]
    with Compressor.from_pretrained(tiny_folder, device="cpu") as compressor:
        right = compressor.compress("who ?", texts)
    for moment in range(12):
        compressor = Compressor.from_pretrained(tiny_folder, device="cpu")
        begun = threading.Barrier(9)

        def call(compressor: Compressor = compressor, begun: threading.Barrier = begun) -> int:
            begun.wait(30)
            for number in range(10_000):
                try:
                    repr(compressor)
                    check_same(compressor.compress("who ?", texts, timeout=timeout), right)
                except RuntimeError as error:
                    assert "closed" in str(error), error
                    return number
            raise AssertionError("it was never closed")

        with ThreadPoolExecutor(8) as pool:
            answers = [pool.submit(call) for _ in range(8)]
            begun.wait(30)
            threading.Event().wait(moment * 0.003)
            compressor.close()
            assert all(answer.result(60) >= 0 for answer in answers)
