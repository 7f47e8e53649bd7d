"""Which of the candidate images a round takes: all, a random share, an SQL condition; at most so many."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pandas as pd

from roundtruth.errors import RoundError
from roundtruth.project import Selection


@dataclass(frozen=True, kw_only=True)
class Selected:
    """What was chosen, in its order; what ``max_images`` cut off; what lost the random draw."""

    chosen: pd.DataFrame
    over_limit: pd.DataFrame
    lost_draw: pd.DataFrame


def select_images(
    candidates: pd.DataFrame, selection: Selection, round_key: str, *, drawn: frozenset[str] = frozenset()
) -> Selected:
    """Choose among new images; carried-over ones are always taken, and come first under ``max_images``.

    Behind them the images that wait longest come first, by arrival: what ``max_images`` cut off in an earlier
    round stands before what is new.

    :param candidates: PLANNED columns; the order does not matter.
    :param drawn: source_refs of images that won the draw of an earlier round; they are not drawn again.
    :returns: the chosen rows: carried-over first, then by arrival, then by source_ref.
    :raises RoundError: when the SQL condition does not run. It sees the columns of ``candidates``, with
        ``last_modified`` as a TIMESTAMP in UTC.
    """
    carried = candidates[candidates["carried_over"]]
    fresh = candidates[~candidates["carried_over"]]
    lost = fresh[:0]
    if selection.mode == "random":
        wins = _wins_draw(fresh, selection, round_key) | fresh["source_ref"].isin(drawn)
        fresh, lost = fresh[wins], fresh[~wins]
    elif selection.mode == "query":
        fresh = images_where(fresh, selection.where or "")
    chosen = pd.concat([carried, fresh]).sort_values(
        ["carried_over", "last_modified", "source_ref"], ascending=[False, True, True]
    )
    limit = len(chosen) if selection.max_images is None else selection.max_images
    return Selected(
        chosen=chosen.head(limit).reset_index(drop=True), over_limit=chosen.iloc[limit:], lost_draw=lost
    )


def _wins_draw(fresh: pd.DataFrame, selection: Selection, round_key: str) -> pd.Series[bool]:
    # A hash decides instead of a drawn number: an image's luck does not depend on what else arrived.
    assert selection.fraction is not None  # noqa: S101  # the project file's model asks for it
    salt = f"{selection.seed}/{round_key}/"
    lucky = [_luck(f"{salt}{ref}") < selection.fraction for ref in fresh["source_ref"]]
    return pd.Series(lucky, index=fresh.index, dtype=bool)


def _luck(text: str) -> float:
    """A number from 0 to below 1, evenly spread over texts."""
    # 53 bits: what a float holds exactly, so that 1.0 is never reached.
    return (int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 11) / 2**53


def images_where(fresh: pd.DataFrame, where: str) -> pd.DataFrame:
    """The rows that meet an SQL condition.

    :raises RoundError: when it does not run, or DuckDB is not there.
    """
    try:
        import duckdb
    except ModuleNotFoundError as error:
        raise RoundError(
            "selection.mode: query needs DuckDB; install it with `pip install '.[selection]'` in the folder "
            "of Roundtruth."
        ) from error

    # DuckDB knows zones only with an extension that it would have to download: times are UTC without one.
    images = fresh.reset_index(drop=True).reset_index(names="row_number")
    images["last_modified"] = images["last_modified"].dt.tz_convert(None)
    # No files, no network, no Python objects.
    settings: dict[str, str | bool | int | float | list[str]] = {
        "enable_external_access": "false",
        "python_enable_replacements": "false",
    }
    with duckdb.connect(":memory:", config=settings) as connection:
        connection.register("images", images)
        try:
            # The parentheses keep it one condition, the line end closes a comment in it.
            statements = connection.extract_statements(
                f"SELECT row_number FROM images WHERE ({where}\n)"  # noqa: S608
            )
            if len(statements) != 1:
                raise RoundError(f"selection.where {where!r} does not run: it must be one SQL condition.")
            rows = connection.execute(statements[0]).fetchall()
        except duckdb.Error as error:
            first_line = str(error).partition("\n")[0]
            raise RoundError(f"selection.where {where!r} does not run: {first_line}") from error
    return fresh.iloc[sorted({row for (row,) in rows} & set(range(len(fresh))))]
