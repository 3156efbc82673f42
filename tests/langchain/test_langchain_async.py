"""The event loop while documents are compressed."""

from __future__ import annotations

import asyncio
import time

import pytest
from heartbeat import EVERY, heartbeat
from langchain_core.documents import Document
from retrieval_parts import DEER, QUERY, WRITTEN, documents

from secateurs import Compressor
from secateurs.langchain import SecateursCompressor


async def test_L11_async_never_blocks(bundled: Compressor):
    """20 concurrent calls leave the loop's heart beating, and a call can be cancelled."""
    compressor = SecateursCompressor(compressor=bundled, threshold=0.5)
    calls = [compressor.acompress_documents(documents(), f"{QUERY} {number}") for number in range(20)]
    async with heartbeat() as beats:
        started = time.monotonic()
        kept = await asyncio.gather(*calls)
        took = time.monotonic() - started
    assert all(WRITTEN in one[0].page_content for one in kept)
    # a busy machine skips beats too; calls made one after the other on the loop would leave one beat a call
    assert len(beats.late) > took / EVERY / 4
    task = asyncio.create_task(compressor.acompress_documents([Document(f"{n}. {DEER}") for n in range(500)], "Who?"))
    await asyncio.sleep(0.01)
    task.cancel()
    started = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started < max(1.0, took)


@pytest.mark.slow
async def test_how_late_the_heart_beats(bundled: Compressor, capsys: pytest.CaptureFixture[str]):
    """Prints the share of 5 ms heartbeats at most 5 ms late, at rest and under 20 concurrent calls."""
    compressor = SecateursCompressor(compressor=bundled, threshold=0.5)
    found = [Document(f"{number}. {DEER}") for number in range(20)]
    await compressor.acompress_documents(found[:1], QUERY)
    async with heartbeat() as rest:
        await asyncio.sleep(1)
    async with heartbeat() as beats:
        await asyncio.gather(*(compressor.acompress_documents(found, f"{QUERY} {n}") for n in range(20)))
    worst, share, alone = max(beats.late), beats.within(0.005), rest.within(0.005)
    with capsys.disabled():
        print(f"\n{share:.1%} of {len(beats.late)} beats at most 5 ms late, worst {worst:.3f} s; at rest {alone:.1%}")
    assert beats.within(0.05) > 0.5
