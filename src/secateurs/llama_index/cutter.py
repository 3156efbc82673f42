"""Compresses the outputs of one tool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from llama_index.core.tools import ToolOutput
from llama_index_instrumentation import get_dispatcher

from secateurs.adapters.agent import AgentSettings
from secateurs.adapters.asking import Asking
from secateurs.adapters.fields import AgentFields, hinting
from secateurs.adapters.outcome import Outcome
from secateurs.adapters.runner import Runner
from secateurs.adapters.tool_output import Delivery, Job, Shortener, WayBack
from secateurs.llama_index.events import SecateursReportEvent
from secateurs.llama_index.expand import ExpandTool
from secateurs.llama_index.nodes import clean_query
from secateurs.llama_index.outputs import is_ours, split_output

_dispatcher = get_dispatcher(__name__)


@hinting("compress_callbacks")
@dataclass(kw_only=True)
class CutterFields(AgentFields):
    """What a tool is given, the query left out."""

    min_tokens: int = 200
    """Outputs of fewer LLM tokens stay as they are."""

    expand: ExpandTool | None = None
    """The tool that gives the agent an original back, its handle at the end of each cut output; None for no handle.
    Give it to the agent beside this one. A tool with `return_direct`, whose output no agent reads on, has no handle
    either."""


class Cutter:
    """Compresses outputs; a failure of ours returns them as they came, unless `on_error="raise"`.

    Args:
        fields: What a tool is given.

    Raises:
        TypeError: A setting is of the wrong type.
        ValueError: A setting is out of range.
    """

    def __init__(self, fields: CutterFields) -> None:
        expand = fields.expand
        if expand is not None and not isinstance(expand, ExpandTool):
            raise TypeError(f"expand must be an ExpandTool, or None for no way back; got {expand!r}")
        way_back = None if expand is None else WayBack(expand.name, expand.originals)
        self._settings = AgentSettings.of(fields)
        self._shortener = Shortener(
            self._settings.encoding, min_tokens=fields.min_tokens, way_back=way_back, drops=self._settings.drops
        )
        self._runner = Runner()

    def run(self, output: ToolOutput, asked: Callable[[], Asking | None]) -> ToolOutput:
        """Return an output cut to its query, or the very output where nothing is cut."""
        job = self._job(output, asked)
        if job is None:
            return output
        query, parts, delivery = job.asking.query, job.parts, self._delivery(job)
        outcome = self._runner.run(
            self._settings, query, parts.texts, parts.ids, asking=job.asking, delivered=delivery
        )
        return self._finish(output, delivery, outcome)

    async def arun(self, output: ToolOutput, asked: Callable[[], Asking | None]) -> ToolOutput:
        """Do what `run` does without blocking the event loop."""
        job = await asyncio.to_thread(self._job, output, asked)  # counting a long output takes a while
        if job is None:
            return output
        query, parts, delivery = job.asking.query, job.parts, self._delivery(job)
        outcome = await self._runner.arun(
            self._settings, query, parts.texts, parts.ids, asking=job.asking, delivered=delivery
        )
        return self._finish(output, delivery, outcome)

    def _delivery(self, job: Job[ToolOutput]) -> Delivery[ToolOutput]:
        return Delivery(self._shortener, job, lambda one: one.content)

    def _job(self, output: ToolOutput, asked: Callable[[], Asking | None]) -> Job[ToolOutput] | None:
        try:
            if output.is_error or is_ours(output):
                return None
            asking = asked()
            if asking is None or not asking.query.strip():
                return None
            clean = replace(asking, query=clean_query(asking.query))
            return self._shortener.job(clean, output.content, split_output(output))
        except Exception as error:
            self._give_up(error)
            return None

    def _finish(self, output: ToolOutput, delivery: Delivery[ToolOutput], outcome: Outcome) -> ToolOutput:
        _dispatcher.event(SecateursReportEvent(report=outcome.report, tool_name=output.tool_name or None))
        outcome.check()
        return output if delivery.shorter is None else delivery.shorter.output

    def _give_up(self, error: Exception) -> None:
        self._runner.give_up(self._settings, "a tool's output is returned as it is", error)
