"""Bulk work: while a group of documents is scored, the next is prepared and the last one finished."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Pair = tuple[str, str]
Prepared = TypeVar("Prepared")
Scored = TypeVar("Scored")
Finished = TypeVar("Finished")
Group = TypeVar("Group")

# Long enough that its windows fill batches of like lengths, short enough that what is under way fits in memory.
_CHARACTERS = 400_000


def groups(pairs: Sequence[Pair], characters: int = _CHARACTERS) -> Iterator[list[Pair]]:
    """Cut pairs into groups of at most so many characters of document; a longer document is a group of its own."""
    group: list[Pair] = []
    size = 0
    for pair in pairs:
        if group and size + len(pair[1]) > characters:
            yield group
            group, size = [], 0
        group.append(pair)
        size += len(pair[1])
    if group:
        yield group


def overlapped(
    items: Iterable[Group],
    prepare: Callable[[Group], Prepared],
    score: Callable[[Prepared], Scored],
    finish: Callable[[Scored], Finished],
) -> Iterator[Finished]:
    """Take items through three steps, the middle one on this thread and the others on one more.

    With a single item there is nothing to overlap, and no thread. What a step raises is raised here, and what has not
    begun by then never will.

    Yields:
        What `finish` returned, in order. At most three items are under way at once.
    """
    rest = iter(items)
    first, second = next(rest, None), next(rest, None)
    if first is None:
        return
    if second is None:
        yield finish(score(prepare(first)))
        return
    with ThreadPoolExecutor(1, thread_name_prefix="secateurs-overlap") as beside:
        try:
            prepared = beside.submit(prepare, first)
            last: Future[Finished] | None = None
            item: Group | None = second
            while True:
                ready = prepared.result()
                if item is not None:
                    prepared = beside.submit(prepare, item)
                scored = score(ready)
                if last is not None:
                    yield last.result()
                last = beside.submit(finish, scored)
                if item is None:
                    break
                item = next(rest, None)
            yield last.result()
        finally:
            beside.shutdown(wait=True, cancel_futures=True)
