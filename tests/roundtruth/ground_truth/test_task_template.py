from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from roundtruth.ground_truth.task_template import render_task_template
from roundtruth.labeling_settings import Instructions


class Elements(HTMLParser):
    """Names and attributes of all elements, and the text between them."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def one(self, tag: str) -> dict[str, str | None]:
        (attributes,) = [attributes for name, attributes in self.found if name == tag]
        return attributes


def test_page_of_the_built_in_task() -> None:
    page = render_task_template(Instructions(title="Boxes", text="Be exact"))
    elements = Elements(page)
    box = elements.one("crowd-bounding-box")
    assert box == {
        "name": "boundingBox",
        "src": "{{ task.input.taskObject | grant_read_access }}",
        "labels": "{{ task.input.labels | to_json | escape }}",
        "header": "Boxes",
    }
    assert [name for name, _ in elements.found].count("crowd-form") == 1
    assert elements.one("script")["src"] == "https://assets.crowd.aws/crowd-html-elements.js"
    assert "Be exact" in elements.text
    assert "img" not in [name for name, _ in elements.found]
    assert page == render_task_template(Instructions(title="Boxes", text="Be exact"))


EVIL = [
    "<script>alert(1)</script>",
    "a < b & c > d",
    "\"quoted\" 'twice'",
    "{{ task.input.taskObject }}",
    "{% include 'x' %}",
    "100 %} {%",
    "$title ${text} $$",
    "펜 🖊",
]


@pytest.mark.parametrize("text", EVIL)
def test_text_stays_text(text: str) -> None:
    page = render_task_template(Instructions(title=text, text=text))
    elements, plain = Elements(page), Elements(render_task_template(Instructions(title="x", text="x")))
    assert [name for name, _ in elements.found] == [name for name, _ in plain.found]
    assert elements.one("crowd-bounding-box")["header"] == text
    assert elements.text.count(text) == 2
    liquid = re.findall(rb"{{.*?}}|{%.*?%}", page, re.DOTALL)
    assert liquid == [
        b"{{ task.input.taskObject | grant_read_access }}",
        b"{{ task.input.labels | to_json | escape }}",
    ]


@pytest.mark.parametrize("key", ["good.jpg", "a b&c=d #1%.jpg", "펜/it's.jpg", "<b>.jpg"])
def test_private_examples_are_signed_under_their_own_key(key: str) -> None:
    page = render_task_template(Instructions(good_example=f"s3://bucket/{key}")).decode()
    assert re.findall(r'{{ "([^"]*)" \| grant_read_access }}', page) == [f"s3://bucket/{key}"] * 2


def test_public_examples_keep_their_address() -> None:
    good, bad = "https://example.com/good.jpg?a=1&b={2}", "https://example.com/bad%20one.jpg"
    elements = Elements(render_task_template(Instructions(good_example=good, bad_example=bad)))
    images = [(attributes["src"], attributes["alt"]) for name, attributes in elements.found if name == "img"]
    assert images == [(good, "A good answer"), (bad, "A bad answer")] * 2
