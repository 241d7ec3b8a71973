"""What each role may do, as a table that a reviewer can read."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from app.access.rules import GENERAL, ROLES, Action, Role, can, role_allows

ACTIONS: tuple[Action, ...] = get_args(Action)


@pytest.mark.parametrize("action", ["item.read", "item.original", "match", "export.create", "link.create"])
def test_an_auditor_sees_no_content(action: Action) -> None:
    assert not can("auditor", action, member=True)


def test_an_auditor_sees_custody_of_every_case() -> None:
    assert can("auditor", "item.custody", member=False)


@pytest.mark.parametrize(("role", "action"), list(product(["investigator", "legal"], ACTIONS)))
def test_outside_their_cases_people_may_do_only_what_concerns_no_case(role: Role, action: Action) -> None:
    if action not in GENERAL:
        assert not can(role, action, member=False)


@pytest.mark.parametrize("action", ["user.manage", "token.manage", "renewal.run", "key.manage", "log.recover"])
def test_only_an_admin_manages_users_tokens_renewals_keys_and_recovers_the_log(action: Action) -> None:
    assert [role for role in ROLES if can(role, action, member=True)] == ["admin"]


def test_an_investigator_neither_reviews_nor_exports() -> None:
    assert not role_allows("investigator", "link.review")
    assert not role_allows("investigator", "export.create")


def test_every_action_is_allowed_to_somebody() -> None:
    assert all(any(role_allows(role, action) for role in ROLES) for action in ACTIONS)
