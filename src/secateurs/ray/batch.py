"""The callable class for `ray.data.Dataset.map_batches`: each actor holds the model, rows come and go in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types

from secateurs.adapters.settings import Settings
from secateurs.policy import Policy, WhenEmpty
from secateurs.ray.rows import COLUMNS, ORDER, Cells, Together, compress_rows
from secateurs.ray.table import add_columns, check_columns, read_documents, read_queries, schema_of
from secateurs.support.arguments import check_query

if TYPE_CHECKING:
    from ray.data.block import DataBatch

    from secateurs.compressor import Compressor


class CompressBatch:
    """Compresses the documents of a batch of rows, each for its row's query; for `map_batches` of any Ray dataset.

    Adds, behind the columns that are there, `secateurs_text`, `_status`, `_reason`, `_ranking_score`, `_warnings`,
    `_spans` (kept ranges, with the frames of what is kept), `_sentences` (all ranges), `_scores` (a probability a
    sentence), `_frames` (which sentences are kept as frame alone, by index) and `_savings` (LLM tokens). Offsets
    count code points. Where the document column holds lists, these hold lists, one entry a document.

    A row that cannot be compressed (no query, no text, a failure of the model) comes back whole, with
    `secateurs_status` `"error"` and its reason; a document in which nothing passed has `"dropped"` and an empty text.

    Pass the class, not an instance: each actor loads the model once, on the device that Ray gave it. Leave Ray a core
    beside the actors, or its tasks that read and write have none (`num_cpus=0.5` for an actor will do).

    Args:
        document_column: Name of the column of documents, strings or lists of strings.
        query_column: Name of the column of queries; or
        query: one query for all rows.
        compressor: A compressor, which travels as what to load and never as weights; or
        model: a hub id or folder that every node can reach; None for the bundled model.
        revision: Branch, tag or commit of it on the hub; only of a commit all actors surely load the same.
        device: `"auto"` takes the GPU that `num_gpus` assigned, else the CPU.
        policy: Which sentences stay, as a policy or its source; None for the checkpoint's default. What follows
            narrows it.
        threshold: Keep sentences with at least this probability.
        top_k: Keep at most this many sentences a document.
        max_tokens: Keep at most this many LLM tokens a document.
        elision: What stands where something was cut, such as `"[…]"`; None for the compressor's own, mostly nothing.
        when_empty: What to do where nothing passes: `"drop"`, `"best"` or `"original"`.
        neighbours: Keep also so many sentences before and after each kept one; two numbers for before and after.
        max_total_tokens: Keep at most this many LLM tokens of all documents of a row together, the best sentences.
        rerank: Add the column `secateurs_order`: the indices of the documents of a row that come back, by falling
            ranking score. The other columns stay in the order of the documents.
        top_n: With `rerank`, how many of them come back.
        distinct: Leave out of each document of a row what a kept sentence of a better one of that row says: the first
            ones are better, with `rerank` those that rank higher. A document that says nothing new is `"dropped"`.
        encoding: The tiktoken encoding in which savings are counted.
        prefix: What the added columns' names begin with.
        many: Whether the document column holds lists; None to see it from the batches. Say it where a batch may hold
            nothing but nulls: it cannot tell by itself, and is taken for what the batches before it held, the first
            one for strings.

    Raises:
        ValueError: A setting is out of range, or two contradict each other.
        CheckpointError: The checkpoint cannot be found or is not complete.

    Example:
        >>> import ray
        >>> dataset = ray.data.from_items([{"q": "Who wrote it?", "d": "Ann wrote it in 1999. It rained that year."}])
        >>> dataset = dataset.map_batches(
        ...     CompressBatch,
        ...     fn_constructor_kwargs={"query_column": "q", "document_column": "d", "threshold": 0.5},
        ...     batch_size=64,
        ...     compute=ray.data.ActorPoolStrategy(size=1),
        ... )
        >>> dataset.take(1)[0]["secateurs_text"]
        'Ann wrote it in 1999.'
    """

    def __init__(  # noqa: PLR0913 - the fields of our adapters, which Ray hands over by name
        self,
        *,
        document_column: str,
        query_column: str | None = None,
        query: str | None = None,
        compressor: Compressor | None = None,
        model: str | None = None,
        revision: str | None = None,
        device: str = "auto",
        policy: Policy | str | None = None,
        threshold: float | None = None,
        top_k: int | None = None,
        max_tokens: int | None = None,
        elision: str | None = None,
        when_empty: WhenEmpty | None = None,
        neighbours: int | Sequence[int] | None = None,
        max_total_tokens: int | None = None,
        rerank: bool = False,
        top_n: int | None = None,
        distinct: bool = False,
        encoding: str = "o200k_base",
        prefix: str = "secateurs_",
        many: bool | None = None,
    ) -> None:
        check_query_source(query_column, query)
        if many is not None and not isinstance(many, bool):
            raise TypeError(f"many must be True, False or None, got {many!r}")
        settings = Settings(
            compressor=compressor,
            model=model,
            revision=revision,
            device=device,
            policy=policy,
            threshold=threshold,
            top_k=top_k,
            max_tokens=max_tokens,
            elision=elision,
            when_empty=when_empty,
            neighbours=neighbours,
            max_total_tokens=max_total_tokens,
            rerank=rerank,
            top_n=top_n,
            distinct=distinct,
            encoding=encoding,
        )
        if compressor is None:
            from secateurs.compressor import Compressor

            compressor = Compressor.from_pretrained(
                model, revision=revision, device=device, encoding=settings.encoding
            )
        self._compressor = compressor
        self._policy = settings.choice(self._compressor.policy)
        self._elision = elision
        self._together = Together(max_total_tokens, rerank, top_n, distinct)
        self._document, self._query_column, self._query = document_column, query_column, query
        self._prefix = prefix
        self._many, self._seen = many, many

    def __call__(self, batch: DataBatch) -> pa.Table:
        """Compress a batch.

        Args:
            batch: In any of Ray's batch formats.

        Returns:
            Its rows, in order, with the added columns.

        Raises:
            ValueError: A column is missing, or one of an added name is there already.
            TypeError: A column holds neither strings nor lists of strings.
        """
        table = _to_arrow(batch)
        check_columns(
            schema_of(table),
            document=self._document,
            query=self._query_column,
            prefix=self._prefix,
            added=(*COLUMNS, ORDER) if self._together.rerank else COLUMNS,
        )
        fixed: list[object] = [self._query] * table.num_rows
        queries = fixed if self._query_column is None else read_queries(table, self._query_column)
        documents = read_documents(table, self._document, many=self._many)
        if documents.known:
            self._seen = documents.many
        elif self._seen and not documents.many:
            documents = read_documents(table, self._document, many=True)
        return add_columns(table, self.rows(queries, documents.values), many=documents.many, prefix=self._prefix)

    def rows(self, queries: Sequence[object], documents: Sequence[object]) -> list[Cells]:
        """Compress rows that are in no batch of Ray's.

        Args:
            queries: A query a row.
            documents: A document, or a list of documents, a row.

        Returns:
            For each row the added columns' values by name, without the prefix; see `secateurs.ray.rows`.
        """
        return compress_rows(
            self._compressor, queries, documents, self._policy, elision=self._elision, together=self._together
        )


def check_query_source(column: str | None, query: str | None) -> None:
    """Check that there is either a column of queries or one query.

    Raises:
        ValueError: There are both or neither, or the query is blank.
    """
    if (column is None) is (query is None):
        raise ValueError(
            f"pass either a query column or one query for all rows, got column {column!r} and query {query!r}."
        )
    if query is not None:
        check_query(query)


def _to_arrow(batch: DataBatch) -> pa.Table:
    from ray.data.block import BlockAccessor

    if isinstance(batch, Mapping):
        batch = {name: _to_python(column) for name, column in batch.items()}
    return BlockAccessor.for_block(BlockAccessor.batch_to_block(batch)).to_arrow()


def _to_python(column: Any) -> Any:
    """Return an array of texts, or of arrays of texts, as lists: Ray would pickle a ragged one, object by object."""
    if not isinstance(column, np.ndarray) or column.dtype.kind not in "OU":
        return column
    return [_to_python(value) for value in column] if column.dtype.kind == "O" else column.tolist()
