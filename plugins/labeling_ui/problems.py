"""What went wrong as a page that says what to do; it tells no more than people are meant to read."""

from __future__ import annotations

import logging

from airflow.exceptions import AirflowNotFoundException
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from labeling_ui.pages import render
from roundtruth.errors import RoundtruthError, StorageError

log = logging.getLogger(__name__)
TITLES = {
    400: "This cannot be asked",
    401: "Please log in",
    403: "Not yours to see",
    404: "There is no such page",
    405: "This cannot be asked here",
    409: "Somebody was faster",
    422: "This cannot be asked",
    502: "S3 did not answer",
}
ADVICE = {
    401: "Your login has ended. Reload Airflow and log in again.",
    403: "Ask who looks after this Airflow for access to the project's Dag.",
}


def problem_of(error: Exception) -> tuple[int, str]:
    """Status and one sentence of an error that people can do something about, else 500 and none of it."""
    if isinstance(error, StarletteHTTPException):
        return error.status_code, str(error.detail)
    if isinstance(error, AirflowNotFoundException):
        return 502, f"{error}; make the connection that the project file names in `aws_conn_id`."
    if isinstance(error, StorageError):
        return 502, str(error)
    if isinstance(error, RoundtruthError):
        return 404, str(error)
    if type(error).__module__.startswith("botocore."):  # its errors name the call and the reason
        return 502, f"AWS refused: {error}; check the project's connection and its policy in docs/aws.md."
    return 500, "Something went wrong here; the log of Airflow's API server says what."


def show_problem(request: Request, status: int, sentence: str) -> HTMLResponse:
    """The page of a problem."""
    title = TITLES.get(status, "This did not work")
    return render(
        request,
        "problem.html",
        status=status,
        title=title,
        sentence=sentence,
        advice=ADVICE.get(status, ""),
    )


def install(app: FastAPI) -> None:
    """Answer every error of the pages by such a page, with its status."""

    def answer(request: Request, error: Exception) -> HTMLResponse:
        status, sentence = problem_of(error)
        if status >= 500:
            log.warning("Page %s: %s", request.url.path, sentence, exc_info=status == 500 and error)
        return show_problem(request, status, sentence)

    def refuse(request: Request, error: Exception) -> HTMLResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101  # what it is installed for
        wrong = "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in error.errors())
        return show_problem(request, 422, f"{wrong}.")

    app.add_exception_handler(RequestValidationError, refuse)
    for kind in (StarletteHTTPException, HTTPException, RoundtruthError, AirflowNotFoundException, Exception):
        app.add_exception_handler(kind, answer)
