"""What is said around a tool call that an agent makes, as far as the workflow it runs in tells."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llama_index.core.agent.react.types import ActionReasoningStep
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.workflow import Context

from secateurs.errors import in_one_line

_log = logging.getLogger(__name__)

# where LlamaIndex's agents keep it in their workflow's store
_QUESTION = "user_msg_str"
_SCRATCHPAD = "scratchpad"  # a FunctionAgent's messages of this run
_REASONING = "current_reasoning"  # a ReActAgent's steps


@dataclass(frozen=True)
class Said:
    """What is said around a call.

    Attributes:
        words: What the model said when it made the call.
        question: What the user asked.
    """

    words: str | None = None
    question: str | None = None


async def said_around(arguments: Mapping[str, Any]) -> Said:
    """Return what is said around the call that is being made; nothing outside of an agent's run.

    Args:
        arguments: Those of the call; the context may be among them.
    """
    try:
        context = _context(arguments)
        question = None if context is None else await context.store.get(_QUESTION, default=None)
        if context is None or not isinstance(question, str):  # a workflow that is no agent
            return Said()
        return Said(await _words(context), question)
    except Exception as error:  # a store of somebody's own: the arguments are asked alone
        _log.debug("what was said around a tool call is not known: %s", in_one_line(error))
        return Said()


def _context(arguments: Mapping[str, Any]) -> Context[Any] | None:
    """Return the context of the step that runs; None where none does."""
    for value in arguments.values():
        if isinstance(value, Context):
            return value
    current = getattr(Context, "get_step_context", None)
    if current is None:  # older workflows tell only tools that ask for it
        return None
    try:
        found: Context[Any] = current()
    except Exception:  # WorkflowRuntimeError: no step runs
        return None
    return found


async def _words(context: Context[Any]) -> str | None:
    """Return what the model said in the message that makes the call; tool results stand behind it only afterwards."""
    last = _last(await context.store.get(_SCRATCHPAD, default=None))
    if isinstance(last, ChatMessage) and last.role == MessageRole.ASSISTANT:
        return last.content
    last = _last(await context.store.get(_REASONING, default=None))
    return last.thought if isinstance(last, ActionReasoningStep) else None


def _last(kept: object) -> object:
    return kept[-1] if isinstance(kept, list) and kept else None
