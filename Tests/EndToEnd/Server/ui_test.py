#!/usr/bin/env python3
"""The pages /ui and /docs in headless Chromium: mouse, keyboard, a narrow window, dark colours.

    apt-get install chromium chromium-driver && pip install selenium==4.51.0
    python3 Tests/EndToEnd/Server/ui_test.py [--screenshots FOLDER]        or        pytest Tests/EndToEnd/Server/ui_test.py

Q3 is the path of q3. The pages must show what `q3 embed` and `q3 rerank` print, and load nothing from anywhere else.
"""

import contextlib
import pathlib
import shutil
import sys

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import q3process  # noqa: E402
from q3process import Server  # noqa: E402

KEY = "key-for-the-page"
SCREENSHOTS = None
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</textarea><script>alert(2)</script>",
    "\u202eright to left",
    "&amp; \"quoted\" 'text'",
]


@contextlib.contextmanager
def browser(width=1200, height=1000, dark=False):
    options = webdriver.ChromeOptions()
    for argument in [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--no-proxy-server",
        f"--window-size={width},{height}",
        *(["--blink-settings=preferredColorScheme=0"] if dark else []),
    ]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        if not dark:
            driver.execute_cdp_cmd(
                "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "light"}]}
            )
        else:
            driver.execute_cdp_cmd(
                "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
            )
        if width < 600:
            driver.execute_cdp_cmd(
                "Emulation.setDeviceMetricsOverride",
                {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True},
            )
        yield driver
    finally:
        driver.quit()


def picture(driver, name):
    """Saves the whole page, not only the window."""
    if SCREENSHOTS:
        import base64

        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        (SCREENSHOTS / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))


def wait(driver, condition, seconds=30):
    return WebDriverWait(driver, seconds).until(condition)


def texts(driver, selector):
    return [element.get_attribute("textContent") for element in driver.find_elements(By.CSS_SELECTOR, selector)]


def assert_quiet(driver, allowed=()):
    """No error on the console, and nothing asked of another server."""
    import json

    said = [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert [message for message in said if not any(part in message for part in allowed)] == [], said
    urls = [
        json.loads(entry["message"])["message"]["params"].get("request", {}).get("url", "")
        for entry in driver.get_log("performance")
    ]
    others = [
        url for url in urls if url and not url.startswith(("http://127.0.0.1:", "data:", "about:", "chrome:", "blob:"))
    ]
    assert others == [], others


def compare(driver, query=None, passages=None, instruction=None):
    for name, text in [("query", query), ("passages", passages), ("instruction", instruction)]:
        if text is not None:
            driver.execute_script("document.getElementById(arguments[0]).value = arguments[1]", name, text)
    driver.find_element(By.ID, "compare").click()
    wait(driver, lambda _: driver.find_element(By.ID, "compare").is_enabled())


def rows(driver):
    """(rank, cosine, reranked rank, score, passage) of each row of the table."""
    return [
        tuple(cell.get_attribute("textContent") for cell in row.find_elements(By.TAG_NAME, "td"))
        for row in driver.find_elements(By.CSS_SELECTOR, "#rows tr")
    ]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def assert_shows(driver, query, passages, options=("--query",)):
    """The table holds cosines and scores of the command line, in the order of the cosines."""
    vector = q3process.embed([query], *options)[0]
    cosines = [dot(vector, other) for other in q3process.embed(passages)]
    rerank_options = options if options[0] == "--instruct" else ()
    scores = q3process.scores(query, passages, *rerank_options)
    order = sorted(range(len(passages)), key=lambda index: -cosines[index])
    reranked = sorted(range(len(passages)), key=lambda index: -scores[index])
    shown = rows(driver)
    assert [row[4] for row in shown] == [passages[index] for index in order]
    for place, (row, index) in enumerate(zip(shown, order)):
        assert int(row[0]) == place + 1 and int(row[2]) == reranked.index(index) + 1
        assert abs(float(row[1]) - cosines[index]) < 2e-6 and abs(float(row[3]) - scores[index]) < 2e-6, row
    bars = (
        driver.find_elements(By.CSS_SELECTOR, "#picture rect.cosine"),
        driver.find_elements(By.CSS_SELECTOR, "#picture rect.rerank"),
    )
    assert len(bars[0]) == len(bars[1]) == len(passages)
    assert len(driver.find_elements(By.CSS_SELECTOR, "#picture path.slope")) == len(passages)


def test_compare_shows_what_the_command_line_prints():
    with Server() as server, browser() as driver:
        driver.get(server.url + "/ui")
        wait(driver, lambda _: "and" in driver.find_element(By.ID, "models").text)
        compare(driver)
        assert not driver.find_element(By.ID, "error").is_displayed()
        query = driver.find_element(By.ID, "query").get_property("value")
        passages = driver.find_element(By.ID, "passages").get_property("value").split("\n")
        assert_shows(driver, query, passages)
        tokens = q3process.tokenize([query])[0]["ids"]
        shown = driver.find_elements(By.CSS_SELECTOR, "#tokens li")
        assert len(shown) == len(tokens) + 1  # and the end of text
        for token, element in zip(tokens, shown):
            assert f"id {token}," in element.get_attribute("title")
        times = [
            [cell.text for cell in row.find_elements(By.TAG_NAME, "td")]
            for row in driver.find_elements(By.CSS_SELECTOR, "#times tr")
        ]
        assert [row[0] for row in times] == ["Query", "Passages", "Rerank"]
        assert int(times[1][1]) == sum(q3process.token_counts(passages)) and all(
            cell.endswith("ms") for cell in times[0][2:]
        )
        picture(driver, "ui")
        compare(driver, instruction="Find the opposite")
        assert_shows(driver, query, passages, ("--instruct", "Find the opposite"))
        assert_quiet(driver)


def test_keyboard_and_long_passages():
    with Server() as server, browser() as driver:
        driver.get(server.url + "/ui")
        long = ["first passage\nwith two lines", "second passage " * 30, "third"]
        driver.execute_script("document.getElementById('passages').value = arguments[0]", "\n\n".join(long))
        driver.find_element(By.ID, "query").send_keys(" again", Keys.CONTROL, Keys.ENTER)
        wait(driver, lambda _: rows(driver))
        assert_shows(driver, "What is the capital of China? again", [text.strip() for text in long])
        picture(driver, "ui-long")
        # Every passage of the picture can be reached by keyboard and says what it shows.
        group = driver.find_element(By.CSS_SELECTOR, "#picture g.passage")
        driver.execute_script("arguments[0].focus()", group)
        assert driver.switch_to.active_element == group and "cosine" in group.get_attribute("aria-label")
        assert_quiet(driver)


def test_hostile_texts_are_shown_as_they_are():
    with Server() as server, browser() as driver:
        driver.get(server.url + "/ui")
        compare(driver, HOSTILE[0], "\n".join(HOSTILE))
        assert_shows(driver, HOSTILE[0], HOSTILE)
        assert driver.find_elements(By.CSS_SELECTOR, "main img, #results script") == []
        picture(driver, "ui-hostile")
        assert_quiet(driver)


def test_errors_are_legible_and_the_key_is_sent():
    with Server("--api-key", KEY) as server, browser(dark=True) as driver:
        driver.get(server.url + "/ui")
        compare(driver)
        error = driver.find_element(By.ID, "error")
        assert error.is_displayed() and "API key" in error.text and "{" not in error.text
        picture(driver, "ui-error-dark")
        driver.find_element(By.ID, "key").send_keys(KEY)
        compare(driver)
        assert not error.is_displayed() and rows(driver)
        picture(driver, "ui-dark")
        compare(driver, query="word " * 40_000)
        assert error.is_displayed() and "tokens" in error.text and "{" not in error.text, error.text
        assert (
            KEY not in driver.current_url
            and driver.execute_script("return localStorage.length + document.cookie.length") == 0
        )
        server.stop()
        compare(driver, query="x")
        assert error.is_displayed() and "does not answer" in error.text
        assert_quiet(driver, allowed=["401", "400", "ERR_CONNECTION_REFUSED", "502"])


def test_one_model_and_a_narrow_window():
    for model, kind in [(q3process.EMBEDDER, "cosine"), (q3process.RERANKER, "rerank")]:
        with Server(models=[model]) as server, browser(width=390, height=800) as driver:
            driver.get(server.url + "/ui")
            compare(driver)
            assert not driver.find_element(By.ID, "error").is_displayed(), driver.find_element(By.ID, "error").text
            assert len(driver.find_elements(By.CSS_SELECTOR, f"#picture rect.{kind}")) == 6
            assert driver.find_elements(By.CSS_SELECTOR, "#picture path.slope") == []
            picture(driver, f"ui-narrow-{kind}")
            assert_quiet(driver)
            assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth"), (
                "scrolls sideways"
            )
    with Server() as server, browser(width=390, height=800) as driver:
        driver.get(server.url + "/ui")
        compare(driver)
        picture(driver, "ui-narrow")
        assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"


def test_docs_list_every_route():
    import json

    for dark, width in [(False, 1200), (True, 390)]:
        with Server() as server, browser(width=width, dark=dark) as driver:
            document = json.loads(server.get("/openapi.json")[2])
            driver.get(server.url + "/docs")
            wait(driver, lambda _: driver.find_elements(By.CSS_SELECTOR, "article.route"))
            shown = texts(driver, "article.route .path")
            wanted = [path for path, operations in document["paths"].items() for _ in operations]
            assert sorted(shown) == sorted(wanted)
            assert all("curl" in text for text in texts(driver, "article.route pre.curl"))
            assert len(texts(driver, "article.route pre.curl")) == len(wanted)
            assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth"), (
                "scrolls sideways"
            )
            picture(driver, f"docs-{width}")
            route = driver.find_element(By.ID, "post-v1-embeddings")
            route.find_element(By.TAG_NAME, "summary").send_keys(Keys.ENTER)
            cells = [
                [cell.text for cell in row.find_elements(By.TAG_NAME, "td")]
                for row in route.find_elements(By.CSS_SELECTOR, "tbody tr")
            ]
            assert ["input", "required"] in [[row[0], row[2]] for row in cells if len(row) == 4]
            driver.find_element(By.ID, "filter").send_keys("ollama")
            left = [
                path.text
                for path in driver.find_elements(By.CSS_SELECTOR, "article.route .path")
                if path.is_displayed()
            ]
            assert left and all(path.startswith("/api/") or path == "/" for path in left), left
            driver.find_element(By.ID, "filter").clear()
            driver.find_element(By.ID, "filter").send_keys("/v1/embeddings")
            picture(driver, f"docs-{width}-route")
            assert_quiet(driver)


def test_the_examples_of_the_docs_work():
    import json

    with Server() as server:
        document = json.loads(server.get("/openapi.json")[2])
        for path, operations in document["paths"].items():
            # Without an index there is nothing to search; Tests/EndToEnd/Index tries these.
            if "post" in operations and path not in ("/embed_sparse", "/search", "/mcp"):
                body = operations["post"]["requestBody"]["content"]["application/json"]["example"]
                # The tiny model of the tests has fewer tokens and values than the models that the examples are about.
                body = json.loads(json.dumps(body).replace("9707", "39"))
                status, _, value = server.post(path, body)
                assert status == 200, (path, status, value)


def main():
    global SCREENSHOTS
    if "--screenshots" in sys.argv:
        SCREENSHOTS = pathlib.Path(sys.argv[sys.argv.index("--screenshots") + 1])
    import traceback

    tests = [(name, function) for name, function in globals().items() if name.startswith("test_")]
    failed = 0
    for name, function in tests:
        try:
            function()
            print(f"{name} passed", flush=True)
        except Exception:
            failed += 1
            print(f"{name} FAILED\n{traceback.format_exc()}", flush=True)
    print(f"{len(tests) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
