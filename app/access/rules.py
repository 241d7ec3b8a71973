"""Who may do what: pure rules over role, action and case membership.

1. Anything not allowed here is denied.
2. Case actions need membership, except for those that a role may do in every case.
3. An auditor sees hashes, events and proofs of every case, and no original, preview or metadata.
"""

from __future__ import annotations

from typing import Literal

Role = Literal["investigator", "legal", "auditor", "admin"]
ROLES: tuple[Role, ...] = ("investigator", "legal", "auditor", "admin")

Action = Literal[
    "case.create",
    "case.read",
    "case.manage",
    "item.ingest",
    "item.read",
    "item.original",
    "item.custody",
    "incident.read",
    "incident.write",
    "verification.review",
    "match",
    "match.decide",
    "law.read",
    "law.manage",
    "law.sign",
    "link.create",
    "link.review",
    "export.create",
    "export.read",
    "audit.run",
    "log.read",
    "log.recover",
    "renewal.run",
    "key.manage",
    "user.manage",
    "token.manage",
]

# Actions that concern no case.
GENERAL: frozenset[Action] = frozenset(
    {
        "case.create",
        "match",
        "law.read",
        "law.manage",
        "law.sign",
        "audit.run",
        "log.read",
        "log.recover",
        "renewal.run",
        "key.manage",
        "user.manage",
        "token.manage",
    }
)

_ALLOWED: dict[Role, frozenset[Action]] = {
    "investigator": frozenset(
        {
            "case.create",
            "case.read",
            "case.manage",
            "item.ingest",
            "item.read",
            "item.original",
            "item.custody",
            "incident.read",
            "incident.write",
            "verification.review",
            "match",
            "match.decide",
            "law.read",
            "link.create",
            "log.read",
        }
    ),
    "legal": frozenset(
        {
            "case.read",
            "item.read",
            "item.original",
            "item.custody",
            "incident.read",
            "incident.write",
            "verification.review",
            "match",
            "match.decide",
            "law.read",
            "law.manage",
            "law.sign",
            "link.create",
            "link.review",
            "export.create",
            "export.read",
            "log.read",
        }
    ),
    "auditor": frozenset({"item.custody", "law.read", "audit.run", "log.read"}),
    "admin": frozenset(
        {
            "case.create",
            "case.read",
            "case.manage",
            "item.ingest",
            "item.read",
            "item.original",
            "item.custody",
            "incident.read",
            "incident.write",
            "verification.review",
            "match",
            "match.decide",
            "law.read",
            "law.manage",
            "link.create",
            "link.review",
            "export.create",
            "export.read",
            "audit.run",
            "log.read",
            "log.recover",
            "renewal.run",
            "key.manage",
            "user.manage",
            "token.manage",
        }
    ),
}

_IN_EVERY_CASE: dict[Role, frozenset[Action]] = {
    "investigator": frozenset(),
    "legal": frozenset(),
    "auditor": frozenset({"item.custody"}),
    "admin": _ALLOWED["admin"],
}


def role_allows(role: Role, action: Action) -> bool:
    """Whether a role may do it at all, membership aside."""
    return action in _ALLOWED[role]


def can(role: Role, action: Action, *, member: bool) -> bool:
    """Whether a role may do it in a case of which the actor is, or is not, a member."""
    if not role_allows(role, action):
        return False
    return action in GENERAL or member or action in _IN_EVERY_CASE[role]
