"""Worked examples of notifications: what a team's application and its operators would send.

The completion and the error of an important execution need no call of their own: a job that was
started with ``important=True`` notifies its owner and watchers when it ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from workers import Publisher

_ANNOUNCED_FOR = timedelta(days=7)


async def team_created(hub: Publisher, team: str, *, by: str, members: Sequence[str]) -> str:
    """A new team: each member but the one who made it is told personally."""
    return await hub.notify(
        users=[member for member in members if member != by],
        type="team.created",
        title="Nova equipe",
        body=f"{by} criou a equipe {team} com você.",
        link=f"/teams/{team}",
        actor=by,
    )


async def team_changed(hub: Publisher, topic: str, team: str, *, by: str) -> str:
    """A team changed: whoever subscribed to its topic sees one announcement, stored once."""
    return await hub.notify(
        topic=topic,
        type="team.updated",
        title="Equipe atualizada",
        body=f"{by} mudou os agentes da equipe {team}.",
        link=f"/teams/{team}",
        data={"team": team, "changes": ["agents"]},
        actor=by,
    )


async def comments(hub: Publisher, user: str, scenario: str, count: int) -> str:
    """Something that repeats: while it is unread it is updated in place, and counts once."""
    return await hub.notify(
        users=[user],
        type="review.comments",
        title=f"{count} comentários",
        body=f"{count} comentários novos em {scenario}.",
        dedupe_key=f"comments:{scenario}",
    )


async def system_update(hub: Publisher, version: str) -> str:
    """An update of the system: one announcement for everyone, of no interest after a week."""
    return await hub.notify(
        everyone=True,
        type="system.updated",
        title=f"Versão {version} disponível",
        body="O que mudou está nas notas da versão.",
        severity="SUCCESS",
        link=f"/releases/{version}",
        expires_at=datetime.now(UTC) + _ANNOUNCED_FOR,
    )
