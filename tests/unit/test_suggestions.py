"""Suggestions: the rule cases of the acceptance data, every rule for and against, and what is refused."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from app.cli.incident_text import suggestions_text
from app.errors import CatenaError, EnvironmentFailedError, InvalidInputError
from app.law.suggestions_applicability import applies, packaged_status, parse_days
from app.law.suggestions_facts import MAX_FACTS_BYTES, read_facts
from app.law.suggestions_rules import packaged_rules, parse_rules
from tests.suggestion_cases import (
    CATALOGUE,
    RAW,
    RULES,
    SPECS,
    entry,
    fired,
    firing,
    provisions,
    refusals,
    suggested,
    undecided,
    verdict,
)

CASES = (
    "RC01-Kherson",
    "RC02-Nikopol-as-in-seed",
    "RC03-Nikopol-as-in-DSNS-report",
    "RC04-Kostiantynivka-seed",
    "RC05-Kostiantynivka-emblem-checked",
    "RC06-Kupiansk",
    "RC07-pattern-82",
    "RC08-emblem-abuse-alleged-against-Ukraine",
    "RC09-lawful-first-target",
    "RC10-NIAC-ambulance",
)
FORBIDDEN = ("violat", "committed", "guilty", "occurred", "unlawful attack", "culprit", "breached")
RESCUERS = {"conflict_type": "iac", "targets": ["fire_rescue_vehicle"]}


def refusal(attempt: Callable[[], object]) -> str:
    with pytest.raises(CatenaError) as refused:
        attempt()
    return refused.value.code


def texts(document: object) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict):
        for value in document.values():
            yield from texts(value)
    elif isinstance(document, list):
        for value in document:
            yield from texts(value)


# -- the acceptance data --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cases(shared: Path) -> dict[str, dict[str, Any]]:
    given = json.loads((shared / "ihl" / "incidents.json").read_bytes())["rule_base_cases"]
    return {case["id"]: case for case in given}


def test_every_rule_case_is_tested(cases: dict[str, dict[str, Any]]) -> None:
    assert tuple(cases) == CASES


@pytest.mark.parametrize("case_id", CASES)
def test_rule_case(case_id: str, cases: dict[str, dict[str, Any]]) -> None:
    case = cases[case_id]
    document = suggested(case["facts"])
    assert set(case["expect_include"]) <= provisions(document)
    assert set(case["expect_lead"]) <= provisions(document, strength="lead")
    assert provisions(document).isdisjoint(case["expect_exclude"])


def test_kherson_suppresses_article_15_and_the_emblem_crime_with_the_reason(cases: dict[str, dict[str, Any]]) -> None:
    document = suggested(cases["RC01-Kherson"]["facts"])
    assert {"ap1-art61", "ap1-art62", "ap1-art52", "ap1-art65"} <= provisions(document, strength="lead")
    for provision, why in (("ap1-art15", "medical and religious staff"), ("icc-8-2-b-xxiv", "stems from AP I")):
        assert why in entry(document, "suppressed", provision)["why"]
        assert entry(document, "suppressed", provision)["rules"] == ["R01"]
        assert provision not in provisions(document, "possible")
    assert "Para. 3 needs death" in entry(document, "suppressed", "ap1-art85")["why"]
    assert document["ask_lawyer"] == []
    assert "minutes_between" in {task["fact"] for task in document["tasks"]}  # the article gives no interval


def test_emblem_crime_of_kostiantynivka_waits_for_lawful_use(cases: dict[str, dict[str, Any]]) -> None:
    document = suggested(cases["RC04-Kostiantynivka-seed"]["facts"])
    assert entry(document, "possible", "icc-8-2-b-xxiv")["needs"] == ["insignia_lawful"]
    assert entry(document, "possible", "icc-8-2-b-xxiv")["strength_if_shown"] == "lead"


# -- every rule -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rule_id", RULES)
def test_rule_fires_on_what_it_asks_for(rule_id: str) -> None:
    rule, facts = RULES[rule_id], firing(RULES[rule_id]["when"])
    assert verdict(rule["when"], facts) is True
    document = suggested(facts)
    assert rule_id in fired(document)
    told = provisions(document) | provisions(document, "suppressed")
    assert {one["provision"] for one in rule["suggest"] + rule["do_not_suggest"]} <= told
    for one in rule["suggest"]:
        if one["provision"] in provisions(document):
            shown = entry(document, "suggest", one["provision"])
            assert rule_id in shown["rules"]
            assert rule["reason"] in shown["reason"]
            assert set(rule["counter_questions"]) <= set(shown["counter_questions"])
            assert set(rule["exculpatory_to_seek"]) <= set(shown["exculpatory_to_seek"])
    for one in rule["do_not_suggest"]:
        assert one["why"] in entry(document, "suppressed", one["provision"])["why"]


@pytest.mark.parametrize("rule_id", RULES)
def test_rule_is_silent_when_any_one_part_is_denied(rule_id: str) -> None:
    for facts in refusals(RULES[rule_id]):
        assert verdict(RULES[rule_id]["when"], facts) is False, facts
        document = suggested(facts)
        assert rule_id not in fired(document) | undecided(document), facts


@pytest.mark.parametrize("rule_id", RULES)
def test_a_fact_that_is_taken_away_becomes_a_task_and_never_silence(rule_id: str) -> None:
    facts = firing(RULES[rule_id]["when"])
    for gone in facts:
        document = suggested({name: value for name, value in facts.items() if name != gone})
        assert rule_id not in fired(document)
        (task,) = [task for task in document["tasks"] if task["fact"] == gone]
        assert rule_id in task["rules"]
        shown = provisions(document) | provisions(document, "possible") | provisions(document, "suppressed")
        assert {one["provision"] for one in RULES[rule_id]["suggest"]} <= shown
        blocked = provisions(document, "possible_blocks") | provisions(document, "suppressed")
        assert {one["provision"] for one in RULES[rule_id]["do_not_suggest"]} <= blocked


@pytest.mark.parametrize("rule_id", RULES)
def test_rule_that_is_switched_off_says_so_and_does_nothing(rule_id: str) -> None:
    facts = firing(RULES[rule_id]["when"])
    document = suggested(facts, packaged_rules().without([rule_id]))
    assert rule_id not in fired(document) | undecided(document)
    (off,) = document["rules"]["switched_off"]
    assert (off["rule"], off["title"]) == (rule_id, RULES[rule_id]["title"])


# -- conflicts, conditions, application -----------------------------------------------------------


def test_lead_that_meets_a_block_is_shown_with_it_and_a_lawyer_is_asked() -> None:
    document = suggested({"conflict_type": "iac", "targets": ["rescue_personnel", "medical_personnel"]})
    assert entry(document, "suggest", "ap1-art15")["strength"] == "lead"
    assert entry(document, "suppressed", "ap1-art15")["suggested_by"] == ["R04"]
    asked = entry(document, "ask_lawyer", "ap1-art15")
    assert (asked["lead_by"], asked["blocked_by"]) == (["R04"], ["R01"])


def test_block_outranks_candidate_and_check() -> None:
    facts = {"conflict_type": "iac", "targets": ["relief_vehicle", "fire_station"]}  # R26 candidate against R01
    document = suggested(facts)
    assert "icc-8-2-b-iii" not in provisions(document) | provisions(document, "ask_lawyer")
    assert entry(document, "suppressed", "icc-8-2-b-iii")["suggested_by"] == ["R26"]
    assert "icc-8-2-b-iii" in provisions(suggested({**facts, "targets": ["relief_vehicle"]}))


def test_sign_that_is_not_listed_is_absent_only_once_all_sides_were_examined() -> None:
    facts = {"conflict_type": "iac", "targets": ["ambulance"], "insignia": ["ngo_branding"]}
    seen = suggested(facts)
    assert entry(seen, "possible_blocks", "icc-8-2-b-xxiv")["needs"] == ["insignia_complete"]
    assert "icc-8-2-b-xxiv" in provisions(seen, "possible")
    examined = suggested({**facts, "insignia_complete": True})
    assert "Requires use of an emblem" in entry(examined, "suppressed", "icc-8-2-b-xxiv")["why"]
    assert "icc-8-2-b-xxiv" not in provisions(examined, "possible")
    assert "R07" in fired(examined)


def test_thresholds_are_data_and_a_changed_one_is_told() -> None:
    facts = {**firing(RULES["R11"]["when"]), "minutes_between": 60, "metres_between": 300}
    assert {"R11"} == fired(suggested(facts)) & {"R11", "R12"}
    assert {"R12"} == fired(suggested({**facts, "minutes_between": 60.1})) & {"R11", "R12"}
    tighter = packaged_rules().with_thresholds({"double_tap_minutes": 59.5})
    document = suggested(facts, tighter)
    assert {"R12"} == fired(document) & {"R11", "R12"}
    assert document["rules"]["thresholds_changed"] is True
    assert document["rules"]["thresholds"] == {"double_tap_minutes": 59.5, "double_tap_metres": 300}
    assert suggested(facts)["rules"]["thresholds_changed"] is False
    assert refusal(lambda: packaged_rules().with_thresholds({"minutes": 3})) == "unknown_threshold"
    for bad in (0, -1, float("nan"), float("inf"), True):
        assert refusal(lambda bad=bad: packaged_rules().with_thresholds({"double_tap_minutes": bad})) == "bad_threshold"  # type: ignore[misc]
    assert refusal(lambda: packaged_rules().without(["R99"])) == "unknown_rule"


def test_entry_for_the_other_type_of_conflict_is_suppressed_where_no_rule_decided_that() -> None:
    admitted = {"actor": "other", "unit_admission": True}
    document = suggested({"conflict_type": "niac", **admitted})
    assert "listed" not in entry(document, "suggest", "icc-25")["reason"]
    assert "international armed conflict" in entry(document, "suppressed", "ap1-art91")["why"]
    assert "ap1-art91" in provisions(suggested({"conflict_type": "iac", **admitted}))
    unclassified = suggested(admitted)
    assert entry(unclassified, "suggest", "ap1-art91")["applicability"]["conflict_type"]["established"] is None
    wounded = suggested({"conflict_type": "iac", "targets": ["wounded_person"]})
    assert "gc-common-art3" in provisions(wounded)  # R30 asks for the type itself


def test_instrument_that_came_into_force_after_the_event_is_suppressed_or_asked_about() -> None:
    facts = {**RESCUERS, "actor": "rf_forces"}
    before, after = (suggested(facts, days=parse_days(day)) for day in ("1989-01-01", "2025-07-06"))
    assert "not yet in force for Russian Federation" in entry(before, "ask_lawyer", "ap1-art62")["against"]
    assert "ap1-art66" in provisions(before, "suppressed") - provisions(before)
    assert "ap1-art66" in provisions(after)
    (russia, ukraine) = entry(after, "suggest", "ap1-art62")["applicability"]["parties"]
    assert (russia["in_force_then"], russia["status_fact"], russia["confidence"]) == ("yes", "ap1-ru-force", "computed")
    assert (ukraine["in_force_then"], ukraine["since"]) == ("yes", "1990-07-25")
    astride = suggested(facts, days=parse_days("1990-03-01/1990-04-01"))
    assert entry(astride, "suggest", "ap1-art62")["applicability"]["parties"][0]["in_force_then"] == "unknown"
    assert {
        one["in_force_then"] for one in entry(suggested(facts), "suggest", "ap1-art62")["applicability"]["parties"]
    } == {"unknown"}


def test_state_that_only_signed_hides_nothing_and_is_not_called_bound() -> None:
    document = suggested({**firing(RULES["R06"]["when"]), "actor": "rf_forces"}, days=parse_days("2025-07-06"))
    russia, ukraine = entry(document, "suggest", "ap3-art2")["applicability"]["parties"]
    assert (russia["fact"], russia["in_force_then"], russia["since"]) == ("signed only", "unknown", None)
    assert ukraine["in_force_then"] == "yes"
    crime = entry(document, "suggest", "icc-8-2-b-xxiv")["applicability"]
    assert [one["status_fact"] for one in crime["also_read"]] == ["rs-ua-12-3-a", "rs-ua-12-3-b", "rs-ua-124"]


@pytest.mark.parametrize(
    ("name", "day", "treaty", "russia", "ukraine"),
    [
        ("ap3-art2", "2010-01-19", None, "unknown", "no"),  # a party, and not yet bound: Art. 11(2)
        ("ap3-art2", "2010-03-01", None, "unknown", "no"),
        ("ap3-art2", "2010-07-18", None, "unknown", "no"),
        ("ap3-art2", "2010-07-19", None, "unknown", "yes"),
        ("ap3-art2", "2010-07-18/2010-07-19", None, "unknown", "unknown"),
        ("unsafety94-art7", "1998-06-01", "no", "no", "no"),
        ("unsafety94-art7", "1999-01-14", "no", "no", "no"),
        ("unsafety94-art7", "1999-01-15", "yes", "no", "yes"),
        ("unsafety94-art7", "1999-01-14/1999-01-15", "unknown", "no", "unknown"),
        ("unsafety94-art7", "2001-07-24", "yes", "no", "yes"),
        ("unsafety94-art7", "2001-07-25", "yes", "yes", "yes"),
        ("ccw-p3-art2", "1983-12-01", "no", "no", "no"),
        ("ccw-p3-art2", "1983-12-02", "yes", "yes", "yes"),
        ("hague54-art4", "1957-04-03", None, "no", "no"),
        ("hague54-art4", "1957-04-04", None, "yes", "no"),
        ("hague54-art4", "1957-05-06", None, "yes", "yes"),
        ("ap2-art13", "1989-06-30", None, "no", "no"),
        ("ap2-art13", "1990-12-31", None, "unknown", "unknown"),  # of a year alone, every day of it is possible
        ("ap2-art13", "1991-06-30", None, "yes", "yes"),
    ],
)
def test_a_party_is_bound_from_the_entry_into_force_and_not_from_its_accession(
    name: str, day: str, treaty: str | None, russia: str, ukraine: str
) -> None:
    told = applies(CATALOGUE[name], {}, parse_days(day), packaged_status(), type_decided=False)
    shown: dict[str, Any] = told.shown
    found = {one["state"]: one["in_force_then"] for one in shown["parties"]}
    assert found == {"Russian Federation": russia, "Ukraine": ukraine}
    assert shown.get("treaty", {}).get("in_force_then") == treaty
    assert (told.stops is not None) == (treaty == "no")


def test_dates_of_states_and_delays_are_those_of_the_status_data() -> None:
    status = packaged_status()
    shown: dict[str, Any] = applies(CATALOGUE["ap3-art2"], {}, None, status, type_decided=False).shown
    ukraine = shown["parties"][1]
    assert f"in force {ukraine['since']}" == status.facts["ap3-ua"]["notes"]
    assert (ukraine["date"], ukraine["since_confidence"]) == ("2010-01-19", "from_memory")
    assert ukraine["since_by"] == "6 months after it became a party, 2010-01-19 (Art. 11(2))"
    for fact in ("unsafety-parties", "ccw-parties"):
        assert all(day in status.facts[fact]["fact"] for day in status.party_since[fact].values()), fact
    assert (status.facts["unsafety"]["date"], status.facts["ccw"]["date"]) == ("1999-01-15", "1983-12-02")


def test_instrument_that_was_in_force_for_nobody_is_suppressed_whoever_acted() -> None:
    facts = firing(RULES["R27"]["when"])
    facts.pop("actor", None)
    for day, part in (("1998-06-01", "suppressed"), ("2022-06-01", "suggest")):
        assert "unsafety94-art7" in provisions(suggested(facts, days=parse_days(day)), part), day
    why = entry(suggested(facts, days=parse_days("1998-06-01")), "suppressed", "unsafety94-art7")["why"]
    assert "not yet in force for any State: 1999-01-15 (verified)" in why


def test_statute_that_a_state_accepted_before_it_joined_is_suppressed_for_no_party() -> None:
    facts = firing(RULES["R06"]["when"])
    day = parse_days("2024-07-08")  # after the declarations under Art. 12(3), before the entry into force
    told = {actor: suggested({**facts, "actor": actor}, days=day) for actor in ("rf_forces", "ua_forces")}
    assert provisions(told["ua_forces"]) == provisions(told["rf_forces"])
    assert provisions(told["ua_forces"], "suppressed") == provisions(told["rf_forces"], "suppressed")
    parties = entry(told["ua_forces"], "suggest", "icc-8-2-b-xxiv")["applicability"]["parties"]
    assert {one["state"]: one["in_force_then"] for one in parties}["Ukraine"] == "no"


def test_every_treaty_of_the_catalogue_that_status_knows_is_mapped() -> None:
    named = {provision.instrument for provision in CATALOGUE.values()}
    assert set(packaged_status().instruments) <= named
    assert {"Hague Convention IV (1907)", "ICRC Customary IHL Study (2005)"} <= named - set(
        packaged_status().instruments
    )


@pytest.mark.parametrize(
    "day", ["", "2025", "2025-13-01", "2025-02-30", "06.07.2025", "2025-07-06/", "2025-07-06/2025-07-05"]
)
def test_day_that_is_none_is_refused(day: str) -> None:
    if day.endswith("/"):
        day += "x"
    assert refusal(lambda: parse_days(day)) == "bad_date"


# -- wording --------------------------------------------------------------------------------------


def test_no_output_says_more_than_may_bear_on() -> None:
    everything = [firing(rule["when"]) for rule in RULES.values()] + [{}]
    for facts in everything:
        document = suggested(facts)
        assert document["wording"] == "may bear on"
        assert "draft until a qualified lawyer has signed it off" in document["status"]
        for text in (*texts(document), suggestions_text(document)):
            assert not [word for word in FORBIDDEN if word in text.casefold()], text


def test_text_for_a_person_shows_each_part() -> None:
    told = suggestions_text(suggested({"conflict_type": "iac", "targets": ["rescue_personnel", "medical_personnel"]}))
    for part in ("SUGGESTED", "NOT TO BE SUGGESTED", "ASK A LAWYER", "POSSIBLE", "EVIDENCE TASKS", "seek against: "):
        assert part in told
    assert "ap1-art62  [lead]" in told
    assert "if (R08): directed_at_target is true" in told


# -- data and input -------------------------------------------------------------------------------


def test_packaged_rules_are_those_that_they_were_made_from(shared: Path) -> None:
    data = (files("app.law") / "data" / "rules.json").read_bytes()
    assert data == (shared / "ihl" / "rules.json").read_bytes()
    assert packaged_rules().sha256 == hashlib.sha256(data).hexdigest()
    assert len(packaged_rules().rules) == 48


def test_every_provision_of_the_rules_is_in_the_catalogue_and_every_fact_has_a_task() -> None:
    named = {one["provision"] for rule in RULES.values() for one in rule["suggest"] + rule["do_not_suggest"]}
    assert named <= set(CATALOGUE)
    assert all(spec.task.endswith((".", "for Russia and Ukraine.")) for spec in packaged_rules().vocabulary.values())


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ([], "bad_facts"),
        (None, "bad_facts"),
        ("facts", "bad_facts"),
        ({"colour": "red"}, "unknown_fact"),
        ({"Killed": 1}, "unknown_fact"),
        ({"targets": ["fire_engine"]}, "unknown_fact_value"),
        ({"weapon": "catapult"}, "unknown_fact_value"),
        ({"conflict_type": "IAC"}, "unknown_fact_value"),
        ({"targets": "ambulance"}, "bad_fact_value"),
        ({"targets": [["ambulance"]]}, "bad_fact_value"),
        ({"targets": [None]}, "bad_fact_value"),
        ({"weapon": ["fpv_drone"]}, "bad_fact_value"),
        ({"killed": True}, "bad_fact_value"),
        ({"killed": -1}, "bad_fact_value"),
        ({"killed": "1"}, "bad_fact_value"),
        ({"killed": float("nan")}, "bad_fact_value"),
        ({"minutes_between": float("inf")}, "bad_fact_value"),
        ({"struck": 1}, "bad_fact_value"),
        ({"struck": "true"}, "bad_fact_value"),
        ({"struck": {}}, "bad_fact_value"),
    ],
)
def test_facts_that_the_vocabulary_does_not_know_are_refused(facts: object, code: str) -> None:
    assert refusal(lambda: suggested(facts)) == code  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"killed": NaN}',
        b'{"killed": 1, "killed": 2}',
        b'{"facts": {"killed": 1, "killed": 2}}',
        b"[" * 100_000,
        b'{"killed": ' + b"9" * 5_000 + b"}",
        b" " * MAX_FACTS_BYTES + b"{}",
    ],
    ids=["empty", "cut", "no-utf8", "nan", "twice", "twice-inside", "nested", "huge-number", "too-long"],
)
def test_file_that_is_no_facts_is_refused(data: bytes) -> None:
    assert refusal(lambda: read_facts(data, packaged_rules().vocabulary)) == "bad_facts_file"


def test_file_is_facts_or_a_case_that_holds_them() -> None:
    vocabulary = packaged_rules().vocabulary
    alone = read_facts(json.dumps(RESCUERS).encode(), vocabulary)
    case: dict[str, Any] = {"id": "RC", "incident": None, "facts": RESCUERS, "expect_include": [], "note": "n"}
    assert read_facts(b"\xef\xbb\xbf" + json.dumps(case).encode(), vocabulary) == alone
    assert alone["targets"] == (frozenset({"fire_rescue_vehicle"}),)


def changed_rules(change: Callable[[dict[str, Any]], None]) -> bytes:
    document = copy.deepcopy(RAW)
    change(document)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["rules"].append(d["rules"][0]),
        lambda d: d["rules"][0].pop("reason"),
        lambda d: d["rules"][0]["when"].update(any=[]),
        lambda d: d["rules"][0]["when"]["all"][0].update(fact="colour"),
        lambda d: d["rules"][0]["when"]["all"][0].update(op="like"),
        lambda d: d["rules"][0]["when"]["all"][0].update(value="war"),
        lambda d: d["rules"][0]["when"]["all"][0].update(op="lte"),
        lambda d: d["rules"][0]["suggest"][0].update(strength="sure"),
        lambda d: d["thresholds"].update(double_tap_minutes=30),
        lambda d: d["thresholds"].pop("double_tap_metres"),
        lambda d: d["facts"]["targets"].update(type="list"),
        lambda d: d["facts"]["targets"].pop("values"),
        lambda d: d.pop("version"),
    ],
)
def test_rule_file_that_cannot_be_read_whole_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    with pytest.raises(EnvironmentFailedError) as refused:
        parse_rules(changed_rules(change))
    assert refused.value.code == "rules_invalid"


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{", b"[" * 100_000])
def test_rule_file_that_is_none_is_refused(data: bytes) -> None:
    assert refusal(lambda: parse_rules(data)) == "rules_invalid"


def test_error_of_a_fact_names_it_and_is_the_callers() -> None:
    with pytest.raises(InvalidInputError) as refused:
        suggested({"colour": 1})
    assert "'colour'" in refused.value.detail
    assert SPECS
