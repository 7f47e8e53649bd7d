"""All failing images of a check, from the verdict or from the table beside it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import textwrap

import msgspec
import pytest

from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.failing_images import failing_images
from roundtruth.overviews.gallery import GalleryQuery, gallery_order
from roundtruth.overviews.round_files import read_round
from roundtruth.overviews.round_images import read_images
from roundtruth.overviews.shown_names import shown_names
from roundtruth.rounds.failing_images import write_failing_images
from tests.labeling_ui.large_round import put_large_round
from tests.memory_store import memory_storage
from tests.project_samples import make_project

COUNT = 250
FAILED = 240


class Checked:
    """A round of 250 images of which a check found 240, and its verdict names the first hundred."""

    def __init__(self, *, copies=False):
        self.storage, self.project = memory_storage(), make_project()
        self.folder = put_large_round(
            self.storage, self.project, "2026-11-16", COUNT, thumbnails=0, copies=copies
        )
        self.cache = EtagCache(self.storage)
        self.refs = [f"{self.project.images_uri}photo_{number:07d}.png" for number in range(COUNT)]
        place = self.folder
        if copies:
            digest = hashlib.sha256(self.storage.read(self.folder.record)).hexdigest()
            place = self.folder.recorded(digest)
        content = msgspec.json.decode(self.storage.read(self.folder.quality))
        content["warnings"][0] |= {"images": self.refs[:100], "image_count": FAILED, "failed_rows": FAILED}
        self.storage.write(place.quality, msgspec.json.encode(content))
        self.place = place

    @property
    def files(self):
        return read_round(self.cache, self.folder)

    def found(self, check="box_side"):
        return failing_images(self.cache, self.files, check)


def test_the_table_has_all_of_them():
    checked = Checked()
    other = {("images", "box_side"): checked.refs[:3], ("labels", "other"): checked.refs[:5]}
    write_failing_images(
        checked.storage, checked.folder, {("labels", "box_side"): checked.refs[:FAILED], **other}
    )
    assert checked.found() == checked.refs[:FAILED], "neither of another check nor of another table"
    assert checked.found("no-such-check") == []
    images, names = read_images(checked.cache, checked.files), shown_names(checked.storage, checked.project)
    order = gallery_order(
        checked.cache, checked.files, images, GalleryQuery(check="box_side", order="plan"), names
    )
    assert order.tolist() == list(range(FAILED))


@pytest.mark.parametrize("rows", [None, 0, FAILED - 1], ids=["no table", "an empty one", "of another check"])
def test_else_the_verdict_s_hundred_stand(rows):
    """A round that an earlier roundtruth checked, and a table of another verdict."""
    checked = Checked()
    if rows is not None:
        write_failing_images(
            checked.storage, checked.folder, {("labels", "box_side"): checked.refs[: max(rows, 1)]}
        )
    if rows == 0:
        write_failing_images(checked.storage, checked.folder, {})
    assert checked.found() == checked.refs[:100]


def test_those_of_a_recorded_round_are_the_recorded_ones():
    """While another attempt checks anew, the recorded verdict and its table belong together."""
    checked = Checked(copies=True)
    write_failing_images(checked.storage, checked.place, {("labels", "box_side"): checked.refs[:FAILED]})
    write_failing_images(checked.storage, checked.folder, {("labels", "box_side"): checked.refs[-FAILED:]})
    assert checked.found() == checked.refs[:FAILED]


def test_reading_them_loads_no_pandas(tmp_path):
    """Pages run in every API server: pyarrow imports pandas for itself where it may."""
    data = Checked()
    write_failing_images(data.storage, data.folder, {("labels", "box_side"): data.refs[:FAILED]})
    (tmp_path / "table.parquet").write_bytes(data.storage.read(data.folder.failing_images))
    script = f"""
        import sys
        from roundtruth.overviews import failing_images, round_files
        from roundtruth.overviews.etag_cache import EtagCache
        from roundtruth.quality.verdict import FailedCheck
        from roundtruth.storage import ObjectUri, Storage
        failing_images.result_table = lambda cache, files, name, columns: round_files.read_table(
            cache, ObjectUri("", {str(tmp_path / "table.parquet")!r}), columns
        )
        class Files:
            class folder:
                failing_images = ObjectUri("", "table.parquet")
        failed = FailedCheck(
            check="box_side", severity="warning", consequence="reported", table="labels", description="",
            rows=1, failed_rows={FAILED}, image_count={FAILED}, images=(),
        )
        assert len(failing_images.images_of(EtagCache(Storage()), Files, failed)) == {FAILED}
        assert "pandas" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=60)
