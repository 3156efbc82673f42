"""Many callers at once: fewer forward passes, the same scores, time limits that are kept."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from secateurs import Compressor, Threshold

QUERY = "who wrote the book ?"
KEEP = Threshold(0.0)


@contextmanager
def passes_of(compressor: Compressor, before: object = None) -> Iterator[list[int]]:
    """Note the tokens of each forward pass, by a hook torch offers for that; `before` runs first."""
    seen: list[int] = []

    def note(module: object, inputs: tuple) -> None:
        seen.append(len(inputs[0].ids))
        if before is not None:
            before()

    handle = compressor._scorer.model.register_forward_pre_hook(note)
    try:
        yield seen
    finally:
        handle.remove()


async def test_sixty_four_callers_need_an_eighth_of_the_passes(bundled):
    """Documents of concurrent callers share forward passes, and score as they do alone."""
    documents = [f"Ann Lee wrote book number {n}. It rained on day {n}." for n in range(64)]
    with passes_of(bundled) as passes:
        together = await asyncio.gather(*(bundled.acompress(QUERY, [one], policy=KEEP) for one in documents))
    assert len(passes) <= 64 // 8
    alone = [bundled.compress(QUERY, [one], policy=KEEP) for one in documents[::8]]
    for (one,), (other,) in zip(together[::8], alone, strict=True):
        assert [s.score for s in one.sentences] == pytest.approx([s.score for s in other.sentences], abs=1e-5)


@pytest.mark.parametrize("call", ["compress", "compress_pairs", "acompress"])
async def test_a_stalled_pass_holds_nobody_beyond_the_time_limit(tiny_folder, call):
    """The caller gets a clear error in time; whoever comes later gets the right answer."""
    with Compressor.from_pretrained(tiny_folder) as compressor:
        go_on = threading.Event()
        stalled = threading.Event()

        def stall() -> None:
            stalled.set()
            go_on.wait(20)

        with passes_of(compressor, stall):
            begin = time.monotonic()
            with pytest.raises(TimeoutError, match=r"not done within 0\.2 seconds"):
                if call == "acompress":
                    await compressor.acompress(QUERY, ["the book ."], timeout=0.2)
                elif call == "compress":
                    compressor.compress(QUERY, ["the book ."], timeout=0.2)
                else:
                    compressor.compress_pairs([(QUERY, "the book .")], timeout=0.2)
            assert time.monotonic() - begin < 5
            assert stalled.is_set()
            go_on.set()
        assert compressor.compress(QUERY, ["the book ."], timeout=20)[0].status != "error"
        assert (await compressor.acompress(QUERY, ["the book ."], timeout=20))[0].status != "error"


async def test_a_call_that_gave_up_leaves_its_windows_unscored(tiny_folder):
    """After a time-out nothing of that call is scored any more."""
    with Compressor.from_pretrained(tiny_folder) as compressor:
        compressor._scorer._shared._budget = 1  # one window a pass
        with passes_of(compressor, lambda: time.sleep(0.02)) as passes:
            with pytest.raises(TimeoutError):
                await compressor.acompress(QUERY, ["the book . " * 2000], timeout=0.3)
            await asyncio.sleep(0.1)
            ran = len(passes)
            await asyncio.sleep(0.2)
            assert len(passes) == ran


async def test_bulk_work_does_not_hold_up_a_small_call(tiny_folder):
    """A caller with one document is served while another's thousands are under way."""
    with Compressor.from_pretrained(tiny_folder) as compressor:
        bulk = asyncio.create_task(compressor.acompress(QUERY, ["the book . it rained . " * 20] * 1 + [
            f"the book {n} . " * 40 for n in range(1500)]))  # fmt: skip
        await asyncio.sleep(0.05)
        small = await compressor.acompress(QUERY, ["the end ."], policy=KEEP)
        assert small[0].status == "unchanged"
        assert not bulk.done()
        assert len(await bulk) == 1501


async def test_a_mixture_of_threads_and_tasks_gives_each_its_own(tiny_folder):
    """Synchronous callers on threads and awaiting ones on a loop share passes; each gets its own documents back."""
    with Compressor.from_pretrained(tiny_folder) as compressor:
        texts = [f"the book {n} . it rained ." for n in range(48)]
        threads = [asyncio.to_thread(compressor.compress, QUERY, [one], policy=KEEP) for one in texts[::2]]
        tasks = [compressor.acompress(QUERY, [one], policy=KEEP) for one in texts[1::2]]
        done = await asyncio.gather(*threads, *tasks)
        assert [result.original for (result,) in done] == texts[::2] + texts[1::2]
        expected = compressor.compress(QUERY, texts[::2] + texts[1::2], policy=KEEP)
        for (one,), other in zip(done, expected, strict=True):
            assert [s.score for s in one.sentences] == pytest.approx([s.score for s in other.sentences], abs=1e-5)
