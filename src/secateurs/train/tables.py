"""TOML tables become frozen dataclasses, strictly: unknown, missing and misshapen keys are named."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from secateurs.support.hints import meant

T = TypeVar("T")


class ConfigError(ValueError):
    """A training config cannot be used; the message names the file and the key."""


def build(kind: type[T], raw: object, where: str, at: str) -> T:
    """Make a dataclass of a TOML table.

    Args:
        kind: The dataclass; its fields may be dataclasses, tuples, literals and plain types.
        raw: The table.
        where: The file, for messages.
        at: The key that led here, with a dot behind it.

    Returns:
        The settings.

    Raises:
        ConfigError: A key is unknown or missing, or a value has the wrong type.
    """
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{where}: {at or 'the file'} must be a table, got {raw!r}.")
    hints = typing.get_type_hints(kind)
    fields = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]  # T is a dataclass
    for key in raw:
        if key not in fields:
            hint = meant(key, fields)
            asks = "" if hint is None else f": did you mean {hint!r}?"
            raise ConfigError(f"{where}: unknown key {at + key!r}, expected one of {', '.join(fields)}{asks or '.'}")
    missing = dataclasses.MISSING
    for name, item in fields.items():
        if name not in raw and item.default is missing and item.default_factory is missing:
            raise ConfigError(f"{where}: the key {at + name!r} is missing.")
    return kind(**{key: _value(hints[key], value, where, at + key) for key, value in raw.items()})


def _value(hint: Any, value: object, where: str, at: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return build(hint, value, where, at + ".")
    if origin is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"{where}: {at} must be a list, got {value!r}.")
        return tuple(_value(arguments[0], item, where, f"{at}[{index}]") for index, item in enumerate(value))
    if origin in (Literal, types.UnionType):
        if value not in arguments:
            raise ConfigError(f"{where}: {at} is {value!r}, expected one of {', '.join(map(repr, arguments))}.")
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{where}: {at} must be of type {hint.__name__}, got {value!r}.")
    return value
