#!/usr/bin/python3
"""Opens pages of `gemscope report` in a headless Chromium and looks at them as a reader would.

`cargo xtask test --only html` runs it: `browser.py PAGE...`, with Debian's chromium, chromium-driver and python3-selenium. One
line for each check, `ok PAGE: CHECK` or `FAILED PAGE: CHECK: WHY`; it ends with 1 when one failed.
"""

import base64
import json
import os
import sys
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

SIZES = {"desktop": (1200, 800), "phone": (360, 740)}

# Nothing but this page's own file may be asked for: names resolve to nothing, and the proxy refuses.
ARGUMENTS = [
    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost", "--proxy-server=127.0.0.1:9",
]

BOXES = """
return ['.graph', '#timeline svg', '#growth svg', '#flame-svg', 'table', '.verdict', '.finding'].map((q) =>
  [q, [...document.querySelectorAll(q)].map((e) => e.getBoundingClientRect()).map((b) => [b.width, b.height])]);
"""

# Boxes of a graph must not lie on each other, words must stay in their boxes, labels must not meet.
GRAPHS = """
const wrong = [];
const meets = (a, b) => a.left < b.right - 0.5 && b.left < a.right - 0.5 && a.top < b.bottom - 0.5 && b.top < a.bottom - 0.5;
for (const svg of document.querySelectorAll('.graph')) {
  const all = (q) => [...svg.querySelectorAll(q)].map((e) => [e, e.getBoundingClientRect()]);
  for (const q of ['.node rect', '.edge text']) {
    const boxes = all(q);
    boxes.forEach(([e, a], i) => boxes.slice(i + 1).forEach(([f, b]) => {
      if (meets(a, b)) wrong.push(`${q} ${e.textContent} meets ${f.textContent}`);
    }));
  }
  for (const [node] of all('.node')) {
    const room = node.querySelector('rect').getBoundingClientRect();
    for (const text of node.querySelectorAll('text')) {
      const b = text.getBoundingClientRect();
      if (b.left < room.left || b.right > room.right) wrong.push(`${text.textContent} leaves its box`);
    }
  }
  for (const [e, a] of all('.edge text'))
    for (const [, b] of all('.node rect')) if (meets(a, b)) wrong.push(`the label ${e.textContent} lies on a box`);
}
return wrong;
"""

SORT = """
const table = document.querySelector('#' + arguments[0]);
const column = [...table.tHead.rows[0].cells].findIndex((c) => c.classList.contains('n') && c.textContent.startsWith(arguments[1]));
const head = table.tHead.rows[0].cells[column];
const said = [];
for (let i = 0; i < 2; i++) {
  head.querySelector('button').click();
  said.push([head.getAttribute('aria-sort'), [...table.tBodies[0].rows].map((r) => Number(r.cells[column].dataset.v))]);
}
return said;
"""

ZOOM = """
const frames = [...document.querySelectorAll('#flame-svg .frame')];
const narrow = frames.reduce((a, b) => b.getBoundingClientRect().width < a.getBoundingClientRect().width ? b : a);
const before = narrow.querySelector('rect').getBoundingClientRect().width;
narrow.dispatchEvent(new MouseEvent('click', { bubbles: true }));
const after = narrow.querySelector('rect').getBoundingClientRect().width;
frames[0].dispatchEvent(new MouseEvent('click', { bubbles: true }));
return [before, after, narrow.querySelector('rect').getBoundingClientRect().width, document.getElementById('flame-told').textContent];
"""

INJECT = """
const script = document.createElement('script');
script.textContent = 'window.injected = 1';
document.body.append(script);
document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.injected = 2"><p style="position:fixed">x</p>');
const styled = getComputedStyle(document.body.lastElementChild).position;
return [window.injected === undefined, styled];
"""

PROSE = "return document.body.innerText.length"

failed = 0


def check(page, name, good, why=""):
    global failed
    if good:
        print(f"ok {page}: {name}")
    else:
        failed += 1
        print(f"FAILED {page}: {name}: {why}")
    sys.stdout.flush()


def start(profile):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in [*ARGUMENTS, f"--user-data-dir={profile}"]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))


def size(driver, name):
    width, height = SIZES[name]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": name == "phone"}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def media(driver, kind="", dark=False):
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": kind, "features": [scheme]})


def asked_for(driver):
    """What the browser wanted to load since the last time."""
    urls = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            urls.append(message["params"]["request"]["url"].split("#")[0])
    return urls


def look(driver, path):
    page = os.path.basename(path)
    url = "file://" + os.path.abspath(path)
    size(driver, "desktop")
    media(driver)
    asked_for(driver)
    driver.get("about:blank")
    driver.get(url)
    findings = driver.execute_script("return document.querySelectorAll('.finding').length")
    boxes = dict(driver.execute_script(BOXES))
    empty = [q for q, all_ in boxes.items() if any(w <= 0 or h <= 0 for w, h in all_)]
    check(page, "everything has a size", not empty, f"{empty}")
    wanted = ["#timeline svg", "#growth svg", "table", ".verdict"] + ([".finding"] if findings else [])
    check(page, "plots and tables are there", all(boxes[q] for q in wanted), f"{ {q: len(boxes[q]) for q in wanted} }")
    taken = driver.execute_script("return document.getElementById('flame').innerText")
    check(page, "call sites are drawn, or it says why not", boxes["#flame-svg"] or "No reference" in taken, taken[:90])
    wrong = driver.execute_script(GRAPHS)
    check(page, "graphs can be read", not wrong, "; ".join(wrong[:5]))

    if findings:
        identity = driver.execute_script("return document.querySelector('.finding').id")
        driver.get("about:blank")
        driver.get(f"{url}#{identity}")
        top = driver.execute_script("return document.getElementById(arguments[0]).getBoundingClientRect().top", identity)
        check(page, "a link leads to its finding", -1 <= top <= 40, f"it is {top} px from the top")

    for table, head in [("sites", "count"), ("buffers", "bytes"), ("processes", "oldest")]:
        if driver.execute_script("return !!document.getElementById(arguments[0])", table):
            (first, down), (second, up) = driver.execute_script(SORT, table, head)
            good = (first, second) == ("descending", "ascending") and down == sorted(down, reverse=True) and up == sorted(up)
            check(page, f"a click sorts {table}", good, f"{first} {down[:9]}, {second} {up[:9]}")

    if boxes["#flame-svg"]:
        before, after, back, told = driver.execute_script(ZOOM)
        check(page, "a click widens a frame", after >= before and after > 900 and abs(back - before) < 1 and told,
              f"{before} {after} {back} {told}")

    for name in SIZES:
        size(driver, name)
        wide = driver.execute_script("return [document.documentElement.scrollWidth, document.body.scrollWidth, innerWidth]")
        check(page, f"nothing leaves the page: {name}", max(wide[:2]) <= SIZES[name][0], f"{wide}")
    size(driver, "desktop")

    ground = "return getComputedStyle(document.body).backgroundColor"
    light = driver.execute_script(ground)
    media(driver, dark=True)
    dark = driver.execute_script(ground)
    media(driver, "print", dark=True)
    paper = driver.execute_script(ground)
    hidden = driver.execute_script(
        "return [...document.querySelectorAll('details')].filter((d) => d.lastElementChild.getBoundingClientRect().height <= 0).length")
    check(page, "light, dark and paper", light == paper == "rgb(255, 255, 255)" and dark != light, f"{light} {dark} {paper}")
    check(page, "nothing is folded on paper", hidden == 0, f"{hidden} parts")
    media(driver)
    pdf = base64.b64decode(driver.execute_cdp_cmd("Page.printToPDF", {})["data"])
    check(page, "it prints", pdf.startswith(b"%PDF") and len(pdf) > 10_000, f"{len(pdf)} bytes")

    said = [entry["message"] for entry in driver.get_log("browser") if entry["level"] != "INFO"]
    check(page, "the console is silent", not said, "; ".join(said[:3]))
    urls = asked_for(driver)
    check(page, "nothing else is asked for", set(urls) <= {url, "about:blank"} and url in urls, f"{urls}")

    whole = driver.execute_script(PROSE)
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    driver.get(url + "?without-script")
    plain = driver.execute_cdp_cmd("Runtime.evaluate", {"expression": "document.body.innerText.length", "returnByValue": True})
    plain = plain["result"].get("value", 0)
    check(page, "it reads without its script", plain > 0.9 * whole, f"{plain} of {whole} characters")
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})

    driver.get("about:blank")
    driver.get(url)
    held, styled = driver.execute_script(INJECT)
    check(page, "what would get in could do nothing", held and styled == "static", f"script {not held}, style {styled}")
    driver.get_log("browser")


def main():
    with tempfile.TemporaryDirectory() as profile:
        driver = start(profile)
        try:
            for path in sys.argv[1:]:
                try:
                    look(driver, path)
                except Exception as error:
                    check(os.path.basename(path), "it can be looked at", False, str(error).splitlines()[0])
                    driver.get_log("browser")
        finally:
            driver.quit()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
