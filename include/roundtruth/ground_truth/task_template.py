"""The page that workers see: a Liquid template around Ground Truth's crowd-bounding-box element.

The element's name is the key under `answerContent` in the worker responses (developer guide).
"""

from __future__ import annotations

import html
from importlib import resources
from string import Template

from roundtruth.labeling_settings import Instructions


def render_task_template(instructions: Instructions) -> bytes:
    """The template of a box job with the project's instructions; the same instructions give the same bytes.

    Text of the project file is escaped, so that it can neither add markup nor Liquid tags.
    """
    source = (resources.files("roundtruth.ground_truth") / "templates/bounding_box.liquid").read_text("utf-8")
    page = Template(source).substitute(
        title=_escape(instructions.title),
        text=_escape(instructions.text),
        examples=_example("A good answer", instructions.good_example)
        + _example("A bad answer", instructions.bad_example),
    )
    return page.encode()


def _example(caption: str, image: str | None) -> str:
    if image is None:
        return ""
    address = _escape(image)
    if image.startswith("s3://"):
        # A private example: the filter makes an address that expires, for the worker's browser. The key must
        # reach the filter as it is; the project file takes none that would end a Liquid string.
        address = f'{{{{ "{image}" | grant_read_access }}}}'
    picture = f'<img src="{address}" style="max-width:100%" alt="{caption}">'
    return f"      <h3>{caption}</h3>\n      <p>{picture}</p>\n"


def _escape(text: str) -> str:
    return html.escape(text).replace("{", "&#123;").replace("}", "&#125;").replace("%", "&#37;")
