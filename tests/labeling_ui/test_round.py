"""The pages of a round: what they show equals the files, and a browser reaches nothing else."""

from __future__ import annotations

import hashlib
import re
import urllib.request
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
import yaml

from roundtruth.annotations import ANSWERS, IMAGES, ROUND_LABELS, from_parquet, to_parquet
from roundtruth.consensus.pseudonyms import pseudonym
from roundtruth.project_files import load_project
from roundtruth.rounds.failing_images import write_failing_images
from roundtruth.rounds.folder import rounds_folder
from roundtruth.rounds.plan import plan_round
from roundtruth.rounds.planned import PLANNED, RoundPlan
from roundtruth.stages.round_thumbnails import make_thumbnails
from roundtruth.storage import ObjectUri
from tests.labeling_ui.conftest import connection
from tests.labeling_ui.large_round import KEY, PEOPLE, put_large_round
from tests.memory_store import put_blank
from tests.project_samples import project_content
from tests.sandbox_fixture import client as sandbox_client
from tests.store import open_store

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]
ROUND = "2026-11-16"
COUNT = 60
BUCKET = "test-of-the-round-pages"
HOSTILE_CLASS = '<script>alert("class")</script>'
HOSTILE_KEYS = [
    '<script>alert("key")</script>.png',
    "a'b\"c<img src=x onerror=alert(1)>.png",
    "안녕 🖊 %2e%2e#?&.png",
    "..%2f..%2fetc.png",
    "zero​width.png",
]


class Page(HTMLParser):
    """What a page holds: texts, and the attributes of each kind of element."""

    def __init__(self, html):
        super().__init__()
        self.elements = []
        self.texts = []
        self.feed(html)
        self.text = re.sub(r"\s+", " ", " ".join(self.texts))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag, **wanted):
        return [
            attrs
            for name, attrs in self.elements
            if name == tag and all(attrs.get(key) == value for key, value in wanted.items())
        ]


class Opened:
    """A round of its own in the module's project."""

    def __init__(self, storage, project, client, key=ROUND, **changes):
        self.storage, self.project, self.client, self.key = storage, project, client, key
        sizes = {"images": COUNT, "thumbnails": 10}
        self.folder = put_large_round(storage, project, key, **(sizes | changes))
        self.base = f"/labeling/projects/{project.project}/rounds/{key}"

    def get(self, path="", status=200):
        answer = self.client.get(f"{self.base}{path}", follow_redirects=False)
        assert answer.status_code == status, answer.text[:500]
        return answer

    def page(self, path=""):
        return Page(self.get(path).text)

    def table(self, name, schema):
        return from_parquet(self.storage.read(self.folder.uri / name), schema, name=name)

    def result(self, name):
        """Where a result of the recorded round lies: what another attempt makes again is not it."""
        digest = hashlib.sha256(self.storage.read(self.folder.record)).hexdigest()
        return self.folder.recorded(digest).uri / name

    def another(self, key, **changes):
        """A round that a test may change."""
        return Opened(self.storage, self.project, self.client, key, **changes)


@pytest.fixture(scope="module")
def places_of_all(sandbox, airflow_app, client_of, tmp_path_factory):
    """``places_of_all(name, **changes)`` -> storage, project, client; one connection: it takes a second."""
    from labeling_ui import deployment, live_jobs, project_lists

    folder = tmp_path_factory.mktemp("projects")
    s3 = sandbox_client("s3", sandbox.endpoint_url)
    s3.create_bucket(Bucket=BUCKET)
    storage, viewer = open_store(sandbox.endpoint_url), client_of("viewer")

    def add(name, **changes):
        own = {"root": f"s3://{BUCKET}/{name}", "dataset": {"name": name}, "budget_usd": 100}
        content = project_content(project=name, **own, **changes)
        path = folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        return storage, load_project(path), viewer

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROUNDTRUTH_PROJECTS", str(folder))
        patch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection(sandbox.endpoint_url))
        for module in (deployment, live_jobs, project_lists):
            module.forget()
        yield add
        for module in (deployment, live_jobs, project_lists):
            module.forget()


@pytest.fixture(scope="module")
def opened(places_of_all):
    return Opened(*places_of_all("pens"))


@pytest.fixture(scope="module")
def hostile(places_of_all):
    return Opened(*places_of_all("hostile", categories=[HOSTILE_CLASS, "pen"]), names=HOSTILE_KEYS)


# --- the round


def test_the_page_shows_what_the_files_say(opened):
    page = opened.page()
    images = opened.table("images.parquet", IMAGES)
    disputed = int((images["status"] == "disputed").sum())
    published = COUNT - disputed
    assert (
        f"{COUNT} planned = {published} published + 0 quarantined + {disputed} carried over + 0 unreadable"
        in page.text
    )
    assert "adds up" in page.text
    for step in (
        f"planned {COUNT} 100 %",
        f"labeled {COUNT} 100 %",
        f"agreed − {disputed} disputed {published}",
        f"published {published}",
    ):
        assert step.replace("− ", "") in page.text
    assert f"Agreement {images['agreement'].mean() * 100:.1f} %" in page.text
    assert "4.80 USD of 100.00 USD" in page.text
    assert f"{ROUND}-1 First pass, 3 answers an image: pencil, pen Collected" in page.text
    assert f"{COUNT} of {COUNT} 180 of 180" in page.text
    assert "box_side table labels warning is reported only" in page.text
    assert '/images?check=box_side">60 images' in opened.get().text


def test_classes_confusion_and_workers_are_those_of_the_report(opened):
    page = opened.page()
    assert "pen 10 90 % 80 %" in page.text
    assert "pen pencil not drawn pen 90 5 pencil not drawn 3" in page.text
    workers = re.findall(r"worker-[a-z2-7]{8}", page.text)
    assert set(workers) == {pseudonym(one, KEY) for one in PEOPLE}
    assert f"{workers[0]} careless" in page.text
    assert "40 % of 5 images" in page.text


def test_charts_can_be_read_without_seeing_them(opened):
    page = opened.page()
    [chart] = page.all("svg", role="img")
    ids = {attrs["id"] for _, attrs in page.elements if "id" in attrs}
    assert set(chart["aria-labelledby"].split()) <= ids
    told = re.search(r'<desc id="histogram-text">(.*?)</desc>', opened.get().text, re.DOTALL)[1]
    assert sum(int(number) for number in re.findall(r": (\d+) image", told)) == COUNT
    # the other drawings stand beside their figures and are hidden from screen readers
    assert all(svg.get("aria-hidden") == "true" for svg in page.all("svg") if svg.get("role") != "img")


def test_a_waiting_approval_is_shown_with_the_link_to_answer(opened, monkeypatch):
    from labeling_ui import dag_runs

    waiting = dag_runs.WaitingApproval(
        run_id="run",
        round=ROUND,
        subject="Publish the next version of dataset pens?",
        body="",
        since=datetime(2026, 11, 16, 9, tzinfo=UTC),
        page="/dags/pens_dataset_release/runs/run/tasks/approve_version/required_actions",
    )
    monkeypatch.setattr(dag_runs, "waiting_approvals", lambda session, project: (waiting,))
    page = opened.page()
    assert "A release waits for a decision. Publish the next version of dataset pens?" in page.text
    [link] = page.all("a", href=waiting.page)
    assert link["data-opens"] == "airflow"


def test_on_aws_the_page_links_to_the_console_the_portal_and_data_docs(opened, monkeypatch):
    from ground_truth.hooks import GroundTruthHook
    from labeling_ui import live_jobs

    before = opened.get().text
    assert "sagemaker" not in before, "the sandbox has neither"
    assert re.search(r'<a href="[^"]+/data_docs/index.html" data-opens="window">Data Docs', before)
    live_jobs.forget()
    monkeypatch.setattr(GroundTruthHook, "is_aws", True)
    domain = "abc.labeling.us-east-1.sagemaker.aws"
    monkeypatch.setattr(GroundTruthHook, "labeling_portal_domain", lambda hook, workteam_arn: domain)
    html = unescape(opened.get().text)
    live_jobs.forget()
    assert f'href="https://{domain}" data-opens="window">Workers\' portal' in html
    assert f"groundtruth?region=us-east-1#/labeling-jobs/details/pens-{ROUND}-1" in html


def change_the_failed_check(opened, **changes):
    """The one failed check of the round, as its verdict has it."""
    content = msgspec.json.decode(opened.storage.read(opened.folder.quality))
    content["warnings"][0] |= changes
    opened.storage.write(opened.result("quality.json"), msgspec.json.encode(content))


def test_every_failing_image_of_a_check_can_be_reached(opened):
    """The verdict names a hundred; the table beside it all of them, which the gallery pages through."""
    count = 240
    opened = opened.another("hundreds-failed", images=300)
    images = opened.table("images.parquet", IMAGES)
    refs = images["source_ref"][:count].tolist()
    change_the_failed_check(opened, images=refs[:100], image_count=count, failed_rows=count)
    write_failing_images(
        opened.storage, opened.folder, {("labels", "box_side"): refs, ("images", "other"): refs[:3]}
    )
    assert '/images?check=box_side">240 images<' in opened.get().text
    found = []
    for page in range(1, 6):
        found += names_shown(opened.get(f"/images?check=box_side&order=plan&page={page}").text)
    assert found == [ref.rpartition("/")[2] for ref in refs]
    # the last of them says why it is among them, and leads to the one before it
    page = opened.page(f"/images/{count - 1}?check=box_side&order=plan")
    assert "box_side : The shorter side of a box is at least 2 px" in page.text
    assert page.all("a", id="before")[0]["href"].endswith(f"/images/{count - 2}?check=box_side&order=plan")
    assert "What was noticed" not in opened.page(f"/images/{count}").text


def test_a_check_that_names_a_part_of_its_images_says_so_and_names_the_right_ones(opened):
    """Of an earlier roundtruth, a hundred; one that the plan does not hold takes no other one's name."""
    opened = opened.another("many-failed")
    refs = opened.table("images.parquet", IMAGES)["source_ref"]
    named = [refs[4], f"s3://{BUCKET}/not-in-the-plan.png", refs[9]]
    change_the_failed_check(opened, images=named, image_count=250, failed_rows=250)
    html = opened.get().text
    assert '/images?check=box_side">2 of 250 images<' in html
    for number in (4, 9):
        name = refs[number].rpartition("/")[2]
        assert f'/images/{number}?check=box_side">{name}<' in html
    assert "not-in-the-plan" not in html
    assert "and 248 more" in html
    assert len(names_shown(opened.get("/images?check=box_side").text)) == 2


STEPS = {
    "not recorded": ("round.json",),
    "not checked": ("quality.json", "/images.parquet", "on-its-way/labels.parquet"),
    "not merged": ("merged-labels.parquet",),
    "collected": ("consensus.json", "agreement.parquet"),
    "people at work": ("objects.parquet", "answers.parquet"),
    "planned": ("request.json",),
}


def test_a_round_on_its_way_shows_what_is_there(opened):
    """Every page answers after each step of the round, the last one first."""
    opened = opened.another("on-its-way")
    for step, names in STEPS.items():
        for stored in list(opened.storage.list_objects(opened.folder.uri)):
            if stored.uri.key.endswith(names):
                opened.storage.delete(stored.uri)
        text = opened.page().text
        assert ("Not checked yet" in text) == (step != "not recorded"), step
        assert ("Collected" in text) == (step not in ("people at work", "planned")), step
        assert opened.page("/images").text.count("photo_") == 48
        assert "photo_0000003.png" in opened.page("/images/3").text


def test_a_round_that_is_labeled_again_says_whose_labels_these_are(opened):
    opened = opened.another("again")
    opened.storage.write(opened.folder.uri / "attempt-2.json", b'{"attempt":2,"run":"again"}')
    text = opened.page().text
    assert "is being labeled over again (attempt 2)" in text
    assert "pens-again-1-a2" in text
    assert "Planned" in text


def test_a_broken_file_is_told_and_the_rest_is_shown(opened):
    opened = opened.another("broken")
    opened.storage.write(opened.result("consensus.json"), b"{oops")
    page = opened.page()
    assert "consensus.json cannot be read" in page.text
    assert "adds up" in page.text


def test_there_is_no_page_of_a_round_that_is_not_there(opened):
    above = opened.base.removesuffix(opened.key)
    for path in ("", "/images", "/images/0", "/images/0/thumbnail", "/images/0/original"):
        for key in ("2030-01-01", "%2e%2e", "UPPER", "x" * 80):
            assert opened.client.get(f"{above}{key}{path}").status_code == 404


def test_a_round_that_waits_for_images_says_so(opened):
    from labeling_ui import project_lists

    opened.storage.write(rounds_folder(opened.project) / "waits" / "known-images.tsv", b"")
    project_lists.forget()
    answer = opened.client.get(f"{opened.base.removesuffix(opened.key)}waits")
    assert answer.status_code == 200
    assert "No images yet" in answer.text


# --- its images


def names_shown(html):
    return [unescape(one) for one in re.findall(r'<span class="name"[^>]*>([^<]*)</span>', html)]


def test_the_lowest_agreement_stands_first_and_every_image_once(opened):
    images = opened.table("images.parquet", IMAGES).sort_values("agreement", kind="stable")
    expected = [ref.rpartition("/")[2] for ref in images["source_ref"]]
    found = [name for page in (1, 2) for name in names_shown(opened.get(f"/images?page={page}").text)]
    assert found == expected
    assert names_shown(opened.get("/images?order=highest").text)[0] == expected[-1]


def test_filters_stand_in_the_address_and_lead_on(opened):
    page = opened.get("/images?status=disputed&category=pen")
    images = opened.table("images.parquet", IMAGES)
    disputed = set(images.loc[images["status"] == "disputed", "source_ref"])
    found = names_shown(page.text)
    assert 0 < len(found) <= len(disputed)
    assert {ref.rpartition("/")[2] for ref in disputed} >= set(found)
    first = Page(page.text).all("a")
    links = [one["href"] for one in first if "/images/" in one.get("href", "")]
    assert all(link.endswith("?status=disputed&category=pen") for link in links)
    assert "No such images" in opened.page("/images?category=nothing").text
    opened.get("/images?order=random", 422)


def rectangles(html, layer):
    """The places of a layer's boxes, without the dark ground under each."""
    inside = re.search(
        rf'data-layer="{layer}"[^>]*>(.*?)</g>\s*(?=<g class="layer|<rect class="doubt|</svg>)',
        html,
        re.DOTALL,
    )
    found = re.findall(r'class="line" x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)"', inside[1])
    return [tuple(map(float, one)) for one in found]


def test_an_image_shows_every_worker_s_boxes_and_the_fused_ones(opened):
    images = opened.table("images.parquet", IMAGES)
    answers = opened.table("answers.parquet", ANSWERS)
    place = ["left", "top", "width", "height"]
    number = int(images.index[images["status"] == "labeled"][0])
    html = opened.get(f"/images/{number}").text
    mine = answers[answers["source_ref"] == images["source_ref"][number]]
    assert mine["worker"].nunique() == 3
    for worker, boxes in mine.groupby("worker"):
        assert rectangles(html, pseudonym(worker, KEY)) == list(
            boxes[place].itertuples(index=False, name=None)
        )
    labels = opened.table("labels.parquet", ROUND_LABELS)
    labels = labels[labels["source_ref"] == images["source_ref"][number]]
    assert rectangles(html, "fused") == list(labels[place].itertuples(index=False, name=None))
    toggles = [one["data-toggles"] for one in Page(html).all("input") if "data-toggles" in one]
    assert toggles == ["fused", *sorted(pseudonym(one, KEY) for one in set(mine["worker"])), "ground-truth"]
    assert {one["data-shows"] for one in Page(html).all("input") if "data-shows" in one} <= {"pen", "pencil"}


def test_the_boxes_can_be_read_as_a_table(opened):
    answers = opened.table("answers.parquet", ANSWERS)
    text = opened.page("/images/0").text
    rows = answers[answers["source_ref"].str.endswith("photo_0000000.png")]
    for row in rows.itertuples():
        assert f"{pseudonym(row.worker, KEY)} {row.category} {row.left:.1f} {row.top:.1f}" in text


def test_previous_and_next_follow_the_filter(opened):
    order = [
        int(re.search(r"/images/(\d+)", one["href"])[1])
        for one in opened.page("/images?status=disputed").all("a")
        if re.search(r"/images/\d+\?status=disputed$", one.get("href", ""))
    ]
    page = opened.page(f"/images/{order[1]}?status=disputed")
    [before], [after] = page.all("a", id="before"), page.all("a", id="after")
    assert before["href"].endswith(f"/images/{order[0]}?status=disputed")
    assert after["href"].endswith(f"/images/{order[2]}?status=disputed")
    assert f"2 of {len(order)}" in page.text


def test_an_image_that_is_gone_or_another_one_says_so(opened):
    images = opened.table("images.parquet", IMAGES)
    assert "cannot be found in S3" in opened.page("/images/6").text
    put_blank(opened.storage, images["source_ref"][6])
    assert "was replaced since the round took it" in opened.page("/images/6").text


# --- what a browser may not see


def test_no_worker_s_id_stands_on_any_page(opened):
    for path in (
        "",
        "/images",
        "/images?order=plan&page=2",
        *(f"/images/{one}" for one in range(0, COUNT, 7)),
    ):
        html = opened.get(path).text
        assert [one for one in PEOPLE if one in html] == []


def test_the_image_itself_comes_from_s3_by_an_address_that_ends_soon(opened, sandbox):
    images = opened.table("images.parquet", IMAGES)
    uri = ObjectUri.parse(images["source_ref"][5])
    put_blank(opened.storage, str(uri))
    answer = opened.get("/images/5/original", 307)
    signed = urlsplit(answer.headers["location"])
    assert f"{signed.scheme}://{signed.netloc}" == sandbox.endpoint_url
    asked = parse_qs(signed.query)
    assert asked["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert int(asked["X-Amz-Expires"][0]) <= 300
    assert answer.content == b""
    with urllib.request.urlopen(answer.headers["location"], timeout=10) as found:
        assert found.read() == opened.storage.read(uri)
    # the page lets the browser load it from there, and from nowhere else
    policy = opened.get("/images/5").headers["content-security-policy"]
    assert f"img-src 'self' data: {sandbox.endpoint_url}" in policy
    assert "script-src 'self'; style-src 'self'" in policy


def test_only_images_of_the_round_are_given(opened):
    numbers = [
        "-1",
        str(COUNT),
        "9" * 21,
        "1.5",
        "x",
        "%2e%2e",
        "%2Fetc",
        "s3:%2F%2Fbucket%2Fkey",
        "1%00",
        "%F0",
    ]
    for number in numbers:
        for what in ("", "/thumbnail", "/original"):
            answer = opened.client.get(f"{opened.base}/images/{number}{what}", follow_redirects=False)
            assert answer.status_code in (404, 422), number
            assert "location" not in answer.headers


def test_no_key_of_the_browser_is_taken(opened):
    for query in ("key=boxes/rounds/pseudonyms.key", "uri=s3://other/secret", "bucket=other", "v=../../x"):
        answer = opened.get(f"/images/5/original?{query}", 307)
        assert urlsplit(answer.headers["location"]).path.endswith("/pens/images/photo_0000005.png")


def test_a_thumbnail_is_small_and_kept_by_the_browser(opened):
    sources = [one["src"] for one in opened.page("/images").all("img")]
    assert len(sources) == 48
    assert len(opened.get("/images").content) < 150_000, "boxes and legend included"
    small = [one for one in sources if "/thumbnail?v=" in one]
    assert (
        len(small) == 10
    )  # so many have one; the others are the images themselves, loaded when they are seen
    assert all(one.endswith("/original") for one in sources if one not in small)
    answer = opened.client.get(small[0])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    assert answer.content[8:12] == b"WEBP"
    assert "private" in answer.headers["cache-control"]
    without = next(one for one in sources if one.endswith("/original")).replace("/original", "/thumbnail")
    led = opened.client.get(without, follow_redirects=False)
    assert (led.status_code, led.headers["location"]) == (307, without.replace("/thumbnail", "/original"))


def test_hostile_names_are_texts(hostile):
    order = names_shown(hostile.get("/images?order=plan").text)
    assert order[: len(HOSTILE_KEYS)] == [key.rpartition("/")[2] for key in HOSTILE_KEYS]
    pages = [
        "",
        "/images",
        "/images?order=plan",
        "/images?category=%3Cscript%3E",
        "/images?worker=%22%3E%3Cb%3E",
    ]
    for path in [*pages, *(f"/images/{number}" for number in range(len(HOSTILE_KEYS)))]:
        page = hostile.page(path)
        assert all("src" in script for script in page.all("script")), path
        assert page.all("img", src="x") == []
        assert [tag for tag, attrs in page.elements if any(name.startswith("on") for name in attrs)] == []
        assert [tag for tag, attrs in page.elements if "style" in attrs] == [], path
        assert page.all("style") == []
    page = hostile.page("/images/0")
    assert HOSTILE_CLASS in page.text
    assert any(one.get("data-category") == HOSTILE_CLASS for one in page.all("g"))


def test_images_with_odd_keys_are_found(hostile, sandbox):
    images = hostile.table("images.parquet", IMAGES)
    s3 = sandbox_client("s3", sandbox.endpoint_url)
    for number in range(len(HOSTILE_KEYS)):
        uri = ObjectUri.parse(images["source_ref"][number])
        s3.put_object(Bucket=uri.bucket, Key=uri.key, Body=f"image {number}".encode())
        answer = hostile.get(f"/images/{number}/original", 307)
        with urllib.request.urlopen(answer.headers["location"], timeout=10) as found:
            assert found.read() == f"image {number}".encode()


def test_images_outside_of_s3_and_in_other_buckets(opened):
    """An imported round may list both: the first is not shown, the second comes from its own bucket."""
    opened = opened.another("elsewhere")
    plan = msgspec.json.decode(opened.storage.read(opened.folder.plan), type=RoundPlan)
    uri = opened.folder.uri / plan.planned.file
    planned = from_parquet(opened.storage.read(uri), PLANNED, name="planned")
    refs = ["/etc/hostname", "s3://another-bucket/photo.png", "s3:///no-bucket.png", "s3://UPPER_/x.png"]
    planned.loc[:3, "source_ref"] = refs
    opened.storage.write(uri, to_parquet(planned, PLANNED))
    assert "/etc/hostname" in opened.page("/images/0").text
    for number in (0, 2, 3):
        assert "does not lie in S3" in opened.page(f"/images/{number}").text
        for what in ("thumbnail", "original"):
            answer = opened.client.get(f"{opened.base}/images/{number}/{what}")
            assert (answer.status_code, "location" in answer.headers) == (404, False)
    # its bucket is not there: what people drew is shown all the same
    elsewhere = opened.page("/images/1")
    assert "The boxes are shown without it: s3://another-bucket/photo.png" in elsewhere.text
    assert elsewhere.all("svg", id="image")
    assert names_shown(opened.get("/images?order=plan").text)[:4] == [ref.rpartition("/")[2] for ref in refs]
    assert "/another-bucket/photo.png?" in opened.get("/images/1/original", 307).headers["location"]


def test_every_link_between_the_pages_leads_somewhere(opened):
    seen, waiting = set(), [opened.base]
    while waiting and len(seen) < 20:
        address = waiting.pop(0)
        if address in seen or not address.startswith(opened.base):
            continue
        seen.add(address)
        answer = opened.client.get(address)
        assert answer.status_code == 200, address
        waiting += [one["href"].partition("#")[0] for one in Page(answer.text).all("a") if "href" in one][
            ::-1
        ]
    assert len(seen) == 20


def test_thumbnails_are_made_of_what_people_see_first(places_of_all):
    """From the step to the browser: real images, real packs."""
    storage, project, client = places_of_all("few", pages={"thumbnails": 3})
    for name in ("one.png", "안녕 #1.png", "three.png", "four.png"):
        put_blank(storage, f"{project.images_uri}{name}")
    plan_round(storage, project, ROUND)
    assert make_thumbnails(storage, project, ROUND) == {"wanted": 3, "made": 3, "there": 0, "without": 0}
    base = f"/labeling/projects/few/rounds/{ROUND}/images"
    answers = [
        client.get(f"{base}/{number}/thumbnail", follow_redirects=False).status_code for number in range(4)
    ]
    assert sorted(answers) == [200, 200, 200, 307]
