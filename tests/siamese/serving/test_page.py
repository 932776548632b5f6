"""The page in a real browser: search, comparison, the slider, keys, narrow and dark screens."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from browser import CHROMIUM, MISSING, Browser
from calibrated_encoder import calibrated_encoder
from served_here import listening

from siamese.search.entry import Entry
from siamese.search.index import Index
from siamese.serving.desk import Desk

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)

EVIL = "<script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\">"
ENTRIES = [
    Entry("password", "怎么修改密码", {"answer": "在设置里修改", "topic": "登录"}),
    Entry("parcel", "快递到哪了", {"answer": "请查询", "clicks": 3}),
    Entry(EVIL, EVIL, {"answer": EVIL, EVIL: EVIL}),
    Entry("long", "如何" + "a" * 300, {}),
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Desk:
    encoder = calibrated_encoder()
    index = Index.build(ENTRIES, encoder, tmp_path_factory.mktemp("index") / "index")
    return Desk(encoder, index, "run/best")


@pytest.fixture(scope="module")
def url(desk) -> Iterator[str]:
    with listening(desk) as address:
        yield address


@pytest.fixture(scope="module")
def started(tmp_path_factory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(started) -> Browser:
    started.events.clear()
    started.size(1000, 900)
    started.prefer("light")
    return started


# The least contrast of any text with the ground behind it.
CONTRAST = """
(() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const over = ([r, g, b, alpha = 1], under) =>
    [r, g, b].map((v, i) => v * alpha + under[i] * (1 - alpha));
  const ground = (node) => {
    const color = parse(getComputedStyle(node).backgroundColor);
    const under = node.parentElement ? ground(node.parentElement) : [255, 255, 255];
    return over(color, under);
  };
  let least = 99;
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !node.offsetParent) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(ground(node))];
    least = Math.min(least, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
  }
  return least;
})()
"""


def link(url: str, **asked: object) -> str:
    return f"{url}/?{urlencode(asked)}"


def texts(browser: Browser, selector: str) -> list[str]:
    return browser.value(
        f"[...document.querySelectorAll({selector!r})].map(found => found.textContent)"
    )


def slide(browser: Browser, threshold: float) -> None:
    browser.value(
        f"document.querySelector('#threshold').value = {threshold};"
        "document.querySelector('#threshold').dispatchEvent(new Event('input'))"
    )


def test_a_link_searches_and_shows_answers_above_the_threshold(desk, url, browser) -> None:
    browser.open(link(url, q="如何修改密码"))
    above = [hit for hit in desk.index.search("如何修改密码", 4, -9) if hit.score > 0.9]
    assert texts(browser, "li.card:not(.below) .text") == [hit.text for hit in above]
    assert texts(browser, "li.card:not(.below) .answer")[0] == "在设置里修改"
    assert texts(browser, "li.card:not(.below) dl")[0] == "topic登录"
    assert len(texts(browser, "li.card")) == 4


def test_nothing_that_an_entry_holds_is_run_or_becomes_an_element(desk, url, browser) -> None:
    browser.open(link(url, q=EVIL, t=-1))
    assert EVIL in texts(browser, ".text")
    assert EVIL in texts(browser, "dt")
    assert EVIL in texts(browser, "dd")
    browser.open(link(url, a=EVIL, b="<b>" + EVIL))
    assert "".join(texts(browser, ".characters span")) == EVIL + "<b>" + EVIL
    assert browser.value("document.title") == "siamese · run/best"
    assert (
        browser.value("document.querySelectorAll('#results img, #results b, script').length") == 1
    )


def test_the_slider_moves_the_line_without_asking_again(desk, url, browser) -> None:
    browser.open(link(url, q="如何修改密码"))
    asked = len(browser.reported("Network.requestWillBeSent"))
    scores = [hit.score for hit in desk.index.search("如何修改密码", 4, -9)]
    for threshold in (0.0, 1.0, round((scores[0] + scores[1]) / 2, 2)):
        slide(browser, threshold)
        expected = sum(score > threshold for score in scores)
        assert len(texts(browser, "li.card:not(.below)")) == expected
        assert len(texts(browser, "line.hit:not(.under)")) == expected
        probability = float(desk.encoder.calibrator.probability(threshold))
        assert f"probability {probability:.2f}" in texts(browser, "#threshold-meaning")[0]
        assert f"t={threshold:g}" in browser.value("location.search")
    slide(browser, 1.0)
    assert "better no answer" in texts(browser, ".notice")[0]
    assert len(browser.reported("Network.requestWillBeSent")) == asked
    browser.value("document.querySelector('#threshold-reset').click()")
    assert texts(browser, "#threshold-value") == ["0.900"]


def test_a_comparison_paints_each_character_by_its_contribution(desk, url, browser) -> None:
    browser.open(link(url, a="怎么修改密码", b="快递到哪了"))
    explanation = desk.encoder.explain("怎么修改密码", "快递到哪了")
    assert texts(browser, ".figure") == [f"{explanation.similarity:.3f}"]
    assert texts(browser, ".badge") == [
        "similar" if explanation.similarity > desk.encoder.threshold else "different"
    ]
    assert "".join(texts(browser, ".characters span")) == "怎么修改密码快递到哪了"
    contributions = [*explanation.contributions1, *explanation.contributions2]
    most = max(map(abs, contributions))
    classes = browser.value(
        "[...document.querySelectorAll('.characters span')].map(s => s.className)"
    )
    assert classes == [
        "" if abs(each) / most < 0.02 else "together" if each >= 0 else "apart"
        for each in contributions
    ]
    numbers = [f"{each:+.3f}".replace("-", "−") for each in contributions]
    assert texts(browser, "details td") == numbers


def test_all_of_it_can_be_done_with_the_keyboard(desk, url, browser) -> None:
    browser.open(url)
    browser.press("/", 191)
    assert browser.value("document.activeElement.id") == "query"
    browser.type("怎么修改密码")
    browser.press("Enter", 13)
    browser.wait_for("document.querySelectorAll('li.card').length === 4")
    for expected in ("BUTTON", "INPUT", "BUTTON"):  # Search, the slider, the first hit's "Why?"
        browser.press("Tab", 9)
        assert browser.value("document.activeElement.tagName") == expected
        outline = browser.value("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"  # one sees where one is
    browser.press("Enter", 13)
    browser.wait_for("document.querySelector('.figure') !== null")
    assert browser.value("document.activeElement.id") == "tab-compare"
    assert browser.value("document.querySelector('#text2').value") == "怎么修改密码"
    browser.press("ArrowLeft", 37)
    assert browser.value("document.activeElement.id") == "tab-search"
    assert browser.value("document.querySelector('#compare').hidden")


def test_the_slider_moves_by_keys(url, browser) -> None:
    browser.open(link(url, q="怎么修改密码"))
    browser.value("document.querySelector('#threshold').focus()")
    browser.press("ArrowLeft", 37)
    assert texts(browser, "#threshold-value") == ["0.890"]
    assert "0.890" in browser.value(
        "document.querySelector('#threshold').getAttribute('aria-valuetext')"
    )


@pytest.mark.parametrize("asked", [{"q": "如何修改密码"}, {"a": "a" * 200, "b": EVIL}])
def test_a_narrow_screen_is_not_scrolled_sideways(url, browser, asked) -> None:
    browser.size(360, 800)
    browser.open(link(url, t=-1, **asked))
    assert browser.value("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("asked", [{"q": "如何修改密码"}, {"a": "怎么修改密码", "b": "快递"}])
def test_texts_stand_out_from_what_is_behind_them(url, browser, scheme, asked) -> None:
    browser.prefer(scheme)
    browser.open(link(url, **asked))
    least = browser.value(CONTRAST)
    assert least >= 4.5  # of WCAG 2, level AA


def test_the_browser_finds_nothing_to_complain_of_and_asks_no_other_server(url, browser) -> None:
    for asked in ({"q": EVIL}, {"a": "怎么", "b": "如何"}):
        browser.open(link(url, **asked))
    requests = browser.reported("Network.requestWillBeSent")
    assert len(requests) > 4
    assert all(each["request"]["url"].startswith(f"{url}/") for each in requests)
    assert browser.reported("Log.entryAdded") == []
    assert browser.reported("Runtime.exceptionThrown") == []


def test_a_refusal_is_shown_as_its_sentence(url, browser) -> None:
    browser.open(link(url, a=" ", b="b"))
    assert texts(browser, ".notice") == ["text1 is empty: write a text."]


def test_without_an_index_there_is_only_the_comparison(browser) -> None:
    with listening(Desk(calibrated_encoder(calibrated=False), None, "best")) as address:
        browser.open(address)
        assert browser.value("document.querySelector('#tab-search').hidden")
        assert not browser.value("document.querySelector('#compare').hidden")
        assert "no calibrator" in texts(browser, "#threshold-meaning")[0]


def test_a_token_is_asked_for_and_kept_for_the_tab(desk, browser) -> None:
    with listening(desk, "secret") as address:
        browser.call("Page.navigate", url=link(address, q="怎么修改密码"))
        browser.wait_for("document.querySelector('#token-form')?.hidden === false")
        assert browser.value("document.activeElement.id") == "token"
        browser.type("secret")
        browser.press("Enter", 13)
        browser.wait_for("document.querySelectorAll('li.card').length === 4")
        browser.open(link(address, q="快递到哪了"))
        assert len(texts(browser, "li.card")) == 4
