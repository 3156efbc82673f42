"""The page as text: what is embedded stays inert, and the policy fits the file."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from base64 import b64encode
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs import Compression, Savings, Sentence, Threshold
from secateurs.serve.page import content_security_policy, page, to_page

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]><svg onload=alert(1)>",
    "<!-- static --><!-- policy -->",
    '<script type="application/json" id="data">null</script>',
    "'\"><img src=x onerror=alert(1)>",
    "a\u2028b\u2029c\ud800d\0e",
]


class Elements(HTMLParser):
    """Collects a page's tags, with the text of its scripts and its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": []}
        self._inside: str | None = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag in self.texts:
            self.texts[tag].append("")
            self._inside = tag

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside is not None:
            self.texts[self._inside][-1] += data


def result(text: str) -> Compression:
    """A result of one sentence."""
    return Compression(
        text, text, (Sentence(0, len(text), text, 0.5, True),), Savings(3, 3), "unchanged", "nothing_cut"
    )


def embedded(text: str) -> dict:
    """The result inside a page."""
    return json.loads(Elements(text).texts["script"][1])


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_adds_no_element(text):
    """A page with a hostile query, source and document has the elements and attributes of a harmless one."""
    plain = Elements(to_page("q", [("s", result("t"))], Savings(3, 3)))
    evil = to_page(text, [(text, result(text))], Savings(3, 3), model=text)
    found = Elements(evil)
    assert found.tags == plain.tags
    assert [name for name, _ in found.attributes] == [name for name, _ in plain.attributes]
    assert found.texts["script"][0] == plain.texts["script"][0]
    assert evil.count("<!-- policy -->") == evil.count("<!-- static -->") == 0
    evil.encode("utf-8")


@given(st.text())
def test_an_embedded_text_comes_back_as_it_was(text):
    """The script reads the very text that was put in, lone surrogates included."""
    answer = embedded(page({"query": text, "documents": [result(text).to_dict()]}))
    assert answer["query"] == text
    assert answer["documents"][0]["sentences"][0]["text"] == text


def test_the_policy_allows_this_script_and_this_style_and_nothing_else():
    """The hashes are those of the file's one script and one style, whatever result is inside."""
    for text in (page(), to_page("q", [("s", result("t"))], Savings(3, 3))):
        found = Elements(text)
        scripts = [script for script in found.texts["script"] if "use strict" in script]
        assert len(scripts) == len(found.texts["style"]) == 1
        for kind, code in (("script", scripts[0]), ("style", found.texts["style"][0])):
            digest = b64encode(hashlib.sha256(code.encode()).digest()).decode()
            assert f"{kind}-src 'sha256-{digest}'" in content_security_policy()
    assert "unsafe" not in content_security_policy()
    assert content_security_policy().startswith("default-src 'none'; ")


def test_no_attribute_needs_what_the_policy_forbids():
    """There is no inline style, no event handler, and no address of another file."""
    found = Elements(to_page("q", [("s", result("t"))], Savings(3, 3)))
    names = {name for name, _ in found.attributes}
    assert not {name for name in names if name.startswith("on") or name in ("style", "src", "srcset", "action")}
    assert {value for name, value in found.attributes if name == "href"} == {"data:,", "#result"}
    assert "http" not in "".join(found.texts["style"])
    assert not re.search("innerHTML|outerHTML|insertAdjacent|document.write|eval|https?:", found.texts["script"][0])


def test_only_a_saved_page_carries_its_policy():
    """The service sends the policy as a header; a file has it inside, and may ask nobody."""
    assert "http-equiv" not in page()
    saved = page({"query": "q", "documents": []})
    assert saved.count('http-equiv="Content-Security-Policy"') == 1
    assert "connect-src 'none'" in saved
    assert "connect-src 'self'" in content_security_policy()


def test_the_result_is_readable_without_javascript(tiny):
    """Query, sources, texts and counts stand in the page itself, kept and cut sentences told apart."""
    done = tiny.compress("Who built it?", ["Ann Lee built it in 1842. It burned down."], policy=Threshold(0.0))
    text = to_page("Who built it?", [("mill.txt", done[0])], done[0].savings)
    before_data = text[: text.index('id="data"')]
    assert "<h2>Who built it?</h2><h3>mill.txt</h3>" in before_data
    assert before_data.count("<mark ") == 2
    assert "This page needs JavaScript." not in text
    assert "This page needs JavaScript." in page()


def test_a_page_knows_the_policy_that_all_its_documents_share(tiny):
    """The policy is shown where there is one; documents decided differently have none in common."""
    documents = ["Ann Lee built it in 1842. It burned down."]
    one, two = (tiny.compress("Who?", documents, policy=Threshold(t))[0] for t in (0.1, 0.2))
    assert embedded(to_page("Who?", [("a", one), ("b", one)], Savings(1, 1)))["policy"] == "Threshold(0.1)"
    assert embedded(to_page("Who?", [("a", one), ("b", two)], Savings(1, 1)))["policy"] is None


def test_both_languages_have_every_word():
    """What the page says in English it says in Chinese, and it says nothing it has no words for."""
    script = Elements(page()).texts["script"][0]
    english, chinese = re.search(r"\n  en: \{\n(.*?)\n  \},\n  zh: \{\n(.*?)\n  \},\n\};", script, re.DOTALL).groups()
    key = re.compile(r'(\w+): ["\[]')
    words = set(key.findall(english))
    assert words == set(key.findall(chinese))
    used = set(re.findall(r'data-(?:word|label|hint|title)="(\w+)"', page())) | set(
        re.findall(r'say\("(\w+)"', script)
    )
    assert used <= words
    placeholders = re.compile(r'(\w+): "([^"]*)"')
    said = {name: set(re.findall(r"\{\w+\}", text)) for name, text in placeholders.findall(english)}
    assert said == {name: set(re.findall(r"\{\w+\}", text)) for name, text in placeholders.findall(chinese)}


def test_importing_the_page_loads_no_service():
    """The command line writes pages on a base install, without FastAPI and without torch."""
    code = (
        "import sys\nfrom secateurs.serve.page import page, to_page\n"
        "from secateurs import Savings\nto_page('q', [], Savings(0, 0)), page()\n"
        "assert not {'fastapi', 'uvicorn', 'torch', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
