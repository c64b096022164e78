#!/usr/bin/env python3
"""The search page /ui in headless Chromium, over indexes with hostile names and texts.

    apt-get install chromium chromium-driver && pip install selenium==4.51.0
    python3 Tests/EndToEnd/Index/ui_test.py Q3 [--screenshots FOLDER]

The page must show what `q3 search --format jsonl` prints, load nothing from anywhere else, and run nothing that is in a text.
"""
import json, os, pathlib, subprocess, sys, tempfile

q3 = os.environ["Q3"] = os.path.abspath(sys.argv[1])
root = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(root / "Tests/EndToEnd/Server"))

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
import q3process, ui_test
from q3process import Server
from ui_test import assert_quiet, browser, picture, texts, wait

HOSTILE_TEXT = "Whales <img src=x onerror=\"document.title='owned'\"> & <script>document.title='owned'</script> &amp; swim."
HOSTILE_NAME = "<img src=x onerror=document.title='owned'>.txt"


def make(folder):
    docs = folder / "docs"
    docs.mkdir()
    (docs / HOSTILE_NAME).write_text(HOSTILE_TEXT)
    (docs / "'quoted' \"name\".md").write_text("# <b>Bold</b> heading\n\nWhales sing & dance. 🐋 Grüße an die Wale.\n")
    for number in range(12):
        (docs / f"note {number}.md").write_text(f"# Note {number}\n\nA note on whales, seas and the number {number}.\n\n"
                                               f"## Second part {number}\n\n" + f"More of note {number}. " * 60)
    for name, paths in [("notes", [docs]), ("other", [root / "README.md", root / "CONTRIBUTING.md"])]:
        index = str(folder / f"{name}.q3i")
        subprocess.run([q3, "index", "create", index, "--model", str(q3process.EMBEDDER)], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([q3, "index", "add", index, *map(str, paths)], check=True, stdout=subprocess.DEVNULL)
    return str(folder / "notes.q3i"), str(folder / "other.q3i")


def found(query, index, *options):
    done = subprocess.run([q3, "search", query, "--index", index, "--format", "jsonl", *options], capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def put(driver, name, value):
    driver.execute_script("document.getElementById(arguments[0]).value = arguments[1]", name, value)


def search(driver, **fields):
    for name, value in fields.items(): put(driver, name, value)
    driver.execute_script("document.getElementById('status').textContent = ''")
    driver.find_element(By.ID, "search").click()
    wait(driver, lambda _: driver.find_element(By.ID, "search").is_enabled())
    assert driver.title == "q3: search", driver.title


def places(driver):
    return [text.split(" · ")[0] for text in texts(driver, "#hits .place")]


def test_hits_are_those_of_the_command_line(notes, other):
    with Server("--index", notes, "--index", f"second={other}") as server, browser() as driver:
        driver.get(server.url + "/ui")
        wait(driver, lambda _: "notes: 14 documents" in driver.find_element(By.ID, "about").text)
        assert texts(driver, "#index option") == ["notes", "second"]
        search(driver, query="whales")
        expected = found("whales", notes)
        assert places(driver) == [f"{hit['path']}:{hit['lines'][0]}" for hit in expected]
        assert texts(driver, "#hits .snippet") == [hit["snippet"] for hit in expected]
        letters = lambda hit: [hit["snippet"][start:end] for start, end in hit["marks"]]
        assert texts(driver, "#hits mark") == [word for hit in expected for word in letters(hit)]
        assert len(driver.find_elements(By.CSS_SELECTOR, "#map rect")) == 100
        assert not driver.find_element(By.ID, "order").is_displayed()
        picture(driver, "search")
        # Filters, order, groups and another index.
        search(driver, where="path:note*\ntitle!=Note 3", mode="words", limit="5")
        options = ["--where", "path:note*", "--where", "title!=Note 3", "--mode", "words", "--top-n", "5"]
        assert places(driver) == [f"{hit['path']}:{hit['lines'][0]}" for hit in found("whales", notes, *options)]
        search(driver, query="tests", where="", mode="vectors", limit="10", index="second")
        assert places(driver) == [f"{hit['path']}:{hit['lines'][0]}" for hit in found("tests", other, "--mode", "vectors")]
        driver.find_element(By.ID, "group").click()
        search(driver)
        assert len(places(driver)) == 2
        search(driver, query="zzzz", mode="words", index="notes")
        assert places(driver) == [] and "Nothing found" in driver.find_element(By.ID, "status").text
        assert_quiet(driver)


def test_reranking_shows_places_before_and_after(notes, other):
    with Server("--index", notes) as server, browser() as driver:
        driver.get(server.url + "/ui")
        wait(driver, lambda _: driver.find_element(By.ID, "rerank").is_displayed())
        driver.find_element(By.ID, "rerank").click()
        search(driver, query="whales in the sea", candidates="6")
        expected = found("whales in the sea", notes, "--reranker", str(q3process.RERANKER), "--candidates", "10")
        shown = texts(driver, "#hits .place")
        assert sum("reranked" in text for text in shown) == 6 and "6 of them reranked" in driver.find_element(By.ID, "status").text
        assert len(driver.find_elements(By.CSS_SELECTOR, "#picture path.slope")) == 6
        search(driver, candidates="10")
        assert places(driver) == [f"{hit['path']}:{hit['lines'][0]}" for hit in expected]
        assert all(f"reranked {hit['relevance']:.4f}" in text for hit, text in zip(expected, texts(driver, "#hits .place")))
        picture(driver, "search-reranked")
        search(driver, budget="0")
        assert "0 of them reranked" in driver.find_element(By.ID, "status").text
        assert_quiet(driver)


def test_hostile_names_and_texts_are_shown_as_they_are(notes, other):
    with Server("--index", f"<b onclick>={notes}", "--index", other) as server, browser() as driver:
        driver.get(server.url + "/ui")
        wait(driver, lambda _: texts(driver, "#index option"))
        assert texts(driver, "#index option")[0] == "<b onclick>"
        search(driver, query="<img onerror swim \"'\\", mode="words", limit="100")
        assert any(HOSTILE_NAME in place for place in places(driver))
        assert HOSTILE_TEXT in texts(driver, "#hits .snippet")
        hit = next(item for item in driver.find_elements(By.CSS_SELECTOR, "#hits > li") if HOSTILE_NAME in item.text)
        hit.find_element(By.TAG_NAME, "summary").click()
        wait(driver, lambda _: texts(driver, "#hits .whole pre.hit"))
        assert texts(driver, "#hits .whole pre.hit") == [HOSTILE_TEXT]
        assert driver.find_elements(By.CSS_SELECTOR, "main img, #results script, #hits b") == []
        picture(driver, "search-hostile")
        assert driver.title == "q3: search"
        assert_quiet(driver)


def test_a_whole_document_opens_at_the_hit(notes, other):
    with Server("--index", notes) as server, browser() as driver:
        driver.get(server.url + "/ui")
        search(driver, query="Second part 7", mode="words", limit="1")
        driver.find_element(By.CSS_SELECTOR, "#hits summary").send_keys(Keys.ENTER)
        wait(driver, lambda _: texts(driver, "#hits .whole pre"))
        parts = texts(driver, "#hits .whole pre")
        assert "A note on whales" in "".join(parts) and "More of note 7." in "".join(parts)
        assert len(texts(driver, "#hits .whole pre.hit")) == 1
        assert_quiet(driver)


def test_copied_commands_find_the_same(notes, other):
    with Server("--index", notes) as server, browser() as driver:
        driver.get(server.url + "/ui")
        query = "whale's \"song\" & $HOME `x` \\ 🐋"
        search(driver, query=query, where="path!:*it's*", limit="3")
        expected = [place.rsplit(":", 1)[0] for place in places(driver)]
        assert expected
        for button, run in [("copyCurl", ["bash", "-c"]), ("copyPython", [sys.executable, "-c"])]:
            driver.find_element(By.ID, button).click()
            wait(driver, lambda _: "opie" in driver.find_element(By.ID, "status").text or "Selected" in driver.find_element(By.ID, "status").text)
            code = driver.find_element(By.ID, "code").get_attribute("textContent")
            done = subprocess.run([*run, code], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            if button == "copyCurl": assert [hit["path"] for hit in json.loads(done.stdout)["hits"]] == expected
            else: assert all(path in done.stdout for path in expected)
        assert_quiet(driver)


def test_keys_narrow_windows_and_darkness(notes, other):
    with Server("--index", notes, "--api-key", "secret") as server, browser(width=390, height=800, dark=True) as driver:
        driver.get(server.url + "/ui")
        search(driver, query="whales")
        error = driver.find_element(By.ID, "error")
        assert error.is_displayed() and "API key" in error.text
        driver.find_element(By.ID, "key").send_keys("secret")
        search(driver, query="whales")
        assert not error.is_displayed() and places(driver)
        assert "secret" not in driver.find_element(By.ID, "code").text and "Q3_KEY" in driver.find_element(By.ID, "code").text
        assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"
        picture(driver, "search-narrow-dark")
        search(driver, where="nonsense")
        assert error.is_displayed() and "nonsense" in error.text and "{" not in error.text
        assert_quiet(driver, allowed=["401", "400"])


def test_both_pages_are_there(notes, other):
    with Server("--index", notes) as server, browser() as driver:
        driver.get(server.url + "/ui/compare")
        ui_test.compare(driver)
        assert ui_test.rows(driver)
        assert_quiet(driver)


if "--screenshots" in sys.argv: ui_test.SCREENSHOTS = pathlib.Path(sys.argv[sys.argv.index("--screenshots") + 1])
with tempfile.TemporaryDirectory() as folder:
    indexes = make(pathlib.Path(folder))
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test(*indexes)
            print(f"{name} passed", flush=True)
