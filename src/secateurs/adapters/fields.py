"""The settings of an adapter as pydantic fields: told once for LangChain's class and LlamaIndex's.

Needs pydantic, which both frameworks bring.
"""

from __future__ import annotations

from os import PathLike, fspath
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FieldSerializationInfo,
    PrivateAttr,
    field_serializer,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from secateurs.adapters.protocol import CompressorLike
from secateurs.adapters.runner import Runner
from secateurs.adapters.settings import OnError, OnReport, Settings


class AdapterFields(BaseModel):
    """The fields of `secateurs.adapters.settings.Settings`, checked, and written down as JSON types.

    Stand it last among the bases: the last one's `model_config` holds.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, strict=True)

    compressor: SkipJsonSchema[CompressorLike | None] = Field(default=None, exclude=True, repr=False)
    model: str | None = None
    device: str = "auto"
    threshold: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    max_total_tokens: int | None = None
    rerank: bool = False
    top_n: int | None = None
    timeout: float | None = None
    on_error: OnError = "keep"
    encoding: str = "o200k_base"
    on_report: SkipJsonSchema[OnReport | None] = Field(default=None, exclude=True, repr=False)

    _runner: Runner = PrivateAttr(default_factory=Runner)

    @field_validator("model", mode="before")
    @classmethod
    def _accept_path(cls, value: object) -> object:
        return fspath(value) if isinstance(value, PathLike) else value

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        Settings.of(self)
        return self

    @field_serializer("model", "encoding")
    def _portable(self, value: object, info: FieldSerializationInfo) -> Any:
        return Settings.of(self).portable()[info.field_name]
