#!/usr/bin/env python3
"""The page of infer --report in a real headless Chromium, driven over its DevTools pipe: no request to anywhere, no message of an error,
text and pictures there, nothing wider than a phone, letters that stand out, with JavaScript and without, in the light and in the dark; it
prints. Screenshots and the printed page stay in BUILD/interop/report for people to look at. CHROMIUM names another browser.
Called with BUILD/interop and BIN."""
import base64
import html.parser
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse

folder, programs = sys.argv[1:3]
out = os.path.abspath(os.path.join(folder, "report"))
passed = failed = 0


def check(what, ok, more=""):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("FAILED:", what, more)


class Missing(Exception):
    pass


class Browser:
    """Chromium behind --remote-debugging-pipe: it reads commands from its descriptor 3 and writes to 4, JSON with a zero byte after it."""

    def __init__(self, program, profile):
        commands, self.to = os.pipe()
        self.back, answers = os.pipe()
        os.set_inheritable(commands, True), os.set_inheritable(answers, True)
        words = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--hide-scrollbars", "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe",
                 "--user-data-dir=" + profile]
        # 5 and 6 first, so that neither end is overwritten where it already is 3 or 4.
        shell = 'exec "$@" 3<&%d 4>&%d' % (commands, answers)
        self.log = open(os.path.join(out, "chromium.log"), "wb")
        self.process = subprocess.Popen(["bash", "-c", shell, "chromium"] + words, pass_fds=(commands, answers), stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        os.close(commands), os.close(answers)
        self.rest, self.number, self.events = b"", 0, []

    def read(self, until):
        while b"\0" not in self.rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.back], [], [], left)[0]:
                raise Missing("no answer from the browser within its time")
            more = os.read(self.back, 1 << 20)
            if not more:
                raise Missing("the browser ended: see %s/chromium.log" % out)
            self.rest += more
        one, self.rest = self.rest.split(b"\0", 1)
        return json.loads(one)

    def call(self, method, session=None, seconds=20, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        until = time.monotonic() + seconds
        while True:
            answer = self.read(until)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError("%s: %s" % (method, answer["error"]))
                return answer["result"]
            self.events.append(answer)

    def wait(self, method, session, seconds=20):
        until = time.monotonic() + seconds
        while not any(e["method"] == method and e.get("sessionId") == session for e in self.events):
            self.events.append(self.read(until))

    def close(self):
        os.close(self.to)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def find_browser():
    for name in [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]:
        if name and shutil.which(name):
            return name
    raise Missing("no Chromium on PATH; CHROMIUM=/path/to/it names one")


# What is asked of a page that is there. Contrast as WCAG 2 defines it: of every text, against the nearest background behind it that is
# not transparent; letters in a plot are on the plot's white.
ASK = r"""(() => {
  const light = c => { const f = c.map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
                       return .2126 * f[0] + .7152 * f[1] + .0722 * f[2] };
  const parts = s => (s.match(/[\d.]+/g) || []).map(Number);
  const behind = e => { for (; e; e = e.parentElement) { const b = parts(getComputedStyle(e).backgroundColor);
                        if (b.length === 3 || b[3] === 1) return b.slice(0, 3) } return [255, 255, 255] };
  let worst = 99, where = "", texts = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n; (n = walk.nextNode());) {
    const e = n.parentElement, style = getComputedStyle(e);
    if (!n.data.trim() || e.closest("style,title,desc") || !e.getClientRects().length || style.visibility !== "visible") continue;
    texts++;
    const a = light(parts(e.namespaceURI.endsWith("svg") ? style.fill : style.color).slice(0, 3)), b = light(behind(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < worst) worst = ratio, where = n.data.trim().slice(0, 60) + " <" + e.tagName + " " + e.getAttribute("class") + ">";
  }
  const wide = [...document.body.querySelectorAll("*")].filter(e => !e.closest(".wide") && e.getBoundingClientRect().right > innerWidth + 1)
                                                       .slice(0, 3).map(e => e.tagName + "." + e.getAttribute("class"));
  const small = [...document.querySelectorAll("svg text")].filter(e => e.getClientRects().length)
      .reduce((m, e) => { const box = e.ownerSVGElement.getBoundingClientRect(), v = e.ownerSVGElement.viewBox.baseVal;
                          const s = parseFloat(getComputedStyle(e).fontSize) * (v && v.width ? box.width / v.width : 1);
                          return Math.min(m, s) }, 99);
  return JSON.stringify({
    text: document.body.innerText, all: document.body.textContent, texts, worst, where, wide, small,
    images: [...document.images].map(i => i.complete && i.naturalWidth > 0 && i.getBoundingClientRect().width > 20),
    overflow: document.scrollingElement.scrollWidth - innerWidth, height: document.scrollingElement.scrollHeight,
    plots: [...document.querySelectorAll("figure.plot")].map(f => [...f.querySelectorAll("svg")].filter(s => s.getClientRects().length)
                                                                                               .length),
    title: document.title, scripts: document.scripts.length, quirks: document.compatMode })
})()"""


def look(browser, address, name, width, height, script=True, dark=False, picture=False):
    """Opens the page in a tab of its own; checks it, and gives what it says."""
    target = browser.call("Target.createTarget", url="about:blank")["targetId"]
    s = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Network", "Log", "Runtime"):
        browser.call(domain + ".enable", s)
    browser.call("Emulation.setDeviceMetricsOverride", s, width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
    browser.call("Emulation.setScriptExecutionDisabled", s, value=not script)
    browser.call("Emulation.setEmulatedMedia", s, features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
    browser.events = []
    browser.call("Page.navigate", s, url=address)
    browser.wait("Page.loadEventFired", s)
    page = json.loads(browser.call("Runtime.evaluate", s, expression=ASK, returnByValue=True)["result"]["value"])
    of = "%s at %d x %d%s%s" % (name, width, height, "" if script else ", no script", ", dark" if dark else "")
    asked = [e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"]
    elsewhere = [u for u in asked if u != address and not u.startswith("data:")]
    check("%s: asks for nothing" % of, asked and not elsewhere, elsewhere)
    loud = [e["params"] for e in browser.events
            if e["method"] in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled") or
            (e["method"] == "Log.entryAdded" and e["params"]["entry"]["level"] in ("error", "warning"))]
    check("%s: the console is silent" % of, not loud, loud)
    check("%s: pictures are there" % of, page["images"] and all(page["images"]), page["images"].count(False))
    check("%s: nothing is wider than the window" % of, page["overflow"] <= 0 and not page["wide"], (page["overflow"], page["wide"]))
    check("%s: letters stand out by 4.5" % of, page["texts"] > 30 and page["worst"] >= 4.5, (page["worst"], page["where"]))
    check("%s: letters in drawings are 9 pixels at least" % of, page["small"] >= 9, page["small"])
    check("%s: each plot shows once" % of, all(n == 1 for n in page["plots"]), page["plots"])
    check("%s: no script in it, and no quirks" % of, page["scripts"] == 0 and page["quirks"] == "CSS1Compat")
    if picture:
        tall = min(page["height"], 16000)
        shot = browser.call("Page.captureScreenshot", s, format="png", captureBeyondViewport=True,
                            clip={"x": 0, "y": 0, "width": width, "height": tall, "scale": 1})
        write("%s-%d%s.png" % (name, width, "-dark" if dark else ""), base64.b64decode(shot["data"]))
    if width > 600 and not dark:
        pdf = base64.b64decode(browser.call("Page.printToPDF", s, preferCSSPageSize=True, printBackground=False)["data"])
        path = name + ("" if script else "-no-script") + ".pdf"
        write(path, pdf)
        pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
        check("%s: prints" % of, pdf.startswith(b"%PDF-") and pages > 0 and len(pdf) > 20000, (pages, len(pdf)))
        print("%s: %d printed pages" % (path, pages))
        page["printed"] = on_paper(path)
    browser.call("Target.closeTarget", targetId=target)
    return page


def on_paper(name):
    """The words of a printed page, or None where poppler's pdftotext is not there to read it."""
    if not shutil.which("pdftotext"):
        print("skipped: report: what %s says: no pdftotext here" % name)
        return None
    return subprocess.run(["pdftotext", "-layout", os.path.join(out, name), "-"], check=True, stdout=subprocess.PIPE, text=True).stdout


def write(name, data):
    with open(os.path.join(out, name), "wb") as f:
        f.write(data)


class Words(html.parser.HTMLParser):
    """The page's text as Python's HTML parser has it."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.said, self.inside = [], []

    def handle_starttag(self, tag, attributes):
        if tag in ("style", "title", "desc", "summary"):
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data):
        if not self.inside:
            self.said.append(data)


def make(name, *words):
    """A report; its results as JSON."""
    path = os.path.join(out, name)
    subprocess.run([os.path.join(programs, "infer"), "--quiet", "--device", "cpu", "--model", os.path.join(folder, "model.safetensors"),
                    "--report", path, "--json", path + ".json", *words], check=True)
    with open(path + ".json") as f:
        return json.load(f), "file://" + urllib.parse.quote(os.path.join(path, "index.html"))


HOSTILE = ['"><img src=x onerror=alert(1)>.png', "<script>alert(2)<&lt;script>.png", "'';!--\"<XSS>=&{()}.png", "evil\u202egnp.png",
           "https:\\evil.example\\x.png", "a very long name that does not end for quite a while " * 4 + ".png"]


def shown_score(score):
    """Four digits; what is neither 0 nor 1 does not look like it."""
    text = "%.4f" % score
    return {"0.0000": "<0.0001", "1.0000": ">0.9999"}.get(text, text) if 0 < score < 1 else text


PICTURES = 40  # more than the overview shows unfolded


def inputs():
    """Pictures under both labels, some with names that try something; a drawn clip."""
    for i in range(PICTURES):
        label = "fake" if i % 2 else "real"
        source = os.path.join(folder, "pictures", "train", label, "%03d.png" % i)
        target = os.path.join(out, "pictures", label)
        os.makedirs(target, exist_ok=True)
        shutil.copy(source, os.path.join(target, HOSTILE[i] if i < len(HOSTILE) else os.path.basename(source)))
    subprocess.run([os.path.join(programs, "demo_clips"), "--out", os.path.join(out, "clips"), "--train", "2", "--test", "2", "--jobs", "2"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run(browser):
    inputs()
    results, address = make("set", "--faces-are-cut", "--labels", "folders", "--report-details", "8", os.path.join(out, "pictures"))
    for width, height, script, dark in ((1280, 900, True, False), (390, 844, True, False), (390, 844, False, False), (1280, 900, False, False),
                                        (390, 844, True, True)):
        page = look(browser, address, "set", width, height, script, dark, picture=script)
        check("every score is there", all(shown_score(r["score"]) in page["all"] for r in results["results"]))
        shown = HOSTILE[:3] + ["evil\\u202egnp.png"] + HOSTILE[4:]
        if page.get("printed"):
            rows = [r for r in results["results"] if re.search("/[0-9]+[.]png$", r["path"])]
            gone = [r["path"] for r in rows
                    if not re.search(r"(?<!\S)%s +%s\b" % (shown_score(r["score"]), os.path.basename(r["path"])), page["printed"])]
            check("every row is on paper, also those that are folded", len(rows) > 30 and not gone, gone)
        check("every name is there as it is", all(n in page["all"] for n in shown), [n for n in shown if n not in page["all"]])
    words = Words()
    with open(os.path.join(out, "set", "index.html"), encoding="utf-8") as f:
        words.feed(f.read())
    squeeze = lambda t: re.sub(r"\s+", "", t).lower()  # as shown some letters are capitals
    text = squeeze("".join(words.said))
    check("Chromium and Python's parser read alike", squeeze(results["model"]["sha256"]) in text and squeeze(HOSTILE[0]) in text)

    results, address = make("clip", os.path.join(out, "clips", "heldout"))
    for width, height, script, dark in ((1280, 900, True, False), (390, 844, False, False), (1280, 900, True, True)):
        page = look(browser, address, "clip", width, height, script, dark, picture=True)
        for r in results["results"]:
            check("what a clip is: score and hash", shown_score(r["score"]) in page["text"] and r["sha256"] in page["text"])
        check("a timeline for each clip", len(page["plots"]) == len(results["results"]), page["plots"])


shutil.rmtree(out, ignore_errors=True)
os.makedirs(out)
try:
    with tempfile.TemporaryDirectory() as profile:
        one = Browser(find_browser(), profile)
        try:
            print("browser:", one.call("Browser.getVersion", seconds=60)["product"])
            run(one)
        finally:
            one.close()
except Missing as e:
    # As in run.sh: left out is a failure unless that was allowed.
    print("skipped: report:", e)
    failed += 0 if os.environ.get("INTEROP_MAY_SKIP") else 1
print("%d passed, %d failed" % (passed, failed))
