"""What every door needs of a compressor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from secateurs.policy import Policy
from secateurs.result.compression import Compression


@runtime_checkable
class CompressorLike(Protocol):
    """What an adapter needs of a compressor: `secateurs.Compressor` and `RemoteCompressor` have it, yours may.

    `compress` and `acompress` may take `max_total_tokens`, `timeout`, `elision` and `distinct`, too: they are passed
    where a setting asks for them. One that takes `also`, further queries with their weights, is asked all that a
    tool's result was asked for; any other one query. Where there is a `checkpoint`, that folder is written down when
    an adapter is serialized.
    """

    @property
    def name(self) -> str:
        """The checkpoint's name; never a path."""

    @property
    def policy(self) -> Policy:
        """Which sentences stay by default."""

    @property
    def encoding(self) -> str:
        """The tiktoken encoding in which savings are counted."""

    def compress(self, query: str, documents: Sequence[str], *, policy: Policy | None = None) -> list[Compression]:
        """Compress documents for one query, one result a document."""

    async def acompress(
        self, query: str, documents: Sequence[str], *, policy: Policy | None = None
    ) -> list[Compression]:
        """Do what `compress` does without blocking the event loop."""
