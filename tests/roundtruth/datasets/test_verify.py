"""Verifying names each thing that is wrong, in S3 and on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from roundtruth.datasets import stored_images
from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.local_tree import CHECKED_IMAGES
from roundtruth.datasets.publish import publish_version
from roundtruth.datasets.pull import pull_version
from roundtruth.datasets.verify import verify_folder, verify_version
from roundtruth.errors import DatasetError
from roundtruth.project import Project
from roundtruth.storage import ObjectUri, Storage
from tests.roundtruth.datasets.recorded_rounds import jpeg, project_in, put_round, storage_of

BOXES = {"a.jpg": [("pen", 10.0, 10.0, 20.0, 30.0)], "b.jpg": [], "c.jpg": []}


@pytest.fixture
def storage(sandbox: Any) -> Storage:
    return storage_of(sandbox.endpoint_url)


def released(storage: Storage, bucket: str, layout: str = "tree") -> Project:
    project = project_in(bucket, dataset={"name": "pens", "layout": layout})
    put_round(storage, project, "2026-01-05", BOXES)
    candidate = assemble_candidate(storage, project)
    assert candidate is not None
    publish_version(storage, project, candidate)
    return project


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def add_stray(path: Path) -> None:
    (path.parent / "stray.txt").write_bytes(b"")


@pytest.mark.parametrize(
    ("pattern", "damage", "problem"),
    [
        pytest.param("labels/*/a-*.txt", cut, "is not what was published", id="label cut off"),
        pytest.param("labels/*/b-*.txt", Path.unlink, "is missing", id="label gone"),
        pytest.param("images/*/a-*.jpg", cut, "is another image", id="image cut off"),
        pytest.param("images/*/a-*.jpg", Path.unlink, "is missing", id="image gone"),
        pytest.param("labels/*/a-*.txt", add_stray, "is not in the index", id="stray label"),
        pytest.param("index.parquet", cut, "is not the index", id="index"),
        pytest.param("images.parquet", cut, "is not what was published", id="table"),
    ],
)
def test_damage_on_disk_is_named(
    storage: Storage, bucket: str, tmp_path: Path, pattern: str, damage: Callable[[Path], None], problem: str
) -> None:
    project = released(storage, bucket)
    pull_version(storage, project.root_uri, "pens", "latest", tmp_path / "pens")
    assert verify_folder(tmp_path / "pens").problems == ()
    (path,) = (tmp_path / "pens").glob(pattern)
    damage(path)
    found = [str(one) for one in verify_folder(tmp_path / "pens").problems]
    assert len(found) == 1
    assert problem in found[0]


@pytest.mark.parametrize("layout", ["tree", "packed"])
def test_damage_in_s3_is_named(storage: Storage, bucket: str, layout: str) -> None:
    project = released(storage, bucket, layout)
    version = dataset_folder(project).version("v0001")

    def found() -> list[str]:
        return [str(one) for one in verify_version(storage, project.root_uri, "pens", "latest").problems]

    assert found() == []
    storage.write(version.uri / "labels/train/stray.txt", b"")
    storage.delete(version.uri / "README.md")
    if layout == "packed":
        storage.write(ObjectUri.parse(f"{project.root}/images/a.jpg"), b"another image")
    problems = found()
    assert any("stray.txt is not in the index" in problem for problem in problems)
    assert any("README.md is missing" in problem for problem in problems)
    assert any("is another image than was published" in problem for problem in problems) == (
        layout == "packed"
    )


@pytest.mark.parametrize("layout", ["tree", "packed"])
def test_an_image_whose_bytes_rot_in_s3_is_named(
    storage: Storage,
    sandbox: Any,
    bucket: str,
    tmp_path: Path,
    layout: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = released(storage, bucket, layout)
    part = "boxes/images/a.jpg" if layout == "packed" else "/images/train/a-"
    (rotten,) = (key for key in sandbox._s3.keys(bucket, "boxes/") if part in key)
    served = sandbox._s3

    class RottenDisk:
        """Serves one byte of one image wrong; size and ETag stay, as on a damaged disk."""

        def __getattr__(self, name: str) -> Any:
            return getattr(served, name)

        def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
            body = b"".join(served(environ, start_response))
            is_rotten = environ["REQUEST_METHOD"] == "GET" and quote(rotten) in environ["RAW_URI"]
            return [body[:-1] + bytes([body[-1] ^ 1])] if is_rotten and body else [body]

    monkeypatch.setattr(sandbox, "_s3", RottenDisk())
    found = verify_version(storage, project.root_uri, "pens", "latest")
    (problem,) = (str(one) for one in found.problems)
    assert "has other bytes than its ETag says" in problem
    assert found.unchecked == 0
    with pytest.raises(DatasetError, match="was changed"):
        pull_version(storage, project.root_uri, "pens", "latest", tmp_path / "pens")
    quick = verify_version(storage, project.root_uri, "pens", "latest", quick=True)
    assert (quick.problems, quick.unchecked) == ((), len(BOXES))


@pytest.mark.parametrize("kind", ["in parts", "with a key of KMS"])
def test_images_that_have_no_md5_are_counted(
    storage: Storage, s3_client: Any, bucket: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "boxes/images/a.jpg"
    image = jpeg(100, 80)
    if kind == "in parts":
        upload = {"Bucket": bucket, "Key": key}
        upload["UploadId"] = s3_client.create_multipart_upload(**upload)["UploadId"]
        part = s3_client.upload_part(**upload, PartNumber=1, Body=image)
        parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
        s3_client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    else:
        s3_client.put_object(Bucket=bucket, Key=key, Body=image, ServerSideEncryption="aws:kms")
        # The sandbox makes an MD5 all the same; AWS does not.
        monkeypatch.setattr(stored_images, "_md5", lambda *_: "0" * 32)
        for name in ("b.jpg", "c.jpg"):
            other = {"Bucket": bucket, "Key": f"boxes/images/{name}", "Body": image}
            s3_client.put_object(**other, ServerSideEncryption="aws:kms")
    project = released(storage, bucket, "packed")
    found = verify_version(storage, project.root_uri, "pens", "latest")
    assert (found.problems, found.unchecked) == ((), 1 if kind == "in parts" else 3)


def test_large_images_are_hashed_in_blocks(storage: Storage, bucket: str) -> None:
    data = bytes(range(256)) * 10
    uri = ObjectUri(bucket, "one.jpg")
    storage.write(uri, data)
    stored = storage.head(uri)
    assert stored is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored_images, "BLOCK_BYTES", 999)
        assert stored_images.image_bytes_problem(storage, stored) == ("", False)


def test_images_that_were_copied_by_other_means_are_checked_by_their_etag(
    storage: Storage, bucket: str, tmp_path: Path
) -> None:
    project = released(storage, bucket)
    pull_version(storage, project.root_uri, "pens", "latest", tmp_path / "pens")
    (tmp_path / "pens" / CHECKED_IMAGES).unlink()
    checked = verify_folder(tmp_path / "pens")
    assert (checked.problems, checked.unchecked) == ((), 0)
    (image,) = (tmp_path / "pens").glob("images/*/a-*.jpg")
    image.write_bytes(image.read_bytes()[:-1] + b"x")
    assert verify_folder(tmp_path / "pens").unchecked == 1


def test_a_folder_that_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is no dataset"):
        verify_folder(tmp_path)
