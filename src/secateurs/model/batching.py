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

_MOMENT = 0.05  # seconds after which who waits looks whether it was cancelled


class Sized(Protocol):
    """Something with a length: a window, in encoder tokens."""

    def __len__(self) -> int: ...


Item = TypeVar("Item", bound=Sized)
Outcome = TypeVar("Outcome")


def _held() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class _Ticket(Generic[Item, Outcome]):
    """What one caller waits for: its items, longest first, and a place for each outcome.

    Attributes:
        tokens: Encoder tokens of the items that wait.
        batch: What this caller runs for everybody; empty unless it is the one at work.
        gone: Whether the caller has left, and wants nothing any more.
        inside: Held as long as the caller's call lasts. It is a lock of C's, entered by `with`: however often it is
            interrupted, it is let go: others see that a caller has gone who could not say so.
        turn: What the caller waits for; let go to wake it.
    """

    items: Sequence[Item]
    outcomes: list[Outcome | None]
    waiting: deque[int]
    remaining: int
    tokens: int
    batch: list[tuple[_Ticket[Item, Outcome], int]] = field(default_factory=list)
    gone: bool = False
    inside: threading.Lock = field(default_factory=threading.Lock)
    turn: threading.Lock = field(default_factory=_held)

    @classmethod
    def of(cls, items: Sequence[Item]) -> _Ticket[Item, Outcome]:
        order = sorted(range(len(items)), key=lambda index: len(items[index]), reverse=True)
        return cls(items, [None] * len(items), deque(order), len(items), sum(map(len, items)))


class SharedBatches(Generic[Item, Outcome]):
    """Runs items of concurrent callers together; safe to call from many threads.

    An interrupt (Ctrl-C on the thread that happens to run a batch) ends that thread's call and no other's; so do two
    in a row, of which the second finds the first being cleared up.

    Args:
        run: Scores one batch; returns one outcome an item, never None, and raises nothing but what interrupts it.
        budget: Encoder tokens of a batch.
        padded: Measure a batch as if padded to its longest item, which bounds memory where attention is padded.
        limit: Encoder tokens that may wait in all; a call that would exceed it is refused, unless
            nothing waits, or it has nothing to wait for itself.
    """

    def __init__(
        self, run: Callable[[Sequence[Item]], Sequence[Outcome]], *, budget: int, limit: int, padded: bool = True
    ) -> None:
        self._run = run
        self._budget = budget
        self._limit = limit
        self._padded = padded
        self._lock = threading.RLock()  # nobody waits for anything else while holding it
        self._callers: list[_Ticket[Item, Outcome]] = []
        self._tickets: deque[_Ticket[Item, Outcome]] = deque()  # of those who have items waiting
        self._tokens = 0
        self._worker: _Ticket[Item, Outcome] | None = None

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
        ticket: _Ticket[Item, Outcome] = _Ticket.of(items)
        with ticket.inside:
            try:
                self._enter(ticket)
                while ticket.remaining:
                    if cancelled is not None and cancelled.is_set():
                        raise CancelledError
                    if not self._work(ticket):
                        ticket.turn.acquire(timeout=_MOMENT)
            finally:
                self._leave(ticket)
        return [outcome for outcome in ticket.outcomes if outcome is not None]

    def _enter(self, ticket: _Ticket[Item, Outcome]) -> None:
        with self._lock:
            self._callers.append(ticket)
            self._clear_up()
            if ticket.tokens and self._tokens and self._tokens + ticket.tokens > self._limit:
                raise OverloadedError(
                    f"{self._tokens:,} encoder tokens are waiting to be scored and {ticket.tokens:,} more would "
                    f"exceed the limit of {self._limit:,}. Try again later, or send less at once."
                )
            if ticket.waiting:
                self._tokens += ticket.tokens
                self._tickets.append(ticket)

    def _work(self, ticket: _Ticket[Item, Outcome]) -> bool:
        """Run the next batch; returns False where somebody else is at it."""
        with self._lock:
            if self._worker is not None and self._worker.inside.locked():
                return False
            self._clear_up()
            self._worker = ticket
            self._take(ticket.batch)
        done = list(self._run([owner.items[index] for owner, index in ticket.batch]))
        if len(done) != len(ticket.batch):
            raise RuntimeError(f"a batch of {len(ticket.batch)} items came back with {len(done)} outcomes")
        with self._lock:
            for (owner, index), outcome in zip(ticket.batch, done, strict=True):
                owner.outcomes[index] = outcome
                owner.remaining -= 1
            self._rest(ticket)
        return True

    def _clear_up(self) -> None:
        """Take out who has gone without a word: the second of two interrupts came while it left; the lock is held."""
        for one in [one for one in self._callers if not one.inside.locked()]:
            self._leave(one)

    def _rest(self, ticket: _Ticket[Item, Outcome]) -> None:
        """Let the next caller work; the lock is held."""
        ticket.batch.clear()
        self._worker = None
        for one in self._callers:
            if one.turn.locked():
                one.turn.release()

    def _take(self, batch: list[tuple[_Ticket[Item, Outcome], int]]) -> None:
        """Fill a batch from the callers in turn, so that a small call does not wait for the whole of a large one."""
        longest = total = 0
        while self._tickets:
            ticket = self._tickets[0]
            if not ticket.waiting or not ticket.inside.locked():
                self._tickets.popleft()
                continue
            size = len(ticket.items[ticket.waiting[0]])
            longest, total = max(longest, size), total + size
            if batch and (longest * (len(batch) + 1) if self._padded else total) > self._budget:
                break
            batch.append((ticket, ticket.waiting[0]))
            ticket.waiting.popleft()
            self._tokens -= size
            ticket.tokens -= size
            self._tickets.rotate(-1)

    def _leave(self, ticket: _Ticket[Item, Outcome]) -> None:
        """Take a caller out, whatever it was about: it is done, refused, cancelled, or was interrupted anywhere."""
        with self._lock:
            ticket.gone = True
            if self._worker is ticket:  # interrupted: what it ran for others waits again
                self._put_back(ticket.batch)
                self._rest(ticket)
            if ticket in self._tickets:
                self._tickets.remove(ticket)
            ticket.waiting.clear()
            ticket.tokens = 0
            self._tokens = sum(one.tokens for one in self._tickets)
            if ticket in self._callers:  # last, so that who is interrupted here is found again
                self._callers.remove(ticket)

    def _put_back(self, batch: Sequence[tuple[_Ticket[Item, Outcome], int]]) -> None:
        """Let what has no outcome yet wait again, and count anew: the interrupt came between any two steps."""
        for owner, _ in batch:
            owner.remaining = sum(outcome is None for outcome in owner.outcomes)
        for owner, index in reversed(batch):
            if owner.gone or owner.outcomes[index] is not None or index in owner.waiting:
                continue
            owner.waiting.appendleft(index)
            if owner not in self._tickets:
                self._tickets.append(owner)
        for owner in self._tickets:
            owner.tokens = sum(len(owner.items[index]) for index in owner.waiting)
        self._tokens = sum(owner.tokens for owner in self._tickets)
