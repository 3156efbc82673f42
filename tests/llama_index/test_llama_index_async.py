"""The event loop and the caller while nodes are compressed: heartbeats, failure, time-out."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fake_compressor import FakeCompressor
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.tools import FunctionTool
from llama_parts import FILM, MILL, QUERY, RAIN, WRITTEN, Events, asked, both, fake

from secateurs import Compression, Compressor, Report
from secateurs.llama_index import SecateursPostprocessor, SecateursReportEvent, compress_tool

EVERY = 0.005  # seconds between two beats


@asynccontextmanager
async def heartbeats() -> AsyncIterator[list[float]]:
    """Note how late each beat of the running loop comes, in seconds; of a pause every beat it swallowed counts."""
    late: list[float] = []
    loop = asyncio.get_running_loop()

    async def beat() -> None:
        due = loop.time() + EVERY
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            while due <= loop.time():
                late.append(loop.time() - due)
                due += EVERY

    gc.collect()
    gc.disable()
    task = asyncio.create_task(beat())
    try:
        yield late
    finally:
        task.cancel()
        gc.enable()


def share(late: Sequence[float], seconds: float) -> float:
    """Return the share of beats at most so late."""
    return sum(one <= seconds for one in late) / len(late)


def nodes(count: int) -> list[NodeWithScore]:
    """Make nodes of about ten sentences."""
    return [NodeWithScore(node=TextNode(text=f"{number}. {FILM}{MILL}{RAIN}"), score=0.5) for number in range(count)]


async def test_I12_the_loop_keeps_beating(bundled: Compressor):
    """20 concurrent calls leave the event loop free; one call after the other on it would hold nearly every beat."""
    postprocessor = SecateursPostprocessor(compressor=bundled)
    async with heartbeats() as late:
        many = await asyncio.gather(
            *(postprocessor.apostprocess_nodes(nodes(1), query_str=f"{QUERY} {number}") for number in range(20))
        )
    assert all(WRITTEN in kept[0].text for kept in many)
    assert len(late) > 10
    assert share(late, 0.05) > 0.5  # a busy machine keeps it waiting too


class Counted:
    """Something in a node's metadata that notes which turn of the event loop it is copied in."""

    def __init__(self, turn: list[int], copied: list[int]) -> None:
        self.turn, self.copied = turn, copied

    def __deepcopy__(self, memo: Any) -> Counted:
        self.copied.append(self.turn[0])
        return self


async def test_the_loop_has_its_turn_between_two_nodes():
    """No two nodes are copied, with what a user keeps in their metadata, in one turn of the event loop."""
    turn, copied = [0], list[int]()

    async def count() -> None:
        while True:
            turn[0] += 1
            await asyncio.sleep(0)

    found = nodes(5)
    for one in found:
        one.node.metadata["kept"] = Counted(turn, copied)
    task = asyncio.create_task(count())
    kept = await fake(threshold=0.0).apostprocess_nodes(found, query_str=QUERY)
    task.cancel()
    assert len(kept) == len(set(copied)) == 5


@pytest.mark.slow
async def test_I12_how_late_the_heart_beats(bundled: Compressor, capsys: pytest.CaptureFixture[str]):
    """Prints the share of 5 ms heartbeats at most 5 ms late, at rest and while 20 calls of 20 nodes run."""
    postprocessor = SecateursPostprocessor(compressor=bundled)
    found = nodes(20)
    await postprocessor.apostprocess_nodes(found[:1], query_str=QUERY)
    async with heartbeats() as rest:
        await asyncio.sleep(2)
    async with heartbeats() as late:
        await asyncio.gather(
            *(postprocessor.apostprocess_nodes(found, query_str=f"{QUERY} {number}") for number in range(20))
        )
    with capsys.disabled():
        print(
            f"\n{share(late, EVERY):.1%} of {len(late)} heartbeats at most 5 ms late, the latest {max(late):.3f} s; "
            f"at rest {share(rest, EVERY):.1%}"
        )
    assert share(late, EVERY) > 0.95 or share(rest, EVERY) < 0.99, "the loop was held, on a machine that was at rest"


class Slow(FakeCompressor):
    """A compressor that takes longer than it is given."""

    def compress(self, query: str, documents: Sequence[str], *, timeout: float | None = None, **_: Any) -> Any:
        raise TimeoutError(f"took longer than {timeout} s")


async def test_C14_time_out(events: Events):
    """A call that takes longer than `timeout` returns the very nodes, or the very output, with the reason told."""
    reports: list[Report] = []
    options: dict[str, Any] = {"compressor": Slow(), "timeout": 0.25, "on_report": reports.append}
    found = nodes(2)
    kept = SecateursPostprocessor(**options).postprocess_nodes(found, query_str=QUERY)
    assert all(new is old for new, old in zip(kept, found, strict=True))
    tool = compress_tool(FunctionTool.from_defaults(lambda query: FILM, name="look"), min_tokens=1, **options)
    assert tool.call(query=QUERY).content == FILM
    assert [report.error for report in reports] == ["TimeoutError: took longer than 0.25 s"] * 2
    assert [event.report for event in events.of(SecateursReportEvent)] == reports
    with pytest.raises(TimeoutError):
        SecateursPostprocessor(**options, on_error="raise").postprocess_nodes(found, query_str=QUERY)


class Unreadable(TextNode):
    """A node whose text is behind something that is broken."""

    def get_content(self, *_: Any, **__: Any) -> str:
        raise ConnectionError("the store is away")


class Rigid(TextNode):
    """A node that cannot be copied."""

    def model_copy(self, **_: Any) -> Any:
        raise RuntimeError("no copies")


@pytest.mark.parametrize("node", [Unreadable(), Rigid(text="A deer. It rained")])
async def test_C14_nodes_that_break(node: TextNode, events: Events, caplog: pytest.LogCaptureFixture):
    """A node that cannot be read or copied takes no answer down: all come back as they are, and it is told once."""
    found = [NodeWithScore(node=TextNode(text="A deer. It rained")), NodeWithScore(node=node)]
    with caplog.at_level(logging.WARNING):
        kept = await both(fake(), found, "deer")
    assert all(new is old for new, old in zip(kept, found, strict=True))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    strict = fake(on_error="raise")
    for way in (strict.postprocess_nodes, strict.apostprocess_nodes):
        with pytest.raises((ConnectionError, RuntimeError)):
            await asked(way, found, query_str="deer")
    assert len(events.of(ReRankStartEvent)) == len(events.of(ReRankEndEvent)) == 4


@pytest.mark.parametrize("stop", [KeyboardInterrupt, asyncio.CancelledError, concurrent.futures.CancelledError])
def test_C14_stopping_passes(stop: type[BaseException]):
    """What stops a task or the process passes through postprocessor and tool."""
    with pytest.raises(stop):
        fake(failure=stop()).postprocess_nodes(nodes(1), query_str="deer")
    tool = FunctionTool.from_defaults(lambda query: FILM, name="look")
    with pytest.raises(stop):
        compress_tool(tool, compressor=FakeCompressor(failure=stop()), min_tokens=1).call(query="film")


def test_compressions_of_nodes_say_what_was_cut():
    """From the report one reads what was cut and why; from the node's metadata where it stood in the source."""
    source = f"{RAIN}{FILM}"
    node = TextNode(text=FILM, start_char_idx=len(RAIN), end_char_idx=len(source))
    reports: list[Report] = []
    [kept] = fake(on_report=reports.append).postprocess_nodes([NodeWithScore(node=node)], query_str="written")
    [compression] = reports[0].compressions
    assert isinstance(compression, Compression)
    data = kept.metadata["secateurs"]
    cut = [one for one in data["sentences"] if not one["kept"]]
    assert [FILM[one["start"] : one["end"]] for one in cut] == [one.text for one in compression.cut]
    assert all(one["score"] < data["threshold"] for one in cut)
    for one in cut:
        place = node.start_char_idx + one["start"]
        assert source[place : place + one["end"] - one["start"]] == FILM[one["start"] : one["end"]]
