"""Pages inside Airflow's web UI: the rounds of all projects, a round and its images, a dataset's versions."""
