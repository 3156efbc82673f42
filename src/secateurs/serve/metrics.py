"""Counts for Prometheus, in a registry of this service's own."""

from __future__ import annotations

from collections import Counter as CountOf
from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest

from secateurs import __version__
from secateurs.result.compression import Compression

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

RETRIEVE = "/v1/retrieve"  # counted as one address, whatever the handle
_ADDRESSES = (
    RETRIEVE,
    "/",
    "/v1/compress",
    "/v1/highlight",
    "/v1/rerank",
    "/v2/rerank",
    "/v1/models",
    "/healthz",
    "/readyz",
    "/metrics",
)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_TOKENS = (16, 64, 256, 512, 1024, 2048, 4096, 8192, 16384, 65536)


class Metrics:
    """What a service counts.

    Attributes:
        registry: Where the counts are; nothing else is in it.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._model: Callable[[], str] = str
        self._info = Info("secateurs", "What is served.", registry=registry)
        self._requests = Counter(
            "secateurs_requests", "Requests by address and status.", ["address", "status"], registry=registry
        )
        self._seconds = Histogram(
            "secateurs_request_seconds", "Time to answer.", ["address"], buckets=_SECONDS, registry=registry
        )
        self._documents = Counter(
            "secateurs_documents", "Documents by what became of them.", ["status"], registry=registry
        )
        self._before = Counter(
            "secateurs_llm_tokens_before",
            "LLM tokens of the documents that came in.",
            ["encoding"],
            registry=registry,
        )
        self._saved = Counter("secateurs_llm_tokens_saved", "LLM tokens saved.", ["encoding"], registry=registry)
        self._batch_tokens = Histogram(
            "secateurs_batch_tokens", "Encoder tokens of a forward pass.", buckets=_TOKENS, registry=registry
        )
        self._forward_seconds = Histogram(
            "secateurs_forward_seconds", "Time of a forward pass.", buckets=_SECONDS, registry=registry
        )
        self._queue_requests = Gauge(
            "secateurs_queue_requests", "Requests that wait or are worked on.", registry=registry
        )
        self._queue_bytes = Gauge("secateurs_queue_bytes", "Their bytes of text.", registry=registry)

    def serving(self, model: Callable[[], str], requests: Callable[[], float], size: Callable[[], float]) -> None:
        """Say what is served, and where to read the queue.

        Args:
            model: Returns the model's name.
            requests: Returns how many requests wait or are worked on.
            size: Returns their bytes of text.
        """
        self._model = model
        self._queue_requests.set_function(requests)
        self._queue_bytes.set_function(size)

    def request(self, address: str, status: int, seconds: float) -> None:
        """Count a request; addresses nobody serves are counted together, or callers could fill the memory."""
        address = RETRIEVE if address.startswith(f"{RETRIEVE}/") else address
        known = address if address in _ADDRESSES else "other"
        self._requests.labels(known, str(status)).inc()
        self._seconds.labels(known).observe(seconds)

    def read(self, results: Sequence[Compression], *, cuts: bool) -> None:
        """Count what became of the documents of one request.

        Args:
            results: One a document.
            cuts: Whether they were asked for to be cut, so that their tokens count.
        """
        if not results:
            return
        for status, count in CountOf(one.status for one in results).items():
            self._documents.labels(status).inc(count)
        if not cuts:
            return
        encoding = results[0].savings.encoding
        self._before.labels(encoding).inc(sum(one.savings.before for one in results))
        self._saved.labels(encoding).inc(sum(one.savings.saved for one in results))

    def batch(self, tokens: int, seconds: float) -> None:
        """Count a forward pass.

        Args:
            tokens: Encoder tokens.
            seconds: Time it took.
        """
        self._batch_tokens.observe(tokens)
        self._forward_seconds.observe(seconds)

    def text(self) -> bytes:
        """Return all counts in Prometheus' text format."""
        self._info.info({"version": __version__, "model": self._model()})
        return generate_latest(self.registry)
