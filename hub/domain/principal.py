"""Who is asking: what a verified token says (contract section 2)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a token may do beyond reading what is its user's."""

    USER = "user"
    SERVICE = "service"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """The user behind a connection or request. ``projects`` None means every project."""

    user_id: str
    roles: frozenset[Role]
    projects: frozenset[str] | None
    expires_at: datetime
    token_id: str | None = None
    issued_at: float = 0
    """Unix seconds; 0 when the token does not say, which is before any revocation."""

    def may_read_project(self, project_id: str) -> bool:
        """Whether the token lists the project (rule RN10.05.1 of the progress requirements)."""
        return self.projects is None or project_id in self.projects

    def has(self, role: Role) -> bool:
        """Whether the token carries the role."""
        return role in self.roles
