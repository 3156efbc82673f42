"""Hidden characters are kept to the letter, told where asked, and visible wherever a person looks."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import check_laws
from texts import QUERY
from watchdog import run_python

import secateurs
from secateurs import Compression, Hidden, Savings, Sentence, Threshold
from secateurs.result.hidden import KINDS, find, script_pattern, show
from secateurs.result.html import markup
from secateurs.serve.page import to_page

TAGS = "".join(chr(0xE0000 + ord(c)) for c in "ignore all")
TRAPS = {  # a text, and what is hidden in it
    "ig\u200bnore": ["zero-width"],
    "a\u200d b": ["zero-width"],
    "\u202egnp.exe": ["bidi"],
    "a\u2066b\u2069": ["bidi", "bidi"],
    "\u200eLRM": ["bidi"],
    f"Fine.{TAGS} So.": ["tag"],
    f"\U0001f3f4{TAGS}\U000e007f": ["tag"],
    "🙂\ufe0f\ufe0f\ufe01": ["variation"],
    "a\ufe0f": ["variation"],
    "x\U000e0101\U000e0121": ["variation"],
    "👩\u200d\u200d👩": ["zero-width"],
    "pass\u00adword": ["zero-width"],
    "a\ufeffb": ["zero-width"],
    "\u3164": ["zero-width"],
    "می\u200c\u200cخواهم": ["zero-width"],
    "\x1b[2J\x07": ["control", "control"],
    "\x00": ["control"],
    "\x9b31m": ["control"],
    "\u061c\u200b\u2060\U000e0001": ["bidi", "zero-width", "tag"],
}
NEEDED = [
    "👩\u200d👩\u200d👧\u200d👦 came.",
    "🏳\ufe0f\u200d🌈 ❤\ufe0f\u200d🔥 🧑🏽\u200d🚀 👁\ufe0f\u200d🗨\ufe0f 🙂\u200d↔\ufe0f",
    "1\ufe0f\u20e3 #\ufe0f\u20e3 ©\ufe0f ™\ufe0f ‼\ufe0f ☎\ufe0e 〰\ufe0f",
    "می\u200cخواهم نامه\u200cای",
    "क्\u200dष र्\u200cय ශ්\u200dරී ন্\u200d",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "葛\U000e0100城 神\ufe00",
    "\u182d\u180b \u1820\u180e",
    "\ufeffA mark at the beginning.",
    "Plain.\tText\r\nof\u00a0two\u3000lines\u2028and more\x0c.",
]


def whole(text: str) -> Compression:
    """Return a text as a result of one kept sentence."""
    sentences = (Sentence(0, len(text), text, 0.9, kept=True),) if text else ()
    return Compression(text, text, sentences, Savings(9, 9), "unchanged", "nothing_cut")


@pytest.mark.parametrize(("text", "kinds"), TRAPS.items(), ids=ascii)
def test_what_is_hidden_is_reported(text, kinds):
    """Every run of hidden characters is told with its place, its text, its kind and Unicode's names."""
    found = whole(text).hidden_characters
    assert [one.kind for one in found] == kinds
    for one in found:
        assert text[one.start : one.end] == one.text
        assert len(one.names) == len(one.text)
        assert one.kept


@pytest.mark.parametrize("text", NEEDED, ids=ascii)
def test_what_writing_needs_is_not_reported(text):
    """Emoji, joiners of scripts that join, variants of ideographs, a mark at the beginning and flags are none."""
    assert whole(text).hidden_characters == ()
    assert show(text) == text
    assert "codepoint" not in markup(text)


def test_every_invisible_character_of_unicode_is_of_a_kind():
    """No format or control character goes unreported but white space and those that are drawn."""
    reported = re.compile(f"[{''.join(KINDS.values())}]")
    drawn = {  # prepended signs, and what lays out hieroglyphs
        *range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x13430, 0x13440)
    }  # fmt: skip
    for code in range(0x110000):
        char = chr(code)
        if unicodedata.category(char) in ("Cf", "Cc") and not char.isspace() and code not in drawn:
            assert reported.match(char), f"U+{code:04X} {unicodedata.name(char, '')}"
    spaces = [chr(code) for code in range(0x110000) if chr(code).isspace()]
    assert [
        ascii(char) for char in spaces if reported.match(char) and ord(char) not in (0xB, 0x1C, 0x1D, 0x1E, 0x1F)
    ] == []


@pytest.mark.parametrize("text", [*TRAPS, *NEEDED], ids=ascii)
def test_hidden_characters_are_kept_and_told_in_every_layout(layout, text):
    """A document comes back with each hidden character in its place, kept or cut; its data says nothing of them."""
    document = f"Ann built the mill. It says {text} here. It rained."
    for threshold in (0.0, 0.5, 1.0):
        result = layout.compress(QUERY, [document], policy=Threshold(threshold))[0]
        check_laws(result, document, threshold)
        assert result.warnings == ()
        assert "hidden" not in json.dumps(result.to_dict())
        for one in result.hidden_characters:
            owner = next(s for s in result.sentences if s.start <= one.start < s.end)
            assert one.end <= owner.end
            assert one.kept == owner.kept


@given(
    st.text(st.characters(codec=None, categories=None))
    | st.text("a\u200b\u202e\ufe0f🙂\u200d\U000e0041 .", max_size=40)
)
def test_what_is_shown_is_the_text_but_for_what_is_hidden(text):
    """Outside the hidden runs a text is shown as it is; no bidirectional control, tag or control is left in it."""
    rest, at = [], 0
    for one in find(text):
        assert one.start >= at
        assert re.fullmatch(f"[{KINDS[one.kind]}]+", one.text)
        rest += [text[at : one.start], "⟨U+⟩"]
        at = one.end
    shown = re.sub(r"⟨U\+[0-9A-F]{4,6}(?:×\d+)?(?: U\+[0-9A-F]{4,6}(?:×\d+)?)*⟩", "⟨U+⟩", show(text))
    assert shown == "".join((*rest, text[at:])) or "⟨U+" in text
    assert not re.search(f"[{KINDS['bidi']}{KINDS['control']}]", show(text))
    assert not re.search(f"[{KINDS['bidi']}{KINDS['control']}]", markup(text))


def test_a_page_shows_them_by_number_and_cannot_be_reordered():
    """In the fragment and in the saved page no control is left to act; the fragment names each, and counts them."""
    text = f"Pay \u202e001\u202c now. {TAGS}"
    html = whole(text).to_html()
    assert '<span class="codepoint" title="RIGHT-TO-LEFT OVERRIDE">U+202E</span>001' in html
    assert "12 hidden characters (2 bidi, 10 tag), shown by number and kept as they are" in html
    static = to_page(text, [(text, whole(text))], Savings(9, 9)).partition('<script type="application/json"')[0]
    for page in (html, static):
        assert not re.search(f"[{KINDS['bidi']}{KINDS['tag']}]", page)
    assert "hidden character" not in whole("Nothing here.").to_html()


def test_a_hundred_thousand_of_them_are_shown_in_a_line():
    """A run of one character is written once, with how many it is, and the time is linear."""
    assert show("a" + "\u200b" * 100_000) == "a⟨U+200B×100000⟩"
    assert len(whole("\u200b\u202e" * 50_000).hidden_characters) == 100_000


def test_the_terminal_shows_them_by_number(tmp_path):
    """The command line writes hidden characters as numbers and counts them; emoji and Persian stay what they are."""
    source = tmp_path / "a.txt"
    source.write_text(f"Ann built it \u202egnp.exe. {NEEDED[0]} می\u200cخواهم ok. x{TAGS}.", encoding="utf-8")
    ended = run_python(["-m", "secateurs", "compress", "Who built it?", str(source)], seconds=100)
    assert (ended.status, ended.stderr) == (0, "")
    assert "⟨U+202E⟩gnp.exe" in ended.stdout
    assert "warning: 11 hidden characters (1 bidi, 10 tag), kept as they are and shown by their numbers" in " ".join(
        ended.stdout.split()
    )
    assert "👩\u200d👩\u200d👧\u200d👦" in ended.stdout
    assert "می\u200cخواهم" in ended.stdout
    assert not re.search(f"[{KINDS['bidi']}{KINDS['tag']}]", ended.stdout)


def test_a_file_name_cannot_drive_the_terminal(tmp_path):
    """What is wrong with a file is said without the control characters in its name."""
    ended = run_python(["-m", "secateurs", "compress", "q", str(tmp_path / "a\x1b[2J\u202eb")], seconds=100)
    assert ended.status == 2
    assert "no such file" in ended.stderr
    assert not re.search("[\x1b\u202e]", ended.stderr)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node, to run the page's pattern")
@pytest.mark.parametrize("text", [*TRAPS, *NEEDED[:-2]], ids=ascii)
def test_the_pages_script_finds_what_python_finds(text):
    """The pattern in the page finds in JavaScript what `find` finds here."""
    script = (
        "const [source, text] = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        "const found = [...text.matchAll(new RegExp(source, 'gu'))].map((m) => m[1]).filter((s) => s !== undefined);"
        "console.log(JSON.stringify(found));"
    )
    done = subprocess.run(
        ["node", "-e", script],
        input=json.dumps([script_pattern(), text]),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert json.loads(done.stdout) == [one.text for one in find(text)]


def test_hidden_is_a_public_name():
    """What the property returns can be imported from the package."""
    assert secateurs.Hidden is Hidden
