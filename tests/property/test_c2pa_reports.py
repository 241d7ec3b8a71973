"""Whatever form the C2PA library's reports take: a record comes out, bounded, never better than the library's word."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.analysis.normalise_c2pa import facts_of
from app.analysis.probes.c2pa import NOBODY, C2paRead
from schemas.records.v1.c2pa_facts import C2paFacts

_WORDS = (
    "active_manifest", "manifests", "ingredients", "validation_results", "activeManifest", "ingredientDeltas",
    "failure", "success", "informational", "validationDeltas", "ingredientAssertionURI", "code", "url",
    "explanation", "title", "label", "assertions", "data", "actions", "action", "softwareAgent",
    "digitalSourceType", "claim_generator_info",
    "signature", "certificateInfo", "timeStampInfo", "subject", "validation_status", "a", "b",
)  # fmt: skip
_TEXTS = st.sampled_from(["a", "b", "c2pa.actions", "timeStamp.validated", "signingCredential.untrusted", "", "\ud800"])
_LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=400), _TEXTS)
_REPORTS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(_WORDS), inner, max_size=6)),
    max_leaves=40,
)
_OBJECTS = st.dictionaries(st.sampled_from(_WORDS), _REPORTS, max_size=8)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_OBJECTS, _OBJECTS, st.sampled_from([None, "Valid", "Trusted", "Invalid", "Whatever"]))
def test_any_report_becomes_a_record(store: dict[str, Any], details: dict[str, Any], state: str | None) -> None:
    facts = facts_of(C2paRead(outcome="read", state=state, store=store, details=details), NOBODY, None)
    assert C2paFacts.model_validate_json(facts.model_dump_json()) == facts
    assert facts.state in {"invalid", "valid_trusted", "valid_untrusted"}
    assert facts.state == "invalid" or state in {"Valid", "Trusted"}
    assert facts.state != "valid_trusted" or state == "Trusted"
    assert len(facts.model_dump_json()) < 400_000


def test_manifests_that_name_each_other_end() -> None:
    manifests = {
        name: {"ingredients": [{"title": other, "active_manifest": other} for other in "abc"]} for name in "abc"
    }
    facts = facts_of(C2paRead(state="Valid", store={"active_manifest": "a", "manifests": manifests}), NOBODY, None)
    assert 3 <= len(facts.ingredients) <= 9


def test_failures_are_never_what_is_left_out() -> None:
    many = [{"code": f"assertion.hashedURI.match.{number}"} for number in range(500)]
    results = {"activeManifest": {"success": many, "failure": [{"code": "claimSignature.mismatch"}]}}
    facts = facts_of(C2paRead(state="Valid", store={"validation_results": results}), NOBODY, None)
    assert (facts.state, facts.statuses[0].code) == ("invalid", "claimSignature.mismatch")
    assert facts.omitted == 501 - len(facts.statuses)
