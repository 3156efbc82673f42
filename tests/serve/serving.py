"""A service on loopback, run by the real server; and compressors that do what a test tells them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from secateurs import Compression, Savings, Sentence, Threshold
from secateurs.policy import Policy
from secateurs.serve import ServiceSettings, create_app
from secateurs.serve.server import listen, make_server

QUERY = "Who built the mill?"
MILL = "The mill was built in 1842 by Ann Lee. It burned down twice, and nobody knows why."
DOCUMENTS = [
    MILL,
    "The pull of the Moon causes most of the motion. Who knows?",
    "水车建于1842年。它烧毁过两次。",
    "",
    " \n",
]


@dataclass
class Scripted:
    """The compressor's protocol without a model: one sentence a document; waits, fails and ranks as told."""

    policy: Policy = field(default_factory=lambda: Threshold(0.5))
    encoding: str = "o200k_base"
    name: str = "scripted"
    ranking_score: float | None = 0.75
    failure: BaseException | None = None
    broken: str = "\0"  # documents with this word fail
    held: bool = False
    at_once: int = 0
    most_at_once: int = 0
    cancelled: int = 0
    queries: list[list[str]] = field(default_factory=list)  # of calls with many
    counted: list[str] = field(default_factory=list)  # other encodings that were asked for

    async def acompress(
        self,
        query: str,
        documents: Sequence[str],
        *,
        policy: Policy | None = None,
        max_total_tokens: int | None = None,
        timeout: float | None = None,
    ) -> list[Compression]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            while self.held:
                await asyncio.sleep(0.005)
            if self.failure is not None:
                raise self.failure
            return [self._one(document) for document in documents]
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.at_once -= 1

    def compress(self, query: str, documents: Sequence[str], **options: Any) -> list[Compression]:
        return asyncio.run(self.acompress(query, documents, **options))

    async def acompress_pairs(self, pairs: Sequence[tuple[str, str]], **options: Any) -> list[Compression]:
        self.queries.append([query for query, _ in pairs])
        return await self.acompress("all", [document for _, document in pairs], **options)

    def counting(self, encoding: str) -> Scripted:
        self.counted.append(encoding)
        return replace(self, encoding=encoding)

    def _one(self, document: str) -> Compression:
        tokens = len(document)
        sentences = (Sentence(0, tokens, document, 0.75, kept=True),) if document else ()
        if self.broken in document:
            savings = Savings(tokens, tokens, self.encoding)
            return Compression(document, document, sentences, savings, "error", "error: ValueError: broken")
        savings = Savings(tokens, tokens, self.encoding)
        return Compression(document, document, sentences, savings, "unchanged", "nothing_cut", self.ranking_score)


@contextmanager
def running(compressor: Any, **settings: Any) -> Iterator[str]:
    """Run a service in a thread; yields its address."""
    server = make_server(create_app(compressor, ServiceSettings(**settings)))
    with listen("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            wait_until(lambda: server.started or not thread.is_alive())
            assert server.started
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive(), "the service did not end"


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)
