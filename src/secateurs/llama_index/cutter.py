"""Compresses the outputs of one tool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from llama_index.core.tools import ToolOutput
from llama_index_instrumentation import get_dispatcher

from secateurs.adapters.runner import Outcome, Runner
from secateurs.adapters.settings import Settings
from secateurs.adapters.tool_output import Job, Shortener, WayBack
from secateurs.llama_index.events import SecateursReportEvent
from secateurs.llama_index.expand import ExpandTool
from secateurs.llama_index.nodes import clean_query
from secateurs.llama_index.outputs import is_ours, split_output

_dispatcher = get_dispatcher(__name__)


class Cutter:
    """Compresses outputs; a failure of ours returns them as they came, unless `on_error="raise"`.

    Args:
        settings: What every adapter has.
        min_tokens: Outputs of fewer LLM tokens stay as they are.
        expand: What keeps the originals; None to keep none.
    """

    def __init__(self, settings: Settings, min_tokens: int, expand: ExpandTool | None) -> None:
        if expand is not None and not isinstance(expand, ExpandTool):
            raise TypeError(f"expand must be an ExpandTool, or None for no way back; got {expand!r}")
        way_back = None if expand is None else WayBack(expand.name, expand.originals)
        self._shortener = Shortener(settings.encoding, min_tokens=min_tokens, way_back=way_back)
        self._settings = settings
        self._runner = Runner()

    def run(self, output: ToolOutput, query: Callable[[], str | None]) -> ToolOutput:
        """Return an output cut to its query, or the very output where nothing is cut."""
        job = self._job(output, query)
        if job is None:
            return output
        outcome = self._runner.run(self._settings, job.query, job.parts.texts, job.parts.ids)
        return self._finish(output, job, outcome)

    async def arun(self, output: ToolOutput, query: Callable[[], str | None]) -> ToolOutput:
        """Do what `run` does without blocking the event loop."""
        job = await asyncio.to_thread(self._job, output, query)  # counting a long output takes a while
        if job is None:
            return output
        outcome = await self._runner.arun(self._settings, job.query, job.parts.texts, job.parts.ids)
        return await asyncio.to_thread(self._finish, output, job, outcome)

    def _job(self, output: ToolOutput, query: Callable[[], str | None]) -> Job[ToolOutput] | None:
        try:
            if output.is_error or is_ours(output.raw_output):
                return None
            asked = query()
            if asked is None or not asked.strip():
                return None
            return self._shortener.job(clean_query(asked), output.content, split_output(output))
        except Exception as error:
            self._give_up(error)
            return None

    def _finish(self, output: ToolOutput, job: Job[ToolOutput], outcome: Outcome) -> ToolOutput:
        _dispatcher.event(SecateursReportEvent(report=outcome.report, tool_name=output.tool_name or None))
        outcome.check()
        try:
            shorter = self._shortener.shorter(job, outcome.report.compressions, lambda one: one.content)
            return output if shorter is None else shorter.output
        except Exception as error:
            self._give_up(error)
            return output

    def _give_up(self, error: Exception) -> None:
        self._runner.give_up(self._settings, "a tool's output is returned as it is", error)
