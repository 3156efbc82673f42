"""Windows of many callers in shared forward passes, without a thread of its own.

Whoever has windows waiting and finds nobody at work runs the next batch, whosever windows are in it, and then looks
whether its own are done. So a single caller never waits for anything, concurrent callers fill each other's batches,
and there is no thread to start, to stop, or to lose in a fork.

Source: flat combining (Hendler et al. 2010), with batches by token budget as in text-embeddings-inference.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from secateurs.errors import OverloadedError


class Sized(Protocol):
    """Something with a length: a window, in encoder tokens."""

    def __len__(self) -> int: ...


Item = TypeVar("Item", bound=Sized)
Outcome = TypeVar("Outcome")


@dataclass(eq=False)
class _Ticket(Generic[Item, Outcome]):
    """What one caller waits for: its items, longest first, and a place for each outcome."""

    items: Sequence[Item]
    outcomes: list[Outcome | None]
    waiting: deque[int]
    remaining: int
    tokens: int = field(default=0)


class SharedBatches(Generic[Item, Outcome]):
    """Runs items of concurrent callers together; safe to call from many threads.

    Args:
        run: Scores one batch; returns one outcome an item and does not raise.
        budget: Encoder tokens of a batch.
        padded: Measure a batch as if padded to its longest item, which bounds memory where attention is padded.
        limit: Encoder tokens that may wait in all; a call that would exceed it is refused, unless nothing waits.
    """

    def __init__(
        self, run: Callable[[Sequence[Item]], Sequence[Outcome]], *, budget: int, limit: int, padded: bool = True
    ) -> None:
        self._run = run
        self._budget = budget
        self._limit = limit
        self._padded = padded
        self._changed = threading.Condition()
        self._tickets: deque[_Ticket[Item, Outcome]] = deque()
        self._tokens = 0
        self._busy = False

    def __call__(self, items: Sequence[Item], *, cancelled: threading.Event | None = None) -> list[Outcome]:
        """Run items, together with those of other callers.

        Args:
            items: Anything with a length.
            cancelled: When set, the items that have not run yet never will.

        Returns:
            One outcome an item, in order.

        Raises:
            OverloadedError: Too much is waiting already.
            CancelledError: `cancelled` was set.
        """
        ticket = self._enter(items)
        try:
            while ticket.remaining:
                if cancelled is not None and cancelled.is_set():
                    raise CancelledError
                self._work_or_wait(ticket)
        finally:
            self._leave(ticket)
        return [outcome for outcome in ticket.outcomes if outcome is not None]

    def _enter(self, items: Sequence[Item]) -> _Ticket[Item, Outcome]:
        order = sorted(range(len(items)), key=lambda index: len(items[index]), reverse=True)
        tokens = sum(map(len, items))
        ticket: _Ticket[Item, Outcome] = _Ticket(items, [None] * len(items), deque(order), len(items), tokens)
        with self._changed:
            if self._tickets and self._tokens + tokens > self._limit:
                raise OverloadedError(
                    f"{self._tokens:,} encoder tokens are waiting to be scored and {tokens:,} more would exceed the "
                    f"limit of {self._limit:,}. Try again later, or send less at once."
                )
            if items:
                self._tickets.append(ticket)
                self._tokens += tokens
        return ticket

    def _work_or_wait(self, ticket: _Ticket[Item, Outcome]) -> None:
        with self._changed:
            if self._busy:
                self._changed.wait(0.05)  # whoever finishes a batch wakes it; looks up to notice a cancellation
                return
            batch = self._take()
            if not batch:
                return
            self._busy = True
        done: list[Outcome] | None = None
        try:
            done = list(self._run([owner.items[index] for owner, index in batch]))
        finally:
            with self._changed:
                self._busy = False
                if done is None:  # whoever ran the batch was interrupted: the others' items wait again
                    self._put_back(batch)
                else:
                    for (owner, index), outcome in zip(batch, done, strict=True):
                        owner.outcomes[index] = outcome
                        owner.remaining -= 1
                self._changed.notify_all()

    def _put_back(self, batch: Sequence[tuple[_Ticket[Item, Outcome], int]]) -> None:
        for owner, index in batch:
            size = len(owner.items[index])
            owner.waiting.appendleft(index)
            owner.tokens += size
            self._tokens += size
            if owner not in self._tickets:
                self._tickets.append(owner)

    def _take(self) -> list[tuple[_Ticket[Item, Outcome], int]]:
        """Fill a batch from the callers in turn, so that a small call does not wait for the whole of a large one."""
        batch: list[tuple[_Ticket[Item, Outcome], int]] = []
        longest = total = 0
        while self._tickets:
            ticket = self._tickets[0]
            if not ticket.waiting:
                self._tickets.popleft()
                continue
            size = len(ticket.items[ticket.waiting[0]])
            longest, total = max(longest, size), total + size
            if batch and (longest * (len(batch) + 1) if self._padded else total) > self._budget:
                break
            batch.append((ticket, ticket.waiting.popleft()))
            self._tokens -= size
            ticket.tokens -= size
            self._tickets.rotate(-1)
        return batch

    def _leave(self, ticket: _Ticket[Item, Outcome]) -> None:
        with self._changed:
            if ticket.waiting:
                ticket.waiting.clear()
                self._tokens -= ticket.tokens
            if ticket in self._tickets:
                self._tickets.remove(ticket)
            self._changed.notify_all()
