"""The page in a real browser: what is clicked and typed is what the model computes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from datamodules.batch import EOS, UNK, Padded
from experiments.checkpoints.loading import load_translator
from experiments.checkpoints.translator import Translator
from experiments.cli import main
from experiments.explorer.fields import Fields
from experiments.explorer.look import Look
from experiments.explorer.views.translation import TranslationView
from experiments.explorer.worker import Ticket
from lightning_modules.decoding.trace import trace
from lightning_modules.layers.gates import StepRecord
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path")]

SOURCE = "abc hü"


@dataclass
class Served:
    """A server that runs.

    Attributes:
        url: Of its page.
        translator: The model that it shows.
        exported: Two sentences as a page that needs no server.
    """

    url: str
    translator: Translator
    exported: Path

    def look(self, **asked: object) -> dict[str, Any]:
        return TranslationView(self.translator).look(Look.of_fields(Fields({"source": SOURCE, **asked})), Ticket())


@dataclass
class Watched:
    """A page, with what its browser complained of, and where it asked."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda told: told.type in ("error", "warning") and self.complaints.append(told.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.addresses.append(request.url))

    def text(self, card: str) -> str:
        return self.page.locator(f"[data-card={card}]").inner_text()

    def best(self) -> str:
        return self.page.locator("[data-card=hypotheses] .words").first.inner_text()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The command itself, as it is typed."""
    folder = tmp_path_factory.mktemp("run") / "checkpoints"
    folder.mkdir()
    for seed, name in enumerate(("best", "epoch-000", "epoch-001")):
        write(folder / f"{name}.ckpt", tiny_checkpoint(seed=seed))
    (folder / "pairs").write_text(f"{SOURCE}\tABC\nde\tDE\n", encoding="utf-8")
    exported, lines = folder / "page.html", folder / "lines"
    lines.write_text(f"{SOURCE}\nde f\n", encoding="utf-8")
    options = ["--input", str(lines), "--export", str(exported), "--device", "cpu"]
    assert main(["explore", "--ckpt_path", str(folder), *options]) == 0
    words = ["explore", "--ckpt_path", str(folder), "--port", "0", "--no_browser", "--device", "cpu"]
    words += ["--corpus", str(folder / "pairs")]
    command = [sys.executable, "-c", "import sys, seqlab; sys.exit(seqlab.main())", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    ) as run:
        assert run.stdout is not None
        url = run.stdout.readline().split()[0]
        yield Served(url, load_translator(folder / "best.ckpt", device="cpu"), exported)
        run.terminate()


@pytest.fixture(scope="module")
def browser(served: Served) -> Iterator[Browser]:
    """Begun after the pages are made: its loop is the thread's from then on."""
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def watched(browser: Browser, served: Served) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    made = Watched(context.new_page())
    made.page.goto(served.url)
    made.page.fill("#source", SOURCE)
    made.page.wait_for_selector("[data-card=tree]")
    yield made
    context.close()
    assert made.complaints == []
    assert made.addresses
    assert all(address.startswith((served.url, "blob:http://127.0.0.1")) for address in made.addresses)


def test_what_is_typed_clicked_and_slid_is_what_the_model_computes(
    watched: Watched, served: Served, tmp_path: Path
) -> None:
    page = watched.page
    look = served.look()
    pieces = page.locator("[data-piece]").all_inner_texts()
    assert [piece.replace("·", " ") for piece in pieces] == look["source"]["pieces"]
    assert page.locator("[data-card=hypotheses] .words").all_inner_texts() == [
        each["text"] for each in look["hypotheses"]
    ]
    # Hover tells the numbers.
    page.locator("[data-card=attention] [data-row='1'] [data-column='2']").hover()
    assert f"weight {look['attention']['weights'][0][1][2]:.6f}" in page.locator("#tip").inner_text()
    # A click on a target token shows its row as bars.
    page.locator("[data-card=attention] [data-row='2'] text").first.click()
    shown = watched.text("row")
    assert all(f"{weight:.3f}" in shown for weight in look["attention"]["mean"][2])
    # Keys alone do the same, and the table has the numbers.
    page.locator("[data-card=attention] svg").focus()
    page.keyboard.press("ArrowDown")
    assert f"weight {look['attention']['weights'][0][3][0]:.6f}" in page.locator("#said").inner_text()
    page.keyboard.press("Enter")
    page.locator("[data-card=row]").get_by_role("button", name="Table").click()
    cells = page.locator("[data-card=row] tbody tr td:nth-child(2)").all_inner_texts()
    assert cells == [f"{weight:.6f}" for weight in look["attention"]["mean"][3]]
    # A continuation is forced.
    other = next(t for t in look["steps"][1]["tokens"] if t not in (look["steps"][1]["token"], EOS, UNK))
    page.locator(f"[data-card=steps] [data-step='1'][data-token='{other}']").click()
    page.wait_for_selector("[data-card=steps] .forced")
    prefix = [look["steps"][0]["token"], other]
    assert watched.best() == served.look(prefix=prefix)["hypotheses"][0]["text"]
    page.get_by_role("button", name="Let it go on freely").click()
    page.wait_for_selector("[data-card=steps] .forced", state="detached")
    assert watched.best() == look["hypotheses"][0]["text"]
    # The slider of the temperature, by keys: each step is a twentieth of a power of two.
    page.locator("#set-attention_temperature").focus()
    with page.expect_response(lambda answer: answer.url.endswith("/api/look")) as answered:
        page.keyboard.press("ArrowRight")
    asked = json.loads(answered.value.request.post_data or "")
    assert asked["attention_temperature"] == pytest.approx(2**0.05, abs=0.01)
    page.wait_for_function("document.getElementById('status').textContent.endsWith('ms')")
    warm = served.look(attention_temperature=asked["attention_temperature"])
    page.locator("[data-card=attention] [data-row='0'] [data-column='1']").hover()
    expected = f"weight {warm['attention']['weights'][0][0][1]:.6f}"
    page.wait_for_function("words => document.getElementById('tip').textContent.includes(words)", arg=expected)
    # A source word is left out.
    page.locator("[data-piece='1']").click()
    page.get_by_role("menuitem", name="Leave it out").click()
    page.wait_for_selector(".piece.out")
    reduced = served.look(attention_temperature=asked["attention_temperature"], left_out=[1])
    assert watched.best() == reduced["hypotheses"][0]["text"]
    # The address holds all of it.
    again = page.context.new_page()
    again.goto(page.url)
    again.wait_for_selector(".piece.out")
    again.wait_for_selector("[data-card=tree]")
    assert again.locator("[data-card=hypotheses] .words").all_inner_texts() == [
        each["text"] for each in reduced["hypotheses"]
    ]
    again.close()
    # Pictures and data are saved.
    for form, begins in (("SVG", b"<svg"), ("PNG", b"\x89PNG"), ("JSON", b"{")):
        with page.expect_download() as saved:
            page.locator("[data-card=attention]").get_by_role("button", name=form).click()
        saved.value.save_as(tmp_path / form)
        assert (tmp_path / form).read_bytes().startswith(begins)
    held = json.loads((tmp_path / "JSON").read_text())
    assert held["mean"][0][0] == pytest.approx(reduced["attention"]["mean"][0][0], abs=1e-6)


def test_it_fits_and_compares_and_samples_at_every_width(watched: Watched, served: Served) -> None:
    page = watched.page
    page.get_by_label("beside").select_option("1")
    page.wait_for_selector("[data-card=tree-2]")
    page.get_by_role("button", name="Sampling").click()
    page.wait_for_selector("[data-card=tree-2]", state="detached")
    found = page.locator("[data-card=hypotheses-1] .words").all_inner_texts()
    assert found == [each["text"] or "(nothing)" for each in served.look(how="sampling")["hypotheses"]]
    for width in (360, 1280, 2560):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name=re.compile("Dark|Light")).click()
    ground, ink = (page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color"))
    assert _contrast(ground, ink) > 7


def test_what_is_opened_is_computed_then(watched: Watched, served: Served) -> None:
    page = watched.page
    for name in ("states", "training", "neighbours"):
        page.locator(f"[data-later={name}] > summary").click()
        page.wait_for_selector(f"[data-card={name}]")
    page.locator("[data-later=states] select").first.select_option(label="decoder, layer 1")
    page.locator("[data-later=states] select").last.select_option("update")
    target, ids = served.look()["hypotheses"][0]["ids"], served.translator.encode(SOURCE)
    with StepRecord() as record:
        trace(served.translator.members[0], Padded.from_sequences([ids]), target)
    (gates,) = (series["update"][:, 0] for series in record.series().values())
    page.locator("[data-card=states]").get_by_role("button", name="Table").click()
    means = page.locator("[data-card=states] tbody td:nth-child(2)").all_inner_texts()
    assert [float(mean) for mean in means] == pytest.approx(gates.mean(dim=1).tolist(), abs=2e-3)
    assert page.locator("[data-card=training] [data-epoch]").count() == 2
    assert SOURCE in watched.text("neighbours")
    assert "open=states" in page.url


def test_an_exported_page_works_without_a_server(browser: Browser, served: Served) -> None:
    watched = Watched(browser.new_page())
    page = watched.page
    page.goto(served.exported.as_uri())
    page.wait_for_selector("[data-card=tree]")
    look = served.look()
    assert watched.best() == look["hypotheses"][0]["text"]
    page.locator("[data-card=hypotheses] button[aria-pressed]").nth(1).click()
    page.locator("[data-card=attention] [data-row='0'] [data-column='2']").hover()
    second = served.look(chosen=1)
    assert f"weight {second['attention']['weights'][0][0][2]:.6f}" in page.locator("#tip").inner_text()
    page.locator("select#source").select_option("de f")
    page.wait_for_function("document.querySelectorAll('[data-piece]').length === 5")
    page.locator("[data-later=states] > summary").click()
    page.wait_for_selector("[data-card=states]")
    assert watched.complaints == []
    assert [address for address in watched.addresses if not address.startswith(("file:", "data:"))] == []
    page.close()


def _contrast(one: str, other: str) -> float:
    """The ratio of luminances, as WCAG 2.2 defines it."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
