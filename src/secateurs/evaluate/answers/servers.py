"""Who is asked: the reader and two judges, as the options say it, checked before anything is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from secateurs.annotate.command import Shape
from secateurs.annotate.endpoint import EndpointConfig, ModelConfig
from secateurs.evaluate.answers.prompts import SCHEMA
from secateurs.evaluate.options import need
from secateurs.support.arguments import check_count


@dataclass(frozen=True)
class Asked:
    """One model on one server.

    Attributes:
        server: Where it is.
        model: What is asked for.
    """

    server: EndpointConfig
    model: ModelConfig


@dataclass(frozen=True)
class Servers:
    """Who is asked.

    Attributes:
        reader: Who answers.
        judges: Who judges, the first and the second; may be the same.
    """

    reader: Asked
    judges: tuple[Asked, Asked]


@dataclass(frozen=True)
class Names:
    """Who is asked, as the options say it.

    Attributes:
        base_url: The reader's server; `""` where nobody is asked.
        api_key: Its key.
        reader: The reader's name there.
        judges: The judges' names, at most two; none for the reader itself.
        judge_base_url: The judges' server; `""` for the reader's.
        judge_api_key: The key of that one; the reader's is never sent there.
    """

    base_url: str
    api_key: str
    reader: str
    judges: Sequence[str]
    judge_base_url: str
    judge_api_key: str


@dataclass(frozen=True)
class Manner:
    """How they are asked.

    Attributes:
        structured: How a judge is told the shape of its verdict.
        max_tokens: LLM tokens of an answer.
        temperature: Of the sampling.
        timeout: Seconds.
        retries: How often a failed request is sent again.
    """

    structured: Shape
    max_tokens: int
    temperature: float
    timeout: float
    retries: int

    def __post_init__(self) -> None:
        check_count(self.max_tokens, "--max-tokens", least=1)
        check_count(self.retries, "--retries", least=0)
        if not 0 < self.timeout < float("inf"):
            raise ValueError(f"--timeout is {self.timeout}: expected seconds, more than 0.")
        if not 0 <= self.temperature <= 2:
            raise ValueError(f"--temperature is {self.temperature}: expected 0 to 2.")


def servers(names: Names, manner: Manner) -> Servers | None:
    """Return who is asked; None where nobody is.

    Raises:
        ValueError: The options do not fit together.
        MissingExtraError: openai is not installed.
    """
    if not names.base_url:
        if names.reader or names.judges or names.judge_base_url:
            raise ValueError("--reader and --judge need --base-url, the server that is asked")
        return None
    if not names.reader:
        raise ValueError("--base-url needs --reader, the model's name on that server")
    if names.judge_base_url and not names.judges:
        raise ValueError("--judge-base-url needs --judge, the model's name on that server")
    if len(names.judges) > 2:
        raise ValueError(f"--judge is given {len(names.judges)} times: expected one or two")
    need("openai", "asking a server", "annotate")
    here = EndpointConfig(names.base_url, names.api_key, timeout=manner.timeout, retries=manner.retries)
    there = here
    if names.judge_base_url:  # a key goes to the server it is for, and to no other
        there = EndpointConfig(
            names.judge_base_url, names.judge_api_key, timeout=manner.timeout, retries=manner.retries
        )
    first, *rest = names.judges or (names.reader,)
    judges = (_judge(there, first, manner), _judge(there, rest[0] if rest else first, manner))
    return Servers(Asked(here, ModelConfig(names.reader, manner.temperature, manner.max_tokens, "none")), judges)


def _judge(server: EndpointConfig, name: str, manner: Manner) -> Asked:
    config = ModelConfig(name, manner.temperature, manner.max_tokens, manner.structured.value, schema=SCHEMA)
    return Asked(server, config)
