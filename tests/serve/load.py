"""A load generator: what the service adds to a call, what sharing forward passes is worth, and how it bears hours.

    python tests/serve/load.py latency             one caller, against the compressor in this process
    python tests/serve/load.py throughput          one caller, then many
    python tests/serve/load.py soak --minutes 10   more callers than may wait, requests of random shapes

Each starts a service of its own (`secateurs serve`), unless `--url` names one; prints its figures as JSON, with the
bars they are held to, and ends with 1 if one is missed. Texts are made from a seed; no two requests are alike.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Annotated, Any

import typer
from traffic import (
    Caller,
    Shape,
    Tally,
    Texts,
    call_alike,
    call_any,
    quantile,
    run_callers,
    slope,
)

ADDED_LATENCY = 0.10  # share of the time in process, at most
GAIN = 1.5  # times one caller's throughput, at least
GROWTH = 1.0  # MB of memory a minute after warm-up, at most


@contextmanager
def service(url: str | None, *arguments: str) -> Iterator[str]:
    """Yield the address of a service: the one that is named, or one that is started for this and ended after it."""
    if url is not None:
        yield url
        return
    command = [sys.executable, "-m", "secateurs", "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            said = process.stderr.readline()
            found = re.search(r"http://\S+", said)
            if found is None:
                raise typer.BadParameter(f"the service did not start: {said.strip()}")
            threading.Thread(target=process.stderr.read, daemon=True).start()  # or a full pipe would hold it up
            yield found[0]
        finally:
            process.terminate()


_WARM_UP = 0.5  # share of a soak: the largest requests that meet come late, and what they took is kept
_CPU = "process_cpu_seconds_total"

app = typer.Typer(
    pretty_exceptions_enable=False, help="Load a service, and hold what it does to its bars.", rich_markup_mode=None
)

_Url = Annotated[str | None, typer.Option(help="A service that runs. [default: one is started]")]
_Model = Annotated[str | None, typer.Option(help="Hub id or folder of a checkpoint. [default: bundled]")]


@app.command()
def latency(url: _Url = None, model: _Model = None, shape: Shape = Shape.chunks, calls: int = 40) -> None:
    """Compare one caller's requests with the same calls in this process, turn by turn."""
    from secateurs.compressor import Compressor

    arguments = () if model is None else ("--model", model)
    with service(url, *arguments) as where, Compressor.from_pretrained(model) as compressor:
        caller, texts = Caller(where), Texts(seed=1)
        here: list[float] = []
        there: list[float] = []
        for number in range(calls + 3):
            body = texts.shaped(shape)
            for turn in (number % 2, 1 - number % 2):  # neither is always the one whose caches are cold
                began = time.perf_counter()
                if turn:
                    caller.post("/v1/compress", body)
                    json.loads(caller.answer)
                else:
                    compressor.compress(body["query"], body["documents"])
                (there if turn else here).append(time.perf_counter() - began)
                time.sleep(0.02)  # until the threads of the one that worked sleep too
        caller.close()
    here, there = sorted(here[3:]), sorted(there[3:])
    added = median(there) / median(here) - 1
    _report(
        {
            "shape": shape,
            "calls": calls,
            "in_process_ms": {"p50": _ms(median(here)), "p95": _ms(quantile(here, 0.95))},
            "service_ms": {"p50": _ms(median(there)), "p95": _ms(quantile(there, 0.95))},
            "added": round(added, 4),
        },
        {f"added <= {ADDED_LATENCY}": added <= ADDED_LATENCY},
    )


@app.command()
def throughput(
    url: _Url = None,
    model: _Model = None,
    shape: Shape = Shape.snippet,
    callers: int = 32,
    seconds: float = 20.0,
    rounds: int = 3,
) -> None:
    """Compare many callers at once with one, turn by turn.

    Sharing forward passes is worth most where one request does not fill them. On a CPU the five chunks of one request
    already do: then there is little left to gain, whatever the service does.
    """
    call = partial(call_alike, shape)
    arguments = () if model is None else ("--model", model)
    alone: list[float] = []
    together: list[float] = []
    work: dict[int, list[float]] = {1: [], callers: []}
    outcomes: Counter[str] = Counter()
    with service(url, *arguments) as where:
        run_callers(call, where, callers, min(3.0, seconds))  # warm-up
        for _ in range(rounds):
            for count, rates in ((1, alone), (callers, together)):
                began, before = time.monotonic(), Caller(where).metrics()[_CPU]
                tally = run_callers(call, where, count, seconds)
                rates.append(tally.outcomes["200"] / (time.monotonic() - began))
                work[count].append((Caller(where).metrics()[_CPU] - before) / max(1, tally.outcomes["200"]))
                outcomes += tally.outcomes
    gain = median(together) / median(alone)
    _report(
        {
            "shape": shape,
            "callers": callers,
            "requests_per_second": {"1": _rounded(alone), str(callers): _rounded(together)},
            "gain": round(gain, 3),
            "cpu_ms_per_request": {str(count): _ms(median(some)) for count, some in work.items()},
            "outcomes": dict(outcomes),
        },
        {f"gain >= {GAIN}": gain >= GAIN, "no error": set(outcomes) == {"200"}},
    )


@app.command()
def soak(url: _Url = None, model: _Model = None, callers: int = 96, minutes: float = 10.0) -> None:
    """Keep a service full with requests of any shape, and watch its memory."""
    arguments = () if model is None else ("--model", model)
    samples: list[tuple[float, dict[str, float]]] = []
    with service(url, *arguments) as where:
        started, over = time.monotonic(), threading.Event()

        def watch() -> None:
            while not over.wait(min(5.0, minutes * 2)):
                samples.append(((time.monotonic() - started) / 60, Caller(where).metrics()))

        watcher = threading.Thread(target=watch)
        watcher.start()
        tally = run_callers(call_any, where, callers, minutes * 60)
        over.set()
        watcher.join()
    warm = [(minute, found) for minute, found in samples if minutes * _WARM_UP <= minute <= minutes]
    growth = slope([(minute, found["process_resident_memory_bytes"] / 1e6) for minute, found in warm])
    errors = {name: count for name, count in tally.outcomes.items() if name not in ("200", "429", "left")}
    thirds = [Tally(seconds=part) for part in _thirds(tally.seconds)]
    p99 = [third.latency()["p99"] for third in thirds]
    _report(
        {
            "callers": callers,
            "minutes": minutes,
            "outcomes": dict(tally.outcomes),
            "latency_s": tally.latency(),
            "p99_by_third_s": p99,
            "memory_mb": _rounded([found["process_resident_memory_bytes"] / 1e6 for _, found in samples]),
            "memory_mb_per_minute": round(growth, 3),
            "open_files": [found["process_open_fds"] for _, found in warm[:1] + warm[-1:]],
        },
        {
            "no error but 429": not errors,
            f"memory_mb_per_minute < {GROWTH}": growth < GROWTH,
            "p99 <= the deadline of 60 s": tally.latency()["p99"] <= 60.0,
        },
    )


def _thirds(seconds: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    third = max(1, len(seconds) // 3)
    return [list(seconds[:third]), list(seconds[third : 2 * third]), list(seconds[2 * third :])]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 2) for value in values]


def _report(figures: dict[str, Any], bars: dict[str, bool]) -> None:
    typer.echo(json.dumps({**figures, "bars": bars}, indent=2))
    if not all(bars.values()):
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
