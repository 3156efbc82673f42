"""Shared batches: concurrent callers fill each other's forward passes."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secateurs.errors import OverloadedError
from secateurs.model.batching import SharedBatches


class Machine:
    """Answers a batch with its items, counts its runs, and can be held."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.batches: list[list[str]] = []
        self.seconds = seconds
        self.gate = threading.Event()
        self.gate.set()
        self.at_once = 0

    def __call__(self, items):
        self.at_once += 1
        assert self.at_once == 1, "two batches at once"
        self.gate.wait(10)
        time.sleep(self.seconds)
        self.batches.append(list(items))
        self.at_once -= 1
        return [item.upper() for item in items]


def waiting(shared: SharedBatches, calls: int) -> None:
    """Wait until a batch runs and so many calls wait for the next."""
    end = time.monotonic() + 5
    while shared._worker is None or len(shared._tickets) < calls:
        assert time.monotonic() < end
        time.sleep(0.002)


@given(st.lists(st.text("ab", min_size=1, max_size=9), max_size=30), st.integers(1, 20))
def test_one_caller_gets_its_outcomes_in_order_within_the_budget(items, budget):
    """Order is kept, nothing is lost or doubled, and only a single item may exceed the budget."""
    machine = Machine()
    assert SharedBatches(machine, budget=budget, limit=10**6)(items) == [item.upper() for item in items]
    assert sorted(item for batch in machine.batches for item in batch) == sorted(items)
    assert all(len(batch) == 1 or max(map(len, batch)) * len(batch) <= budget for batch in machine.batches)


def test_concurrent_callers_share_batches():
    """Ten callers that arrive while one batch runs need far fewer than ten more."""
    machine = Machine()
    shared = SharedBatches(machine, budget=100, limit=10**6)
    machine.gate.clear()
    with ThreadPoolExecutor(11) as pool:
        calls = [pool.submit(shared, ["first"])]
        calls += [pool.submit(shared, [f"item{n}"]) for n in range(10)]
        time.sleep(0.2)
        machine.gate.set()
        results = [call.result(5) for call in calls]
    assert results[0] == ["FIRST"]
    assert results[1:] == [[f"ITEM{n}"] for n in range(10)]
    assert len(machine.batches) <= 3


def test_a_small_call_does_not_wait_for_a_large_one():
    """Callers take turns within a batch."""
    machine = Machine(seconds=0.01)
    shared = SharedBatches(machine, budget=10, limit=10**6)
    with ThreadPoolExecutor(2) as pool:
        large = pool.submit(shared, ["large"] * 200)
        time.sleep(0.05)
        assert pool.submit(shared, ["s"]).result(5) == ["S"]
        assert not large.done()
        assert len(large.result(20)) == 200


def test_too_much_waiting_is_refused():
    """Beyond the limit a call is refused at once, and what waits is not harmed."""
    machine = Machine()
    shared = SharedBatches(machine, budget=4, limit=8)
    machine.gate.clear()
    with ThreadPoolExecutor(2) as pool:
        big = pool.submit(shared, ["aaaa"] * 5)  # larger than the limit, but nothing was waiting
        waiting(shared, 1)
        with pytest.raises(OverloadedError, match="limit of 8"):
            shared(["bbbb"])
        machine.gate.set()
        assert big.result(5) == ["AAAA"] * 5
    assert shared(["cccc"]) == ["CCCC"]
    assert shared._tokens == 0


def test_a_cancelled_call_runs_no_further():
    """What was cancelled before it ran never runs, and others are not harmed."""
    machine = Machine()
    shared = SharedBatches(machine, budget=4, limit=10**6)
    machine.gate.clear()
    stop = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(shared, ["aaaa"])
        waiting(shared, 0)
        second = pool.submit(shared, ["bbbb"] * 50, cancelled=stop)
        waiting(shared, 1)
        stop.set()
        with pytest.raises(CancelledError):
            second.result(5)
        machine.gate.set()
        assert first.result(5) == ["AAAA"]
    assert ["bbbb"] not in machine.batches
    assert shared._tokens == 0
    assert not shared._tickets


def test_an_interrupt_costs_nobody_else_anything():
    """Items of others that were in an interrupted batch run again."""
    machine = Machine()
    shared = SharedBatches(machine, budget=100, limit=10**6)

    def interrupted(items):
        machine.gate.wait(5)
        shared._run = machine
        raise KeyboardInterrupt

    shared._run = interrupted
    machine.gate.clear()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(shared, ["aaaa"])
        waiting(shared, 0)
        second = pool.submit(shared, ["bbbb"])
        waiting(shared, 1)
        machine.gate.set()
        assert isinstance(first.exception(5), KeyboardInterrupt)
        assert second.result(5) == ["BBBB"]
    assert shared._tokens == 0


def test_nothing_costs_nothing():
    """No items, no batch."""
    machine = Machine()
    assert SharedBatches(machine, budget=4, limit=1)([]) == []
    assert machine.batches == []


@settings(deadline=None, max_examples=20)
@given(st.lists(st.lists(st.text("ab", min_size=1, max_size=6), max_size=8), min_size=2, max_size=8))
def test_many_threads_get_their_own(calls):
    """However calls interleave, each gets exactly its own outcomes."""
    machine = Machine()
    shared = SharedBatches(machine, budget=12, limit=10**6)
    with ThreadPoolExecutor(len(calls)) as pool:
        results = list(pool.map(shared, calls))
    assert results == [[item.upper() for item in items] for items in calls]
    assert shared._tokens == 0
    assert not shared._tickets
