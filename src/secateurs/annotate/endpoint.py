"""An OpenAI-compatible server, asked patiently: retries with back-off and jitter, Retry-After, timeouts.

The client's own retries are off: they know neither our clock nor our counts.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlsplit, urlunsplit

from secateurs.annotate.answers import Reason, Reply, UnusableError
from secateurs.annotate.prompts import SCHEMA
from secateurs.errors import Error, MissingExtraError
from secateurs.support.arguments import check_key

if TYPE_CHECKING:
    import openai
    from openai.types.chat import ChatCompletionMessageParam

Structured = Literal["json-schema", "vllm", "none"]

_TRANSIENT = frozenset((408, 409, 425, 429))  # and everything from 500
_HOPELESS = frozenset((401, 402, 403, 404, 405))
_TOO_LONG = ("context length", "context_length", "maximum context", "too many tokens", "prompt is too long")
_LONGEST_RETRY_AFTER = 600.0  # seconds
_ACCOUNT = ("OpenAI-Organization", "OpenAI-Project")


class EndpointError(Error):
    """The server cannot be worked with: a wrong key, model or address, or no reply to anything."""


class PromptTooLongError(Exception):
    """The server says that a prompt does not fit the model's window."""


@dataclass(frozen=True)
class EndpointConfig:
    """Where and how patiently to ask.

    Attributes:
        base_url: Such as `http://localhost:8000/v1`.
        api_key: Sent to the server and nowhere else, without the blanks around it; `""` where it wants none.
        timeout: Seconds for one request as a whole.
        retries: How often a request is sent again after a failure that may pass.
        first_wait: Seconds before the first retry, doubled for each further one, with jitter.
        longest_wait: Seconds, at most; a server's Retry-After may ask for more.
    """

    base_url: str
    api_key: str = field(default="", repr=False)
    timeout: float = 300.0
    retries: int = 6
    first_wait: float = 0.5
    longest_wait: float = 60.0

    def __post_init__(self) -> None:
        key = check_key(self.api_key) if self.api_key.strip() else ""
        object.__setattr__(self, "api_key", key)  # as it is sent, so that it is known wherever a server repeats it


@dataclass(frozen=True)
class ModelConfig:
    """What is asked for.

    Attributes:
        model: Name of the model on the server.
        temperature: Of the sampling; 0 is greedy.
        max_tokens: LLM tokens of an answer, thought included, at most.
        structured: How the server is told the shape of an answer: `response_format`, vLLM's own
            `structured_outputs`, or not at all.
        body: Further fields of the request.
        schema: JSON schema of an answer.
    """

    model: str
    temperature: float = 0.0
    max_tokens: int = 8192
    structured: Structured = "json-schema"
    body: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] = field(default_factory=lambda: SCHEMA)

    def request(self) -> dict[str, Any]:
        """Return what every request says besides its messages."""
        extra = dict(self.body)
        fields: dict[str, Any] = {"model": self.model, "temperature": self.temperature, "extra_body": extra}
        if "max_completion_tokens" not in extra:
            fields["max_tokens"] = self.max_tokens
        if self.structured == "json-schema":
            schema = {"name": "labels", "strict": True, "schema": dict(self.schema)}
            fields["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif self.structured == "vllm":
            extra.setdefault("structured_outputs", {"json": dict(self.schema)})
        return fields


class Endpoint:
    """Asks one server for one model.

    Attributes:
        counts: Requests, retries by cause, and LLM tokens, as the server counts them.
    """

    def __init__(self, config: EndpointConfig, model: ModelConfig) -> None:
        self._config = config
        self._where = address(config.base_url)
        self._client = _client(config)
        self._request = model.request()
        self._random = random.Random()  # our own: jitter must not move the caller's seed
        self.counts: Counter[str] = Counter()

    async def ask(self, messages: Sequence[Mapping[str, str]]) -> Reply:
        """Send one prompt until there is a reply.

        Args:
            messages: The chat.

        Returns:
            The reply, usable or not.

        Raises:
            UnusableError: No reply after all retries, or the server does not want this request.
            PromptTooLongError: The prompt does not fit the model's window.
            EndpointError: No request will ever succeed.
        """
        for attempt in range(self._config.retries + 1):
            self.counts["requests"] += 1
            try:
                return await self._send(messages)
            except _PassingError as failure:
                last = failure
            if attempt < self._config.retries:
                self.counts[f"retry: {last.cause}"] += 1
                await asyncio.sleep(self._wait(attempt, last.retry_after))
        raise UnusableError(Reason.gave_up, self._discreet(f"{last.cause}: {last}"))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _send(self, messages: Sequence[Mapping[str, str]]) -> Reply:
        import openai

        try:
            async with asyncio.timeout(self._config.timeout):
                completion = await self._client.chat.completions.create(
                    messages=cast("list[ChatCompletionMessageParam]", list(messages)), **self._request
                )
        except (TimeoutError, openai.APITimeoutError):
            raise _PassingError("timeout", f"{self._where}: no reply within {self._config.timeout:g} s") from None
        except openai.APIConnectionError as error:
            raise _PassingError("connection", f"{self._where}: {error.__cause__ or error}") from None
        except openai.APIStatusError as error:
            raise self._judge(error) from None
        except (openai.APIError, ValueError, TypeError, ArithmeticError, RecursionError) as error:  # a strange body
            raise _PassingError("nonsense", f"{type(error).__name__}: {error}") from None
        return self._reply(completion)

    def _reply(self, completion: Any) -> Reply:
        """Read a completion; the client does not check what it gets."""
        try:
            choice = completion.choices[0]
            message = choice.message
            more = message.model_extra or {}
            thought = more.get("reasoning_content") or more.get("reasoning") or ""
            used = [_used(completion.usage, name) for name in ("prompt_tokens", "completion_tokens")]
            reply = Reply(message.content or "", thought, message.refusal or "", choice.finish_reason or "", *used)
            if not all(isinstance(text, str) for text in (reply.content, thought, reply.refusal)):
                raise TypeError("the message's content is no text")
        except (AttributeError, IndexError, TypeError) as error:
            raise _PassingError("nonsense", f"no chat completion: {error}") from None
        self.counts["prompt_tokens"] += reply.prompt_tokens
        self.counts["completion_tokens"] += reply.completion_tokens
        return reply

    def _judge(self, error: openai.APIStatusError) -> Exception:
        """Tell what may pass from what will not."""
        status, said = error.status_code, self._discreet(str(error))
        if status in _HOPELESS or 300 <= status < 400 or error.code == "insufficient_quota":
            return EndpointError(
                f"{self._where} answered {status}: {said[:300]}. Expected a chat completion; check --base-url"
                " (it usually ends in /v1), --model and the API key. What is done so far is safe."
            )
        if status in _TRANSIENT or status >= 500:
            return _PassingError(str(status), said, _retry_after(error.response.headers))
        if error.code == "content_filter":
            return UnusableError(Reason.content_filter, said)
        if (
            status == 413
            or error.code == "context_length_exceeded"
            or any(word in said.lower() for word in _TOO_LONG)
        ):
            return PromptTooLongError(said)
        return UnusableError(Reason.bad_request, f"{status}: {said}")

    def _wait(self, attempt: int, retry_after: float) -> float:
        """Return seconds to sleep: doubled each time, with jitter, and never less than the server asks for."""
        back_off: float = min(self._config.longest_wait, self._config.first_wait * 2**attempt)
        return max(back_off * self._random.uniform(0.5, 1.0), retry_after * self._random.uniform(1.0, 1.1))

    def _discreet(self, text: str) -> str:
        """Take the key out of what a server says: some repeat it."""
        key = self._config.api_key
        return text.replace(key, "***") if key else text


def _used(usage: Any, name: str) -> int:
    """Return a count of LLM tokens; the client does not check what it gets."""
    used = getattr(usage, name, 0)
    return used if isinstance(used, int) else 0


class _PassingError(Exception):
    """A failure that may not happen again."""

    def __init__(self, cause: str, detail: str, retry_after: float = 0.0) -> None:
        super().__init__(detail[:500])
        self.cause = cause
        self.retry_after = retry_after


def address(url: str) -> str:
    """Return a server's address as a message may name it: without a user, a password or what follows a `?`.

    Example:
        >>> address("http://ann:secret@gpu-box:8000/v1?key=1")
        'http://gpu-box:8000/v1'
    """
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _client(config: EndpointConfig) -> openai.AsyncOpenAI:
    if not config.base_url.startswith(("http://", "https://")):
        raise ValueError(f"--base-url is {config.base_url!r}: expected an address such as http://localhost:8000/v1.")
    try:
        import openai
    except ModuleNotFoundError as error:
        if error.name != "openai":
            raise
        raise MissingExtraError("annotate", "annotate") from None
    own = urlsplit(config.base_url).hostname or ""
    theirs = own == "openai.com" or own.endswith(".openai.com")
    return openai.AsyncOpenAI(
        base_url=config.base_url,
        api_key=config.api_key or "none",
        max_retries=0,
        timeout=config.timeout,
        # prompts and key go where they were sent, and nowhere else
        http_client=openai.DefaultAsyncHttpxClient(
            follow_redirects=False,
            timeout=config.timeout,
            event_hooks={"request": [] if theirs else [_without_account]},
        ),
    )


async def _without_account(request: Any) -> None:
    """Take out what the client says of an OpenAI account, by environment variables meant for OpenAI's own servers."""
    for name in _ACCOUNT:
        request.headers.pop(name, None)


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds that a server asks to wait; 0.0 if it does not say."""
    text = headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError, OSError):  # no date, or one that no clock has
            return 0.0
    return 0.0 if math.isnan(seconds) else min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)
