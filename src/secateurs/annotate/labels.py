"""Ask every part of a document, in one order or two, and merge what is said about its sentences."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from secateurs.annotate.agreement import Label
from secateurs.annotate.answers import Reason, Reply, UnusableError, parse
from secateurs.annotate.endpoint import PromptTooLongError
from secateurs.annotate.parts import Count, Part, Piece, split
from secateurs.annotate.prompts import make_messages
from secateurs.annotate.records import Unlabelled
from secateurs.result.span import Span
from secateurs.segment import segment

Ask = Callable[[Sequence[Mapping[str, str]]], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Failure:
    """A prompt without a usable answer.

    Attributes:
        where: The sentences it showed, counted from 1.
        order: 1 or 2.
        reason: Why there is none.
        detail: More about it.
        raw: What the model said, as it said it.
        thought: Its thought, where the server keeps it apart.
        finish_reason: Why the model stopped.
    """

    where: str
    order: int
    reason: Reason
    detail: str
    raw: str = ""
    thought: str = ""
    finish_reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Labelled:
    """What came of one record.

    Attributes:
        spans: Its sentences.
        orders: The labels of the sentences, for each order in which they were shown.
        reasoning: All answers' reasoning; more than one answer's parts are headed by the sentences they are about.
        failures: Prompts without a usable answer.
    """

    spans: tuple[Span, ...]
    orders: tuple[tuple[Label, ...], ...]
    reasoning: str
    failures: tuple[Failure, ...]

    @property
    def labels(self) -> tuple[Label, ...]:
        """One label a sentence: None where an order has none, or where two orders differ."""
        return tuple(votes[0] if len(set(votes)) == 1 else None for votes in zip(*self.orders, strict=True))

    @property
    def rejected(self) -> bool:
        """Whether no sentence has a label because prompts failed."""
        return bool(self.failures) and all(label is None for label in self.labels)


class Labeller:
    """Labels records, one at a time.

    Args:
        ask: Sends a prompt.
        count: Counts LLM tokens.
        most: LLM tokens of a prompt, at most.
        two_orders: Ask every prompt again with the halves of its sentences swapped.
        end_of_thought: What a thinking model writes between its thought and its answer.
    """

    def __init__(self, ask: Ask, count: Count, *, most: int, two_orders: bool, end_of_thought: str) -> None:
        self._ask = ask
        self._count = count
        self._most = most
        self._two_orders = two_orders
        self._end = end_of_thought

    async def label(self, record: Unlabelled) -> Labelled:
        """Label every sentence of a record, or say why not."""
        spans = tuple(segment(record.context))
        parts = split(record, spans, most=self._most, count=self._count)
        heard = _Heard([], [])
        orders = []
        for order in (1, 2) if self._two_orders else (1,):
            votes: list[list[Label]] = [[] for _ in spans]
            for part in parts:
                await self._ask_part(record, part, order, votes, heard)
            orders.append(tuple(_merge(given) for given in votes))
        if not parts:
            detail = f"the query leaves no room in {self._most} LLM tokens: see --max-prompt-tokens"
            heard.failures.append(Failure(f"sentences 1-{len(spans)}", 1, Reason.too_long, detail))
        told = heard.told
        text = told[0].partition("\n")[2] if len(told) == 1 else "\n\n".join(told)
        return Labelled(spans, tuple(orders), text, tuple(heard.failures))

    async def _ask_part(
        self, record: Unlabelled, part: Part, order: int, votes: list[list[Label]], heard: _Heard
    ) -> None:
        """Ask about one part, or about its halves where the server finds it too long."""
        shown = _swap(part.pieces) if order == 2 else part.pieces
        texts = [piece.text for piece in shown]
        reply = Reply("")
        try:
            reply = await self._ask(make_messages(record.query, texts, lang=record.lang, before=part.before))
            answer = parse(reply, len(shown), end_of_thought=self._end)
        except PromptTooLongError as error:
            halves = part.halves()
            for half in halves:
                await self._ask_part(record, half, order, votes, heard)
            if halves:
                return
            failure = UnusableError(Reason.too_long, str(error))
        except UnusableError as error:
            failure = error
        else:
            for number, piece in enumerate(shown, start=1):
                votes[piece.sentence].append(int(number in answer.numbers))
            heard.told.append(f"[{_heading(part, order)}]\n{answer.reasoning}")
            return
        for piece in shown:
            votes[piece.sentence].append(None)
        heard.failures.append(_failure(part, order, failure, reply))


@dataclass(slots=True)
class _Heard:
    """What the prompts of one record have brought so far."""

    told: list[str]
    failures: list[Failure]


def _merge(given: Sequence[Label]) -> Label:
    """Return 1 if any piece of a sentence is needed, None if any is unknown or none was asked, else 0."""
    return 1 if 1 in given else None if None in given or not given else 0


def _swap(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Put the second half before the first: a sentence keeps its neighbours and gets another number and place."""
    middle = len(pieces) // 2
    return (*pieces[middle:], *pieces[:middle])


def _heading(part: Part, order: int) -> str:
    if order == 1 or len(part.pieces) == 1:
        return part.name()
    middle = len(part.pieces) // 2
    return f"in the second order: {Part(part.pieces[middle:]).name()}, then {Part(part.pieces[:middle]).name()}"


def _failure(part: Part, order: int, error: UnusableError, reply: Reply) -> Failure:
    return Failure(part.name(), order, error.reason, error.detail, reply.content, reply.thought, reply.finish_reason)
