"""The page on which people try a query, move the threshold and see what goes: one file, served or saved.

`page.html` holds everything: markup, style, script, both languages. It needs no other file and no network but the
service it came from. With a result inside it needs no service either: `secateurs compress --format html` writes that.

Two things keep a hostile document inert. The script makes text nodes of texts and nothing else, and the content
security policy allows exactly the one script and the one style of the file, known by their hashes. Serve the page
with the header `Content-Security-Policy: <content_security_policy()>`; a saved page carries its policy in itself.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from secateurs.result.compression import Compression
from secateurs.result.hidden import script_pattern, show
from secateurs.result.savings import Savings, TokenCounter
from secateurs.serve.steps import at_every_threshold, parts_of

_POLICY_PLACE = "<!-- policy -->"
_STATIC_PLACE = "<!-- static --><noscript>This page needs JavaScript.</noscript>"
_DATA_PLACE = '<script type="application/json" id="data">null</script>'
_PATTERN_PLACE = '"pattern of hidden characters"'

# What would end the script element, open a comment in it, or end a line of JavaScript; and half a surrogate pair,
# which no encoding can write.
_UNSAFE = re.compile("[<>&\u2028\u2029\ud800-\udfff]")


def page(result: Mapping[str, Any] | None = None) -> str:
    """Return the page.

    Args:
        result: What the service answers to `POST /v1/compress`, to be shown without a service; it should have the
            `query` too, and its documents may have a `source`. None for the page that asks a service.

    Returns:
        HTML. It can always be encoded as UTF-8. Without JavaScript it shows the result as it is.

    Example:
        >>> "<script>alert" in page({"query": "<script>alert(1)</script>", "documents": []})
        False
    """
    text = _template()
    if result is None:
        return text.replace(_POLICY_PLACE, "")
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_policy("none")}">'
    data = _DATA_PLACE.replace("null", _embeddable(result))
    # the places are found in the file as it came, never in what a document put there
    before_policy, rest = text.split(_POLICY_PLACE)
    before_static, rest = rest.split(_STATIC_PLACE)
    before_data, rest = rest.split(_DATA_PLACE)
    return "".join((before_policy, policy, before_static, _static(result), before_data, data, rest))


def to_page(
    query: str,
    items: Sequence[tuple[str, Compression]],
    total: Savings,
    *,
    model: str | None = None,
) -> str:
    """Return results as the service's page, self-contained: its threshold moves, and it asks nobody.

    Args:
        query: What the documents were compressed for.
        items: The source of each document, as a name, and its result.
        total: The savings of all of them.
        model: The model's name, to be shown.

    Returns:
        A page that needs no network; without JavaScript it shows the result as it is.
    """
    count = TokenCounter(total.encoding)
    policies = {result.policy for _, result in items if result.policy}
    policy = policies.pop() if len(policies) == 1 else None
    documents = [
        {
            "source": source,
            **result.to_dict(),
            **at_every_threshold(result, count).to_dict(),
            "units": [{"kind": unit.kind, "frame": list(unit.frame)} for unit in parts_of(result).units],
        }
        for source, result in items
    ]
    answer = {"query": query, "model": model, "policy": policy, "documents": documents, "savings": total.to_dict()}
    return page(answer)


def content_security_policy() -> str:
    """Return the value of the header to serve the page with: its own script and style, requests to its own origin."""
    return f"{_policy('self')}; frame-ancestors 'none'"


@cache
def _policy(connect: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash('script')}",
            f"style-src {_hash('style')}",
            f"connect-src '{connect}'",
            "img-src data:",  # the empty icon, so that no browser asks for one
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",  # no string becomes markup, in the browsers that know this
            "trusted-types 'none'",
        )
    )


def _hash(element: str) -> str:
    """Return the hash by which a policy knows the one inline element of a kind."""
    found = re.findall(f"<{element}>(.*?)</{element}>", _template(), re.DOTALL)
    if len(found) != 1:
        raise RuntimeError(f"page.html must have exactly one inline <{element}>, it has {len(found)}")
    digest = hashlib.sha256(found[0].encode()).digest()
    return f"'sha256-{b64encode(digest).decode()}'"


def _embeddable(data: Mapping[str, Any]) -> str:
    r"""Return JSON that stays JSON inside an HTML script element.

    Example:
        >>> _embeddable({"text": "</script>"})
        '{"text":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _static(result: Mapping[str, Any]) -> str:
    """Return the result as HTML that needs no script."""
    pieces = [f"<h2>{_text(result.get('query', ''))}</h2>"]
    for number, document in enumerate(result["documents"], 1):
        savings = document["savings"]
        counts = f"{document['status']}: {savings['before']:,} → {savings['after']:,} tokens"
        pieces.append(f"<h3>{_text(document.get('source', number))}</h3><p>{counts}</p><div>")
        for sentence in document["sentences"]:
            tag = "mark" if sentence["kept"] else "s"
            title = f'title="{sentence["score"]:.3f}"'
            if sentence.get("frame"):
                tag, title = "span", 'class="frame" title="kept with what it frames"'
            pieces.append(f"<{tag} {title}>{_text(sentence['text'])}</{tag}>")
        pieces.append("</div>")
    return "".join(pieces)


def _text(value: object) -> str:
    visible = show(str(value)).encode("utf-8", "replace").decode()
    return escape(visible).replace("\u0338", "&#824;")  # it would strike through the tag before it


@cache
def _template() -> str:
    text = files("secateurs.serve").joinpath("page.html").read_text(encoding="utf-8")
    return text.replace(_PATTERN_PLACE, json.dumps(script_pattern()))
