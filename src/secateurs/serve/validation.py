"""What is wrong with a request, in one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from secateurs.serve.form import no_field
from secateurs.serve.refusal import RefusalError

_SHOWN = 3  # problems named; a request with thousands of wrong items still gets a short answer
_JSON_NAMES = {str: "a string", bool: "true or false", int: "a number", float: "a number", list: "a list"}


def refuse_body(errors: Sequence[Any], content_type: str, known: Iterable[str] = ()) -> RefusalError:
    """Return why a body was not understood.

    Args:
        errors: What pydantic says of it.
        content_type: What the caller says it is.
        known: The fields it may have.
    """
    first = errors[0]
    if first["type"] == "json_invalid":
        what, where = first["ctx"]["error"], first["loc"][-1]
        return RefusalError(400, "bad_json", f"the body is not JSON: {what} at character {where}.")
    if isinstance(first.get("input"), bytes):  # nothing in JSON is
        return RefusalError(
            415, "not_json", f"the content type is {_short(content_type or 'missing')}: send application/json."
        )
    if first["type"] == "missing" and first["loc"] == ("body",):
        return RefusalError(422, "invalid", "the body is empty: send a JSON object; GET /openapi.json has examples.")
    said = "; ".join(_explain(one, known) for one in errors[:_SHOWN])
    more = f"; and {len(errors) - _SHOWN} more problems" if len(errors) > _SHOWN else ""
    return RefusalError(422, "invalid", " ".join(f"{said}{more}.".split()))  # a field's name may hold line breaks


def _explain(error: Mapping[str, Any], known: Iterable[str]) -> str:
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error["loc"][1:]).strip(".")
    if error["type"] == "missing":
        return f"{place} is missing"
    if error["type"] == "extra_forbidden":
        return no_field(place, known)
    if error["type"] == "model_attributes_type" or not place:
        return str(error["msg"]) if error["type"] == "form" else "the body must be a JSON object"
    return f"{_short(place)}: {error['msg']}, got {_got(error.get('input'))}"


def _got(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return _short(repr(value))
    if isinstance(value, str):
        return _short(repr(value))
    return _JSON_NAMES.get(type(value), "an object")


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
