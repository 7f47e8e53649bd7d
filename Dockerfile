# syntax=docker/dockerfile:1
# Airflow with the pins of requirements.txt and this project's code: the image tag is the version of a deployment.
FROM apache/airflow:3.3.2-python3.11

# On its own, so that a change of code does not install everything again.
COPY requirements.txt /opt/airflow/requirements.txt
# The import fails the build when the pins do not fit together: CeleryExecutor is loaded by no test of a Dag.
RUN pip install --no-cache-dir --requirement /opt/airflow/requirements.txt \
    && python -c "import airflow.providers.celery.executors.celery_executor"

# A new named volume takes the owner of the folder that it is mounted on.
RUN mkdir -p /opt/airflow/auth /opt/airflow/logs /opt/airflow/sandbox

COPY --chown=airflow:0 include /opt/airflow/include
COPY --chown=airflow:0 plugins /opt/airflow/plugins
COPY --chown=airflow:0 dags /opt/airflow/dags

ENV PYTHONPATH=/opt/airflow/include
RUN python -c "import roundtruth.project"
