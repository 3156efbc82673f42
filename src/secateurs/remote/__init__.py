"""`RemoteCompressor`: the compressor's interface, with the model behind an address (`secateurs serve`).

    compressor = RemoteCompressor("http://gpu-box:8080")
    SecateursCompressor(compressor=compressor)   # LangChain; SecateursPostprocessor(compressor=...) in LlamaIndex

It needs no torch. Nothing is asked of the service before the first document is compressed, so that an adapter can be
made, copied and pickled while the service is down; and when it is, the adapters return their documents as they came.

client.py      connections to the service, of threads and of event loops
background.py  the loop of those who wait
rebuild.py     results made again from an answer, out of the documents that were sent
units.py       the units of a document as JSON: how the service writes them, and what is believed of them
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from secateurs.errors import Error, describe, in_short, printable, shorten
from secateurs.policy import SIMILARITY, Default, Distinct, Policy, check_distinct, check_policy
from secateurs.remote.rebuild import check_copies, rebuild
from secateurs.result.compression import Compression
from secateurs.result.savings import TokenCounter
from secateurs.support.arguments import (
    check_count,
    check_documents,
    check_elision,
    check_key,
    check_pairs,
    check_query,
    check_seconds,
)
from secateurs.support.names import is_hub_id
from secateurs.support.surrogates import replace_surrogates


class RemoteCompressor:
    """Compresses documents on a service; safe to share between threads, tasks and event loops.

    What comes back is checked against the documents that were sent: a result is put together here, of units of yours,
    or there is an error. The service says which units stay; no word of it gets into a text.

    Args:
        base_url: Where the service is, such as `http://localhost:8080`.
        api_key: Its key, if it wants one.
        timeout: Seconds a call may take in all, however slowly the service answers.
        policy: Which sentences stay by default; None for the service's own.
        encoding: The tiktoken encoding in which savings are counted.
        elision: What stands where something was cut, such as `"[…]"`; None for nothing. A service that marks cuts in
            another way is an error, too.
        none_as_blank: Whether None among documents is a blank one; otherwise it is a TypeError.

    Attributes:
        base_url: Where the service is.
        encoding: The tiktoken encoding in which savings are counted.
        elision: What stands where something was cut.

    Raises:
        ValueError, TypeError: An argument is out of range or of the wrong type.
        MissingExtraError: The extra `serve` is not installed.

    Example:
        >>> RemoteCompressor("http://localhost:8080")
        RemoteCompressor('http://localhost:8080', policy=Default(), encoding='o200k_base')
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        timeout: float = 60.0,
        policy: Policy | None = None,
        encoding: str = "o200k_base",
        elision: str | None = None,
        none_as_blank: bool = False,
    ) -> None:
        from secateurs.remote.client import Client  # which needs the extra

        if not isinstance(base_url, str) or not base_url.startswith(("http://", "https://")):
            raise ValueError(f"base_url must be an address such as http://localhost:8080, got {base_url!r}")
        check_seconds(timeout, "timeout")
        TokenCounter(encoding)
        self.base_url = base_url.rstrip("/").removesuffix("/v1")
        self.encoding = encoding
        self.elision = check_elision(elision)
        self.none_as_blank = none_as_blank
        self._api_key = check_key(api_key)
        self._timeout = timeout
        self._policy = None if policy is None else check_policy(policy)
        self._model: str | None = None  # as the last answer named it
        self._learned: Policy | None = None  # the service's own, as the last answer said
        self._client: Client | None = Client(self.base_url, self._api_key)

    @property
    def policy(self) -> Policy:
        """Which sentences stay by default: yours, else the service's own: `Default()` until it has answered."""
        return self._policy or self._learned or Default()

    @property
    def name(self) -> str:
        """The name of the service's checkpoint; the service's address until it has answered."""
        return self._model or self.base_url.split("://")[1].replace("/", "-")  # a slash is for ids of the hub

    def compress(
        self,
        query: str,
        documents: Sequence[str | None],
        *,
        policy: Policy | None = None,
        max_total_tokens: int | None = None,
        timeout: float | None = None,
        elision: str | None = None,
        distinct: Distinct | None = None,
    ) -> list[Compression]:
        """Compress documents for one query.

        Args:
            query: What the documents were retrieved for; not blank.
            documents: The documents, as a list.
            policy: Which sentences stay; None for this compressor's own. Policies of your own making cannot be sent.
            max_total_tokens: LLM tokens to spend over all documents together, best sentences first; None for the
                service's own, mostly no limit.
            timeout: Seconds this call may take; None for what the compressor was made with.
            elision: What stands where something was cut; None for this compressor's own.
            distinct: One copy stays of what several documents say, as `Compressor.compress` has it; its `similarity`
                cannot be sent. None keeps every copy.

        Returns:
            One result a document, in order.

        Raises:
            ValueError: The query is blank, or a setting is out of range or cannot be sent.
            TypeError: An argument is of the wrong type.
            TimeoutError: There was no answer in time.
            OverloadedError: Too much is waiting at the service.
            Error: The service cannot be reached, refuses, or answers something else.
        """
        options = self._options(policy, max_total_tokens, timeout, elision)
        check_query(query)
        texts = check_documents(documents, none_as_blank=self.none_as_blank)
        if not texts:
            return []
        body = {**_one_query(query, texts), **options, **_copies(distinct, len(texts))}
        reply = self._connected().post("/v1/compress", body, options["timeout"])
        return self._read(reply, texts, options["elision"])

    def compress_pairs(
        self,
        pairs: Sequence[tuple[str, str | None]],
        *,
        policy: Policy | None = None,
        max_total_tokens: int | None = None,
        timeout: float | None = None,
        elision: str | None = None,
        distinct: Distinct | None = None,
    ) -> list[Compression]:
        """Compress documents for many queries in one request; like `compress` otherwise."""
        options = self._options(policy, max_total_tokens, timeout, elision)
        checked = check_pairs(pairs, none_as_blank=self.none_as_blank)
        if not checked:
            return []
        body = {**_many_queries(checked), **options, **_copies(distinct, len(checked))}
        reply = self._connected().post("/v1/compress", body, options["timeout"])
        return self._read(reply, [document for _, document in checked], options["elision"])

    async def acompress(
        self,
        query: str,
        documents: Sequence[str | None],
        *,
        policy: Policy | None = None,
        max_total_tokens: int | None = None,
        timeout: float | None = None,
        elision: str | None = None,
        distinct: Distinct | None = None,
    ) -> list[Compression]:
        """Do what `compress` does without blocking the event loop; cancelled, it stops the service's work too."""
        options = self._options(policy, max_total_tokens, timeout, elision)
        check_query(query)
        texts = check_documents(documents, none_as_blank=self.none_as_blank)
        if not texts:
            return []
        body = {**_one_query(query, texts), **options, **_copies(distinct, len(texts))}
        reply = await self._connected().apost("/v1/compress", body, options["timeout"])
        return self._read(reply, texts, options["elision"])

    async def acompress_pairs(
        self,
        pairs: Sequence[tuple[str, str | None]],
        *,
        policy: Policy | None = None,
        max_total_tokens: int | None = None,
        timeout: float | None = None,
        elision: str | None = None,
        distinct: Distinct | None = None,
    ) -> list[Compression]:
        """Do what `compress_pairs` does without blocking the event loop; like `acompress` otherwise."""
        options = self._options(policy, max_total_tokens, timeout, elision)
        checked = check_pairs(pairs, none_as_blank=self.none_as_blank)
        if not checked:
            return []
        body = {**_many_queries(checked), **options, **_copies(distinct, len(checked))}
        reply = await self._connected().apost("/v1/compress", body, options["timeout"])
        return self._read(reply, [document for _, document in checked], options["elision"])

    def counting(self, encoding: str) -> RemoteCompressor:
        """Return a compressor on the same service whose savings are counted in another tiktoken encoding."""
        settings = {**self._settings(), "encoding": encoding}
        return type(self)(self.base_url, self._api_key, **settings)

    def close(self) -> None:
        """Close the connections; the compressor cannot be used afterwards."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle where the service is, and no connection."""
        return _connect, (type(self), self.base_url, self._api_key, self._settings())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"RemoteCompressor({self.base_url!r}, policy={self.policy!r}, encoding={self.encoding!r})"

    def _settings(self) -> dict[str, Any]:
        """Return the keyword arguments it was made with."""
        return {
            "timeout": self._timeout,
            "policy": self._policy,
            "encoding": self.encoding,
            "elision": self.elision,
            "none_as_blank": self.none_as_blank,
        }

    def _connected(self) -> Any:
        if self._client is None:
            raise RuntimeError("this RemoteCompressor is closed: make another.")
        return self._client

    def _options(
        self, policy: Policy | None, max_total_tokens: int | None, timeout: float | None, elision: str | None
    ) -> dict[str, Any]:
        """Check the settings of a call, and return the fields of a request that say them."""
        if max_total_tokens is not None:
            check_count(max_total_tokens, "max_total_tokens", least=0)
        if timeout is not None:
            check_seconds(timeout, "timeout")
        policy = (self._policy or Default()) if policy is None else check_policy(policy)
        # what was learned is not sent back: the service may have another policy by now
        own = policy == Default() or policy is self._learned
        return {
            "rerank": False,  # results are one a document, in order, whatever the service does for others
            "policy": None if own else _source(policy),
            "max_total_tokens": max_total_tokens,
            "encoding": self.encoding,
            "timeout": self._timeout if timeout is None else timeout,
            "elision": self.elision if elision is None else check_elision(elision),
            "return_texts": False,  # the documents are here
            "return_spans": False,
            "return_units": True,
        }

    def _read(self, reply: Any, documents: Sequence[str], elision: str | None) -> list[Compression]:
        """Rebuild the results from an answer, and remember what it says of the service."""
        try:
            if reply["elision"] != elision:
                its = in_short(reply["elision"])
                raise Error(
                    f"{self.base_url} marks cuts with {its}, and was asked for {elision!r}: a mark it was not asked "
                    f"for is never put into a text. Make the RemoteCompressor with elision={its}."
                )
            entries = zip(documents, reply["documents"], strict=True)
            results = [rebuild(document, entry, self.encoding, elision) for document, entry in entries]
            check_copies(results)
            model, policy = _name(reply["model"]), str(reply["default_policy"])
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
            what = shorten(printable(describe(error)), 300)
            raise Error(
                f"the answer of {self.base_url} does not fit what was sent ({what}). Is it a service of this "
                "package, and of this version?"
            ) from error
        self._learned = _parse(policy)
        self._model = model
        return results


def _connect(
    kind: type[RemoteCompressor], base_url: str, api_key: str | None, settings: dict[str, Any]
) -> RemoteCompressor:
    return kind(base_url, api_key, **settings)


# The encoder and the counter see lone surrogates replaced anyway: what is sent so has the same offsets and scores.


def _one_query(query: str, documents: Sequence[str]) -> dict[str, Any]:
    return {"query": replace_surrogates(query), "documents": list(map(replace_surrogates, documents))}


def _many_queries(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    return {"pairs": [list(map(replace_surrogates, pair)) for pair in pairs]}


def _copies(distinct: Distinct | None, documents: int) -> dict[str, Any]:
    """Return the fields of a request that ask for one copy of what several documents say."""
    if check_distinct(distinct, documents) is None or distinct is None:
        return {"distinct": False}  # whatever the service does for others
    if distinct.similarity != SIMILARITY:
        raise ValueError(f"similarity={distinct.similarity} cannot be sent: the service has its own, {SIMILARITY}.")
    asked: dict[str, Any] = {"distinct": "by_ranking" if distinct.by_ranking else True}
    if distinct.places is not None:
        asked["places"] = [one and [replace_surrogates(one.source), one.start] for one in distinct.places]
    return asked


def _parse(source: str) -> Policy | None:
    try:
        return Policy.parse(source)
    except (ValueError, MemoryError, RecursionError):  # one of its own making, which only it can apply
        return None


def _name(said: object) -> str:
    """Return what a service calls its checkpoint: as it says where that is a name, and never as a path."""
    if not isinstance(said, str):
        raise TypeError(f"the model's name is {in_short(said)}")
    return said if is_hub_id(said) else shorten(printable(said), 100).replace("/", "-").replace("\\", "-")


def _source(policy: Policy) -> str:
    """Return what the service reads as this policy."""
    source = repr(policy)
    try:
        Policy.parse(source)
    except ValueError:
        raise ValueError(
            f"the policy {source} cannot be sent to a service: it must be made of Threshold, TopK, TokenBudget, "
            "Neighbours, Signals, Fallback, ToolOutput and Default, combined with | and &."
        ) from None
    return source
