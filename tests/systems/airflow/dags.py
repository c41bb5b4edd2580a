"""The DAG of test_operator.py: an audit for each outcome. Airflow parses this file."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

try:
    from airflow.sdk import DAG, task
except ImportError:
    from airflow import DAG
    from airflow.decorators import task

from repro_tui.airflow import ReproAuditOperator

FOLDER = os.environ["AUDITED_FOLDER"]
TASKS = ("same", "drifts", "unsure", "unsure_fails", "refused")


def audit(name, b, **options):
    return ReproAuditOperator(
        task_id=name,
        a=f"{FOLDER}/record.json#a",
        b=f"{FOLDER}/record.json#" + b,
        folder=FOLDER + "/reports/{{ task.task_id }}",
        program=os.environ["AUDIT_PROGRAM"],
        retries=1,
        retry_delay=timedelta(seconds=1),
        **options,
    )


@task(trigger_rule="all_done")
def see(**context):
    values = {name: context["ti"].xcom_pull(task_ids=name) for name in TASKS}
    Path(FOLDER, "seen.json").write_text(json.dumps(values))


with DAG("audits", params={"b": "same"}, start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None, catchup=False):
    tasks = [
        audit("same", "{{ params.b }}"),
        audit("drifts", "drifts", options=["--inputs", "{{ dag.dag_id }}.csv"], variables={"NOTE": "{{ ds }}"}),
        audit("unsure", "crashes"),
        audit("unsure_fails", "crashes", on_inconclusive="fail"),
        audit("refused", "absent"),
    ]
    tasks >> see()
