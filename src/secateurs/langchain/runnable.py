"""The compressor as a Runnable, for pipes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForChainRun, CallbackManagerForChainRun
from langchain_core.documents import Document
from langchain_core.runnables import ConfigurableFieldSpec, RunnableConfig, RunnableSerializable
from pydantic import ConfigDict, model_validator

from secateurs.adapters.model import check_names
from secateurs.langchain.compressor import SecateursCompressor

_CONFIGURABLE = (
    "policy",
    "threshold",
    "top_k",
    "max_tokens",
    "max_total_tokens",
    "when_empty",
    "neighbours",
    "elision",
    "distinct",
    "rerank",
    "top_n",
    "timeout",
)


class CompressDocuments(RunnableSerializable[dict[str, Any], list[Document]]):
    """Compresses `{"query": ..., "documents": ...}`; made by `SecateursCompressor.as_runnable()`.

    It is a run of its own in traces, to which the report's event belongs and the run with the savings.

    Attributes:
        compressor: What compresses; what of it can be configured for one call is in `config_specs`.
        name: The run's name.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    compressor: SecateursCompressor
    name: str | None = "SecateursCompressor"

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, data: object) -> object:
        return check_names(cls, data)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Return True: LangChain's `dumps` writes a pipe with this step in it."""
        return True

    @property
    def config_specs(self) -> list[ConfigurableFieldSpec]:
        """What can be configured."""
        fields = SecateursCompressor.model_fields
        return [
            ConfigurableFieldSpec(
                id=name,
                annotation=fields[name].annotation,
                description=fields[name].description,
                default=getattr(self.compressor, name),
            )
            for name in _CONFIGURABLE
        ]

    def invoke(self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any) -> list[Document]:
        """Compress documents for a query.

        Args:
            input: The `query`, a string, and the `documents`.
            config: `configurable` may set for this call what says which sentences stay; see `config_specs`.
            **kwargs: Not used.

        Returns:
            What `SecateursCompressor.compress_documents` returns.

        Raises:
            ValueError: A key is missing, or a configured value is out of range.
            TypeError: The query is no string, or a configured value is of the wrong type.
        """
        return self._call_with_config(self._run, input, config, **kwargs)

    async def ainvoke(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[Document]:
        """Do what `invoke` does without blocking the event loop."""
        return await self._acall_with_config(self._arun, input, config, **kwargs)

    def _run(
        self, input: dict[str, Any], run_manager: CallbackManagerForChainRun, config: RunnableConfig
    ) -> list[Document]:
        compressor, callbacks = self._configured(config), run_manager.get_child()
        return compressor.compress_documents(_documents(input), _query(input), callbacks=callbacks)

    async def _arun(
        self, input: dict[str, Any], run_manager: AsyncCallbackManagerForChainRun, config: RunnableConfig
    ) -> list[Document]:
        compressor, callbacks = self._configured(config), run_manager.get_child()
        return await compressor.acompress_documents(_documents(input), _query(input), callbacks=callbacks)

    def _configured(self, config: RunnableConfig) -> SecateursCompressor:
        """Return the compressor with what was configured; its weights are shared, its values checked when it runs."""
        given = config.get("configurable") or {}
        update = {name: given[name] for name in _CONFIGURABLE if given.get(name) is not None}
        return self.compressor.model_copy(update=update) if update else self.compressor


def _documents(input: dict[str, Any]) -> Sequence[Document]:
    found = _get(input, "documents")
    if isinstance(found, (str, Document)) or not isinstance(found, Sequence):
        raise TypeError(f'"documents" must be a list of Documents, got {type(found).__name__}')
    return found


def _query(input: dict[str, Any]) -> str:
    query = _get(input, "query")
    if not isinstance(query, str):
        raise TypeError(f'"query" must be a string, got {type(query).__name__}')
    return query


def _get(input: dict[str, Any], key: str) -> Any:
    if not isinstance(input, dict) or key not in input:
        got = sorted(map(str, input)) if isinstance(input, dict) else type(input).__name__
        raise ValueError(
            f'the input must have the keys "query" and "documents", got {got}. In a pipe: '
            '{"query": RunnablePassthrough(), "documents": retriever} | compressor.as_runnable()'
        )
    return input[key]
