"""An hour of calls of any shape to one compressor, and what they do to memory, handles, threads and latency.

    python tests/reliability/soak.py --minutes 60 --threads 1 --plot notebooks/soak.png --figures soak.json

Two threads call the bundled model with documents of random numbers, lengths and languages, with random policies,
awaited or not; some calls are cancelled, some have next to no time. Every result is checked against the laws. Prints
one line with the figures, and ends with 1 if one misses its bar.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "serve"))

from laws import check_laws
from soak_plot import draw
from traffic import Texts, quantile, slope

from secateurs import Compression, Compressor, Neighbours, Policy, Threshold, TokenBudget, TopK

GROWTH = 1.0  # MB of memory a minute after warm-up, at most
COST = 1.15  # times the CPU time per token of the first third, in the last, at most
TAIL = 1.25  # times the slowest hundredth of the calls of the first third, in the last, at most
WARM_UP = 0.5  # share of a soak, as in `tests/serve/load.py soak`

SCRIPTS = (
    "абвгдежзиклмнопрст",
    "ابتثجحخدذرزسشصض",
    "กขคงจฉชซญดตถทนบปผ",
    "αβγδεζηθικλμνξοπρσ",
    "😀👍🏽🇫🇷👩‍👩‍👧 #",
    "def f(x): {}[]=+*/_",
)


@dataclass(frozen=True)
class Sample:
    """What the process held at a time.

    Attributes:
        minute: Since the start.
        memory: Megabytes resident.
        in_use: Megabytes of C memory that somebody holds: what a leak adds to. glibc only, else 0.
        idle: Megabytes of C memory that was given back and lies in the allocator's arenas: fragments. glibc only.
        files: Open files.
        threads: Of the process.
        cpu: Seconds of CPU time so far.
        tokens: Encoder tokens scored so far.
    """

    minute: float
    memory: float
    in_use: float
    idle: float
    files: int
    threads: int
    cpu: float
    tokens: int


@dataclass
class Seen:
    """What callers saw; appended to by several threads.

    Attributes:
        calls: Minute and seconds of each call that was answered.
        outcomes: Calls by how they ended.
        tokens: Encoder tokens scored.
    """

    calls: list[tuple[float, float]] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    tokens: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, outcome: str) -> None:
        """Count a call by how it ended."""
        with self.lock:
            self.outcomes[outcome] += 1

    def on_pass(self, tokens: int, seconds: float) -> None:
        """Count the tokens of a forward pass."""
        with self.lock:
            self.tokens += tokens


class Caller:
    """Calls until a time is come, on the thread that runs it."""

    def __init__(self, compressor: Compressor, seen: Seen, seed: int, started: float) -> None:
        self._compressor = compressor
        self._seen = seen
        self._random = random.Random(seed)
        self._texts = Texts(seed)
        self._started = started

    def __call__(self, until: float) -> None:
        """Call one after another."""
        with asyncio.Runner() as runner:
            while time.monotonic() < until:
                begin = time.monotonic()
                outcome = self._call(runner)
                self._seen.count(outcome)
                if outcome == "answered":
                    now = time.monotonic()
                    self._seen.calls.append(((now - self._started) / 60, now - begin))

    def _call(self, runner: asyncio.Runner) -> str:
        query, documents, policy = self._texts.document(30), self._documents(), self._policy()
        total = self._random.choice((None, None, None, self._random.randint(0, 2000)))
        kind = self._random.choices(("sync", "pairs", "async", "hurried", "cancelled"), (40, 10, 40, 5, 5))[0]
        try:
            if kind == "sync":
                results = self._compressor.compress(query, documents, policy=policy, max_total_tokens=total)
            elif kind == "pairs":
                pairs = [(self._texts.document(20), one) for one in documents]
                results = self._compressor.compress_pairs(pairs, policy=policy)
            elif kind == "hurried":
                within = self._random.uniform(0.001, 0.05)
                results = self._compressor.compress(query, documents, policy=policy, timeout=within)
            else:
                patience = None if kind == "async" else self._random.uniform(0.0, 0.2)
                results = runner.run(self._awaited(query, documents, policy, patience))
        except TimeoutError:
            return "timed out"
        except asyncio.CancelledError:
            return "cancelled"
        self._check(documents, results)
        return "answered"

    async def _awaited(
        self, query: str, documents: Sequence[str], policy: Policy, patience: float | None
    ) -> list[Compression]:
        task = asyncio.ensure_future(self._compressor.acompress(query, documents, policy=policy))
        if patience is not None:
            await asyncio.wait({task}, timeout=patience)
            task.cancel()
        return await task

    def _documents(self) -> list[str]:
        documents = []
        for _ in range(self._random.randint(0, 12)):
            size = min(12_000, int(self._random.lognormvariate(6.0, 1.1)))
            if self._random.random() < 0.8:
                documents.append(self._texts.document(size))
            else:
                letters = self._random.choice(SCRIPTS) + "  ."
                documents.append("".join(self._random.choices(letters, k=size)))
        return documents

    def _policy(self) -> Policy:
        draw = self._random
        return draw.choice(
            (
                self._compressor.policy,
                Threshold(draw.random()),
                Threshold(draw.random(), when_empty="best"),
                Threshold(0.1) | TopK(draw.randint(1, 4)),
                (Threshold(0.02) | Neighbours(1, 1)) & TokenBudget(draw.randint(0, 400)),
            )
        )

    def _check(self, documents: Sequence[str], results: Sequence[Compression]) -> None:
        """Note what breaks a law."""
        if [one.original for one in results] != list(documents):
            self._seen.broken.append("the results are of other documents")
            return
        for one, document in zip(results, documents, strict=True):
            try:
                check_laws(one, document)
                assert one.status != "error", one.reason
            except AssertionError as error:
                self._seen.broken.append(f"{one.status}: {one.reason or error}")


class _Mallinfo2(ctypes.Structure):
    """What glibc's mallinfo2 returns, in bytes; `man mallinfo2`."""

    _names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in _names.split()]


def heap() -> tuple[float, float]:
    """Return the megabytes of C memory that are held and that lie idle, over all arenas; zeros without glibc."""
    mallinfo2 = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo2 is None:
        return 0.0, 0.0
    mallinfo2.restype = _Mallinfo2
    found = mallinfo2()
    return (found.uordblks + found.hblkhd) / 1e6, found.fordblks / 1e6


def sample(started: float, tokens: int) -> Sample:
    """Look at this process; Linux only."""
    memory = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    status = Path("/proc/self/status").read_text()
    threads = int(next(line.split()[1] for line in status.splitlines() if line.startswith("Threads:")))
    files = sum(1 for _ in Path("/proc/self/fd").iterdir())
    return Sample((time.monotonic() - started) / 60, memory, *heap(), files, threads, time.process_time(), tokens)


def soak(compressor: Compressor, *, minutes: float, callers: int, seed: int) -> tuple[list[Sample], Seen]:
    """Let callers call for so many minutes, and look at the process meanwhile."""
    seen = Seen()
    compressor.observe(seen.on_pass)
    started = time.monotonic()
    until = started + minutes * 60
    threads = [
        threading.Thread(target=Caller(compressor, seen, seed + number, started), args=(until,))
        for number in range(callers)
    ]
    for thread in threads:
        thread.start()
    samples = []
    while (left := until - time.monotonic()) > 0:
        samples.append(sample(started, seen.tokens))
        time.sleep(min(left, 5.0, minutes * 1.2))
    for thread in threads:
        thread.join()
    return samples, seen


def thirds(samples: Sequence[Sample], minutes: float) -> list[list[Sample]]:
    """Cut samples by the third of the time they are of."""
    cuts = [[one for one in samples if third <= one.minute / minutes * 3 < third + 1] for third in range(3)]
    return [some for some in cuts if some]


def figures(samples: Sequence[Sample], seen: Seen, minutes: float) -> dict[str, object]:
    """Return what the soak came to, and whether each bar is met."""
    warm = [one for one in samples if one.minute >= minutes * WARM_UP]
    growth = slope([(one.minute, one.memory) for one in warm])
    parts = thirds(samples, minutes)
    by_third = [[s for minute, s in seen.calls if third <= minute / minutes * 3 < third + 1] for third in range(3)]
    p99 = [quantile(sorted(some), 0.99) for some in by_third]
    cost = [1000 * (p[-1].cpu - p[0].cpu) / max(1, p[-1].tokens - p[0].tokens) for p in parts]
    files, threads = ({max(getattr(one, name) for one in p) for p in parts[1:]} for name in ("files", "threads"))
    bars = {
        f"memory_mb_per_minute < {GROWTH}": growth < GROWTH,
        "open files constant after the first third": len(files) <= 1,
        "threads constant after the first third": len(threads) <= 1,
        f"CPU per token, last third <= {COST} * first": cost[-1] <= COST * cost[0],
        f"p99, last third <= {TAIL} * first": p99[-1] <= TAIL * p99[0],
        "no law broken, no document failed": not seen.broken,
    }
    return {
        "minutes": minutes,
        "outcomes": dict(seen.outcomes),
        "tokens": seen.tokens,
        "broken": seen.broken[:5],
        "memory_mb": {
            "start": round(samples[0].memory),
            "warm": round(warm[0].memory),
            "end": round(warm[-1].memory),
        },
        "memory_mb_per_minute": round(growth, 3),
        "p50_by_third_s": [round(quantile(sorted(some), 0.5), 3) for some in by_third],
        "p99_by_third_s": [round(one, 3) for one in p99],
        "cpu_ms_per_token_by_third": [round(one, 3) for one in cost],
        "open_files": sorted(files),
        "threads": sorted(threads),
        "bars": bars,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--callers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="that torch computes with; its own choice if left out")
    parser.add_argument("--model", help="folder of a checkpoint; the bundled one if left out")
    parser.add_argument("--plot", type=Path, help="PNG, SVG or PDF to draw")
    parser.add_argument("--figures", type=Path, help="JSON file for the figures and all samples")
    given = parser.parse_args(arguments)
    if given.threads:
        torch.set_num_threads(given.threads)
    with Compressor.from_pretrained(given.model, device="cpu") as compressor:
        samples, seen = soak(compressor, minutes=given.minutes, callers=given.callers, seed=given.seed)
    found = figures(samples, seen, given.minutes)
    print(json.dumps(found))
    if given.figures:
        calls = [(round(minute, 4), round(seconds, 4)) for minute, seconds in seen.calls]
        everything = {**found, "samples": [asdict(one) for one in samples], "calls": calls}
        given.figures.write_text(json.dumps(everything), encoding="utf-8")
    if given.plot:
        draw(samples, seen.calls, given.plot, warm=given.minutes * WARM_UP)
    bars = found["bars"]
    assert isinstance(bars, dict)
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
