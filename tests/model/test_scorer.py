"""One window's failure is its own; order, batching and threads change nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from secateurs import Compressor
from secateurs.model.encoders import Batch
from secateurs.model.pruner import Scores
from secateurs.model.scorer import Scorer
from secateurs.windows.packing import Window

BAD = 999  # a token that makes the fake model fail


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """A tiny model on several threads mostly waits for them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class FakeModel:
    """Scores a token with its id and a window with its length; what it does on each call may be replaced."""

    def __init__(self, fault: Callable[[int, Batch, Scores], Scores] | None = None) -> None:
        self.device = torch.device("cpu")
        self.calls: list[Batch] = []
        self._fault = fault

    def __call__(self, batch: Batch) -> Scores:
        """Score a batch."""
        self.calls.append(batch)
        scores = Scores(batch.ids.float() + batch.types * 0.5, torch.tensor(batch.lengths).float())
        return self._fault(len(self.calls) - 1, batch, scores) if self._fault else scores


def make_windows(count: int = 40, bad: tuple[int, ...] = ()) -> list[Window]:
    """Return windows of mixed lengths; the `bad` ones hold the bad token."""
    generator = np.random.default_rng(1)
    windows = []
    for index in range(count):
        length = int(generator.integers(4, 30))
        ids = generator.integers(5, 100, size=length).astype(np.int32)
        ids[-1] = BAD if index in bad else ids[-1]
        windows.append(Window(ids, 2, length - 3, index % 2))
    return windows


def check(windows: list[Window], results: list, failed: tuple[int, ...] = ()) -> None:
    """Check that each result belongs to its window, and that only the failed ones are errors."""
    assert len(results) == len(windows)
    for index, (window, result) in enumerate(zip(windows, results, strict=True)):
        if index in failed:
            assert isinstance(result, Exception)
            continue
        expected = window.ids[2 : 2 + window.tokens] + window.document_type * 0.5
        np.testing.assert_array_equal(result.tokens, expected)
        assert result.ranking == len(window)


@pytest.mark.parametrize("budget", [1, 30, 100, 10_000])
def test_results_come_in_the_order_of_the_windows(budget) -> None:
    """Whatever is batched with what, result i belongs to window i and no batch exceeds its budget."""
    model, windows = FakeModel(), make_windows()
    check(windows, Scorer(model, budget=budget).score(windows))
    sizes = [sum(batch.lengths) for batch in model.calls if len(batch.lengths) > 1]
    assert all(size <= budget for size in sizes)


def test_no_windows_need_no_model() -> None:
    """Nothing in, nothing out, and the model is not asked."""
    model = FakeModel()
    assert Scorer(model).score([]) == []
    assert not model.calls


@pytest.mark.parametrize("call", range(12))
def test_running_out_of_memory_once_costs_no_document(call) -> None:
    """Whichever pass runs out of memory, smaller ones replace it and every window is scored."""

    def fault(number: int, batch: Batch, scores: Scores) -> Scores:
        if number == call and len(batch.lengths) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return scores

    windows = make_windows()
    model = FakeModel(fault)
    check(windows, Scorer(model, budget=60).score(windows))
    assert len(model.calls) > call


def test_a_window_that_never_fits_is_lost_alone() -> None:
    """Memory too small for one window fails that window, at batch size one, and no other."""

    def fault(number: int, batch: Batch, scores: Scores) -> Scores:
        if max(batch.lengths) > 27:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return scores

    windows = make_windows()
    failed = tuple(index for index, window in enumerate(windows) if len(window) > 27)
    assert failed
    results = Scorer(FakeModel(fault), budget=500).score(windows)
    check(windows, results, failed)
    assert all(isinstance(results[index], torch.OutOfMemoryError) for index in failed)


@pytest.mark.parametrize("bad", [(0,), (17,), (39,), (3, 4, 30)])
def test_an_exception_is_its_windows_own(bad) -> None:
    """A window on which the model raises fails alone, wherever it stands."""

    def fault(number: int, batch: Batch, scores: Scores) -> Scores:
        if (batch.ids == BAD).any():
            raise RuntimeError("this token is bad")
        return scores

    windows = make_windows(bad=bad)
    results = Scorer(FakeModel(fault), budget=10_000).score(windows)
    check(windows, results, bad)
    assert all("this token is bad" in str(results[index]) for index in bad)


@pytest.mark.parametrize("where", ["tokens", "ranking"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_fails_its_window_alone(where, value) -> None:
    """NaN or infinity in one window's tokens or ranking logit is that window's error."""

    def fault(number: int, batch: Batch, scores: Scores) -> Scores:
        window = next((i for i, ids in enumerate(torch.split(batch.ids, batch.lengths)) if ids[-1] == BAD), None)
        if window is not None:
            spot = scores.ranking if where == "ranking" else torch.split(scores.tokens, batch.lengths)[window]
            spot[window if where == "ranking" else 3] = value
        return scores

    windows = make_windows(bad=(5,))
    results = Scorer(FakeModel(fault), budget=10_000).score(windows)
    check(windows, results, (5,))
    assert "not finite" in str(results[5])


def test_numbers_outside_the_document_do_not_matter() -> None:
    """What the model says of control tokens and the query is never read."""

    def fault(number: int, batch: Batch, scores: Scores) -> Scores:
        scores.tokens[batch.positions < 2] = float("nan")
        return scores

    windows = make_windows()
    check(windows, Scorer(FakeModel(fault), budget=200).score(windows))


def test_nothing_but_nan_fails_every_window() -> None:
    """A broken model gives one error a window, not an exception."""
    windows = make_windows()
    broken = FakeModel(lambda number, batch, scores: Scores(scores.tokens * float("nan"), None))
    check(windows, Scorer(broken).score(windows), tuple(range(len(windows))))


@pytest.mark.parametrize("change", [lambda x: x[:-1], lambda x: torch.cat((x, x)), lambda x: x[None]])
def test_scores_of_the_wrong_shape_are_errors(change) -> None:
    """A model that returns another number of scores fails its windows instead of shifting them."""
    windows = make_windows(6)
    model = FakeModel(lambda number, batch, scores: Scores(change(scores.tokens), scores.ranking))
    check(windows, Scorer(model).score(windows), tuple(range(6)))
    model = FakeModel(lambda number, batch, scores: Scores(scores.tokens, change(scores.ranking)))
    check(windows, Scorer(model).score(windows), tuple(range(6)))


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interruption_passes(stop) -> None:
    """What ends the program is no document's failure."""

    def fault(number: int, batch: Batch, scores: Scores) -> Scores:
        raise stop

    with pytest.raises(stop):
        Scorer(FakeModel(fault)).score(make_windows(3))


def test_threads_share_a_scorer() -> None:
    """Calls from many threads get their own results."""
    scorer = Scorer(FakeModel(), budget=50)
    groups = [make_windows(20) for _ in range(16)]
    with ThreadPoolExecutor(8) as pool:
        for windows, results in zip(groups, pool.map(scorer.score, groups), strict=True):
            check(windows, results)


def test_passes_of_many_threads_run_on_two() -> None:
    """However many threads call, passes run on the first of them or on the one for all others."""
    scorer, on = Scorer(FakeModel(), budget=50), set()
    scorer.observe(lambda tokens, seconds: on.add(threading.get_ident()))
    together = threading.Barrier(8)

    def call(number: int) -> None:
        together.wait(10)
        for _ in range(20):
            scorer.score(make_windows(3))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(8)))
    assert len(on) <= 2


def test_a_failing_window_fails_its_document_and_no_other(tiny_folder) -> None:
    """Through the compressor: the document with the bad window comes back whole, the others as ever."""
    compressor = Compressor.from_pretrained(tiny_folder, device="cpu")
    sound = "The mill was built in 1842. It burned down twice. " * 6
    documents = [sound, "zzz " + sound, sound]
    expected = compressor.compress("Who built it?", documents)

    class Failing:
        device = torch.device("cpu")

        def __call__(self, batch: Batch) -> Scores:
            if (batch.ids == marker).any():
                raise RuntimeError("no z today")
            return model(batch)

    model = compressor._scorer.model
    marker = compressor._loaded.encode_sentences(["zzz"]).ids[-1]
    assert not np.isin(marker, compressor._loaded.encode_sentences([sound]).ids)
    compressor._scorer = Scorer(Failing())
    results = compressor.compress("Who built it?", documents)
    assert [result.status == "error" for result in results] == [False, True, False]
    assert results[1].text == documents[1]
    assert "no z today" in results[1].reason
    for index in (0, 2):
        found, wanted = ([s.score for s in r.sentences] for r in (results[index], expected[index]))
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)


def test_scores_do_not_depend_on_the_company_of_a_document(tiny) -> None:
    """A hundred documents of mixed lengths score the same alone, together, shuffled and in pairs."""
    generator = np.random.default_rng(2)
    words = ["The", "mill", "burned", "down", "twice,", "and", "nobody", "knows", "why.", "What", "causes", "tides?"]
    documents = [" ".join(generator.choice(words, size=int(n))) + "." for n in generator.integers(1, 120, size=100)]
    alone = [[s.score for s in tiny.compress("Who built it?", [document])[0].sentences] for document in documents]
    order = generator.permutation(len(documents))
    together = tiny.compress("Who built it?", [documents[index] for index in order])
    pairs = tiny.compress_pairs([("Who built it?", document) for document in documents])
    for index, result in zip(order, together, strict=True):
        np.testing.assert_allclose([s.score for s in result.sentences], alone[index], rtol=0, atol=1e-5)
        np.testing.assert_allclose([s.score for s in pairs[index].sentences], alone[index], rtol=0, atol=1e-5)
