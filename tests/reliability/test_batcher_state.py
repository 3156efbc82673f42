"""The micro-batcher as a state machine: callers come, go, are refused and interrupted in any order."""

from __future__ import annotations

import ctypes
import linecache
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from secateurs.errors import OverloadedError
from secateurs.model import batching
from secateurs.model.batching import SharedBatches

LIMIT, BUDGET, PATIENCE = 24, 8, 20.0


class Interrupted(BaseException):
    """What Ctrl-C does to the thread that runs a batch."""


class Steps:
    """A model whose every pass waits to be told how it ends: well, interrupted, or with an outcome missing."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.waits = threading.Event()
        self.told: list[str] = []
        self.go_on = threading.Semaphore(0)

    def __call__(self, items: Sequence[str]) -> list[str]:
        assert not self.waits.is_set(), "two batches at once"
        self.batches.append(list(items))
        self.waits.set()
        assert self.go_on.acquire(timeout=PATIENCE)
        end = self.told.pop()
        self.waits.clear()
        if end == "interrupted":
            raise Interrupted
        return [item.upper() for item in (items[1:] if end == "short" else items)]

    def end(self, how: str) -> None:
        self.told.append(how)
        self.go_on.release()


@dataclass
class Caller:
    """One submission and what became of it."""

    items: list[str]
    stop: threading.Event = field(default_factory=threading.Event)
    answer: Future[list[str]] = field(default_factory=Future)


def until(true: Callable[[], bool]) -> None:
    """Wait until something is so; a hang fails here."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it hangs"
        time.sleep(0.0005)


class Batcher(RuleBasedStateMachine):
    """Every submission gets exactly its own answer or one clear error, and nothing is run for who has gone."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Steps()
        self.shared: SharedBatches[str, str] = SharedBatches(self.model, budget=BUDGET, limit=LIMIT)
        self.pool = ThreadPoolExecutor(64)
        self.callers: list[Caller] = []
        self.over: dict[str, int] = {}  # items of callers that ended, and how many batches had begun by then
        self.done: set[str] = set()  # items that have an outcome

    def live(self) -> list[Caller]:
        return [one for one in self.callers if not one.answer.done()]

    def waiting(self) -> int:
        """Encoder tokens that wait, from what went in and what the model saw; not as the batcher counts."""
        running = self.model.batches[-1] if self.model.waits.is_set() else []
        return sum(len(i) for c in self.live() for i in c.items if i not in running and i not in self.done)

    @precondition(lambda self: len(self.live()) < 40)
    @rule(sizes=st.lists(st.integers(4, 9), max_size=6))
    def submit(self, sizes: list[int]) -> None:
        number = len(self.callers)
        caller = Caller([f"{number}.{k}".ljust(size, "x") for k, size in enumerate(sizes)])
        waited, busy = self.waiting(), self.model.waits.is_set()
        self.callers.append(caller)
        caller.answer = self.pool.submit(self.shared, caller.items, cancelled=caller.stop)
        if not sizes:
            assert caller.answer.result(PATIENCE) == []
        elif waited and waited + sum(map(len, caller.items)) > LIMIT:
            with pytest.raises(OverloadedError, match=f"{waited} encoder tokens are waiting"):
                caller.answer.result(PATIENCE)
            self.note_over(caller)
        elif busy:
            until(lambda: self.shared._tokens > waited)
        else:
            until(self.model.waits.is_set)

    @rule(who=st.integers(0, 39))  # what is drawn must not depend on how far the threads are
    def cancel(self, who: int) -> None:
        live = self.live()
        if not live:
            return
        caller = live[who % len(live)]
        caller.stop.set()
        worker = self.shared._worker
        if worker is None or worker.items is not caller.items:
            with pytest.raises(CancelledError):
                caller.answer.result(PATIENCE)
            self.note_over(caller)

    @rule(how=st.sampled_from(["well", "well", "interrupted", "short"]))
    def finish(self, how: str) -> None:
        if not self.model.waits.is_set():
            return
        worker, batch, begun = self.shared._worker, self.model.batches[-1], len(self.model.batches)
        assert worker is not None
        (running,) = (one for one in self.live() if one.items is worker.items)
        self.model.end(how)
        if how == "well":
            self.done |= set(batch)
        else:
            error: type[BaseException] = Interrupted if how == "interrupted" else RuntimeError
            assert isinstance(running.answer.exception(PATIENCE), error)
        until(lambda: len(self.model.batches) > begun or not self.live())
        for caller in self.callers:
            if set(caller.items) <= self.done:
                until(caller.answer.done)
        for caller in self.callers:
            if caller.answer.done():
                self.note_over(caller)

    def note_over(self, caller: Caller) -> None:
        for item in caller.items:
            self.over.setdefault(item, len(self.model.batches))

    @invariant()
    def nobody_gets_what_is_not_theirs(self) -> None:
        for caller in self.callers:
            if caller.answer.done() and caller.answer.exception() is None:
                assert caller.answer.result() == [item.upper() for item in caller.items]

    @invariant()
    def batches_keep_to_the_budget(self) -> None:
        assert all(len(batch) == 1 or max(map(len, batch)) * len(batch) <= BUDGET for batch in self.model.batches)

    @invariant()
    def nothing_runs_for_who_has_gone(self) -> None:
        for item, begun in self.over.items():
            assert not any(item in batch for batch in self.model.batches[begun:])

    def teardown(self) -> None:
        end = time.monotonic() + PATIENCE
        while self.live():
            assert time.monotonic() < end, "it hangs"
            if self.model.waits.wait(0.01):
                begun = len(self.model.batches)
                self.model.end("well")
                until(lambda begun=begun: len(self.model.batches) > begun or not self.model.waits.is_set())
        self.pool.shutdown()
        self.nobody_gets_what_is_not_theirs()
        assert self.shared._tokens == 0
        assert self.shared._worker is None
        assert not any(ticket.waiting for ticket in self.shared._tickets)


TestBatcher = Batcher.TestCase
TestBatcher.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)


@pytest.mark.slow
class TestBatcherLong(Batcher.TestCase):  # type: ignore[name-defined]  # hypothesis makes the class
    """The same, a thousand times."""

    settings = settings(max_examples=1000, stateful_step_count=40, deadline=None)


def test_an_interrupt_brings_nobody_back_who_has_left():
    """A caller that was cancelled while its item was in a batch is not run again when that batch is interrupted."""
    model = Steps()
    shared: SharedBatches[str, str] = SharedBatches(model, budget=8, limit=100)
    stops = {"aaa": threading.Event(), "bbb": threading.Event()}
    with ThreadPoolExecutor(3) as pool:
        held = pool.submit(shared, ["held"])
        until(model.waits.is_set)
        calls = {name: pool.submit(shared, [name], cancelled=stop) for name, stop in stops.items()}
        until(lambda: shared._tokens == 6)
        model.end("well")
        assert held.result(PATIENCE) == ["HELD"]
        until(lambda: len(model.batches) == 2)
        assert sorted(model.batches[1]) == ["aaa", "bbb"]
        assert shared._worker is not None
        worker = shared._worker.items[0]
        other = "aaa" if worker == "bbb" else "bbb"
        stops[other].set()
        assert isinstance(calls[other].exception(PATIENCE), CancelledError)
        model.end("interrupted")
        assert isinstance(calls[worker].exception(PATIENCE), Interrupted)
    assert shared._tokens == 0
    assert not shared._tickets


def test_what_runs_already_does_not_count_as_waiting():
    """While a batch runs and nothing waits, a call larger than the limit is let in, as the law of the limit says."""
    model = Steps()
    shared: SharedBatches[str, str] = SharedBatches(model, budget=8, limit=8)
    with ThreadPoolExecutor(2) as pool:
        held = pool.submit(shared, ["held"])
        until(model.waits.is_set)
        large = pool.submit(shared, ["too long for the limit"])
        until(lambda: shared._tokens > 0)
        model.end("well")
        until(lambda: len(model.batches) == 2)
        model.end("well")
        assert held.result(PATIENCE) == ["HELD"]
        assert large.result(PATIENCE) == ["TOO LONG FOR THE LIMIT"]


def test_a_batch_with_an_outcome_missing_hangs_nobody():
    """Whoever ran it gets a clear error, and the others' items run again."""
    model = Steps()
    shared: SharedBatches[str, str] = SharedBatches(model, budget=8, limit=100)
    with ThreadPoolExecutor(2) as pool:
        held = pool.submit(shared, ["aaaa"])
        until(model.waits.is_set)
        other = pool.submit(shared, ["bbbb"])
        until(lambda: shared._tokens == 4)
        model.end("short")
        with pytest.raises(RuntimeError, match="a batch of 1 items came back with 0 outcomes"):
            held.result(PATIENCE)
        until(lambda: len(model.batches) == 2)
        model.end("well")
        assert other.result(PATIENCE) == ["BBBB"]


@contextmanager
def interrupts() -> Iterator[Callable[[float], None]]:
    """Yield a function that interrupts this thread once, so many seconds from now."""

    def interrupt(number: int, frame: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds) and None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def interrupt_thread(thread: int) -> None:
    """Interrupt a thread as soon as it runs Python again."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Interrupted))


@pytest.mark.parametrize("times", [1, 2, 3])
def test_an_interrupt_while_waiting_is_the_one_that_is_raised(times):
    """However often who waits is interrupted, the interrupt comes out as it is, and the others go on."""
    model = Steps()
    shared: SharedBatches[str, str] = SharedBatches(model, budget=8, limit=100)
    raised: list[BaseException] = []

    def call() -> None:
        try:
            try:
                shared(["mine"])
            except BaseException as error:
                raised.append(error)
                time.sleep(0.1)  # until the last one has come
        except Interrupted as error:
            raised.append(error)

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(shared, ["held"])
        until(model.waits.is_set)
        thread = threading.Thread(target=call, daemon=True)
        thread.start()
        until(lambda: shared._tokens == 4)
        for _ in range(times):
            interrupt_thread(thread.ident or 0)
        thread.join(PATIENCE)
        assert isinstance(raised[0], Interrupted)
        assert raised[0].__context__ is None or isinstance(raised[0].__context__, Interrupted)
        model.end("well")
        assert held.result(PATIENCE) == ["HELD"]
    assert shared._tokens == 0
    assert shared._worker is None


class Once(list):  # type: ignore[type-arg]  # of outcomes
    """Outcomes, the first of which is interrupted when it has just been written down."""

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(index, value)
        if not interrupted.is_set():
            interrupted.set()
            raise Interrupted


interrupted = threading.Event()


def test_an_outcome_just_written_down_is_counted():
    """An interrupt between an outcome and its count leaves nobody waiting for what is there already."""
    model = Steps()
    shared: SharedBatches[str, str] = SharedBatches(model, budget=100, limit=100)
    interrupted.clear()
    with ThreadPoolExecutor(3) as pool:
        held = pool.submit(shared, ["held"])
        until(model.waits.is_set)
        calls = [pool.submit(shared, [name]) for name in ("bbb", "ccc")]
        until(lambda: shared._tokens == 6)
        for ticket in shared._tickets:
            ticket.outcomes = Once(ticket.outcomes)
        model.end("well")
        assert held.result(PATIENCE) == ["HELD"]
        until(lambda: len(model.batches) == 2)
        model.end("well")
        ended = 0
        while not all(call.done() for call in calls):
            if model.waits.wait(0.01):
                model.end("well")
                ended += 1
                until(lambda: not model.waits.is_set())
            assert ended < 5
        errors = [call.exception(PATIENCE) for call in calls]
    assert sorted(type(error).__name__ for error in errors) == ["Interrupted", "NoneType"]
    assert shared._worker is None
    assert shared._tokens == 0


STEPS = ("_leave", "_put_back", "_rest", "_clear_up")


def twice_interrupted(step: int) -> tuple[BaseException | None, SharedBatches[str, str], bool]:
    """Interrupt the pass of one caller, then the clearing up at a step; say how it ended, and whether it was hit."""
    steps = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal steps
        if frame.f_code.co_filename != batching.__file__ or frame.f_code.co_name not in STEPS:
            return None
        # not on the way out of a `with`: no signal is looked at between a block's end and its lock being let go
        if event != "line" or linecache.getline(batching.__file__, frame.f_lineno).lstrip().startswith("with "):
            return trace
        steps += 1
        if steps == step:
            raise Interrupted
        return trace

    def run(items: Sequence[str]) -> list[str]:
        if items[0] == "mine":
            sys.settrace(trace)
            raise Interrupted
        return [item.upper() for item in items]

    shared: SharedBatches[str, str] = SharedBatches(run, budget=100, limit=100)
    before = sys.gettrace()
    try:
        shared(["mine", "and", "mine"])
    except BaseException as error:
        return error, shared, steps >= step
    finally:
        sys.settrace(before)
    return None, shared, False


def test_two_interrupts_in_a_row_stall_nobody():
    """Ctrl-C in a pass, and again at any step of what clears up after it: whoever calls next is answered."""
    for step in range(1, 100):
        error, shared, hit = twice_interrupted(step)
        assert isinstance(error, Interrupted)
        if not hit:
            break
        with ThreadPoolExecutor(2) as pool:
            calls = [pool.submit(shared, [name]) for name in ("one", "two")]
            assert [call.result(PATIENCE) for call in calls] == [["ONE"], ["TWO"]]
        assert shared._tokens == 0
        assert shared._worker is None
        assert not shared._tickets
        assert not shared._callers
    assert step > 10


def test_who_is_interrupted_twice_leaves_others_their_items():
    """What a caller ran for others when it was interrupted, and interrupted again, is run again for them."""
    model = Steps()
    shared: SharedBatches[str, str] = SharedBatches(model, budget=100, limit=100)
    leave = shared._leave
    broken = threading.Event()

    def interrupted(ticket: Any) -> None:
        if list(ticket.items) == ["bbb"] and not broken.is_set():
            broken.set()
            raise Interrupted
        leave(ticket)

    with ThreadPoolExecutor(3) as pool:
        held = pool.submit(shared, ["held"])
        until(model.waits.is_set)
        shared._leave = interrupted  # type: ignore[method-assign]  # the second interrupt, where it does most harm
        calls = {name: pool.submit(shared, [name]) for name in ("bbb", "ccc")}
        until(lambda: shared._tokens == 6)
        model.end("well")
        assert held.result(PATIENCE) == ["HELD"]
        until(lambda: len(model.batches) == 2)
        model.end("interrupted" if shared._worker and list(shared._worker.items) == ["bbb"] else "well")
        if broken.wait(1):
            until(lambda: len(model.batches) == 3 or calls["ccc"].done())
            if not calls["ccc"].done():
                model.end("well")
        assert calls["ccc"].result(PATIENCE) == ["CCC"]
    assert shared._tokens == 0
    assert shared._worker is None


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs a timer that interrupts the main thread")
def test_an_interrupt_at_any_moment_stalls_nobody():
    """Ctrl-C hits one caller at 300 moments of its calls; the others, on threads, go on and get their own."""
    shared: SharedBatches[str, str] = SharedBatches(lambda items: [i.upper() for i in items], budget=9, limit=10**6)
    over = threading.Event()

    def others(name: str) -> int:
        calls = 0
        while not over.is_set():
            assert shared([f"{name}{calls}", "more"]) == [f"{name}{calls}".upper(), "MORE"]
            calls += 1
        return calls

    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(others, name) for name in "abc"]
        hit = 0
        try:
            with interrupts() as within:
                for moment in range(300):
                    try:
                        within(1e-5 + moment % 60 * 2e-5)
                        for _ in range(1000):
                            assert shared(["mine", "and", "mine"]) == ["MINE", "AND", "MINE"]
                    except Interrupted:
                        hit += 1
            assert shared(["after"]) == ["AFTER"]
        finally:
            over.set()
        done, late = wait(calls, timeout=PATIENCE)
        assert not late
        assert all(call.result() > 0 for call in done)
    assert hit >= 290
    assert shared._tokens == 0
    assert shared._worker is None
