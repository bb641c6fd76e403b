"""Building publications from plain arguments, checked before anything is sent.

Shared by the asynchronous and the synchronous publisher: ``Messages`` says what there is to
publish, once; its subclasses only differ in what ``_send`` gives back (``Result``).
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from hub.domain import codes, ids
from hub.domain.parsing import parse_publication
from hub.domain.publications import MAX_BYTES, AnyPublication
from workers.errors import PublicationInvalid

Result = TypeVar("Result")

GENERATION_JOB: Final = "GENERATION_JOB"
TEAM_EXECUTION: Final = "TEAM_EXECUTION"


def build(fields: Mapping[str, Any]) -> AnyPublication:
    """The publication with ``fields`` (camelCase; those that are None are left out) and a new id.

    Raises ``PublicationInvalid`` naming the field.
    """
    given = {
        "id": ids.uuid7(),
        **{key: value for key, value in fields.items() if value is not None},
    }
    encoded = _encode(given)
    if len(encoded) > MAX_BYTES:
        raise PublicationInvalid(
            _largest(given), f"the publication has {len(encoded)} bytes, at most {MAX_BYTES}"
        )
    try:
        return parse_publication(encoded)
    except codes.HubError as error:
        detail = (error.details or [{"field": "payload", "message": error.message}])[0]
        raise PublicationInvalid(detail["field"], detail["message"]) from None


def _encode(given: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(given, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise PublicationInvalid(_unencodable(given), f"cannot be JSON: {error}") from None


def _unencodable(value: Any, path: str = "") -> str:
    """The path of the innermost part that JSON has no form for."""
    children: list[tuple[str, Any]] = []
    if isinstance(value, Mapping):
        children = [(f"{path}.{key}" if path else str(key), item) for key, item in value.items()]
    elif isinstance(value, list | tuple):
        children = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
    for where, item in children[:1000]:
        try:
            json.dumps(item, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError):
            return _unencodable(item, where)
        except RecursionError:
            return where
    return path or "payload"


def _largest(fields: Mapping[str, Any], path: str = "") -> str:
    """The path of the field that takes most of the room."""
    key, value = max(fields.items(), key=lambda item: len(json.dumps(item[1])))
    where = f"{path}.{key}" if path else key
    return _largest(value, where) if isinstance(value, dict) and value else where


class Messages(Generic[Result]):
    """Everything that can be published that is not about one job."""

    def _send(self, publication: AnyPublication) -> Result:
        raise NotImplementedError

    def job(
        self,
        job_id: str,
        *,
        project_id: str,
        owner_id: str,
        kind: str = GENERATION_JOB,
        watcher_ids: Sequence[str] = (),
        important: bool = False,
    ) -> "JobMessages[Result]":
        """A handle to report one job with. Nothing is sent before ``start``.

        ``important``: its owner and watchers get a notification when it ends.
        """
        start = {
            "projectId": project_id,
            "ownerId": owner_id,
            "jobKind": kind,
            "watcherIds": list(watcher_ids),
            "important": important,
        }
        return JobMessages(self._send, job_id, start)

    def notify(
        self,
        *,
        type: str,
        title: str,
        body: str,
        users: Sequence[str] | None = None,
        topic: str | None = None,
        everyone: bool = False,
        severity: str = "INFO",
        link: str | None = None,
        data: Mapping[str, Any] | None = None,
        dedupe_key: str | None = None,
        expires_at: datetime | None = None,
        actor: str | None = None,
    ) -> Result:
        """Notifies ``users``, the subscribers of ``topic``, or ``everyone``: exactly one of these.

        Gives the notification's id. ``dedupe_key``: of one user's unread notifications with the
        same key, the last replaces the one before (``users`` only). ``expires_at`` needs a time
        zone. ``actor``: the user who caused it.
        """
        if sum((users is not None, topic is not None, everyone)) != 1:
            raise PublicationInvalid("to", "give exactly one of users, topic, everyone")
        to: Any = "all"
        if not everyone:
            to = {"users": list(users)} if users is not None else {"topic": topic}
        fields = {
            "kind": "NOTIFICATION",
            "to": to,
            "type": type,
            "title": title,
            "body": body,
            "severity": severity,
            "link": link,
            "data": None if data is None else dict(data),
            "dedupeKey": dedupe_key,
            "expiresAt": None if expires_at is None else expires_at.isoformat(),
            "actor": actor,
        }
        return self._send(build(fields))

    def event(self, topic: str, type: str, data: Mapping[str, Any]) -> Result:
        """Publishes an event of your own on ``topic``; gives its id."""
        fields = {"kind": "EVENT", "channel": f"topic:{topic}", "type": type, "data": dict(data)}
        return self._send(build(fields))


class JobMessages(Generic[Result]):
    """Reports one job. Every method gives the publication's id once Redis holds it."""

    def __init__(self, send: Any, job_id: str, start: Mapping[str, Any]) -> None:
        self.id = job_id
        self._send_publication = send
        self._start = dict(start)

    def start(self, *, total_scenarios: int = 0, total_features: int = 0) -> Result:
        """Stores the job as CREATED; totals are 0 while unknown."""
        totals = {"scenarios": total_scenarios, "features": total_features}
        return self._publish({"type": "JOB_STARTED", **self._start, "totals": totals})

    def status(self, status: str, message: str | None = None) -> Result:
        """Reports a new, non-terminal status: ``PLANNING``, ``GENERATING``, one of your own …"""
        return self._event("JOB_STATUS_CHANGED", currentStatus=status, message=message)

    def activity(
        self, feature: str | None = None, scenario: str | None = None, step: str | None = None
    ) -> Result:
        """Says what is being worked on; changes the snapshot only."""
        detail = {"featureName": feature, "scenarioTitle": scenario, "stepTitle": step}
        shown = {key: value for key, value in detail.items() if value is not None}
        fields = {"kind": "ACTIVITY", "jobId": self.id, "activity": shown}
        return self._send(build(fields))

    def scenario_completed(
        self, *, scenario_id: str, feature_id: str, feature_name: str, title: str, steps_count: int
    ) -> Result:
        """Reports a finished scenario: the unit of progress."""
        return self._event(
            "SCENARIO_COMPLETED",
            scenarioId=scenario_id,
            featureId=feature_id,
            featureName=feature_name,
            title=title,
            stepsCount=steps_count,
        )

    def feature_completed(
        self, *, feature_id: str, name: str, scenarios_count: int, total_steps: int
    ) -> Result:
        """Reports a finished feature."""
        return self._event(
            "FEATURE_COMPLETED",
            featureId=feature_id,
            name=name,
            scenariosCount=scenarios_count,
            totalSteps=total_steps,
        )

    def progress(self, percentage: float, message: str | None = None) -> Result:
        """Reports progress in percent, for jobs that have no scenarios."""
        return self._event("PROGRESS_UPDATED", percentage=percentage, message=message)

    def complete(self, *, passed: int = 0, failed: int = 0) -> Result:
        """Ends the job well."""
        return self._event("JOB_COMPLETED", passed=passed, failed=failed)

    def fail(self, error_code: str, message: str) -> Result:
        """Ends the job with an error."""
        return self._event("JOB_FAILED", errorCode=error_code, message=message)

    def cancel(self, message: str | None = None) -> Result:
        """Ends the job as CANCELLED."""
        return self._event("JOB_STATUS_CHANGED", currentStatus="CANCELLED", message=message)

    def _event(self, type_: str, **data: Any) -> Result:
        given = {key: value for key, value in data.items() if value is not None}
        return self._publish({"type": type_, "data": given})

    def _publish(self, fields: Mapping[str, Any]) -> Result:
        return self._send(build({"kind": "JOB", "jobId": self.id, **fields}))

    def _send(self, publication: AnyPublication) -> Result:
        result: Result = self._send_publication(publication)
        return result
