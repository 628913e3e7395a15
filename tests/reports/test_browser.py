"""Pages as Chromium shows them, opened from disk with the network off."""

from __future__ import annotations

import json
import random
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from emdiag.core.grades import Verdict
from emdiag.core.page_samples import PageSamples, ShownColumn, ShownProblem, ShownSample
from emdiag.findings.page import Cell, Context, Fact, Page, Picture, Section, Statement, Table
from emdiag.reports.render import write_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome

pytestmark = pytest.mark.browser

HOSTILE = (
    "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"
    "<svg onload='window.hacked = 3'><a href='javascript:window.hacked = 4'>x</a>"
    "\u202egnp.exe\u202c $\\href{javascript:window.hacked=5}{x}$ \\boxed{<b>4</b>} \u0007"
)
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="648pt" height="200pt" viewBox="0 0 648 200">'
    '<rect width="648" height="200" style="fill: #ffffff"/><text x="9" y="30">wide</text></svg>'
)
WORDS = ("so", "the", "sum", "of", "both", "sides", "is", "equal", "to", "what", "we", "divide")
CORRECT, WRONG, NO_ANSWER, UNDECIDED = Verdict


def a_page(book: PageSamples | None) -> Page:
    wide = Table(
        title="Wide",
        columns=tuple(f"column {at}" for at in range(12)),
        rows=((tuple(Cell(text=f"{at}.25 [0.10, 0.40]", hint="why") for at in range(12))),),
    )
    picture = Picture(name="wide", svg=SVG, caption="A wide figure.", alt="A wide figure")
    return Page(
        kind="comparison",
        title="A page for tests",
        question="Does it work?",
        answers=(Statement(words="It gains +13.1 points [8.9, 17.2].", tone="better"),),
        sections=(
            Section(heading="Shown", pictures=(picture,), tables=(wide,)),
            Section(heading="Folded", words=("Inside the fold.",), is_detail=True),
        ),
        cautions=("Nothing was measured.",),
        context=Context(
            asked=(Fact(name="a", value="b"),), commands=("emdiag demo",), samples=book
        ),
    )


def a_sample(problem: int, column: int, index: int, **other: Any) -> ShownSample:
    plain: dict[str, Any] = {
        "text": f"Steps of {problem}. \\boxed{{4}}", "left_out": 0, "verdict": CORRECT,
        "extracted": "4", "boxed": True, "finish_reason": "stop", "tokens": 20,
        "second_verdict": CORRECT,
    }  # fmt: skip
    return ShownSample(problem=problem, column=column, sample_index=index, **{**plain, **other})


def small_book() -> PageSamples:
    problems = tuple(
        ShownProblem(
            id=f"chain/{at:04}", benchmark="chain", answer="\\frac{1}{2}" if at == 3 else "4",
            statement=HOSTILE if at == 4 else f"Compute $x_{at} + {at}$ mod 10.",
            group=f"{4 + at % 2} digits", tags=("gold doubtful",) if at == 3 else (),
        )
        for at in range(40)
    )  # fmt: skip
    columns = tuple(
        ShownColumn(label=label, title=f"{label}, T 0.6", benchmark="chain", run_key=label)
        for label in ("base", "em", "rl")
    )
    odd: dict[tuple[int, int, int], dict[str, Any]] = {
        (1, 0, 0): {"verdict": WRONG, "extracted": "5"},
        (2, 1, 0): {"finish_reason": "length", "boxed": False, "verdict": NO_ANSWER,
                    "extracted": None, "left_out": 1234},
        (3, 1, 1): {"verdict": UNDECIDED, "second_verdict": WRONG},
        (4, 0, 0): {"text": HOSTILE, "extracted": HOSTILE},
        (5, 0, 0): {"text": "x" * 1_000_000},
        (6, 0, 0): {"text": "\u202e" * 30_000 + "$\\frac{1}{2}$"},
        (8, 0, 0): {"verdict": None, "extracted": None, "boxed": False},
        (7, 0, 0): {"text": "before $\\frac{1}{2}$ after, costs $5 or $6"},
    }  # fmt: skip
    samples = tuple(
        a_sample(problem, column, index, **odd.get((problem, column, index), {}))
        for column in range(3)
        for problem in range(40)
        for index in range(2)
    )
    return PageSamples(
        problems=problems, columns=columns, samples=samples, total=999, choice="the first ones",
        most_characters=1_000_000, graders=("math-verify/1", "published/1"),
    )  # fmt: skip


def large_book() -> PageSamples:
    """10,000 samples of 2 runs with texts of 600 to 3,000 characters, formulas among them."""
    draw = random.Random(0)

    def text() -> str:
        parts = []
        for _ in range(draw.randint(8, 40)):
            parts.append(" ".join(draw.choices(WORDS, k=14)))
            parts.append(f"$\\frac{{{draw.randint(1, 99)}}}{{x + {draw.randint(1, 99)}}}$.\n")
        return " ".join([*parts, f"\\boxed{{{draw.randint(0, 9)}}}"])

    problems = tuple(
        ShownProblem(
            id=f"math500/{at:04}", benchmark="math500", statement=f"Find $x$ if $x^{at} = 2$.",
            answer="4", group=f"level {at % 5 + 1}", tags=(),
        )
        for at in range(500)
    )  # fmt: skip
    columns = tuple(
        ShownColumn(label=label, title=label, benchmark="math500", run_key=label)
        for label in ("base", "em")
    )
    samples = tuple(
        a_sample(
            problem,
            column,
            index,
            text=text(),
            verdict=draw.choice([CORRECT, WRONG]),
            second_verdict=None,
        )
        for column in range(2)
        for problem in range(500)
        for index in range(10)
    )
    return PageSamples(
        problems=problems, columns=columns, samples=samples, total=10_000, choice=None,
        most_characters=20_000, graders=("math-verify/1",),
    )  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.fail("chromium and chromedriver are missing: apt-get install chromium-driver")
    options = ChromeOptions()
    options.binary_location = binary
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = Chrome(options=options, service=ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    books = {"small": small_book(), "large": large_book(), "none": None}
    return {name: write_page(a_page(book), folder / f"{name}.html") for name, book in books.items()}


@pytest.fixture
def load(browser: Chrome, pages: dict[str, Path]) -> Iterator[Callable[..., Chrome]]:
    """Opens a page and waits for its browser of samples; afterwards no complaint may be logged."""
    from selenium.webdriver.support.wait import WebDriverWait

    def go(
        name: str = "small", *, fragment: str = "", width: int = 1280, wait: bool = True
    ) -> Chrome:
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
        )
        browser.get("about:blank")
        browser.get(pages[name].as_uri() + fragment)
        if wait and name != "none":
            WebDriverWait(browser, 30).until(
                lambda chrome: chrome.execute_script(
                    "return document.getElementById('browser').dataset.ready === 'true'"
                )
            )
        return browser

    logged(browser, "browser")
    logged(browser, "performance")
    yield go
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    assert logged(browser, "browser") == []
    assert requests(browser) <= {page.as_uri() for page in pages.values()} | {"about:blank"}


def logged(browser: Chrome, kind: str) -> list[dict[str, Any]]:
    """What was logged since the last call: `browser` for complaints, `performance` for traffic."""
    read: Callable[[str], list[dict[str, Any]]] = browser.get_log
    return read(kind)


def requests(browser: Chrome) -> set[str]:
    messages = [json.loads(entry["message"])["message"] for entry in logged(browser, "performance")]
    sent = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    return {url.split("#")[0] for url in sent}


def run(browser: Chrome, script: str, *arguments: object) -> Any:
    return browser.execute_script(script, *arguments)


def texts(browser: Chrome, selector: str) -> list[str]:
    script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText)"
    return [str(text) for text in run(browser, script, selector)]


def press(browser: Chrome, *keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).send_keys(*keys).perform()


def to_samples(browser: Chrome) -> None:
    run(browser, "document.getElementById('samples').scrollIntoView({behavior: 'instant'})")


def pick(browser: Chrome, kind: str, words: str) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.select import Select

    Select(browser.find_element(By.CSS_SELECTOR, f".{kind} select")).select_by_visible_text(words)


def click(browser: Chrome, selector: str, *, containing: str = "") -> None:
    run(
        browser,
        "[...document.querySelectorAll(arguments[0])]"
        ".find((one) => one.textContent.startsWith(arguments[1])).click()",
        selector,
        containing,
    )


def sideways(browser: Chrome) -> int:
    """Pixels by which the page is wider than its window."""
    root = "document.documentElement"
    return int(run(browser, f"return {root}.scrollWidth - {root}.clientWidth"))


def shown(browser: Chrome) -> str:
    return texts(browser, ".counter")[0].split(";")[0]


def heading(browser: Chrome) -> str:
    return texts(browser, ".detail h3")[0]


@pytest.mark.parametrize("name", ["none", "small"])
def test_a_page_opens_without_a_complaint(load: Callable[..., Chrome], name: str) -> None:
    browser = load(name)

    assert texts(browser, "h1") == ["A page for tests"]


def test_the_policy_stops_scripts_that_are_put_in_later(load: Callable[..., Chrome]) -> None:
    browser = load()
    run(
        browser,
        "const added = document.createElement('img'); added.src = 'https://example.org/x.png';"
        "try { document.body.innerHTML = '<b>x</b>'; window.hacked = 1; } catch {}",
    )
    messages = [entry["message"] for entry in logged(browser, "browser")]

    assert run(browser, "return window.hacked") is None
    assert any("Content Security Policy" in message for message in messages)
    logged(browser, "performance")


@pytest.mark.parametrize(
    ("filter_name", "rows"),
    [("wrong", 1), ("truncated", 1), ("no box", 1), ("undecided", 1), ("ungraded", 1),
     ("graders disagree", 3), ("flipped", 3)],
)  # fmt: skip
def test_each_filter_passes_the_samples_it_names(
    load: Callable[..., Chrome], filter_name: str, rows: int
) -> None:
    browser = load()
    click(browser, ".filters button", containing=filter_name)

    assert shown(browser) == f"{rows} of 80 shown"
    assert len(texts(browser, ".row")) == rows


def test_filters_that_mean_nothing_for_the_chosen_runs_are_not_offered(
    load: Callable[..., Chrome],
) -> None:
    browser = load()
    pick(browser, "right", "nothing")
    assert not any(text.startswith("flipped") for text in texts(browser, ".filters button"))

    browser = load("large")
    offered = texts(browser, ".filters button")
    assert not any(text.startswith(("graders", "ungraded")) for text in offered)


def test_search_finds_statements_completions_ids_and_answers(load: Callable[..., Chrome]) -> None:
    browser = load()
    found = {}
    for query in ("CHAIN/0007", "steps of 39", "x_12 +", "5"):
        run(
            browser,
            "const search = document.querySelector('input[type=search]'); search.value = "
            "arguments[0]; search.dispatchEvent(new Event('input'))",
            query,
        )
        found[query] = shown(browser)

    assert [found[query] for query in ("CHAIN/0007", "steps of 39", "x_12 +")] == [
        "2 of 80 shown"
    ] * 3
    assert found["5"] != "80 of 80 shown"


def test_groups_and_every_run_can_be_chosen(load: Callable[..., Chrome]) -> None:
    browser = load()
    pick(browser, "group", "5 digits")
    assert shown(browser) == "40 of 80 shown"

    pick(browser, "left", "every run")
    assert shown(browser) == "120 of 240 shown"


def test_two_runs_stand_side_by_side_for_the_same_problem_and_sample(
    load: Callable[..., Chrome],
) -> None:
    browser = load()

    assert texts(browser, ".side h4") == ["base, T 0.6", "em, T 0.6"]
    assert heading(browser) == "chain/0000, sample 0"
    pick(browser, "right", "rl, T 0.6")
    assert texts(browser, ".side h4") == ["base, T 0.6", "rl, T 0.6"]


def test_the_keys_do_what_the_help_says(load: Callable[..., Chrome]) -> None:
    from selenium.webdriver.common.keys import Keys

    browser = load()
    to_samples(browser)
    press(browser, "j", "j")
    assert heading(browser) == "chain/0001, sample 0"
    press(browser, "k")
    assert heading(browser) == "chain/0000, sample 1"
    press(browser, "/")
    assert run(browser, "return document.activeElement.type") == "search"
    press(browser, "chain/0003", Keys.ENTER)
    assert run(browser, "return document.activeElement.role") == "listbox"
    assert heading(browser) == "chain/0003, sample 0"
    press(browser, Keys.ARROW_DOWN, Keys.ENTER)
    assert heading(browser) == "chain/0003, sample 1"
    assert run(browser, "return document.activeElement.className") == "detail"
    press(browser, Keys.ESCAPE)
    assert run(browser, "return document.activeElement.className") == "list"
    press(browser, Keys.ESCAPE)
    assert texts(browser, ".detail .empty") == ["Choose a sample."]
    press(browser, "?")
    assert "switch a filter" in texts(browser, ".keys")[0]


def test_filters_switch_and_cycle_by_keys_until_keys_are_turned_off(
    load: Callable[..., Chrome],
) -> None:
    browser = load()
    to_samples(browser)
    pressed = ".filters [aria-pressed=true]"
    press(browser, "1", "2")
    assert [text.split()[0] for text in texts(browser, pressed)] == ["wrong", "truncated"]
    press(browser, "1", "2", "f")
    assert [text.split()[0] for text in texts(browser, pressed)] == ["wrong"]
    press(browser, "f")
    assert [text.split()[0] for text in texts(browser, pressed)] == ["truncated"]
    click(browser, ".keys input")
    press(browser, "f")
    assert [text.split()[0] for text in texts(browser, pressed)] == ["truncated"]


def test_the_list_says_which_row_is_chosen_and_how_many_there_are(
    load: Callable[..., Chrome],
) -> None:
    browser = load()
    to_samples(browser)
    press(browser, "j")
    row = run(
        browser,
        "const list = document.querySelector('[role=listbox]');"
        "const row = document.getElementById(list.getAttribute('aria-activedescendant'));"
        "return [row.ariaSelected, row.ariaPosInSet, row.ariaSetSize, row.ariaLabel]",
    )
    assert row == ["true", "2", "80", "chain/0000 sample 1, correct, then correct"]


def test_hostile_samples_are_text(load: Callable[..., Chrome]) -> None:
    browser = load(fragment="#s=chain/0004:0:base%2C%20T%200.6")
    before = run(browser, "return document.querySelectorAll('script, img, a, svg, iframe').length")
    press(browser, "r")

    assert heading(browser) == "chain/0004, sample 0"
    assert "<img src=x onerror=" in texts(browser, ".completion")[0]
    assert "U+202E" in texts(browser, ".completion .mark")
    assert run(browser, "return document.querySelectorAll('.detail *').length") < 80
    assert run(browser, "return document.querySelectorAll('.detail img, .detail a').length") == 0
    after = run(browser, "return document.querySelectorAll('script, img, a, svg, iframe').length")
    assert after == before
    assert run(browser, "return window.hacked") is None
    inside = "return document.querySelector('.detail').innerText.match(/[\\u202a-\\u202e]/)"
    assert run(browser, inside) is None


@pytest.mark.parametrize("width", [380, 1280])
def test_a_line_of_a_megabyte_neither_widens_nor_fills_the_page(
    load: Callable[..., Chrome], width: int
) -> None:
    browser = load(fragment="#s=chain/0005:0:base%2C%20T%200.6", width=width)

    assert sideways(browser) == 0
    assert run(browser, "return document.querySelector('.completion').offsetHeight") < 700
    assert "980,000 characters" in texts(browser, ".completion button")[0]
    click(browser, ".completion button")
    assert "960,000 characters" in texts(browser, ".completion button")[0]


def test_thousands_of_hidden_marks_do_not_become_thousands_of_elements(
    load: Callable[..., Chrome],
) -> None:
    browser = load(fragment="#s=chain/0006:0:base%2C%20T%200.6")

    assert run(browser, "return document.querySelectorAll('.completion .mark').length") <= 2000


def test_a_formula_shows_what_was_written_on_a_click_and_on_a_key(
    load: Callable[..., Chrome],
) -> None:
    from selenium.webdriver.common.keys import Keys

    browser = load(fragment="#s=chain/0007:0:base%2C%20T%200.6")
    assert run(browser, "return document.querySelectorAll('.completion mfrac').length") == 1
    assert texts(browser, ".completion")[0].endswith("after, costs $5 or $6")

    click(browser, ".completion .formula")
    assert texts(browser, ".completion .formula") == ["$\\frac{1}{2}$"]
    run(browser, "document.querySelector('.completion .formula').focus()")
    press(browser, Keys.ENTER)
    assert run(browser, "return document.querySelectorAll('.completion mfrac').length") == 1
    press(browser, "r")
    assert run(browser, "return document.querySelectorAll('.detail math').length") == 0


def test_a_link_opens_its_sample_alone_or_beside_another(load: Callable[..., Chrome]) -> None:
    browser = load(fragment="#s=chain/0003:1:em%2C%20T%200.6:rl%2C%20T%200.6")
    assert heading(browser) == "chain/0003, sample 1"
    assert texts(browser, ".side h4") == ["em, T 0.6", "rl, T 0.6"]
    assert "gold doubtful" in texts(browser, ".detail")[0]

    click(browser, ".detail .link")
    assert run(browser, "return location.hash") == "#s=chain/0003:1:em%2C%20T%200.6:rl%2C%20T%200.6"
    run(browser, "location.hash = '#s=chain/0009:0:base%2C%20T%200.6'")
    browser.execute_async_script("setTimeout(arguments[0], 50)")
    assert (heading(browser), texts(browser, ".side h4")) == (
        "chain/0009, sample 0", ["base, T 0.6"],
    )  # fmt: skip


@pytest.mark.parametrize("fragment", ["#s=%E0%A4%A", "#s=chain/9999:0:em", "#s=", "#s=a:b:c:d:e"])
def test_a_link_to_nothing_shows_the_first_sample(
    load: Callable[..., Chrome], fragment: str
) -> None:
    assert heading(load(fragment=fragment)) == "chain/0000, sample 0"


@pytest.mark.parametrize("name", ["small", "large", "none"])
def test_a_narrow_page_does_not_scroll_sideways(load: Callable[..., Chrome], name: str) -> None:
    browser = load(name, width=380)
    run(browser, "for (const part of document.querySelectorAll('details')) part.open = true")

    assert sideways(browser) == 0


def test_a_link_leads_into_what_is_folded(load: Callable[..., Chrome]) -> None:
    browser = load("none")
    visible = "return document.querySelector('details.section p').checkVisibility()"
    assert run(browser, visible) is False

    assert "Folded" not in " ".join(texts(browser, ".contents a"))
    run(browser, "location.hash = document.querySelector('details.section').id")
    browser.execute_async_script("setTimeout(arguments[0], 50)")
    assert run(browser, visible) is True


def test_dark_is_dark_by_the_system_and_by_the_button(load: Callable[..., Chrome]) -> None:
    browser = load()
    ground = "return getComputedStyle(document.documentElement).backgroundColor"
    light = run(browser, ground)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    dark = run(browser, ground)
    assert dark != light
    card = "return getComputedStyle(document.querySelector('.card')).backgroundColor"
    assert run(browser, card) == "rgb(255, 255, 255)"

    click(browser, "#theme")
    assert run(browser, ground) == light
    assert run(browser, "return Object.keys(localStorage).length") == 0


def test_print_hides_the_browser_and_unfolds_the_rest(load: Callable[..., Chrome]) -> None:
    browser = load()
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})

    hidden = "return getComputedStyle(document.querySelector(arguments[0])).display"
    for selector in ("#browser", ".contents", "#theme"):
        assert run(browser, hidden, selector) == "none"
    assert run(browser, "return document.querySelector('details.section p').checkVisibility()")


def test_without_scripts_the_page_is_whole_and_says_what_is_missing(
    load: Callable[..., Chrome],
) -> None:
    browser = load("none")
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        load("small", wait=False)
        assert "+13.1\N{NO-BREAK SPACE}points" in texts(browser, ".statement")[0]
        assert "needs JavaScript" in texts(browser, ".samples noscript p")[0]
        assert run(browser, "return document.getElementById('theme').checkVisibility()") is False
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_ten_thousand_samples_stay_usable(
    load: Callable[..., Chrome], pages: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    browser = load("large")
    paint = run(browser, "return performance.getEntriesByType('paint')[0].startTime")
    ready = run(browser, "return performance.now()")
    measured = run(
        browser,
        """
        const search = document.querySelector('input[type=search]');
        const timed = (act) => {
          const start = performance.now();
          act();
          document.querySelector('.list').getBoundingClientRect();
          return performance.now() - start;
        };
        const type = (words) => timed(() => {
          search.value = words;
          search.dispatchEvent(new Event('input'));
        });
        const chip = () => timed(() => document.querySelector('.filters button').click());
        return [type('equal to'), type('\\\\frac{7}{x + 7'), type(''), chip(), chip()];
        """,
    )
    rows = run(browser, "return document.querySelectorAll('.row').length")
    run(browser, "document.querySelector('.list').scrollTop = 200000")
    browser.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0]))")

    assert rows < 60
    assert len(texts(browser, ".row")) < 60
    assert shown(browser) == "5,000 of 5,000 shown"
    size = pages["large"].stat().st_size
    with capsys.disabled():
        print(  # noqa: T201  the figures are what this test is for
            f"\n10,000 samples, {size / 1e6:.1f} MB: first paint {paint:.0f} ms, samples ready by "
            f"{ready:.0f} ms; first search {measured[0]:.0f} ms, next {measured[1]:.0f} ms, "
            f"search cleared {measured[2]:.0f} ms, filter {measured[3]:.0f} ms, and off "
            f"{measured[4]:.0f} ms"
        )
