"""Fixtures of this room: event and span handlers at LlamaIndex's root while a test runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_parts import Events, Recorder


@pytest.fixture
def events() -> Iterator[Events]:
    """All events while a test runs."""
    handler, root = Events(), get_dispatcher()
    root.add_event_handler(handler)
    yield handler
    root.event_handlers.remove(handler)


@pytest.fixture
def spans() -> Iterator[SimpleSpanHandler]:
    """All spans while a test runs."""
    handler, root = SimpleSpanHandler(), get_dispatcher()
    root.add_span_handler(handler)
    yield handler
    root.span_handlers.remove(handler)


@pytest.fixture
def llm() -> Recorder:
    """A recording LLM."""
    return Recorder()
