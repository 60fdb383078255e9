"""The page in a real browser: signing in, live values, the chart; an error in its console is a failure."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fakes.services import require
from tests.web.demo import Answers, furnish
from tests.web.house import House

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
PICTURES = os.environ.get("OHMSTEAD_PICTURES")  # a folder to leave screenshots in


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
async def house(tmp_path: Path, answers: Answers):
    async with House(tmp_path, answers.routes()) as house:
        answers.house = house
        await furnish(house)
        yield house


@pytest.fixture
async def browser():
    playwright = pytest.importorskip("playwright.async_api")
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=require("chromium"), args=ARGUMENTS)
        yield browser
        await browser.close()


async def picture(page, name: str) -> None:
    if PICTURES:
        await page.screenshot(path=f"{PICTURES}/{name}.png", full_page=True)


async def shows(page, selector: str, text: str) -> None:
    await page.locator(f"{selector}:has-text('{text}')").wait_for(timeout=15_000)


async def sign_in(page, house: House) -> None:
    await page.goto(house.url)
    await page.fill("#token", house.token)
    await page.click("form button")
    await page.wait_for_selector(".device")


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [("desk", (1280, 900), "light"), ("desk-dark", (1280, 900), "dark"), ("phone", (390, 844), "light"), ("phone-dark", (390, 844), "dark")],
)
async def test_page(house: House, browser, name: str, size: tuple[int, int], scheme: str) -> None:
    context = await browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, locale="en-GB")
    page = await context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    await page.goto(house.url)
    await picture(page, f"{name}-sign-in")
    await sign_in(page, house)
    await page.wait_for_selector("#chart svg")
    assert await page.inner_text("#connection") == "live"
    assert await page.inner_text("#chart-title") == "Grid meter · Power"
    table = await page.inner_text("#devices")
    assert "Fridge <b>& co</b>" in table
    assert "State of charge" in table
    await picture(page, name)

    await house.reading("pv", "power", 4321.0)
    await shows(page, "#devices", "4,321")
    await house.reading("new-one", "power", 5.0)  # a device that was not there when the page was loaded
    await shows(page, "#devices", "new-one")

    await page.click("section:has-text('Grid meter') .series:has-text('Energy import')")
    await page.wait_for_selector("#chart rect.bar-of")
    await page.click(".ranges button:has-text('7 d')")
    await page.wait_for_selector("#chart rect.bar-of:nth-of-type(100)", state="attached")
    box = await (await page.query_selector("#chart")).bounding_box()
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    assert "kWh" in await page.inner_text(".tip")
    await picture(page, f"{name}-counter")
    await page.click("section:has-text('Battery') .series:has-text('Mode')")
    await page.wait_for_selector(".blank")
    await page.fill("#filter", "pv")
    assert await page.locator(".device:visible").count() == 1
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    await page.click("text=API")
    assert "/api/v1/states" in await page.inner_text("main")
    await picture(page, f"{name}-api")
    await page.go_back()
    await page.click("text=Sign out")
    await page.wait_for_selector("#token")
    assert not said, said
    await page.close()
    await context.close()


async def test_alerts_and_automations(house: House, answers: Answers, browser) -> None:
    page = await browser.new_page()
    answers.alert(1, severity="low")
    await sign_in(page, house)
    await shows(page, "#alert-list", "Alert <i>1</i>")
    answers.alert(2)
    answers.alert(3, status="suppressed")
    await shows(page, "#alerts", "2 and 1 that these explain")
    assert [await each.inner_text() for each in await page.locator("#alert-list b").all()] == ["Alert <i>2</i>", "Alert <i>1</i>"]
    await picture(page, "alerts")
    await page.click("#alert-list li:has-text('Alert <i>2</i>') button")
    await shows(page, "#alert-list", "owner cares")
    assert await page.locator("#alert-list button").count() == 1
    for id_ in (1, 2, 3):
        answers.alert(id_, status="resolved")
    await page.locator("#alerts").wait_for(state="hidden")
    await shows(page, "#automation-list", "Charge the car")
    assert await page.inner_text("#automation-list li:has-text('Shed load') .status") == "failed"
    await page.close()


async def test_wrong_token(house: House, browser) -> None:
    page = await browser.new_page()
    await page.goto(house.url)
    await page.fill("#token", "wrong")
    await page.click("form button")
    assert "not the token" in await page.inner_text("[role=alert]")
    await picture(page, "wrong-token")
    await page.close()


async def test_the_hub_goes_and_comes_back(tmp_path: Path, browser) -> None:
    answers = Answers()
    async with House(tmp_path, answers.routes()) as house:
        answers.house = house
        page = await browser.new_page()
        await sign_in(page, house)
        assert "no connection" not in await page.inner_text("#connection")
        await house.web.stop()
        await shows(page, "#connection", "no connection")
        await house.web.start()
        await shows(page, "#connection", "live")
        await page.close()
