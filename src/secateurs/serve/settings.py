"""What a service allows: its limits, its deadline, its key, its names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from secateurs.adapters.originals import MAX_BYTES
from secateurs.adapters.settings import Settings
from secateurs.support.arguments import check_count, check_key, check_seconds
from secateurs.support.hosts import check_names


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """What a service allows.

    Attributes:
        api_key: What callers must send as `Authorization: Bearer ...`, without the blanks around it; None lets
            everybody in.
        timeout: Seconds a request may take once its body has arrived, its wait included; callers may ask for less.
        body_timeout: Seconds for a body to arrive, and for a part of an answer to be taken.
        idle_timeout: Seconds a connection may be without a request, whatever it dribbles meanwhile.
        max_waiting: Requests that may wait or be worked on; further ones are refused with 429.
        max_body: Bytes of a request's body.
        max_documents: Documents of a request, each as often as a query is asked of it.
        max_document_characters: Characters of one document.
        max_query_characters: Characters of one query.
        keep_seconds: Seconds for which what was cut out of a conversation can be had back.
        max_kept_bytes: Memory for that; what is longest unused is forgotten.
        hosts: Names by which the service may be called, beside `localhost` and addresses in numbers; others are
            refused with 421. None lets every name in.
        allow_origins: Web origins whose pages may call the service; none by default.
        max_total_tokens: LLM tokens of all documents of a request together, where it does not say; None for no limit.
        rerank: Whether the documents of one query come back by falling ranking score, where a request does not say.
        top_n: With `rerank`, how many come back, where a request does not say; None for all.
        distinct: Whether one copy stays of what several documents say, where a request does not say.

    Raises:
        ValueError, TypeError: A setting is out of range or of the wrong type.
    """

    api_key: str | None = field(default=None, repr=False)
    timeout: float = 60.0
    body_timeout: float = 30.0
    idle_timeout: float = 30.0
    max_waiting: int = 64
    max_body: int = 8 * 2**20
    max_documents: int = 1_000
    max_document_characters: int = 1_000_000
    max_query_characters: int = 20_000
    keep_seconds: float = 900.0
    max_kept_bytes: int = MAX_BYTES
    hosts: tuple[str, ...] | None = None
    allow_origins: tuple[str, ...] = ()
    max_total_tokens: int | None = None
    rerank: bool = False
    top_n: int | None = None
    distinct: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "api_key", check_key(self.api_key))  # as it can be sent: frozen for all others
        if self.hosts is not None:
            check_names(self.hosts)
        for name in ("timeout", "body_timeout", "idle_timeout", "keep_seconds"):
            check_seconds(getattr(self, name), name)
        for name in ("max_waiting", "max_kept_bytes", *self.limits()):
            check_count(getattr(self, name), name, least=1)
        Settings(**self.defaults())  # which checks them as everywhere

    def defaults(self) -> dict[str, Any]:
        """Return what is asked of documents together where a request does not say, for `GET /v1/models`."""
        return {name: getattr(self, name) for name in ("max_total_tokens", "rerank", "top_n", "distinct")}

    def limits(self) -> dict[str, Any]:
        """Return what one request may hold, for `GET /v1/models`."""
        names = ("max_body", "max_documents", "max_document_characters", "max_query_characters")
        return {name: getattr(self, name) for name in names}
