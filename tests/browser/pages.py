"""What a person does at a screen: log in, open Airflow's pages and ours inside them, look, take a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from demo.main_job import MainJob
from roundtruth.datasets.folder import VersionFolder, dataset_folder
from roundtruth.storage import ObjectUri

CHROMIUM = "/usr/bin/chromium"
HEIGHT = 900
SECONDS = 60_000.0  # milliseconds; a busy machine takes its time


@dataclass(frozen=True)
class Labeling:
    """The running stack, and its files to compare with."""

    job: MainJob

    @property
    def url(self) -> str:
        """Airflow's address."""
        return self.job.stack.api_url

    def version(self, name: str) -> VersionFolder:
        """The folder of a version."""
        return dataset_folder(self.job.project).version(name)

    def read(self, uri: ObjectUri) -> bytes:
        """A file of the project."""
        return self.job.storage.read(uri)

    @cached_property
    def login(self) -> dict[str, Any]:
        """Cookies of who has logged in; filled by the first screen."""
        return {}


@dataclass
class Screen:
    """A window with somebody logged in; ``complaints`` are what the browser had to say of our pages."""

    labeling: Labeling
    browser: Any
    theme: str
    width: int
    pictures: Path | None
    complaints: list[str] = field(default_factory=list)

    @cached_property
    def context(self) -> Any:
        """Cookies and storage of this window."""
        made = self.browser.new_context(
            viewport={"width": self.width, "height": HEIGHT},
            color_scheme=self.theme,
            locale="en-GB",
            timezone_id="Europe/Berlin",
            storage_state=self.labeling.login.get("state"),
        )
        made.set_default_timeout(SECONDS)
        made.add_init_script(f"localStorage.setItem('theme', '{self.theme}')")
        return made

    @cached_property
    def page(self) -> Any:
        """The window, logged in."""
        page = self.context.new_page()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"script error: {error}"))
        page.on("response", self._answer)
        if "state" not in self.labeling.login:
            page.goto(self.labeling.url)
            page.get_by_label("Username").fill("admin")
            page.get_by_role("textbox", name="Password").fill(self.labeling.job.api.password())
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url(lambda url: "/auth/" not in url)
            self.labeling.login["state"] = self.context.storage_state()
        return page

    @property
    def frame(self) -> Any:
        """Our page inside Airflow's."""
        return self.page.frame_locator("iframe")

    def open(self, path: str) -> None:
        """Open a page of Airflow."""
        self.page.goto(f"{self.labeling.url}{path}")

    def heading(self, text: str) -> None:
        """Wait until our page has this heading."""
        self.frame.get_by_role("heading", level=1, name=text).wait_for()

    def text_of(self, selector: str) -> str:
        """The text of the first such element of our page, its blanks as one."""
        return " ".join(self.frame.locator(selector).first.inner_text().split())

    def rows(self, selector: str) -> list[list[str]]:
        """The cells of a table's body."""
        script = "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))"
        found: list[list[str]] = self.frame.locator(f"{selector} tbody tr").evaluate_all(script)
        return found

    def tiles(self) -> list[tuple[str, str]]:
        """What stands in the tiles at the top of our page: title and value."""
        texts = "tiles => tiles.map(tile => ['dt', 'dd'].map(name => tile.querySelector(name).innerText))"
        return [(name, value) for name, value in self.frame.locator(".tile").evaluate_all(texts)]

    def tabs(self) -> list[str]:
        """The tabs of our page, their blanks as one."""
        return [" ".join(text.split()) for text in self.frame.locator(".tabs a").all_inner_texts()]

    def all_images_are_there(self, selector: str) -> bool:
        """Whether every image of our page could be loaded."""
        script = """async images => {
          const loads = images.map(image => {
            const probe = new Image();
            probe.src = image.href?.baseVal ?? image.src;
            return probe.decode().then(() => probe.naturalWidth > 0, () => false);
          });
          return (await Promise.all(loads)).every(Boolean);
        }"""
        return bool(self.frame.locator(selector).evaluate_all(script))

    def picture(self, name: str) -> None:
        """Wait until all is there, and take a picture if one is wanted: in 256 colors, for the README."""
        self.page.wait_for_load_state("networkidle")
        if self.pictures is None:
            return
        taken = Image.open(BytesIO(self.page.screenshot())).convert("RGB")
        small = taken.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        small.save(self.pictures / f"{name}-{self.theme}.png", optimize=True)

    def close(self) -> None:
        """Close the window."""
        self.context.close()

    def _hear(self, message: Any) -> None:
        where = message.location.get("url", "")
        if message.type == "error" and ("/labeling" in where or "Content Security Policy" in message.text):
            self.complaints.append(f"{where}: {message.text}")

    def _answer(self, response: Any) -> None:
        ours = "/labeling/" in response.url or response.url.startswith(self.labeling.job.stack.sandbox_url)
        if ours and response.status >= 400:
            self.complaints.append(f"{response.url}: {response.status}")
