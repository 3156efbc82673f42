"""What a request may ask of a policy."""

from __future__ import annotations

from secateurs.adapters.choice import Asked, choose
from secateurs.policy import AllOf, AnyOf, Neighbours, Policy
from secateurs.serve.refusal import RefusalError
from secateurs.serve.values import MOST_NEIGHBOURS

_CHARACTERS = 1_000
_PARTS = 16  # each may count the tokens of a whole document some twenty times


def read_policy(asked: Asked, default: Policy) -> Policy:
    """Return the policy a request asks for: its plain fields narrow the policy it sends, else the service's own.

    Args:
        asked: What it says of which units stay; its policy as source, in which `Default()` is the service's own.
        default: The service's own policy.

    Raises:
        RefusalError: 422; the source is not a policy, two fields contradict each other, or it is more work than a
            request may ask for.

    Example:
        >>> from secateurs import Threshold
        >>> read_policy(Asked(policy="Default() | TopK(1)", max_tokens=90), Threshold(0.1))
        (Threshold(0.1) | TopK(1)) & TokenBudget(90)
    """
    source = asked.policy
    if isinstance(source, str) and len(source) > _CHARACTERS:
        raise _no_policy(f"it has {len(source):,} characters, and {_CHARACTERS:,} is the limit.")
    try:
        policy = choose(asked, default)
    except (ValueError, TypeError, MemoryError) as error:
        raise _no_policy(str(error) or "it is nested too deeply.") from None
    if source is None:
        return policy  # the service's own is its owner's to answer for
    parts = _parts(policy)
    if len(parts) > _PARTS:
        raise _no_policy(f"it has {len(parts)} parts, and {_PARTS} is the limit.")
    for part in parts:
        if isinstance(part, Neighbours) and max(part.before, part.after) > MOST_NEIGHBOURS:
            raise _no_policy(f"{part!r} keeps too many neighbours, {MOST_NEIGHBOURS} on either side is the limit.")
    return policy


def _no_policy(why: str) -> RefusalError:
    return RefusalError(422, "invalid", f"policy: {why}")


def _parts(policy: Policy) -> list[Policy]:
    inner = [part for one in policy.parts for part in _parts(one)]
    return inner if isinstance(policy, (AnyOf, AllOf)) else [policy, *inner]
