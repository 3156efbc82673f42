"""The fields of an adapter as a pydantic model: the base of LangChain's class and of LlamaIndex's.

Needs pydantic, which both frameworks bring.
"""

from __future__ import annotations

from dataclasses import fields
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Self, get_type_hints

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FieldSerializationInfo,
    PrivateAttr,
    create_model,
    field_serializer,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from secateurs.adapters.fields import DocumentFields, described
from secateurs.adapters.runner import Runner
from secateurs.adapters.settings import Settings
from secateurs.policy import Policy
from secateurs.support.hints import no_such

if TYPE_CHECKING:

    class _Model(BaseModel, DocumentFields):
        """The fields, as type checkers and IDEs see them."""

else:

    def _fields() -> dict[str, Any]:
        """Return each field as pydantic makes it; what no JSON type stands for is neither written nor shown."""
        made = {}
        hints, texts = get_type_hints(DocumentFields), described(DocumentFields)
        hints["policy"] = SkipJsonSchema[Policy] | str | None  # of both, JSON knows the source
        hints["neighbours"] = int | tuple[int, int] | None
        for one in fields(DocumentFields):
            hint, shown = hints[one.name], one.name not in ("compressor", "on_report")
            field = Field(default=one.default, description=texts.get(one.name), exclude=not shown, repr=shown)
            made[one.name] = (hint if shown else SkipJsonSchema[hint], field)
        return made

    # no class of both: pydantic would make its fields anew in every subclass, and lose what is said of them
    _Model = create_model("_Model", __config__=ConfigDict(arbitrary_types_allowed=True), **_fields())


def check_names(kind: type[BaseModel], data: object) -> object:
    """Return what a model is made of, or say which of its names is no field, and what was probably meant.

    Raises:
        ValueError: A name is no field.
    """
    unknown = [str(name) for name in data if name not in kind.model_fields] if isinstance(data, dict) else []
    if unknown:
        raise ValueError(no_such(kind.__name__, unknown, kind.model_fields))
    return data


class AdapterModel(_Model):
    """An adapter's fields, checked, and written down as JSON types.

    Stand it last among the bases: the last one's `model_config` holds.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, strict=True)

    _runner: Runner = PrivateAttr(default_factory=Runner)

    def check(self) -> None:
        """Load the model and let it read a document, to hear of what is wrong at start-up and not at the first call.

        Raises:
            CheckpointError: The checkpoint cannot be found or is not complete.
            DeviceError: The device is not available.
            Error: The model, or the service behind the compressor, cannot read a document.
        """
        self._runner.check(Settings.of(self))

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, data: object) -> object:
        return check_names(cls, data)

    @field_validator("model", mode="before")
    @classmethod
    def _accept_path(cls, value: object) -> object:
        return fspath(value) if isinstance(value, PathLike) else value

    @field_validator("policy", mode="before")
    @classmethod
    def _read_policy(cls, value: object) -> object:
        return Policy.parse(value) if isinstance(value, str) else value

    @field_validator("neighbours", mode="before")
    @classmethod
    def _accept_list(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value  # as JSON writes a pair

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        Settings.of(self)
        return self

    @field_serializer("neighbours")
    def _as_list(self, value: object) -> object:
        return list(value) if isinstance(value, tuple) else value

    @field_serializer("policy")
    def _source(self, value: object) -> str | None:
        return Settings.of(self).source()

    @field_serializer("model", "revision", "encoding")
    def _portable(self, value: object, info: FieldSerializationInfo) -> Any:
        return Settings.of(self).portable()[info.field_name]
