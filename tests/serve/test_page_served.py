"""The page on a real service, in a browser: typing, dropping, sharing, keys alone, languages, themes, failures."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest
from page_browser import launched, showing
from serving import DOCUMENTS, MILL, QUERY, running

from secateurs import Savings, Threshold

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def chromium():
    """A browser."""
    yield from launched()


@pytest.fixture
def show(chromium, tmp_path):
    """A function that opens a page."""
    yield from showing(chromium, tmp_path)


@pytest.fixture
def compressed(show, address):
    """A function that opens the service's page, types a query and documents, and compresses."""

    def go(documents=(MILL, DOCUMENTS[1], DOCUMENTS[2]), **options):
        view = show(address, **options)
        view.tab.fill("#query", QUERY)
        for index, document in enumerate(documents):
            if index:
                view.tab.click("#add")
            view.tab.fill(f"#text-{index}", document)
        view.tab.click("#compress")
        view.tab.wait_for_selector("article")
        return view

    return go


def test_type_compress_and_move_without_another_request(compressed, tiny):
    """One request brings what the compressor found; the threshold then moves without any."""
    view = compressed()
    texts = [MILL, DOCUMENTS[1], DOCUMENTS[2]]
    assert view.kept() == [[s.text for s in one.kept] for one in tiny.compress(QUERY, texts)]
    assert view.text("#threshold") == "" and view.tab.input_value("#threshold") == "0.5"
    asked = len(view.requests)
    for threshold in (0.0, 0.45, 0.6, 1.0):
        view.move(threshold)
        results = tiny.compress(QUERY, texts, policy=Threshold(threshold))
        total = sum((one.savings for one in results), Savings(0, 0))
        assert view.text("#tokens") == f"{total.before} → {total.after}"
    assert len(view.requests) == asked
    view.tab.fill("#query", "Something else?")
    assert view.tab.is_visible("#changed")


def test_files_are_dropped_and_chosen(show, address, tmp_path):
    """Text files become documents under their names; what is not text says so and harms nothing."""
    view = show(address)
    view.tab.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["Ann built it."], "a.txt"));
          data.items.add(new File([new Uint8Array([0xff, 0xfe, 0x41])], "bad.bin"));
          data.items.add(new File(["水车建于1842年。"], "乙.txt"));
          data.items.add(new File([new Uint8Array([0xff, 0xfe, 0x34, 0x6c, 0x66, 0x8f])], "丙.txt"));
          document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
        }"""
    )
    view.tab.locator("#documents li").nth(2).wait_for()
    assert view.tab.locator("#documents .name").all_inner_texts() == ["a.txt", "乙.txt", "丙.txt"]
    assert view.tab.locator("#documents li").nth(2).locator("textarea").input_value() == "水车"  # UTF-16
    view.tab.get_by_role("button", name="Remove 丙.txt").click()
    view.wait("#message")
    assert view.text("#message") == "bad.bin is not text in UTF-8."
    chosen = tmp_path / "c.txt"
    chosen.write_text("It rained.", encoding="utf-8")
    view.tab.set_input_files("#files", [chosen])
    view.tab.locator("#documents li").nth(2).wait_for()
    view.tab.get_by_role("button", name="Remove a.txt").click()
    assert view.tab.locator("#documents .name").all_inner_texts() == ["乙.txt", "c.txt"]


def test_a_link_brings_query_documents_and_threshold(compressed, show, address):
    """The link holds everything behind its #; opening it sends nothing until Compress is pressed."""
    view = compressed(permissions=["clipboard-read", "clipboard-write"])
    view.move(0.4)
    kept = view.kept()
    view.tab.click("#share")
    view.wait("#message")
    link = view.tab.evaluate("navigator.clipboard.readText()")
    assert link == view.tab.url
    assert link.startswith(f"{address}/#1z")
    other = show(link)
    other.wait("#message", "Filled in from the link")
    assert [other.tab.input_value(f"#text-{index}") for index in range(3)] == [MILL, DOCUMENTS[1], DOCUMENTS[2]]
    assert len(other.requests) == 1
    assert "#" not in other.requests[0]
    other.tab.keyboard.press("Enter")  # Compress has the focus
    other.tab.wait_for_selector("article")
    assert other.kept() == kept
    assert other.tab.input_value("#threshold") == "0.4"


@pytest.mark.parametrize("fragment", ["1zAAAA", "1p!!!", "1pe30", "1pW10", "1p" + "bnVsbA", "1z"])
def test_a_damaged_link_says_so(show, address, fragment):
    """A link that cannot be read leaves an empty page and a sentence."""
    view = show(f"{address}/#{fragment}")
    view.wait("#message")
    assert "damaged" in view.text("#message")
    assert view.tab.input_value("#query") == ""


def test_a_link_cannot_unpack_into_all_memory(show, address):
    """A small link of much text is refused."""
    view = show(address)
    bomb = """async () => {
      const zeros = new Blob([new Uint8Array(64 * 2 ** 20)]).stream();
      const packed = zeros.pipeThrough(new CompressionStream("deflate-raw"));
      const bytes = new Uint8Array(await new Response(packed).arrayBuffer());
      location.hash = "1z" + btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));
    }"""
    view.tab.evaluate(bomb)
    view.wait("#message")
    assert "damaged" in view.text("#message")


def test_keys_alone_do_everything(show, address):
    """Query, document, Compress, threshold and copying are reached and used with the keyboard, in reading order."""
    view = show(address, permissions=["clipboard-read", "clipboard-write"])
    keys = view.tab.keyboard

    def press_until(target: str) -> None:
        for _ in range(40):
            if view.tab.evaluate("document.activeElement?.id") == target:
                return
            keys.press("Tab")
        raise AssertionError(f"#{target} is not reached with Tab")

    press_until("query")
    keys.type(QUERY)
    press_until("text-0")
    keys.type(MILL)
    press_until("compress")
    keys.press("Enter")
    view.tab.wait_for_selector("article")
    press_until("slider")
    focus = view.tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert focus == "solid"
    before = view.text("#saved")
    keys.press("End")
    assert view.text("#saved") == "100%" != before
    keys.press("Home")
    assert view.text("#saved") == "0%"
    press_until("copy")
    keys.press("Enter")
    view.wait("#copied")
    assert view.tab.evaluate("navigator.clipboard.readText()") == MILL
    view.wait("#live", "units kept")


def test_the_theme_follows_the_system_until_one_is_chosen(show, address):
    """Dark where the system is dark; a choice wins and is remembered."""
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = (show(address, color_scheme=scheme) for scheme in ("light", "dark"))
    assert light.tab.evaluate(ground) != dark.tab.evaluate(ground)
    light.tab.select_option("#theme", "dark")
    assert light.tab.evaluate(ground) == dark.tab.evaluate(ground)
    light.tab.reload()
    assert light.tab.evaluate(ground) == dark.tab.evaluate(ground)


def test_chinese_for_those_who_read_it(compressed, show, address):
    """The browser's language decides until one is chosen; all that is said changes, documents do not."""
    assert show(address, locale="fr-FR").text("#compress") == "Compress"
    view = compressed(locale="zh-CN")
    assert view.text("#compress") == "压缩"
    assert view.tab.evaluate("document.documentElement.lang") == "zh-CN"
    kept = view.kept()
    view.tab.select_option("#language", "en")
    assert view.text("#compress") == "Compress"
    assert "units" in view.text("article header")
    view.tab.select_option("#language", "zh")
    assert "词元" in view.text("article header")
    assert view.kept() == kept
    latin = view.tab.locator("body").inner_text()
    for own in ("secateurs", "o200k_base", "tiny", MILL, QUERY, DOCUMENTS[1], "English"):
        latin = latin.replace(own, "")
    assert re.findall(r"[A-Za-z]{4,}", re.sub(r"Who knows\?|The \w+.*?[.?]|It burned.*?[.]", "", latin)) == []


@pytest.mark.parametrize("width", [320, 768, 1280, 1600])
def test_it_fits(compressed, show, address, width):
    """At no width does the page scroll sideways, empty or with a result."""
    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert show(address, width=width).tab.evaluate(over) == 0
    view = compressed(("x" * 300 + " " + MILL, "\t" * 40 + "a\n" * 40), width=width)
    assert view.tab.evaluate(over) == 0
    if width < 900:
        view.tab.click("#options summary")
    view.tab.check("[name=view][value=text]")
    assert view.tab.evaluate(over) == 0


def test_the_accessibility_tree_names_everything(compressed):
    """Every control has a name, the document has an order of headings, and no id stands twice."""
    view = compressed()
    session = view.tab.context.new_cdp_session(view.tab)
    nodes = [node for node in session.send("Accessibility.getFullAXTree")["nodes"] if not node.get("ignored")]
    controls = {
        "button",
        "textbox",
        "slider",
        "spinbutton",
        "radio",
        "checkbox",
        "combobox",
        "link",
        "region",
        "article",
    }
    roles = {}
    for node in nodes:
        role, name = node["role"]["value"], node.get("name", {}).get("value", "")
        roles.setdefault(role, []).append(name)
        assert role not in controls or name.strip(), node
    assert {"button", "textbox", "slider", "spinbutton", "radio", "checkbox", "main", "banner", "form"} <= set(
        roles
    ) | {"form"}
    assert {"Threshold"} <= set(roles["slider"])
    levels = view.tab.locator("h1, h2, h3").evaluate_all(
        "all => all.filter(h => h.checkVisibility()).map(h => +h.tagName[1])"
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = view.tab.locator("[id]").evaluate_all("all => all.map(e => e.id)")
    assert len(ids) == len(set(ids))
    assert "kept, sentence:" in view.tab.locator(".sentence").first.evaluate("e => e.textContent")


def test_a_key_is_asked_for_and_sent(show, tiny):
    """A service with a key makes the page ask for it; with the key it works."""
    with running(tiny, api_key="secret") as address:
        view = show(address)
        view.tab.click("#example")
        view.tab.click("#compress")
        view.tab.wait_for_selector("#key")
        view.tab.fill("#key", "secret")
        view.tab.click("#compress")
        view.tab.wait_for_selector("article")
        stored = view.tab.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
        assert "secret" not in json.loads(stored)


def test_refusals_are_shown_in_words(show, tiny):
    """What the service refuses is said as the service says it; a service that is gone, too; the form stays."""
    with running(tiny, max_documents=1) as address:
        view = show(address)
        view.tab.click("#compress")
        assert view.text("#message") == "Type a query first."
        view.tab.fill("#query", QUERY)
        view.tab.click("#compress")
        assert "at least one document" in view.text("#message")
        view.tab.click("#example")
        view.tab.click("#compress")
        view.wait("#message", "413")
        assert "1 is the limit" in view.text("#message")
    view.tab.click("#compress")
    view.wait("#message", "cannot be reached")
    assert view.tab.input_value("#query") != ""
