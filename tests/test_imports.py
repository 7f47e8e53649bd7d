"""The import rules of DESIGN.md, over every file: data flows down, imports point up."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.dag_parsing import BROKEN_KEY, ROOT, parsed_dags

DOMAIN = ROOT / "include" / "roundtruth"

# The rooms of include/roundtruth from top to bottom. A room imports what stands in the rows above its own,
# and nothing of its own row. A new room gets its place here first.
ROOMS = [
    ["errors"],
    ["stored_objects", "parallel", "category_names", "typed_json"],
    ["arrow_columns", "arrow_memory", "row_order"],
    ["boto3_calls", "local_files", "s3_connection", "storage_errors", "copy_requests"],
    ["conditional_copies"],
    ["storage"],
    ["labeling_settings"],
    ["quality_settings"],
    ["dataset_settings", "operation_settings"],
    ["project"],
    ["project_files"],
    ["annotations", "image_headers", "categories", "charts"],
    ["thumbnails"],
    ["ground_truth"],
    ["rounds", "consensus", "quality"],
    ["datasets"],
    ["overviews"],
    ["stages", "sandbox"],
    ["cli"],
]
ROW = {room: number for number, row in enumerate(ROOMS) for room in row}
MAKES_CLIENTS = {"cli", "sandbox"}
# What a Dag file may hold at module level: it runs at every parse, so tasks import the rest for themselves.
DAG_IMPORTS = {
    "airflow.sdk",
    "ground_truth",
    "labeling",
    "roundtruth.operation_settings",
    "roundtruth.project",
}
# What the Dags share may read project files and handle storage, never do a round's work.
LABELING_IMPORTS = {
    "airflow.sdk",
    "airflow.providers.amazon.aws",
    "airflow.providers.standard.operators.hitl",
    "botocore.config",
    "ground_truth",
    "labeling",
    "labeling_ui.addresses",  # where tasks' links lead
    "roundtruth.errors",
    "roundtruth.operation_settings",
    "roundtruth.project",
    "roundtruth.project_files",
    "roundtruth.rounds.requested",
    "roundtruth.s3_connection",
    "roundtruth.storage",
}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc", "base", "core"}


@dataclass(frozen=True, kw_only=True)
class Import:
    """One imported module: its full name, where, and whether the import runs when the file is loaded."""

    module: str
    path: Path
    line: int
    at_load: bool

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.module}"


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def imports(path: Path) -> tuple[Import, ...]:
    """All imports of a file but those for type checkers alone."""
    return tuple(_imports(parsed(path), path, at_load=True))


def _imports(node: ast.AST, path: Path, *, at_load: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        for module in _modules(child):
            yield Import(module=module, path=path, line=child.lineno, at_load=at_load)
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _imports(child, path, at_load=at_load and not inside)


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "absolute imports only"
        assert node.module
        # `from roundtruth import storage` imports a module, `from roundtruth.storage import Storage` a name.
        named = [f"{node.module}.{alias.name}" for alias in node.names]
        return named if node.module == "roundtruth" else [node.module]
    return []


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def room_of(path: Path) -> str:
    return path.relative_to(DOMAIN).parts[0].removesuffix(".py")


def test_every_room_has_its_place():
    assert sum(len(row) for row in ROOMS) == len(ROW), "a room stands in one row"
    rooms = {room_of(path) for path in DOMAIN.rglob("*.py")} - {"__init__"}
    assert rooms == set(ROW), "give the new room a row in ROOMS, or take the old one out"


def test_rooms_import_only_what_stands_above_them():
    wrong = []
    for path in DOMAIN.rglob("*.py"):
        room = room_of(path)
        for found in imports(path):
            if not within(found.module, "roundtruth") or found.module == "roundtruth.__version__":
                continue
            other = found.module.split(".")[1]
            if other != room and (room == "__init__" or ROW[other] >= ROW[room]):
                wrong.append(str(found))
    assert wrong == []


def test_no_two_modules_of_the_domain_need_each_other():
    """Nor a chain of them, wherever in a file the import stands."""
    files = {
        ".".join(path.relative_to(DOMAIN.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in python_files("include/roundtruth")
    }
    needs = {
        name: {found.module for found in imports(path) if found.module in files} - {name}
        for name, path in files.items()
    }
    order = TopologicalSorter(needs)
    order.prepare()  # graphlib.CycleError names the circle


@pytest.mark.parametrize("foreign", ["airflow", "ground_truth", "labeling", "labeling_ui", "dags", "demo"])
def test_the_domain_knows_no_adapter(foreign):
    found = [i for path in python_files("include/roundtruth") for i in imports(path)]
    assert [str(i) for i in found if within(i.module, foreign)] == []


def test_the_sandbox_is_no_part_of_the_pipeline():
    found = [i for path in python_files("include/roundtruth", "plugins", "dags") for i in imports(path)]
    users = {i.path for i in found if within(i.module, "roundtruth.sandbox")}
    outside = {path.relative_to(ROOT).parts[:3] for path in users}
    assert outside <= {("include", "roundtruth", "sandbox"), ("include", "roundtruth", "cli")}


def test_the_package_for_ground_truth_stands_alone():
    """So that it could go into the amazon provider as it is."""
    found = [i for path in python_files("plugins/ground_truth") for i in imports(path)]
    ours = [str(i) for i in found if within(i.module, "roundtruth", "labeling", "labeling_ui", "demo")]
    assert ours == []


# --- who makes boto3 clients


def test_only_commands_and_sandbox_import_boto3():
    """s3_connection.py takes a session and hands it to obstore: `obstore.auth.boto3` is no client of ours."""
    found = [i for path in python_files("include/roundtruth") for i in imports(path)]
    users = {room_of(i.path) for i in found if within(i.module, "boto3", "aiobotocore")}
    assert users <= MAKES_CLIENTS


def client_calls(path: Path) -> list[tuple[str, str]]:
    """Calls of `….client(…)` and `….resource(…)`: the function they stand in, and the call."""
    functions = (n for n in ast.walk(parsed(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return [
        (function.name, ast.unparse(node.func))
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"client", "resource"}
    ]


def test_clients_are_handed_in():
    made = {
        (room_of(path), function, call)
        for path in DOMAIN.rglob("*.py")
        if room_of(path) not in MAKES_CLIENTS
        for function, call in client_calls(path)
    }
    # The one exception: a session with its credentials is handed in, storage makes what it needs of it.
    assert made == {("s3_connection", "connect", "session.client")}


# --- Dags and what they share


@pytest.mark.parametrize("path", python_files("dags"), ids=lambda path: path.name)
def test_dag_files_load_next_to_nothing(path):
    allowed = DAG_IMPORTS | {"__future__", "datetime", "typing"}
    assert [str(i) for i in imports(path) if i.at_load and not within(i.module, *allowed)] == []


def test_dags_leave_the_work_to_stages():
    found = [i for path in python_files("dags") for i in imports(path) if not i.at_load]
    assert [str(i) for i in found if within(i.module, "roundtruth")] != []
    assert [str(i) for i in found if not within(i.module, "roundtruth.stages")] == []


def test_what_dags_share_does_no_work_of_a_round():
    allowed = LABELING_IMPORTS | {
        "__future__",
        "collections",
        "contextlib",
        "dataclasses",
        "datetime",
        "gc",
        "hashlib",
        "importlib",
        "inspect",
        "json",
        "os",
        "pathlib",
        "re",
        "typing",
        "urllib",
    }
    found = [i for path in python_files("plugins/labeling") for i in imports(path)]
    others = [i for i in found if not within(i.module, *allowed)]
    # Tasks that two Dags have in common are there; like those of the Dag files, they import as they run.
    of_tasks = [i for i in others if i.path.name == "round_ends.py" and not i.at_load]
    assert [str(i) for i in of_tasks if not within(i.module, "roundtruth.stages")] == []
    assert [str(i) for i in others if i not in of_tasks] == []


# What makes rounds and versions, and loads pandas, SciPy or Great Expectations for it.
WORK = ("roundtruth.stages", "roundtruth.sandbox", "roundtruth.cli", "roundtruth.consensus")


def test_pages_read_the_domain_and_do_no_work_of_it():
    """What they load, all in all, is shown by tests/labeling_ui/test_api_server.py."""
    found = [i for path in python_files("plugins/labeling_ui") for i in imports(path)]
    assert [str(i) for i in found if within(i.module, *WORK)] == []


# --- every module


ALL = python_files("include/roundtruth", "plugins", "dags", "demo")


@pytest.mark.parametrize("path", ALL, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path):
    tree = parsed(path)
    docstring = ast.get_docstring(tree)
    assert docstring, "a docstring says the module's one job"
    assert docstring.splitlines()[0].endswith((".", ":", "?")), "its first line is a sentence"
    has_code = len(tree.body) > 1
    assert not has_code or "from __future__ import annotations" in map(ast.unparse, tree.body)
    assert path.stem not in VAGUE_NAMES, "name the module after its job"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, "a module of one job is shorter"


# --- the same, measured: what parsing loads


@pytest.mark.airflow
@pytest.mark.xdist_group("airflow")
def test_parsing_loads_nothing_heavy():
    assert parsed_dags()["heavy"] == []


@pytest.mark.airflow
@pytest.mark.xdist_group("airflow")
def test_a_broken_project_shows_as_an_import_error_and_harms_no_other():
    parsed_ = parsed_dags()
    assert {"pens_labeling_round", "pens_dataset_release"} <= set(parsed_["dags"])
    assert not [dag_id for dag_id in parsed_["dags"] if dag_id.startswith("broken")]
    [(file, message)] = parsed_["errors"].items()
    assert Path(file).name == "broken_projects.py"
    assert parsed_["broken"] in message
    assert f"{BROKEN_KEY}: there is no such key; did you mean categories?" in message


def test_no_struct_is_decoded_before_its_decoder_is_built():
    """Threads that decode a struct for the first time together crash the process: see typed_json."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in python_files("include/roundtruth", "plugins", "dags", "demo")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("json.decode") and node.keywords
    ]
    assert found == [], "use roundtruth.typed_json.decode_json"


def test_no_parquet_file_is_read_from_memory_of_python_s():
    """A process that ends just then would be aborted by Arrow's threads: see arrow_memory."""
    readers = ("ParquetFile", "read_schema", "read_metadata", "pq.read_table", "read_parquet")
    # A file on this machine; one in S3, read by the calling thread; what arrow_file gives.
    sources = ("path", "_opened(storage, uri)", "file", "arrow_file(data)")
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in python_files("include/roundtruth", "plugins", "dags", "demo")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(readers)
        if ast.unparse(node.args[0]) not in sources
    ]
    assert found == [], "use roundtruth.arrow_memory.arrow_file"
