"""The page of a run, in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli._tool import workflow_exec
from tests.evidence._logs import passed_run, written

from ._logs import HOSTILE, failed_run, hostile_run, plain_run

FEW, MANY = 4, 320
"""Steps whose details are in the page at once, and so many that they are made when they are opened."""
Open = Callable[..., Any]


@pytest.fixture
def opened(chromium: Any) -> Iterator[Open]:
    """Opens a page, and holds it to asking nobody for anything and to having no errors."""
    contexts, asked, said = [], [], []

    def open_page(path: Path, *, fragment: str = "", **options: Any) -> Any:
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url.partition("#")[0]))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.goto(path.as_uri() + fragment)
        page.locator("#count", has_text="steps").wait_for()
        asked.remove(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert (asked, said) == ([], [])


def _page_of(log: Path) -> Path:
    page = log.parent / "page.html"
    done = workflow_exec("report", log, "--html", page, cwd=log.parent)
    assert done.stderr == ""
    return page


def _shown(page: Any) -> list[str]:
    return [name.strip() for name in page.locator("#step-list > li:visible .name").all_inner_texts()]


def test_page_shows_verdict_steps_gates_and_records(opened: Open, tmp_path: Path) -> None:
    """What verify says is on top; then each step with what happened, each gate with who decided, and the log itself."""
    page = opened(_page_of(written(tmp_path, passed_run())))

    assert "Evidence: bounded" in page.inner_text(".verdict")
    assert _shown(page) == ["build", "approve", "publish"]
    page.click("text=build >> nth=0")
    assert "make" in page.inner_text("#step-build .command")
    assert "approved by alice (terminal, assurance 1)" in page.inner_text("#gates")
    page.locator("#records").scroll_into_view_if_needed()
    page.locator("#record-list li").first.wait_for()
    assert page.locator("#record-list li").count() == 13
    page.fill("#record-search", "gate.decided")
    page.locator("#record-count", has_text="1 of 1").wait_for()


def test_what_went_wrong_stands_on_top(opened: Open, tmp_path: Path) -> None:
    """With why, in its first words, and a link to the step; what it blocks is named apart from it, and counted."""
    page = opened(_page_of(written(tmp_path, failed_run(blocked=30))))

    header = page.inner_text("header")
    assert "bad failed (business) the words of <b>nobody</b>" in " ".join(header.split())
    assert " ..." in header
    assert "late-0, late-1," in header
    assert "and 10 more" in header
    page.click("header a:text-is('bad')")
    page.locator("#step-bad .body .attempt").wait_for()


@pytest.mark.parametrize("steps", [FEW, MANY])
def test_search_and_outcome_choose_steps(opened: Open, tmp_path: Path, steps: int) -> None:
    """A search looks at all that a step's details say; both together hide what does not fit, and say how many are left."""
    page = opened(_page_of(written(tmp_path, plain_run(steps=steps))))

    page.fill("#search", "MADE <3> & more")
    page.locator("#count", has_text=f"1 of {steps} steps").wait_for()
    assert _shown(page) == ["step-3"]
    page.select_option("#outcome", "failed")
    page.locator("#count", has_text=f"0 of {steps} steps").wait_for()
    assert page.locator("#nothing").is_visible()
    page.fill("#search", "")
    page.locator("#count", has_text=f"1 of {steps} steps").wait_for()
    assert _shown(page) == ["step-1"]


@pytest.mark.parametrize("steps", [FEW, MANY])
@pytest.mark.parametrize("fragment", ["#step-3", "#step-step-3"])
def test_a_link_opens_its_step(opened: Open, tmp_path: Path, steps: int, fragment: str) -> None:
    """A step's id behind the page's address opens that step and no other, also where a filter hid it."""
    page = opened(_page_of(written(tmp_path, plain_run(steps=steps))), fragment=fragment)

    page.locator("#step-step-3 .command").wait_for()
    assert "make target-3" in page.inner_text("#step-step-3 .command")
    assert page.locator("details[open]").count() == 1
    page.select_option("#outcome", "failed")
    page.evaluate("location.hash = 'step-0'")
    page.locator("#step-step-0 .command").wait_for()


@pytest.mark.parametrize("steps", [len(HOSTILE), MANY])
def test_texts_of_a_log_stay_texts(opened: Open, tmp_path: Path, steps: int) -> None:
    """Nothing that a log says becomes markup, script or a request, whatever field it stands in and whatever is opened."""
    path = _page_of(written(tmp_path, hostile_run(steps=steps)))
    page = opened(path)

    page.click("#open-all")
    page.locator(f"#step-list > li:nth-child({len(HOSTILE)}) .command").wait_for()
    page.fill("#search", "onerror")
    page.locator("#count", has_text=f"{steps} of {steps}").wait_for()
    page.locator("#records").scroll_into_view_if_needed()
    page.locator("#record-list li").first.wait_for()

    assert page.evaluate("typeof pwned") == "undefined"
    assert page.locator("img, iframe, object, embed, link, base, form, [onerror], [onload], [style]").count() == 0
    assert page.evaluate("Array.from(document.links).every((link) => link.getAttribute('href').startsWith('#'))")
    assert not {"\u202e", "\u2066", "\x1b", "\x00", "\ufeff"} & set(page.evaluate("document.body.innerText"))
    assert "<script>pwned=1</script>" in page.inner_text("h1")
    assert path.read_text(encoding="utf-8").count("<script") == (2 if steps < MANY else 3)


def test_what_is_not_ours_does_not_run(chromium: Any, tmp_path: Path) -> None:
    """The page's own policy stops a script that got into it by other ways, and whatever would load something."""
    path = _page_of(written(tmp_path, passed_run()))
    text = path.read_text(encoding="utf-8")
    added = "<script>pwned=1</script><img src=https://example.org/x.png onerror=pwned=2>"
    path.write_text(text.replace("</main>", f"{added}</main>"), encoding="utf-8")
    loaded: list[str] = []
    refused: list[tuple[str, str]] = []
    page = chromium.new_page()
    page.on("requestfinished", lambda request: loaded.append(request.url))
    page.on("requestfailed", lambda request: refused.append((request.url, request.failure)))

    page.goto(path.as_uri())
    page.locator("#count", has_text="steps").wait_for()

    assert page.evaluate("typeof pwned") == "undefined"
    assert loaded == [path.as_uri()]
    assert refused == [("https://example.org/x.png", "csp")]
    page.close()


@pytest.mark.parametrize(
    "options",
    [{}, {"color_scheme": "dark"}, {"viewport": {"width": 360, "height": 700}}],
    ids=["light", "dark", "phone"],
)
def test_page_is_for_everybody(opened: Open, tmp_path: Path, options: dict[str, Any]) -> None:
    """Axe finds nothing, with all steps open; on a phone nothing is wider than the screen."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install -e '.[browser]'")
    page = opened(_page_of(written(tmp_path, [*passed_run()[:-1], *plain_run(steps=FEW)][:13])), **options)
    page.click("#open-all")

    found = axe.Axe().run(page)

    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_page_is_used_with_the_keyboard_alone(opened: Open, tmp_path: Path) -> None:
    """The first key goes past the head to the steps; the next ones reach search and steps, which open."""
    page = opened(_page_of(written(tmp_path, plain_run(steps=FEW))))

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "search"
    for _ in range(4):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("details[open] .name").all_inner_texts() == ["step-0"]


@pytest.mark.parametrize("steps", [FEW, MANY])
def test_on_paper_everything_is_open(opened: Open, tmp_path: Path, steps: int) -> None:
    """Printing opens the steps that are shown, and closes them again."""
    page = opened(_page_of(written(tmp_path, plain_run(steps=steps))))
    page.fill("#search", "target-")
    page.locator("#count", has_text=f"{steps - 1} of").wait_for()

    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#step-list details[open] .command").count() == steps - 1
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


def test_page_tells_without_scripts(chromium: Any, tmp_path: Path) -> None:
    """Where scripts are off, verdict, steps and their details are there all the same."""
    page = chromium.new_page(java_script_enabled=False)
    page.goto(_page_of(written(tmp_path, plain_run(steps=FEW))).as_uri())

    page.click("#step-step-1 summary")

    assert "it did not work" in page.inner_text("#step-step-1")
    page.close()


def test_index_is_for_everybody_and_loads_nothing(chromium: Any, tmp_path: Path) -> None:
    """Axe finds nothing on the index of runs, hostile texts stay texts there, and its links lead to pages beside it."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install -e '.[browser]'")
    (tmp_path / ".git").mkdir()
    written(tmp_path, hostile_run(steps=2))
    log = written(tmp_path, passed_run())
    assert workflow_exec("report", log, cwd=tmp_path).returncode == 0
    workflow_exec("report", "--all", cwd=tmp_path)
    index = tmp_path / ".workflow-exec" / "reports" / "index.html"
    asked: list[str] = []
    page = chromium.new_page()
    page.on("request", lambda request: asked.append(request.url))

    page.goto(index.as_uri())

    assert axe.Axe().run(page).violations_count == 0
    assert page.locator("img, iframe, script, link, [style], [onerror]").count() == 0
    assert asked == [index.as_uri()]
    page.click(f"text={log.parent.name}")
    page.locator("#count", has_text="3 of 3 steps").wait_for()
    page.close()
