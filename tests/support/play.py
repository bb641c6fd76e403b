"""The job that the end-to-end tests play: 3 features, 12 scenarios, one of them failing."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from workers import Job

FEATURES = {
    "Autenticação de Usuários": 4,
    "Gestão de Clientes": 5,
    "Faturamento": 3,
}
EVENTS = 20
"""4 statuses, 12 scenarios, 3 features, 1 end."""

Step = Callable[[], Coroutine[Any, Any, str]]


def steps(job: Job) -> list[Step]:
    """What the worker reports, one event each, in order. ``job.start`` comes before."""
    plan: list[Step] = [
        lambda: job.status("PLANNING"),
        lambda: job.status("PLANNED"),
        lambda: job.status("GENERATING", message="Generating…"),
    ]
    for number, (name, scenarios) in enumerate(FEATURES.items(), start=1):
        plan += [_scenario(job, number, name, index) for index in range(1, scenarios + 1)]
        plan.append(_feature(job, number, name, scenarios))
    plan.append(lambda: job.status("VALIDATING", message="All scenarios generated."))
    plan.append(lambda: job.complete(passed=11, failed=1))
    return plan


def _scenario(job: Job, feature: int, name: str, index: int) -> Step:
    return lambda: job.scenario_completed(
        scenario_id=f"s{feature}.{index}",
        feature_id=f"f{feature}",
        feature_name=name,
        title=f"Cenário {index} de {name}",
        steps_count=4,
    )


def _feature(job: Job, number: int, name: str, scenarios: int) -> Step:
    return lambda: job.feature_completed(
        feature_id=f"f{number}", name=name, scenarios_count=scenarios, total_steps=4 * scenarios
    )
