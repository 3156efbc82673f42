"""Compression in LangChain's traces: a run of its own inside the one it was called in, and a custom event.

on_chain_start   "secateurs"          the query, and how many documents came
on_custom_event  "secateurs_report"   the report, of the run that called; see `adapters.runner.report_to_dict`
on_chain_end     "secateurs"          the same report

Outside a run nothing goes out: there is no trace it could belong to.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from langchain_core.callbacks import Callbacks, adispatch_custom_event, dispatch_custom_event
from langchain_core.runnables import RunnableConfig, ensure_config
from langchain_core.runnables.config import (
    get_async_callback_manager_for_config,
    get_callback_manager_for_config,
)

from secateurs.adapters.metadata import METADATA_KEY
from secateurs.adapters.outcome import Outcome
from secateurs.adapters.report import report_to_dict

EVENT_NAME = "secateurs_report"
RUN_NAME = METADATA_KEY


@dataclass(frozen=True)
class Traced:
    """One call of an adapter, as a trace shows it.

    Attributes:
        query: The query.
        documents: How many documents came; their text is in the run that found them.
        callbacks: Those of the run it was called in; None for the run around, if there is one.
    """

    query: str
    documents: int
    callbacks: Callbacks | None = None

    def run(self, call: Callable[[], Outcome]) -> Outcome:
        """Make the call, in a run of its own if it was called in one; what it raises ends that run and passes."""
        config = self._config()
        manager = get_callback_manager_for_config(config)
        if manager.parent_run_id is None:  # dispatching would raise
            return call()
        run = manager.on_chain_start(None, self._inputs(), name=RUN_NAME)
        try:
            outcome = call()
            report = report_to_dict(outcome.report)
            dispatch_custom_event(EVENT_NAME, report, config=config)
            outcome.check()
        except BaseException as error:
            run.on_chain_error(error)
            raise
        run.on_chain_end(report)
        return outcome

    async def arun(self, call: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Do what `run` does, awaited."""
        config = self._config()
        manager = get_async_callback_manager_for_config(config)
        if manager.parent_run_id is None:
            return await call()
        run = await manager.on_chain_start(None, self._inputs(), name=RUN_NAME)
        try:
            outcome = await call()
            report = report_to_dict(outcome.report)
            await adispatch_custom_event(EVENT_NAME, report, config=config)
            outcome.check()
        except BaseException as error:
            await run.on_chain_error(error)
            raise
        await run.on_chain_end(report)
        return outcome

    def _config(self) -> RunnableConfig:
        return ensure_config({"callbacks": self.callbacks})

    def _inputs(self) -> dict[str, Any]:
        return {"query": self.query, "documents": self.documents}
