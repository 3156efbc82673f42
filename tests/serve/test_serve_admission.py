"""How much may wait, on a clock that a test moves."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from secateurs.serve.admission import Admission
from secateurs.serve.refusal import RefusalError


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def admission(clock: Clock, requests: int = 10, patience: float = 30.0) -> Admission:
    return Admission(requests=requests, patience=patience, clock=clock)


def work(gate: Admission, clock: Clock, size: int, seconds: float) -> None:
    """Let one request in that takes so long."""
    with gate.enter(size):
        clock.now += seconds


def test_requests_are_counted(clock):
    """The limit is on requests inside; one that leaves makes room for one."""
    gate = admission(clock, requests=2)
    with gate.enter(5), gate.enter(7):
        assert (gate.inside, gate.waiting) == (2, 12)
        with pytest.raises(RefusalError) as refused, gate.enter(1):
            pass
        assert refused.value.status == 429
    assert (gate.inside, gate.waiting) == (0, 0)
    with gate.enter(1):
        pass


def test_few_are_let_in_before_the_first_is_done(clock):
    """While the speed is not known yet, sixteen requests are enough to find it out."""
    gate = admission(clock, requests=50)
    with ExitStack() as inside:
        for _ in range(16):
            inside.enter_context(gate.enter(10))
        with pytest.raises(RefusalError, match="16 requests are waiting"), gate.enter(10):
            pass
        clock.now += 1.0
    with ExitStack() as inside:
        for _ in range(50):
            inside.enter_context(gate.enter(10))


def test_a_request_that_would_wait_too_long_is_refused(clock):
    """Once the speed is known, a request that could not begin in time is refused at once, one alone never."""
    gate = admission(clock, patience=30.0)
    work(gate, clock, size=1000, seconds=1.0)  # a thousand bytes a second
    with ExitStack() as inside:
        inside.enter_context(gate.enter(20_000))
        assert gate.wait(5_000) == pytest.approx(25.0)
        inside.enter_context(gate.enter(5_000))
        with pytest.raises(RefusalError, match=r"would be done in about 35 s") as refused, gate.enter(10_000):
            pass
        assert refused.value.headers == {"Retry-After": "18"}
    work(gate, clock, size=10**9, seconds=1.0)


def test_being_idle_is_not_being_slow(clock):
    """The speed is that of work: hours without a request do not change it."""
    gate = admission(clock)
    work(gate, clock, size=1000, seconds=1.0)
    clock.now += 3600
    assert gate.wait(1000) == pytest.approx(1.0)


def test_the_speed_is_a_recent_one(clock):
    """A service that became ten times faster is known to be, soon."""
    gate = admission(clock)
    for _ in range(50):
        work(gate, clock, size=1000, seconds=1.0)
    for _ in range(600):
        work(gate, clock, size=1000, seconds=0.1)
    assert gate.wait(1000) == pytest.approx(0.1, rel=0.2)


def test_what_is_given_up_counts_for_nothing(clock):
    """A request that was cancelled or failed leaves its place, and adds nothing to what was done."""
    gate = admission(clock)
    work(gate, clock, size=1000, seconds=1.0)
    with pytest.raises(KeyError), gate.enter(10**9):
        raise KeyError
    assert (gate.inside, gate.waiting) == (0, 0)
    assert gate.wait(1000) == pytest.approx(1.0)


@pytest.mark.parametrize("waiting", [0, 10**9])
def test_how_long_to_stay_away_is_a_sensible_number(clock, waiting):
    """Retry-After is between a second and a minute, whatever waits."""
    gate = admission(clock, requests=1)
    work(gate, clock, size=1000, seconds=1.0)
    with gate.enter(waiting), pytest.raises(RefusalError) as refused, gate.enter(1):
        pass
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 60
