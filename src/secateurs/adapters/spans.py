"""Spans of OpenTelemetry, in OpenInference's words: what a call was given and what became of it.

    secateurs    openinference.span.kind = "RERANKER", reranker.query, reranker.top_k, reranker.model_name,
                 reranker.input_documents.N.document.{id, content},
                 reranker.output_documents.N.document.{id, content, score},
                 llm.token_count.{before, after, saved}, and the same in `metadata` (JSON)

Where opentelemetry's API is not installed (the extra `otel` brings it), or nobody listens, it costs nothing. A span
that breaks breaks no call. `OPENINFERENCE_HIDE_INPUTS` and `OPENINFERENCE_HIDE_OUTPUTS`, set to true, keep texts out,
as in OpenInference's own instrumentations; `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT` cuts them.

Source: https://github.com/Arize-ai/openinference, spec/semantic_conventions.md, rerankers
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from secateurs.errors import in_one_line
from secateurs.result.savings import Savings
from secateurs.support.surrogates import replace_surrogates

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

_log = logging.getLogger(__name__)

NAME = "secateurs"
_DOCUMENTS = 20  # that are told of on either side: a span holds 128 attributes, and forgets the first ones


@dataclass(frozen=True)
class Told:
    """A document as a span tells it.

    Attributes:
        text: Its text.
        id: Its id, if it has one.
        score: Its ranking score, if it has one.
    """

    text: str
    id: str | None = None
    score: float | None = None


@dataclass(frozen=True)
class Facts:
    """What a call was given and what became of it.

    Attributes:
        query: The query.
        given: The documents that came.
        returned: Those that went back, in order.
        model: The checkpoint's name.
        top_n: How many were asked for at most.
        savings: LLM tokens before and after.
        error: What went wrong with the call as a whole.
    """

    query: str = ""
    given: Sequence[Told] = ()
    returned: Sequence[Told] = ()
    model: str | None = None
    top_n: int | None = None
    savings: Savings | None = None
    error: str | None = None

    def attributes(self) -> dict[str, Any]:
        """Return them in OpenInference's words; what must not be forgotten stands last."""
        hide_in, hide_out = _hidden("INPUTS"), _hidden("OUTPUTS")
        found = _documents("reranker.input_documents", self.given, hidden=hide_in)
        found |= _documents("reranker.output_documents", self.returned, hidden=hide_out)
        if self.top_n is not None:
            found["reranker.top_k"] = self.top_n
        if self.model is not None:
            found["reranker.model_name"] = replace_surrogates(self.model)
        if not hide_in:
            query = replace_surrogates(self.query)
            found |= {"reranker.query": query, "input.value": query, "input.mime_type": "text/plain"}
        if self.savings is not None:
            counts = {f"llm.token_count.{name}": getattr(self.savings, name) for name in ("before", "after", "saved")}
            found |= {**counts, "metadata": json.dumps({**counts, "encoding": self.savings.encoding})}
        return {**found, "openinference.span.kind": "RERANKER"}


@dataclass
class Call:
    """A call inside its span.

    Attributes:
        facts: Returns what is to be told; called at the end, and only if anybody listens.
        stopped: What the call raised.
    """

    facts: Callable[[], Facts] = Facts
    stopped: BaseException | None = None


@contextmanager
def span() -> Iterator[Call]:
    """Open a span around a call, if anybody listens; the `Call` is given what is to be told when it ends."""
    call = Call()
    opened = _open()
    if opened is None:
        yield call
        return
    token = _attach(opened)
    try:
        yield call
    except BaseException as error:
        call.stopped = error
        raise
    finally:
        _close(opened, token, call)


def _hidden(which: str) -> bool:
    return os.environ.get(f"OPENINFERENCE_HIDE_{which}", "").strip().lower() == "true"


def _documents(name: str, documents: Sequence[Told], *, hidden: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, one in enumerate(documents[:_DOCUMENTS]):
        about: Mapping[str, Any] = {"id": one.id, "content": None if hidden else one.text, "score": one.score}
        for key, value in about.items():
            if value is not None:
                plain = replace_surrogates(value) if isinstance(value, str) else value
                found[f"{name}.{number}.document.{key}"] = plain
    return found


@cache
def _tracer() -> Tracer | None:
    try:
        from opentelemetry import trace
    except ModuleNotFoundError:
        return None
    from secateurs import __version__

    return trace.get_tracer(NAME, __version__)  # whose provider may be set later


def _open() -> Span | None:
    """Return a span that somebody listens to."""
    try:
        tracer = _tracer()
        opened = None if tracer is None else tracer.start_span(NAME)
        return opened if opened is not None and opened.is_recording() else None
    except Exception as error:
        _log.debug("no span could be opened: %s", in_one_line(error))
        return None


def _attach(opened: Span) -> Any:
    """Make a span the current one, so that what is called inside has it as its parent."""
    from opentelemetry import context, trace

    return context.attach(trace.set_span_in_context(opened))


def _close(opened: Span, token: Any, call: Call) -> None:
    from opentelemetry import context
    from opentelemetry.trace import Status, StatusCode

    try:
        context.detach(token)
        facts = call.facts()
        error = facts.error if call.stopped is None else in_one_line(call.stopped)
        opened.set_attributes(facts.attributes())
        opened.set_status(Status(StatusCode.OK) if error is None else Status(StatusCode.ERROR, error))
        opened.end()
    except Exception as error:  # an exporter of somebody's own
        _log.debug("a span could not be told: %s", in_one_line(error))
