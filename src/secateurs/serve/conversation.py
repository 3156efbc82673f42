"""Conversations: what of the messages is cut, by an agent's rules, and what of it can be had back for a while.

Nothing of how a message is cut is here: that is `secateurs.adapters`, the middleware's very code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import Response
from starlette.types import Receive, Scope, Send

from secateurs.adapters.agent import AgentSettings
from secateurs.adapters.chat import Turn, content_of, turns_of
from secateurs.adapters.choice import Asked
from secateurs.adapters.contents import ToolContent, split_content, visible_text
from secateurs.adapters.originals import Originals
from secateurs.adapters.tool_output import Delivery, Job, Shortener, WayBack
from secateurs.result.compression import Compression
from secateurs.result.savings import Savings, TokenCounter
from secateurs.serve.bodies import check_turns, too_much
from secateurs.serve.effort import Effort
from secateurs.serve.messages import MessagesRequest
from secateurs.serve.policies import read_policy
from secateurs.serve.refusal import RefusalError, encode
from secateurs.serve.service import Service, size_of

_PART = 16_384  # characters of an original that are written at once
_AT_ONCE = 8  # messages of one conversation that are asked of the model at once: they share its batches


async def converse(body: MessagesRequest, service: Service) -> bytes:
    """Return the answer to a request to compress a conversation.

    Args:
        body: The request.
        service: The service.

    Raises:
        RefusalError: It asks for what cannot be, or for too much, or too much is waiting, or the time is up.
    """
    settings = _settings(body, service)
    find = partial(turns_of, body.messages, query=body.query, user=body.user_context, exclude=body.excluded)
    # however few its bytes of text, its calls' arguments are read
    turns = await service.off_loop(find)
    shown = {turn.index: visible_text(turn.content) for turn in turns}
    turns = [turn for turn in turns if size_of(shown[turn.index]) >= body.min_tokens]  # a token has at least a byte
    check_turns(service.settings, [(turn.index, shown[turn.index], _queries(turn)) for turn in turns])
    read = sum(size_of(query) + size_of(shown[turn.index]) for turn in turns for query in _queries(turn))
    effort = Effort(sum(len(text) for text in shown.values()))
    return await service.within(_Talk(body, service, settings, turns, effort).answer, read, effort, body.timeout)


def _settings(body: MessagesRequest, service: Service) -> AgentSettings:
    """Return how a conversation is cut."""
    source = None if body.policy is None else read_policy(Asked(policy=body.policy), service.policy)
    try:
        return AgentSettings(
            compressor=service.counting(body.counted_in),
            policy=source,
            threshold=body.threshold,
            top_k=body.top_k,
            max_tokens=body.max_tokens,
            when_empty=body.when_empty,
            neighbours=body.neighbours,
            elision=body.elision,
            on_error="raise",
        )
    except ValueError as error:
        raise RefusalError(422, "invalid", str(error)) from None


def _queries(turn: Turn) -> list[str]:
    return [turn.asking.query, *turn.asking.also]


class _Counter(TokenCounter):
    """Counts tokens until nobody waits any more."""

    def __init__(self, encoding: str, effort: Effort) -> None:
        super().__init__(encoding)
        self._effort = effort

    def __call__(self, text: str) -> int:
        self._effort.check()
        return super().__call__(text)


class _Talk:
    """One conversation under way.

    Args:
        body: The request.
        service: The service.
        settings: How it is cut.
        turns: What of it may be cut.
        effort: What the answer may cost.
    """

    def __init__(
        self, body: MessagesRequest, service: Service, settings: AgentSettings, turns: Sequence[Turn], effort: Effort
    ) -> None:
        self._messages = body.messages
        self._service = service
        self._settings = settings
        self._turns = {turn.index: turn for turn in turns}
        self._effort = effort
        self._count = _Counter(settings.encoding, effort)
        way_back = WayBack(body.expand, service.originals)
        drops = settings.drops
        self._shortener = Shortener(self._count, min_tokens=body.min_tokens, way_back=way_back, drops=drops)
        self._written: list[bytes] = []  # its messages as JSON
        self._savings: list[Savings] = []  # what each saves
        self._cuts: dict[int, _Cut] = {}

    async def answer(self) -> bytes:
        """Cut it, and return the answer."""
        size = sum(size_of(visible_text(content_of(one) or "")) for one in self._messages)
        await self._service.make(self._prepare, size)
        cuts, results = list(self._cuts.values()), list[Compression]()
        for start in range(0, len(cuts), _AT_ONCE):
            some = cuts[start : start + _AT_ONCE]
            for found in await asyncio.gather(*map(self._ask, some), return_exceptions=True):
                if isinstance(found, BaseException):
                    raise found
                results += found
        self._service.judge(results, cuts=True)
        return await self._service.make(self._finish, size)

    def _prepare(self) -> None:
        """Write and count each message, and take apart what is to be cut."""
        most, texts = self._service.settings.max_documents, 0
        for index, message in enumerate(self._messages):
            self._effort.check()
            self._written.append(_written(index, message))
            text = visible_text(content_of(message) or "")
            turn = self._turns.get(index)
            job = None if turn is None else self._shortener.job(turn.asking, text, split_content(turn.content))
            before = self._count(text) if job is None else job.before
            self._savings.append(self._count.savings(before, before, exact=self._count.exact(text)))
            if job is None:
                continue
            self._cuts[index] = _Cut(job, Delivery(self._shortener, job, visible_text))
            texts += len(job.parts.texts)
            if texts > most:
                raise too_much(f"messages: {texts:,} texts in them", most)

    async def _ask(self, cut: _Cut) -> Sequence[Compression]:
        parts, asked = cut.job.parts, cut.job.asking
        outcome = await self._service.runner.arun(
            self._settings, asked.query, parts.texts, parts.ids, asking=asked, delivered=cut.delivery
        )
        if outcome.report.error is not None:  # of the call; a document that failed leaves its message as it is
            outcome.check()
        return outcome.report.compressions

    def _finish(self) -> bytes:
        """Return the answer: what was cut in the place of what it was, everything else as it came."""
        changed = []
        for index, cut in self._cuts.items():
            self._effort.check()
            shorter = cut.delivery.shorter
            if shorter is None:
                continue
            self._savings[index] = shorter.savings
            self._written[index] = encode({**self._messages[index], "content": shorter.output})
            tokens = {"tokens_before": shorter.savings.before, "tokens_after": shorter.savings.after}
            changed.append({"index": index, **tokens, "handle": shorter.handle})
        savings = sum(self._savings, Savings(0, 0, self._settings.encoding))
        facts = {
            "model": self._service.name,
            "tokens_before": savings.before,
            "tokens_after": savings.after,
            "tokens_saved": savings.saved,
            # not our word, but what gateways read
            "compression_ratio": savings.after / savings.before if savings.before else 1.0,
            "savings": savings.to_dict(),
            "compressed": changed,
        }
        return b"".join((encode(facts)[:-1], b',"messages":[', b",".join(self._written), b"]}"))


@dataclass(frozen=True)
class _Cut:
    """A message that is cut.

    Attributes:
        job: What there is to compress.
        delivery: What becomes of it.
    """

    job: Job[ToolContent]
    delivery: Delivery[ToolContent]


def _written(index: int, message: dict[str, Any]) -> bytes:
    try:
        return encode(message)
    except (ValueError, RecursionError):
        said = f"messages[{index}] holds a number that JSON cannot, or is nested too deeply to be sent back."
        raise RefusalError(422, "invalid", said) from None


def original(originals: Originals, handle: str) -> Iterator[bytes]:
    """Return what a message was, as the parts of a JSON body: nothing is copied before it is sent.

    Args:
        originals: What is kept.
        handle: What it is kept under.

    Raises:
        RefusalError: 404; nothing is kept under it, or no longer.
    """
    text = originals.get(handle)
    if text is None:
        said = "nothing is kept under this handle, or no longer: ask for what was cut at its source."
        raise RefusalError(404, "not_found", said)
    return _parts(handle, text)


def _parts(handle: str, text: str) -> Iterator[bytes]:
    yield encode({"handle": handle})[:-1] + b',"original_content":"'
    for start in range(0, len(text), _PART):
        yield encode(text[start : start + _PART])[1:-1]
    yield b'"}'


class Parts(Response):
    """An answer that is sent part by part, as its caller takes it.

    Args:
        parts: Of a body in JSON.
    """

    media_type = "application/json"

    def __init__(self, parts: Iterator[bytes]) -> None:
        super().__init__()
        del self.headers["content-length"]  # not known
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for part in self._parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await asyncio.sleep(0)  # a crowd of these keeps nobody else waiting
        await send({"type": "http.response.body", "body": b"", "more_body": False})
