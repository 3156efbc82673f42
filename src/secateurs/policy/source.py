"""Reads a policy from its source; nothing is evaluated."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from secateurs.errors import in_short

_DEEPEST = 20  # policies that are arguments of others

Kinds = Mapping[str, Callable[..., Any]]  # of policies, which combine with | and &


def read(source: str, kinds: Kinds) -> Any:
    """Read a policy from its source, as `repr` writes it.

    Args:
        source: For example `"Threshold(0.5) | TopK(1)"`.
        kinds: What may be called there, by name.

    Returns:
        The policy.

    Raises:
        ValueError: The source is not a policy, or an argument is wrong.
    """
    try:
        return _build(ast.parse(source.strip(), mode="eval").body, kinds)
    except (SyntaxError, TypeError, RecursionError, MemoryError, AttributeError, UnicodeError) as error:
        why = str(error)[:200] or type(error).__name__
        raise ValueError(
            f"not a policy: {in_short(source)} ({why}). Write for example 'Threshold(0.5) | TopK(1)', with "
            f"{', '.join(kinds)}, combined with | and &."
        ) from None


def _build(node: ast.expr, kinds: Kinds, depth: int = 0) -> Any:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _build(node.left, kinds, depth) | _build(node.right, kinds, depth)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd):
        return _build(node.left, kinds, depth) & _build(node.right, kinds, depth)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds:
        keywords = {str(keyword.arg): _argument(keyword.value, kinds, depth) for keyword in node.keywords}
        if len(keywords) < len(node.keywords):
            raise TypeError(f"{node.func.id} is given one argument twice")
        return kinds[node.func.id](*(_argument(one, kinds, depth) for one in node.args), **keywords)
    raise TypeError(f"{ast.unparse(node)!r} is not one")


def _argument(node: ast.expr, kinds: Kinds, depth: int) -> object:
    if isinstance(node, (ast.Call, ast.BinOp)):
        if depth == _DEEPEST:
            raise TypeError(f"more than {_DEEPEST} policies inside each other")
        return _build(node, kinds, depth + 1)
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise TypeError(f"{ast.unparse(node)!r} is no number") from None
