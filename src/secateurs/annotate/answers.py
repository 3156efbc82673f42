"""One reply becomes the numbers of sentences, or the reason why it cannot be used. Nothing is guessed.

An answer that is doubtful in any way is set aside: a wrong 0 teaches a model to cut what answers.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """Why a prompt has no usable answer."""

    cut_off = "cut_off"  # finish_reason "length"
    content_filter = "content_filter"  # the server's own filter stopped the answer or refused the prompt
    refusal = "refusal"
    empty = "empty"
    unclosed_thought = "unclosed_thought"
    not_json = "not_json"
    wrong_shape = "wrong_shape"  # JSON, but without the keys or with other types
    out_of_range = "out_of_range"  # a number that no sentence has, 0 included
    duplicate = "duplicate"  # a number twice
    contradiction = "contradiction"  # no answer, yet sentences; an answer, yet no sentences; one key twice
    too_long = "too_long"  # the prompt does not fit, however it is split
    bad_request = "bad_request"  # the server does not want this request
    gave_up = "gave_up"  # no reply after all retries

    @property
    def answered(self) -> bool:
        """Whether the model was heard: if not, the next run asks again."""
        return self not in (Reason.too_long, Reason.bad_request, Reason.gave_up)


class UnusableError(Exception):
    """A prompt has no usable answer.

    Args:
        reason: Why.
        detail: More about it, for people.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server sent back.

    Attributes:
        content: The text of the message.
        thought: What a thinking model thought, where the server keeps it apart.
        refusal: The message's refusal, where there is one.
        finish_reason: Why the model stopped; `""` where the server does not say.
        prompt_tokens: LLM tokens of the prompt, as the server counts them; 0 where it does not say.
        completion_tokens: LLM tokens of the reply, thought included.
    """

    content: str
    thought: str = ""
    refusal: str = ""
    finish_reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A usable answer.

    Attributes:
        numbers: Numbers of the sentences that are needed, from 1, as the prompt showed them.
        reasoning: What was reasoned before.
    """

    numbers: frozenset[int]
    reasoning: str


_FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*)\n[ \t]*```", re.DOTALL | re.IGNORECASE)
_REFUSAL = re.compile(
    r"""\W*(
        i['’]?m\ sorry | i\ am\ sorry | sorry, | i\ apologi[sz]e
      | (as\ an\ ai[^.]{0,40})? i\ (can\ ?not | can['’]t | won['’]t | am\ unable\ to | am\ not\ able\ to)
        \ (help | assist | comply | fulfil | provide | answer | do | process | engage)
      | 抱歉 | 很抱歉 | 对不起 | 作为一个?(人工智能|AI)
      | 我(无法|不能|没办法)(协助|帮助|提供|完成|满足|处理|回答)
    )""",
    re.IGNORECASE | re.VERBOSE,
)


def check_whole(reply: Reply) -> None:
    """Raise `UnusableError` where a reply was cut off, filtered or refused."""
    if reply.finish_reason == "length":
        raise UnusableError(Reason.cut_off, "the answer reached the limit of its length")
    if reply.finish_reason == "content_filter":
        raise UnusableError(Reason.content_filter)
    if reply.refusal:
        raise UnusableError(Reason.refusal, reply.refusal)


def parse(reply: Reply, shown: int, *, end_of_thought: str = "</think>") -> Answer:
    """Read a reply.

    Args:
        reply: The reply.
        shown: How many sentences the prompt showed.
        end_of_thought: What a thinking model writes between its thought and its answer.

    Returns:
        The answer.

    Raises:
        UnusableError: There is none, or none that can be trusted.

    Example:
        >>> reply = Reply('{"reasoning": "2 says when", "answer_found": true, "sentences": [2]}')
        >>> sorted(parse(reply, shown=3).numbers)
        [2]
    """
    check_whole(reply)
    thought, text = without_thought(reply.content, end_of_thought)
    row = json_object(text)
    reasoning = row.get("reasoning", "" if thought or reply.thought else None)
    if not isinstance(reasoning, str):
        raise UnusableError(Reason.wrong_shape, "no reasoning")
    numbers = _numbers(row, shown)
    if not numbers and _REFUSAL.match(reasoning):
        raise UnusableError(Reason.refusal, reasoning)
    told = [part.strip() for part in (reply.thought, thought, reasoning) if part.strip()]
    return Answer(numbers, "\n\n".join(told))


def without_thought(content: str, marker: str) -> tuple[str, str]:
    """Return the thought and the answer of a content that may hold both.

    Args:
        content: What the model wrote.
        marker: What it writes between the two.

    Raises:
        UnusableError: There is no answer.
    """
    text = content.strip()
    if not text:
        raise UnusableError(Reason.empty, "the message has no text")
    opening = marker.replace("/", "", 1)
    if text.startswith(("{", "```")):  # an answer from the start; a marker in it is quoted
        return "", text
    thought, found, answer = text.partition(marker)
    if found:
        if not answer.strip():
            raise UnusableError(Reason.empty, "nothing follows the thought")
        return thought.strip().removeprefix(opening).strip(), answer.strip()
    if opening in text:
        raise UnusableError(Reason.unclosed_thought, f"{opening} without {marker}")
    return "", text


def json_object(text: str) -> dict[str, Any]:
    """Read an answer that is a JSON object, in a code fence or not.

    Raises:
        UnusableError: It is none, or says something twice.
    """
    fenced = _FENCE.fullmatch(text)
    try:
        row = json.loads(fenced[1] if fenced else text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        if _REFUSAL.match(text):
            raise UnusableError(Reason.refusal, text[:200]) from None
        raise UnusableError(Reason.not_json, str(error)) from None
    if not isinstance(row, dict):
        raise UnusableError(Reason.wrong_shape, f"{type(row).__name__} instead of an object")
    return row


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object, unless it says something twice: JSON would take the last and forget the first."""
    row = dict(pairs)
    if len(row) < len(pairs):
        raise UnusableError(Reason.contradiction, "a key stands twice")
    return row


def _numbers(row: dict[str, Any], shown: int) -> frozenset[int]:
    found, numbers = row.get("answer_found"), row.get("sentences")
    if not isinstance(found, bool):
        raise UnusableError(Reason.wrong_shape, f"answer_found is {found!r:.60}")
    if not isinstance(numbers, list) or any(type(number) is not int for number in numbers):
        raise UnusableError(Reason.wrong_shape, f"sentences is {numbers!r:.60}")
    wrong = [number for number in numbers if not 1 <= number <= shown]
    if wrong:
        raise UnusableError(Reason.out_of_range, f"{wrong[:5]} of sentences 1 to {shown}")
    if len(set(numbers)) != len(numbers):
        raise UnusableError(Reason.duplicate, f"sentences is {numbers[:20]!r}")
    if found is not bool(numbers):
        raise UnusableError(Reason.contradiction, f"answer_found is {found}, with {len(numbers)} sentences")
    return frozenset(numbers)
