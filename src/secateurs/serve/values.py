"""The values in requests: how each is read, what is said of one that is wrong, and its JSON schema.

Texts may hold lone surrogates, which JSON can carry as escapes: pydantic's own string would refuse them.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from secateurs.support.arguments import LARGEST_COUNT, check_elision

_STRING = {"type": "string"}
_SOURCE = {"type": ["string", "null"]}  # null where `none_as_blank` says so
_LONGEST_MARK = 100  # characters of a mark or a tag; it may stand at every unit of a document
MOST_NEIGHBOURS = 100  # a unit marks so many others


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise PydanticCustomError("text", "must be a string")
    return value


def _query(value: object) -> str:
    if not _text(value).strip():
        raise PydanticCustomError("query", "is blank: there is nothing to look for. Send the user's question")
    return _text(value)


def _source(value: object) -> str:
    if value is None:
        raise PydanticCustomError("text", "must be a string; none_as_blank reads null as a blank document")
    return _text(value)


def _pair(value: object) -> tuple[str, str]:
    if not isinstance(value, list) or len(value) != 2:
        raise PydanticCustomError("pair", "must be a [query, document] pair")
    return _query(value[0]), _source(value[1])


def _neighbours(value: object) -> tuple[int, int]:
    both = value if isinstance(value, list) else [value, value]
    numbers = [one for one in map(_whole, both) if type(one) is int and 0 <= one <= MOST_NEIGHBOURS]
    if len(both) != 2 or len(numbers) != 2:
        raise PydanticCustomError(
            "neighbours",
            "must be a number from 0 to {most}, or two: before and after",
            {"most": MOST_NEIGHBOURS},
        )
    before, after = numbers
    return before, after


def _place(value: object) -> tuple[str, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise PydanticCustomError("place", "must be [name of the source, first code point], or null")
    start = _whole(value[1])
    if type(start) is not int or not 0 <= start <= LARGEST_COUNT:
        raise PydanticCustomError("place", "must begin at a whole number from 0")
    return _text(value[0]), start


def _mark(value: object) -> str:
    mark = _text(value)
    try:
        check_elision(mark)
    except ValueError:
        raise PydanticCustomError("elision", "must be a printable mark, such as […]") from None
    if len(mark) > _LONGEST_MARK:
        raise PydanticCustomError("elision", "is longer than a mark may be, 100 characters")
    return mark


def _tag(value: object) -> str:
    if len(_text(value)) > _LONGEST_MARK:
        raise PydanticCustomError("tag", "is longer than a tag may be, 100 characters")
    return _text(value)


def _document(value: object) -> str:
    if isinstance(value, dict):
        value = value.get("text")
    if not isinstance(value, str):
        raise PydanticCustomError("document", 'must be a string, or {"text": a string}')
    return value


def _texts(value: object) -> list[str] | list[list[str]]:
    if not isinstance(value, list):
        raise PydanticCustomError("texts", "must be a list of strings, or one list of strings a query")
    nested = bool(value) and isinstance(value[0], list)
    for index, item in enumerate(value):
        inner = item if nested else [item]
        if not isinstance(inner, list) or not all(isinstance(one, str) for one in inner):
            expected = "a list of strings, as the first one is" if nested else "a string"
            raise PydanticCustomError("texts", "[{index}] must be {expected}", {"index": index, "expected": expected})
    return value


def _message(value: object) -> dict[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get("role"), str):
        raise PydanticCustomError("message", "must be an object with a role")
    return value


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value  # 3.0 is 3 in JSON


Text = Annotated[str, PlainValidator(_text), WithJsonSchema(_STRING)]
Source = Annotated[str, PlainValidator(_source), WithJsonSchema(_SOURCE)]
Query = Annotated[str, PlainValidator(_query), WithJsonSchema({**_STRING, "pattern": r"\S"})]
Document = Annotated[
    str,
    PlainValidator(_document),
    WithJsonSchema(
        {"anyOf": [_STRING, {"type": "object", "properties": {"text": _STRING}, "required": ["text"]}]},
    ),
]
Pair = Annotated[
    tuple[str, str],
    PlainValidator(_pair),
    WithJsonSchema(
        {"type": "array", "prefixItems": [{**_STRING, "pattern": r"\S"}, _SOURCE], "minItems": 2, "maxItems": 2}
    ),
]
Texts = Annotated[
    list[str] | list[list[str]],
    PlainValidator(_texts),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": _STRING},
                {"type": "array", "items": {"type": "array", "items": _STRING}},
            ]
        }
    ),
]
Message = Annotated[
    dict[str, Any],
    PlainValidator(_message),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {
                "role": _STRING,
                "content": {"anyOf": [_STRING, {"type": "array", "items": {"type": "object"}}, {"type": "null"}]},
            },
            "required": ["role"],
            "additionalProperties": True,
        }
    ),
]
Mark = Annotated[
    str, PlainValidator(_mark), WithJsonSchema({**_STRING, "pattern": r"\S", "maxLength": _LONGEST_MARK})
]
Tag = Annotated[str, PlainValidator(_tag), WithJsonSchema({**_STRING, "maxLength": _LONGEST_MARK})]
_SIDE = {"type": "integer", "minimum": 0, "maximum": MOST_NEIGHBOURS}
Span = Annotated[
    tuple[int, int],
    PlainValidator(_neighbours),
    WithJsonSchema({"anyOf": [_SIDE, {"type": "array", "items": _SIDE, "minItems": 2, "maxItems": 2}]}),
]
Place = Annotated[
    tuple[str, int],
    PlainValidator(_place),
    WithJsonSchema(
        {"type": "array", "prefixItems": [_STRING, {"type": "integer", "minimum": 0}], "minItems": 2, "maxItems": 2}
    ),
]
ToolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Count = Annotated[int, Field(ge=0, le=LARGEST_COUNT), BeforeValidator(_whole)]
PositiveCount = Annotated[int, Field(ge=1, le=LARGEST_COUNT), BeforeValidator(_whole)]
Probability = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
