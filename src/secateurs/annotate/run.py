"""Many records at once, each labelled once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

from secateurs.annotate.endpoint import EndpointError
from secateurs.annotate.labels import Labelled, Labeller
from secateurs.annotate.output import Output
from secateurs.annotate.records import Unlabelled, read_unlabelled

Tick = Callable[[], None]


def unfinished(path: Path, output: Output) -> Iterator[Unlabelled]:
    """Read the records that need work, each id once."""
    taken: set[str] = set()
    for record in read_unlabelled(path):
        if record.id not in output.done and record.id not in taken:
            taken.add(record.id)
            yield record


async def run(path: Path, output: Output, labeller: Labeller, *, concurrency: int, tick: Tick) -> None:
    """Label what is not labelled yet; records are written in the order in which they are finished.

    Args:
        path: The records.
        output: Where the labels go.
        labeller: Labels one record.
        concurrency: Records, and with them requests, at a time.
        tick: Called after each record.

    Raises:
        EndpointError: The server cannot be worked with.
        OutputError: The output cannot be written.
    """
    records = unfinished(path, output)
    strikes = _Strikes(2 * concurrency + 6)

    async def work() -> None:
        for record in records:  # shared: each record goes to one worker
            result = await labeller.label(record)
            output.add(record, result)
            tick()
            strikes.judge(result)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
    except BaseExceptionGroup as failures:
        raise first_failure(failures) from None


class _Strikes:
    """Stops a run that a silent server would turn into a list of failures."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0

    def judge(self, result: Labelled) -> None:
        unheard = [failure for failure in result.failures if not failure.reason.answered]
        self._count = self._count + 1 if result.rejected and len(unheard) == len(result.failures) else 0
        if self._count >= self._most:
            last = unheard[-1]
            raise EndpointError(
                f"{self._count} records in a row got no answer, the last: {last.reason}, {last.detail[:300]}. Check"
                " the server, then run the same command again: what is labelled is safe, these are asked again."
            )


def first_failure(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the failure that a group of workers failed of, an interrupt before an error."""
    flat = [first_failure(error) if isinstance(error, BaseExceptionGroup) else error for error in failures.exceptions]
    return min(flat, key=lambda error: isinstance(error, Exception))
