"""Compresses the outputs of one tool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from llama_index.core.tools import ToolOutput
from llama_index_instrumentation import get_dispatcher

from secateurs.adapters.failure import as_failure
from secateurs.adapters.runner import Outcome, Runner
from secateurs.adapters.settings import Settings
from secateurs.llama_index.events import SecateursReportEvent
from secateurs.llama_index.expand import ExpandTool
from secateurs.llama_index.nodes import clean_query
from secateurs.llama_index.outputs import BlockSlots, block_slots, is_ours, rebuilt
from secateurs.result.savings import TokenCounter
from secateurs.support.arguments import check_count

_NOTHING = "[no part of this result answers the query]"

_dispatcher = get_dispatcher(__name__)


@dataclass(frozen=True)
class _Job:
    """One output to compress."""

    output: ToolOutput
    query: str
    slots: BlockSlots
    before: int

    @property
    def texts(self) -> list[str]:
        return [slot.text for slots in self.slots.values() for slot in slots]

    @property
    def ids(self) -> list[str | None]:
        return [slot.id for slots in self.slots.values() for slot in slots]


class Cutter:
    """Compresses outputs; a failure of ours returns them as they came, unless `on_error="raise"`.

    Args:
        settings: What every adapter has.
        min_tokens: Outputs of fewer LLM tokens stay as they are.
        expand: What keeps the originals; None to keep none.
    """

    def __init__(self, settings: Settings, min_tokens: int, expand: ExpandTool | None) -> None:
        check_count(min_tokens, "min_tokens", least=0)
        if expand is not None and not isinstance(expand, ExpandTool):
            raise TypeError(f"expand must be an ExpandTool, or None for no way back; got {expand!r}")
        self._settings = settings
        self._min_tokens = min_tokens
        self._expand = expand
        self._count = TokenCounter(settings.encoding)
        self._runner = Runner()

    def run(self, output: ToolOutput, query: Callable[[], str | None]) -> ToolOutput:
        """Return an output cut to its query, or the very output where nothing is cut."""
        job = self._job(output, query)
        if job is None:
            return output
        return self._finish(job, self._runner.run(self._settings, job.query, job.texts, job.ids))

    async def arun(self, output: ToolOutput, query: Callable[[], str | None]) -> ToolOutput:
        """Do what `run` does without blocking the event loop."""
        job = await asyncio.to_thread(self._job, output, query)  # counting a long output takes a while
        if job is None:
            return output
        outcome = await self._runner.arun(self._settings, job.query, job.texts, job.ids)
        return await asyncio.to_thread(self._finish, job, outcome)

    def _job(self, output: ToolOutput, query: Callable[[], str | None]) -> _Job | None:
        try:
            if output.is_error or is_ours(output.raw_output):
                return None
            asked = query()
            if asked is None or not asked.strip():
                return None
            before, slots = self._count(output.content), block_slots(output)
            if not slots or before < self._min_tokens:
                return None
            return _Job(output, clean_query(asked), slots, before)
        except Exception as error:
            self._give_up(error)
            return None

    def _finish(self, job: _Job, outcome: Outcome) -> ToolOutput:
        _dispatcher.event(SecateursReportEvent(report=outcome.report, tool_name=job.output.tool_name or None))
        outcome.check()
        try:
            return self._shorter(job, outcome)
        except Exception as error:
            self._give_up(error)
            return job.output

    def _shorter(self, job: _Job, outcome: Outcome) -> ToolOutput:
        found = outcome.report.compressions
        if all(one.text == one.original for one in found):
            return job.output
        texts = [one.text for one in found]
        if not any(text.strip() for text in texts):
            texts[-1] = _NOTHING
        if self._expand is not None:
            last = max(index for index, text in enumerate(texts) if text.strip())
            texts[last] += self._expand.note(job.output.content)
        shorter = rebuilt(job.output, job.slots, texts)
        if self._count(shorter.content) >= job.before:
            return job.output
        if self._expand is not None:
            self._expand.originals.put(job.output.content)
        return shorter

    def _give_up(self, error: Exception) -> None:
        if self._settings.on_error == "raise":
            raise error
        self._runner.failures.warn("a tool's output is returned as it is", as_failure(error))
