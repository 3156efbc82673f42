"""Concurrent clients of `acompress` on one event loop, its heartbeat, and the same calls one after another."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median

import numpy as np

from secateurs.bench.callers import check_none_failed
from secateurs.bench.corpus import Corpus
from secateurs.bench.memory import Peak, PeakMemory, least
from secateurs.bench.results import ClientsResult, SerialResult, Serving
from secateurs.bench.watch import ForwardWatch
from secateurs.checkpoints import Checkpoint
from secateurs.compressor import Compressor

CLIENTS = (1, 8, 64)
TICK = 0.005  # seconds


@dataclass(frozen=True)
class _Run:
    """Some calls.

    Attributes:
        seconds: Of all together.
        latencies: Seconds of each.
        late: By how many seconds each tick of the event loop was late.
        passes: Forward passes.
        peak: Most memory held.
    """

    seconds: float
    latencies: Sequence[float]
    late: Sequence[float] = ()
    passes: int = 0
    peak: Peak = field(default_factory=Peak)


class Clients:
    """Runs every number of clients, and as many serial calls, once a repeat.

    Args:
        checkpoint: Whose forward passes are counted.
        compressor: What the clients share.
        corpus: Its documents are asked for once each.
        memory: Whose peaks are read.
    """

    def __init__(self, checkpoint: Checkpoint, compressor: Compressor, corpus: Corpus, memory: PeakMemory) -> None:
        self._model = checkpoint.model
        self._compressor = compressor
        self._corpus = corpus
        self._memory = memory
        self._serial: list[_Run] = []
        self._runs: dict[int, list[_Run]] = {count: [] for count in CLIENTS}

    def repeat(self, index: int) -> None:
        """Run everything once, in another order each time."""
        order = [0, *CLIENTS]
        at = index % len(order)
        for count in [*order[at:], *order[:at]]:
            if count:
                self._runs[count].append(self._watched(partial(self._at_once, count)))
            else:
                self._serial.append(self._watched(self._one_by_one))

    def result(self) -> Serving:
        """Return the medians."""
        documents = len(self._corpus.documents)
        p50, p95, p99 = _percentiles(self._serial)
        speed = documents / median(run.seconds for run in self._serial)
        peak = least([run.peak for run in self._serial])
        serial = SerialResult(speed, p50, p95, p99, _passes(self._serial), peak.resident)
        return Serving(documents, serial, [self._result(count) for count in CLIENTS])

    def _result(self, count: int) -> ClientsResult:
        runs = self._runs[count]
        p50, p95, p99 = _percentiles(runs)
        return ClientsResult(
            clients=count,
            documents_per_second=len(self._corpus.documents) / median(run.seconds for run in runs),
            times_serial=median(own.seconds for own in self._serial) / median(run.seconds for run in runs),
            p50_seconds=p50,
            p95_seconds=p95,
            p99_seconds=p99,
            forward_passes=_passes(runs),
            late_5ms=median(_late(run, 0.005) for run in runs),
            late_50ms=median(_late(run, 0.05) for run in runs),
            peak_memory=least([run.peak for run in runs]).resident,
        )

    def _watched(self, run: Callable[[], _Run]) -> _Run:
        self._memory.restart()
        with ForwardWatch(self._model, self._model.device) as watch:
            done = run()
        return replace(done, passes=watch.passes, peak=self._memory.since())

    def _one_by_one(self) -> _Run:
        latencies = []
        begin = time.perf_counter()
        for document in self._corpus.documents:
            start = time.perf_counter()
            check_none_failed(self._compressor.compress(self._corpus.query, [document]))
            latencies.append(time.perf_counter() - start)
        return _Run(time.perf_counter() - begin, latencies)

    def _at_once(self, clients: int) -> _Run:
        return asyncio.run(self._serve(clients))

    async def _serve(self, clients: int) -> _Run:
        waiting = deque(self._corpus.documents)
        latencies: list[float] = []

        async def client() -> None:
            while waiting:
                document = waiting.popleft()
                start = time.perf_counter()
                check_none_failed(await self._compressor.acompress(self._corpus.query, [document]))
                latencies.append(time.perf_counter() - start)

        heart = Heartbeat()
        beating = asyncio.create_task(heart.beat())
        await asyncio.sleep(0)  # let it begin
        begin = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(clients)))
        seconds = time.perf_counter() - begin
        heart.note()
        beating.cancel()
        return _Run(seconds, latencies, heart.late)


class Heartbeat:
    """Notes how late an event loop comes to what is due every `TICK` seconds.

    Ticks are due at fixed times: a loop that is blocked for long misses many of them, and each counts.

    Attributes:
        late: Seconds that each tick came late.
    """

    def __init__(self) -> None:
        self.late: list[float] = []
        self._due = time.perf_counter() + TICK

    async def beat(self) -> None:
        """Tick until cancelled."""
        self._due = time.perf_counter() + TICK
        while True:
            await asyncio.sleep(max(0.0, self._due - time.perf_counter()))
            self.note()

    def note(self) -> None:
        """Count the ticks that are due by now."""
        now = time.perf_counter()
        while self._due <= now:
            self.late.append(now - self._due)
            self._due += TICK


def _percentiles(runs: Sequence[_Run]) -> list[float]:
    """Return the 50th, 95th and 99th percentile of the latencies, each the median of the runs'."""
    each = np.array([np.percentile(run.latencies, [50, 95, 99]) for run in runs])
    percentiles: list[float] = np.median(each, axis=0).tolist()
    return percentiles


def _late(run: _Run, limit: float) -> float:
    """Return the share of ticks that came later than that many seconds; 0.0 where none was due."""
    return sum(late > limit for late in run.late) / max(1, len(run.late))


def _passes(runs: Sequence[_Run]) -> int:
    return round(median(run.passes for run in runs))
