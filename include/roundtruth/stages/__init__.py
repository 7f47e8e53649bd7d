"""The steps of the two Dags: each reads its inputs from S3, lets one room do the work, writes what it made.

Airflow's tasks call these functions and nothing else; the command line and tests call them without Airflow.
All of them may run twice: the second run finds its output or writes the same bytes.
"""

from __future__ import annotations
