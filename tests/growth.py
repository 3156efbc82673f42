"""How time grows with size: the exponent, from several sizes, so that one disturbed measurement decides nothing."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import TypeVar

T = TypeVar("T")
FLOOR = 0.004  # seconds; shorter times say more of the clock than of the work
LINEAR = math.log2(2.5)  # t(2n)/t(n) <= 2.5


def seconds(work: Callable[[], object], times: int = 3, *, most: float = math.inf) -> float:
    """Take the best of several, in seconds of this process's processors.

    What takes longer than `most` is measured again, up to ten times in as many seconds: what another process does to
    a shared processor passes, and what is slow stays slow.
    """
    best = _seconds(work, times)
    for again in range(9):
        if best <= most:
            break
        time.sleep(0.25 * again)
        best = min(best, _seconds(work, times))
    return best


def _seconds(work: Callable[[], object], times: int) -> float:
    best = math.inf
    collects = gc.isenabled()
    gc.disable()  # what other tests have left costs a tenth of a second, and collecting first does, too
    try:
        for _ in range(times):
            start = time.process_time()
            work()
            best = min(best, time.process_time() - start)
    finally:
        if collects:
            gc.enable()
    return best


def exponent(sizes: Sequence[float], times: Sequence[float]) -> float:
    """Return e of t = c * n^e, by least squares over the logarithms; 0 where all is quicker than the floor."""
    xs, ys = [math.log2(size) for size in sizes], [math.log2(max(one, FLOOR)) for one in times]
    mx, my = fmean(xs), fmean(ys)
    return sum((x - mx) * (y - my) for x, y in zip(xs, ys, strict=True)) / sum((x - mx) ** 2 for x in xs)


def growth(work: Callable[[T], object], inputs: Sequence[T], sizes: Sequence[float], most: float = LINEAR) -> float:
    """Return the exponent with which work grows with the size of its input.

    What looks worse than `most` is measured again, three times: what another process does passes.
    """
    found = math.inf
    for again in range(4):
        # A disturbed short one could hide a square, a disturbed long one only looks like one, and is measured again
        repeats = [max(1, 3 - place) for place in range(len(inputs))]
        times = [seconds(lambda one=one: work(one), often) for one, often in zip(inputs, repeats, strict=True)]
        found = min(found, exponent(sizes, times))
        if found <= most:
            break
        time.sleep(0.25 * again)
    return found


def grows(work: Callable[[str], object], unit: str, most: int) -> float:
    """Return the exponent with which work on a repeated pattern grows, up to so many characters.

    What looks worse than linear is measured again on twice as much, and on four times as much: a step passes (what
    has grown too long is cut in another way); a square does not.
    """
    found = math.inf
    for turn in range(3):
        sizes = [(most << turn) // part for part in (8, 4, 2, 1)]
        found = min(found, growth(work, [unit * (size // len(unit)) for size in sizes], sizes))
        if found <= LINEAR:
            break
    return found
