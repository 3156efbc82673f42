"""An endpoint, asked many prompts at a time; each answer is on the disk before the next is waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from secateurs.annotate.answers import Reason, Reply, UnusableError, check_whole, without_thought
from secateurs.annotate.endpoint import Endpoint, EndpointError, PromptTooLongError
from secateurs.annotate.lines import Lines
from secateurs.annotate.run import first_failure
from secateurs.evaluate.answers.prompts import Messages
from secateurs.evaluate.answers.servers import Asked

Tick = Callable[[], object]

_END_OF_THOUGHT = "</think>"


def ask(
    prompts: Mapping[str, Messages],
    asked: Asked,
    lines: Lines,
    *,
    concurrency: int,
    tick: Tick = lambda: None,
) -> None:
    """Ask a server, and append what it says: `{"id", "answer", "model", ...}`, or `{"id", "failed", ...}`.

    Args:
        prompts: What to ask, by id.
        asked: Who is asked.
        lines: Where answers go.
        concurrency: Prompts at a time.
        tick: Called after each.

    Raises:
        EndpointError: The server cannot be worked with; what it has answered is safe.
        OutputError: An answer cannot be written.
    """
    asyncio.run(_ask(prompts, asked, lines, concurrency, tick))


async def _ask(
    prompts: Mapping[str, Messages],
    asked: Asked,
    lines: Lines,
    concurrency: int,
    tick: Tick,
) -> None:
    endpoint = Endpoint(asked.server, asked.model)
    left = iter(prompts.items())
    unheard = 0

    async def work() -> None:
        nonlocal unheard
        for name, messages in left:  # shared: each prompt goes to one worker
            row = await _one(endpoint, messages)
            lines.append({"id": name, "model": asked.model.model, **row})
            tick()
            silent = row.get("failed") in (Reason.gave_up, Reason.bad_request)
            unheard = unheard + 1 if silent else 0
            if unheard >= 2 * concurrency + 6:
                raise EndpointError(
                    f"{unheard} prompts in a row got no answer, the last: {row['detail'][:300]}. Check the server,"
                    " then run the same command again: what is answered is safe."
                )

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
    except BaseExceptionGroup as failures:
        raise first_failure(failures) from None
    finally:
        await endpoint.close()


async def _one(endpoint: Endpoint, messages: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        reply = await endpoint.ask(messages)
        answer = usable(reply)
    except PromptTooLongError as error:
        return {"failed": str(Reason.too_long), "detail": str(error)[:500]}
    except UnusableError as error:
        return {"failed": str(error.reason), "detail": error.detail[:500]}
    used = {"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens}
    return {"answer": answer, **used, "seconds": round(time.perf_counter() - began, 3)}


def usable(reply: Reply) -> str:
    """Return the answer of a reply, without the thought before it.

    Raises:
        UnusableError: There is none: cut off, filtered, refused or empty.
    """
    check_whole(reply)
    return without_thought(reply.content, _END_OF_THOUGHT)[1]
