"""Which of the candidate images a round takes: all, a random share, an SQL condition; at most so many."""

from __future__ import annotations

import hashlib

import pandas as pd

from roundtruth.errors import RoundError
from roundtruth.project import Selection


def select_images(candidates: pd.DataFrame, selection: Selection, round_key: str) -> pd.DataFrame:
    """Choose among new images; carried-over ones are always taken, and come first under ``max_images``.

    :param candidates: PLANNED columns; the order does not matter.
    :returns: the chosen rows: carried-over first, then by arrival, then by source_ref.
    :raises RoundError: when the SQL condition does not run.
    """
    carried = candidates[candidates["carried_over"]]
    fresh = candidates[~candidates["carried_over"]]
    if selection.mode == "random":
        fresh = _random_share(fresh, selection, round_key)
    elif selection.mode == "query":
        fresh = _query(fresh, selection)
    chosen = pd.concat([carried, fresh]).sort_values(
        ["carried_over", "last_modified", "source_ref"], ascending=[False, True, True]
    )
    if selection.max_images is not None:
        chosen = chosen.head(selection.max_images)
    return chosen.reset_index(drop=True)


def _random_share(fresh: pd.DataFrame, selection: Selection, round_key: str) -> pd.DataFrame:
    # Ranking by a hash instead of drawing numbers: an image's luck does not depend on what else arrived.
    assert selection.fraction is not None  # noqa: S101  # the project file's model asks for it
    salt = f"{selection.seed}/{round_key}/"
    ranks = fresh["source_ref"].map(lambda ref: hashlib.sha256(f"{salt}{ref}".encode()).digest())
    count = round(len(fresh) * selection.fraction)
    return fresh.loc[ranks.sort_values().index[:count]]


def _query(fresh: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    import duckdb

    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as connection:
        connection.register("images", fresh.reset_index(drop=True).reset_index(names="row_number"))
        try:
            rows = connection.sql(f"SELECT row_number FROM images WHERE {selection.where}").fetchall()  # noqa: S608
        except duckdb.Error as error:
            first_line = str(error).partition("\n")[0]
            raise RoundError(f"selection.where {selection.where!r} does not run: {first_line}") from error
    return fresh.iloc[sorted(row for (row,) in rows)]
