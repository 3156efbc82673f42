"""Concurrent clients, the event loop's heartbeat, growth, the clock."""

from __future__ import annotations

import asyncio
import time

import pytest
import torch

from secateurs import checkpoints
from secateurs.bench.clients import CLIENTS, TICK, Clients, Heartbeat
from secateurs.bench.clock import moment, seconds_between, timed
from secateurs.bench.corpus import Corpus
from secateurs.bench.growth import MULTIPLES, Growth, Subject, exponent, upper
from secateurs.bench.memory import PeakMemory
from secateurs.bench.results import GrowthPoint
from secateurs.compressor import Compressor

CPU = torch.device("cpu")


def test_clients_share_forward_passes_and_serial_calls_do_not(roomy: checkpoints.Checkpoint):
    """Every document is asked for once; one at a time takes a pass each, together never more."""
    corpus = Corpus("Who built the mill?", tuple(f"Ann Lee built it. {'twice ' * n}" for n in range(20)))
    with Compressor(roomy) as compressor:
        clients = Clients(roomy, compressor, corpus, PeakMemory(CPU))
        for index in range(2):
            clients.repeat(index)
        serving = clients.result()
    assert serving.documents == serving.serial.forward_passes == 20
    assert [item.clients for item in serving.clients] == list(CLIENTS)
    for item in serving.clients:
        assert item.forward_passes == 20 if item.clients == 1 else item.forward_passes <= 20
        assert 0 < item.p50_seconds <= item.p95_seconds <= item.p99_seconds
        assert 0.0 <= item.late_50ms <= item.late_5ms <= 1.0


async def test_a_blocked_loop_misses_every_tick_meanwhile():
    """Each tick that was due while the loop was blocked counts, by how late it came."""
    heart = Heartbeat()
    beating = asyncio.create_task(heart.beat())
    await asyncio.sleep(0)
    time.sleep(0.1)  # what must not be done in an event loop
    heart.note()
    beating.cancel()
    assert len(heart.late) >= 0.1 / TICK - 1
    assert sum(late > 0.05 for late in heart.late) >= 0.05 / TICK - 1


def test_the_exponent_is_that_of_the_upper_points():
    """Of n**2 seconds for n it is 2, whatever the small sizes take; fewer than three points have none."""
    sizes = (1, 3, 10, 30, 100)
    points = [GrowthPoint(size, size, max(5.0, 0.02 * size**2), 0.0, None) for size in sizes]
    first = upper(len(points))
    assert first == 2 and exponent(points[3:]) == pytest.approx(2.0)
    assert upper(2) is None and upper(3) == 0 and upper(len(MULTIPLES)) == 3


def growth(roomy: checkpoints.Checkpoint, compressor: Compressor, seconds: float) -> Growth:
    def take(multiple: int) -> Corpus:
        return Corpus("Who built the mill?", tuple(f"Ann Lee {n}" for n in range(multiple)))

    subject = Subject("documents", take, lambda corpus: len(corpus.documents))
    return Growth(subject, roomy, compressor, PeakMemory(CPU), repeats=2, seconds=seconds)


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_growth_stops_where_its_time_ends(roomy: checkpoints.Checkpoint, seconds: float):
    """The smallest size is always measured; what there was no time for is named."""
    with Compressor(roomy) as compressor:
        curve = growth(roomy, compressor, seconds)
        for _ in range(2):
            curve.repeat()
        result = curve.result()
    measured = [point.multiple for point in result.points]
    assert measured == list(MULTIPLES if seconds else MULTIPLES[:1])
    assert result.left_out == [multiple for multiple in MULTIPLES if multiple not in measured]
    assert (result.exponent is None) == (not seconds) and result.fitted_from == (30 if seconds else None)


def test_moments_measure_what_lies_between():
    """Two moments of the host are as far apart as the clock says."""
    first = moment(CPU)
    done = timed(lambda: time.sleep(0.02), CPU)
    assert 0.02 <= done.seconds <= seconds_between(first, moment(CPU))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_cuda_is_waited_for():
    """The time of a run ends when the device is done, not when the host is; moments are the device's."""
    left = torch.ones(4096, 4096, device="cuda")
    few, many = (timed(lambda n=n: [left @ left for _ in range(n)], left.device).seconds for n in (2, 40))
    assert many > 5 * few
    first = moment(left.device)
    inside = timed(lambda: [left @ left for _ in range(40)], left.device).seconds
    last = moment(left.device)
    torch.cuda.synchronize()
    assert seconds_between(first, last) >= inside
