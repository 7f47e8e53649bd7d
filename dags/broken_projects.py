"""Shows broken project files as an import error of their own, and leaves the Dags of all others alone."""

from __future__ import annotations

from labeling.projects import load_projects

_errors = load_projects().errors
if _errors:
    raise ExceptionGroup("Project files that airflow cannot make a dag of", _errors)
