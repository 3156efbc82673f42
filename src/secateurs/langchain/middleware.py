"""The agent middleware for LangChain; needs `langchain`.

agent = create_agent(model, tools, middleware=[ContextCompressionMiddleware()])
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, Self

from langchain_core.messages import ToolMessage

from secateurs.adapters.agent import AgentSettings
from secateurs.adapters.asking import QUERY_ARGUMENTS, Asking
from secateurs.adapters.contents import ToolContent, split_content, visible_text
from secateurs.adapters.fields import AgentFields, documented, hinting
from secateurs.adapters.metadata import METADATA_KEY
from secateurs.adapters.originals import Originals
from secateurs.adapters.outcome import Outcome
from secateurs.adapters.runner import Runner
from secateurs.adapters.tool_output import Delivery, Job, Shortener, Shorter, WayBack
from secateurs.langchain.expand import expand_tool
from secateurs.langchain.tool_results import (
    Cut,
    Cuts,
    asked_of,
    calls_before,
    compressible,
    conversation,
    documents_of,
    replaced,
    tool_messages,
)
from secateurs.langchain.tracing import Traced
from secateurs.support.extras import raise_missing

try:
    from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse, ToolCallRequest
    from langgraph.types import Command
except ModuleNotFoundError as error:
    raise_missing(error, "langchain", feature="secateurs.langchain.middleware", extra="agents")

ToolResult = ToolMessage | Command[Any]
QueryOf = Callable[[ToolCallRequest], str | None]


@documented(AgentFields)
@hinting("ContextCompressionMiddleware")
@dataclass(eq=False, kw_only=True)
class ContextCompressionMiddleware(AgentMiddleware[Any, Any, Any], AgentFields):
    """Cuts the tool results of a `create_agent` agent down to what answers the query; works as it is.

    A result is compressed once, when the tool returns, and its bytes never change afterwards, so a provider's prompt
    cache holds. Strings, text blocks, the long strings of JSON (which stays valid) and, where the artifact is a list
    of Documents, each Document in the content are compressed. The artifact, other blocks and results with
    `status="error"` stay as they are, as does what would not get shorter or is made of compressed Documents already.
    What was kept and saved is in `response_metadata["secateurs"]`; the savings go to the stream writer
    (`stream_mode="custom"`) under the same key, the report out as the custom event `"secateurs_report"` and as the
    output of a run named `"secateurs"`.

    A failure of ours, a time-out too, returns the result as it came, unless `on_error="raise"`; a failure of the tool
    passes.

    Attributes:
        query: Names the query of a tool call, None or blank for "leave it"; by default the first argument in
            `query_arguments` that is there, else the arguments of the call, what the model said when it made it and
            the last human message before it, all asked together (`secateurs.adapters.asking`). In ephemeral mode
            the request's `tool` and `runtime` are None.
        query_arguments: Names of tool arguments that hold a query.
        include: Names of the tools whose results are compressed; None for all.
        exclude: Names of those that are not.
        min_tokens: Results of fewer LLM tokens stay as they are.
        ephemeral: Compress what the model sees at each call, and keep the originals in the state.
        expand: Name of a tool that gives the agent an original back, its handle at the end of each cut result; None
            for no tool and no handle. The originals are in this process's memory, the oldest forgotten first, and
            go to the conversation (the `thread_id`) they came from only. Handles cannot be guessed.
        name: The middleware's name; two in one agent need two, and two names for `expand` as well.

    Raises:
        ValueError, TypeError: A setting is out of range or of the wrong type.
    """

    query: QueryOf | None = None
    query_arguments: Sequence[str] = QUERY_ARGUMENTS
    include: Sequence[str] | None = None
    exclude: Sequence[str] = ()
    min_tokens: int = 200
    ephemeral: bool = False
    expand: str | None = "expand_tool_result"
    name: str = "ContextCompressionMiddleware"

    _runner: Runner = field(default_factory=Runner, init=False, repr=False)
    _originals: Originals = field(default_factory=Originals, init=False, repr=False)
    _cuts: Cuts = field(default_factory=Cuts, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("query_arguments", "include", "exclude"):
            if isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be a list of names, got the string {getattr(self, name)!r}")
        if self.query is not None and (not callable(self.query) or inspect.iscoroutinefunction(self.query)):
            raise TypeError(f"query must be a plain function of one ToolCallRequest, got {self.query!r}")
        self._settings = AgentSettings.of(self)
        way_back = None if self.expand is None else WayBack(self.expand, self._originals)
        self._shortener = Shortener(
            self._settings.encoding, min_tokens=self.min_tokens, way_back=way_back, drops=self._settings.drops
        )
        self.tools = [] if self.expand is None else [expand_tool(self._originals, self.expand)]

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy the settings; compressor and functions are shared, what is kept for the way back is not."""
        memo |= {id(one): one for one in (self.compressor, self.query, self.on_report)}
        memo[id(self)] = made = type(self).__new__(type(self))
        made.__dict__.update(deepcopy(self.__dict__, memo))
        return made

    def check(self) -> None:
        """Load the model and let it read a document, to hear of what is wrong at start-up and not at the first call.

        Raises:
            Error: As `SecateursCompressor.check`.
        """
        self._runner.check(self._settings)

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolResult]
    ) -> ToolResult:
        """Run the tool, then compress its result."""
        result = handler(request)
        found = [] if self.ephemeral else tool_messages(result)
        return replaced(result, {id(one): self._compress(one, request, request.runtime) for one in found})

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[ToolResult]]
    ) -> ToolResult:
        """Do what `wrap_tool_call` does without blocking the event loop."""
        result = await handler(request)
        found = [] if self.ephemeral else tool_messages(result)
        return replaced(result, {id(one): await self._acompress(one, request, request.runtime) for one in found})

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Show the model compressed tool results, in ephemeral mode."""
        if not self.ephemeral:
            return handler(request)
        messages = list(request.messages)
        for index, past in _past_requests(request):
            messages[index] = self._compress(past.state["messages"][-1], past, request.runtime)
        return handler(request.override(messages=messages))

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """Do what `wrap_model_call` does without blocking the event loop."""
        if not self.ephemeral:
            return await handler(request)
        messages, found = list(request.messages), _past_requests(request)
        views = await asyncio.gather(
            *(self._acompress(past.state["messages"][-1], past, request.runtime) for _, past in found)
        )
        for (index, _), view in zip(found, views, strict=True):
            messages[index] = view
        return await handler(request.override(messages=messages))

    def _compress(self, message: ToolMessage, request: ToolCallRequest, runtime: Any) -> ToolMessage:
        job = self._job(message, request)
        if isinstance(job, Cut):
            return job.of(message)
        parts, query = job.parts, job.asking.query
        delivery = Delivery(self._shortener, job, visible_text)
        traced = Traced(query, len(parts.texts))
        outcome = traced.run(
            lambda: self._runner.run(
                self._settings, query, parts.texts, parts.ids, asking=job.asking, delivered=delivery
            )
        )
        cut = self._cut(message, job, outcome, delivery.shorter)
        self._tell(runtime, request, cut, outcome)
        return cut.of(message)

    async def _acompress(self, message: ToolMessage, request: ToolCallRequest, runtime: Any) -> ToolMessage:
        job = await asyncio.to_thread(self._job, message, request)  # counting a long result takes a while
        if isinstance(job, Cut):
            return job.of(message)
        parts, query = job.parts, job.asking.query
        delivery = Delivery(self._shortener, job, visible_text)
        traced = Traced(query, len(parts.texts))
        outcome = await traced.arun(
            lambda: self._runner.arun(
                self._settings, query, parts.texts, parts.ids, asking=job.asking, delivered=delivery
            )
        )
        cut = await asyncio.to_thread(self._cut, message, job, outcome, delivery.shorter)
        self._tell(runtime, request, cut, outcome)
        return cut.of(message)

    def _job(self, message: ToolMessage, request: ToolCallRequest) -> Job[ToolContent] | Cut:
        """Return what there is to compress, or what becomes of the result if that is known without the model."""
        try:
            if not compressible(message) or not self._is_ours(request.tool_call["name"]):
                return Cut()
            asked = self._asked(request)
            if asked is None or not asked.query.strip():
                return Cut()
            thread = conversation()
            known = self._cuts.get(message, asked.key, thread) if self.ephemeral else None
            text = visible_text(message.content)
            if known is not None:
                if known.content is not None:
                    self._shortener.keep(text, thread)  # in case it was forgotten
                return known
            parts = split_content(message.content, [(one.page_content, one.id) for one in documents_of(message)])
            ids = tuple(message.tool_call_id if one is None else one for one in parts.ids)
            return self._shortener.job(asked, text, replace(parts, ids=ids), thread) or Cut()
        except Exception as error:
            return self._gave_up(error)

    def _is_ours(self, name: str) -> bool:
        return name not in self.exclude and name != self.expand and (self.include is None or name in self.include)

    def _asked(self, request: ToolCallRequest) -> Asking | None:
        if self.query is None:
            return asked_of(request.tool_call, self.query_arguments, request.state)
        query = self.query(request)
        return None if query is None else Asking(query)

    def _cut(
        self,
        message: ToolMessage,
        job: Job[ToolContent],
        outcome: Outcome,
        shorter: Shorter[ToolContent] | None,
    ) -> Cut:
        outcome.check()
        try:
            cut = self._told(job, outcome, shorter)
            failed = outcome.report.error or any(one.status == "error" for one in outcome.report.compressions)
            if self.ephemeral and not failed:
                self._cuts.put(message, job.asking.key, cut, job.conversation)
            return cut
        except Exception as error:
            return self._gave_up(error)

    def _told(self, job: Job[ToolContent], outcome: Outcome, shorter: Shorter[ToolContent] | None) -> Cut:
        if shorter is None:
            return Cut()
        documents = [outcome.metadata(one) for one in outcome.report.compressions]
        facts = {"savings": shorter.savings.to_dict(), "handle": shorter.handle, "documents": documents}
        return Cut(shorter.output, {"status": "compressed", "query": job.asking.query, **facts})

    def _gave_up(self, error: Exception) -> Cut:
        self._runner.give_up(self._settings, "a tool result is returned as it is", error)
        return Cut()

    def _tell(self, runtime: Any, request: ToolCallRequest, cut: Cut, outcome: Outcome) -> None:
        """Send what was saved, or what failed, to the stream; a stream that breaks must not break the tool."""
        writer = getattr(runtime, "stream_writer", None)
        if writer is None or (cut.data is None and outcome.report.error is None):
            return
        call = {"tool": request.tool_call["name"], "tool_call_id": request.tool_call["id"]}
        savings = None if cut.data is None else cut.data["savings"]
        try:
            writer({METADATA_KEY: {**call, "savings": savings, "error": outcome.report.error}})
        except Exception as error:
            self._runner.failures.warn("the stream writer raised, the tool result is returned all the same", error)


def _past_requests(request: ModelRequest[Any]) -> list[tuple[int, ToolCallRequest]]:
    """Return the tool results among a request's messages as if each had just come from its tool.

    The messages behind a result are left out: a later question must not change how an earlier result is cut.
    """
    messages = request.messages
    return [
        (index, ToolCallRequest(call, None, {"messages": messages[: index + 1]}, None))  # type: ignore[arg-type]  # no runtime: no tool runs
        for index, call in calls_before(messages)
    ]
