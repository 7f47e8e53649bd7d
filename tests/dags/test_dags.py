"""What the Dags are: from project files to tasks, edges, schedules and waits."""

from __future__ import annotations

import pytest

from tests.dag_parsing import ROOT, parsed_dags

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]

ASKING = ["ask-always", "ask-on-warning"]
GOOD = ["pens", "by-hand", "told", *ASKING, *(f"passes-{count}" for count in range(4))]
CHAIN = ["build_manifest", "run_labeling_job", "collect_answers"]


@pytest.fixture(scope="module")
def dags():
    return parsed_dags()["dags"]


def edges(dag):
    return {name: set(task["downstream"]) for name, task in dag["tasks"].items()}


def labeling_pass(group, entered_from, then, *, beside=None):
    """The edges of one labeling pass: a mapped group of three tasks in a row, all fed by the list of jobs.

    ``beside`` is another task that starts with them.
    """
    names = [f"{group}.{name}" for name in CHAIN]
    after = [*({name} for name in names[1:]), {then}]
    return {entered_from: {*names, *([beside] if beside else [])}, **dict(zip(names, after, strict=True))}


def test_every_good_project_has_its_dags(dags):
    kinds = {name: {"labeling_round", "dataset_release", "round_import"} for name in GOOD}
    kinds["pens"].add("train_on_release")  # the only one that asks for it
    assert set(dags) == {f"{name}_{kind}" for name in GOOD for kind in kinds[name]}


def test_the_pens_round_is_wired_as_designed(dags):
    assert edges(dags["pens_labeling_round"]) == {
        "open_round": {"wait_for_images"},
        "wait_for_images": {"plan_round"},
        **labeling_pass("label", "plan_round", "measure_consensus", beside="inspect_images"),
        "inspect_images": {"check_quality"},
        **labeling_pass("relabel_1", "measure_consensus", "measure_consensus_1"),
        "measure_consensus_1": {"merge_categories"},
        "merge_categories": {"check_quality"},
        "check_quality": {"record_round", "make_thumbnails"},
        "record_round": set(),
        "make_thumbnails": set(),
    }


def test_pictures_hold_nothing_up_and_are_made_of_a_blocked_round_too(dags):
    for dag_id in ("pens_labeling_round", "pens_round_import"):
        pictures = dags[dag_id]["tasks"]["make_thumbnails"]
        assert pictures["downstream"] == []
        # also where check_quality failed, and not where the round was skipped: too few new images
        assert pictures["trigger_rule"] == "none_skipped"


def test_the_pens_release_is_wired_as_designed(dags):
    assert edges(dags["pens_dataset_release"]) == {
        "assemble_version": {"check_dataset", "publish_version"},
        "check_dataset": {"publish_version"},
        "publish_version": set(),
    }


@pytest.mark.parametrize("name", ASKING)
def test_a_release_asks_a_person_where_the_project_says_so(dags, name):
    release = dags[f"{name}_dataset_release"]
    assert edges(release) == {
        "assemble_version": {
            *("check_dataset", "decide_approval", "describe_version"),
            *("publish_version", "send_back_images", "discard_version"),
        },
        "check_dataset": {"decide_approval", "describe_version"},
        "decide_approval": {"describe_version", "publish_version"},
        "describe_version": {"approve_version"},
        "approve_version": {"publish_version", "send_back_images", "discard_version"},
        "publish_version": set(),
        "send_back_images": set(),
        "discard_version": set(),
    }
    assert release["tasks"]["approve_version"]["class"] == "ReleaseApprovalOperator"
    # decide_approval skips the question where none is needed, and publishing must not be skipped with it
    assert release["tasks"]["publish_version"]["trigger_rule"] == "none_failed_min_one_success"


@pytest.mark.parametrize("count", range(4))
def test_a_round_has_as_many_relabel_passes_as_its_project_says(dags, count):
    tasks = dags[f"passes-{count}_labeling_round"]["tasks"]
    groups = {name.split(".")[0] for name in tasks if "." in name}
    assert groups == {"label"} | {f"relabel_{number}" for number in range(1, count + 1)}
    last = f"measure_consensus_{count}" if count else "measure_consensus"
    assert tasks[last]["downstream"] == ["merge_categories"]


@pytest.mark.parametrize(
    ("dag_id", "timetable"),
    [
        ("pens_labeling_round", "CronPartitionTimetable"),
        ("by-hand_labeling_round", "PartitionedAtRuntime"),
        ("pens_dataset_release", "PartitionedAssetTimetable"),
        ("by-hand_dataset_release", "PartitionedAssetTimetable"),
        ("pens_train_on_release", "PartitionedAssetTimetable"),
    ],
)
def test_runs_start_by_partition(dags, dag_id, timetable):
    assert dags[dag_id]["timetable"] == timetable
    assert dags[dag_id]["catchup"] is False


@pytest.mark.parametrize("name", GOOD)
def test_a_dataset_has_one_release_at_a_time(dags, name):
    assert dags[f"{name}_dataset_release"]["max_active_runs"] == 1


@pytest.mark.parametrize("name", GOOD)
def test_people_find_a_dag_by_tag_owner_and_text(dags, name):
    for kind, tag in (("labeling_round", "labeling"), ("dataset_release", "dataset")):
        dag = dags[f"{name}_{kind}"]
        assert dag["tags"] == sorted(["roundtruth", tag, name])
        assert dag["doc_md"].startswith("One Dag a project:")
        assert {task["owner"] for task in dag["tasks"].values()} == {"labeling"}


def test_every_task_is_tried_again_by_the_same_policy(dags):
    tasks = [task for dag in dags.values() for task in dag["tasks"].values()]
    assert {task["retries"] for task in tasks} == {3}
    assert {task["retry_policy"] for task in tasks} == {"ExceptionRetryPolicy"}


def test_waiting_holds_no_worker(dags):
    for dag in dags.values():
        for name, task in dag["tasks"].items():
            if "Sensor" in task["class"]:
                assert task["deferrable"] is True, name


def test_jobs_are_branches_of_their_own(dags):
    tasks = dags["pens_labeling_round"]["tasks"]
    mapped = {name for name, task in tasks.items() if task["mapped"]}
    assert mapped == {f"{group}.{name}" for group in ("label", "relabel_1") for name in CHAIN}


def test_a_pass_without_jobs_does_not_stop_the_round(dags):
    tasks = dags["passes-3_labeling_round"]["tasks"]
    measured = {name: task["trigger_rule"] for name, task in tasks.items() if "measure" in name}
    assert set(measured.values()) == {"none_failed"}
    assert len(measured) == 4


def test_checks_lead_to_their_data_docs(dags):
    linked = {
        (dag_id, name)
        for dag_id in ("pens_labeling_round", "pens_dataset_release")
        for name, task in dags[dag_id]["tasks"].items()
        if "Data Docs" in task["links"]
    }
    assert linked == {("pens_labeling_round", "check_quality"), ("pens_dataset_release", "check_dataset")}


def test_tasks_lead_to_the_pages_that_show_their_results(dags):
    def linked(dag_id):
        tasks = dags[dag_id]["tasks"].items()
        shown = {"Round", "Disputed images", "Version"}
        return {name: found for name, task in tasks if (found := sorted(shown & set(task["links"])))}

    assert linked("pens_labeling_round") == {
        "measure_consensus": ["Disputed images"],
        "measure_consensus_1": ["Disputed images"],
        "check_quality": ["Round"],
        "record_round": ["Round"],
    }
    assert linked("pens_dataset_release") == {"publish_version": ["Version"]}


def test_rounds_and_releases_meet_at_the_labels(dags):
    def outlets(dag_id):
        tasks = dags[dag_id]["tasks"].items()
        return {name: task["outlets"] for name, task in tasks if task["outlets"]}

    assert outlets("pens_labeling_round") == {"record_round": ["labels/pens"]}
    assert outlets("pens_dataset_release") == {"publish_version": ["dataset/pens"]}
    assert outlets("pens_train_on_release") == {}


def test_a_job_holds_its_slot_in_the_project_s_pool_while_people_work(dags):
    tasks = dags["told_labeling_round"]["tasks"]
    pools = {name: task["pool"] for name, task in tasks.items()}
    assert {name for name, pool in pools.items() if pool == "people"} == {
        "label.run_labeling_job",
        "relabel_1.run_labeling_job",
    }
    assert tasks["label.run_labeling_job"]["deferrable"] is True


def test_a_finished_job_is_collected_again_though_it_is_not_run(dags):
    tasks = dags["pens_labeling_round"]["tasks"]
    assert tasks["label.collect_answers"]["trigger_rule"] == "none_failed"
    assert tasks["label.run_labeling_job"]["trigger_rule"] == "all_success"


def test_late_rounds_are_told_counted_from_when_the_run_was_created(dags):
    late = {dag_id: dag["deadlines"] for dag_id, dag in dags.items() if dag["deadlines"]}
    assert late["told_labeling_round"] == [["RunCreated", 7200.0]]
    assert {dag_id.partition("_")[2] for dag_id in late} == {"labeling_round"}


def test_a_run_that_fails_calls_the_project_s_notifiers(dags):
    told = {dag_id for dag_id, dag in dags.items() if dag["on_failure"]}
    assert told == {"told_labeling_round", "told_dataset_release", "told_round_import"}


def test_the_form_of_a_round_explains_itself(dags):
    form = dags["pens_labeling_round"]["params"]
    assert list(form) == ["round", "why", "prefix", "keys", "where", "max_images", "relabel"]
    for name, field in form.items():
        assert field["title"], name
        assert field["description"].endswith("."), name
        assert field["type"], name
    assert {name: field["default"] for name, field in form.items() if field["default"] is not None} == {
        "relabel": False
    }


def test_every_form_can_be_left_as_it_is(dags):
    # Airflow checks the defaults of a scheduled Dag when it is made, before it has its form (ask_for).
    for dag_id, dag in dags.items():
        given = {name: field["default"] for name, field in dag["params"].items()}
        assert dag["defaults"] == given, dag_id
        assert bool(given) is not dag_id.endswith("_dataset_release"), dag_id


def test_a_task_holds_no_copy_of_its_dag_s_form(dags):
    # Half of the time to parse a project went into them; a run takes the Dag's parameters itself.
    own = {
        (dag_id, name): task["params"]
        for dag_id, dag in dags.items()
        for name, task in dag["tasks"].items()
        if task["params"]
    }
    assert own == {(f"{name}_dataset_release", "approve_version"): ["why"] for name in ASKING}


@pytest.mark.parametrize("path", sorted((ROOT / "dags").glob("*.py")), ids=lambda path: path.name)
def test_dag_files_only_wire(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= 250
    assert not [line for line in lines if "os.environ" in line or "Variable" in line or "open(" in line]
