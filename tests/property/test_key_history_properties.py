"""Key histories: what no order of events, no wording and no date may ever bring about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_store.bundle.events import CustodyEvent
from evidence_store.errors import EvidenceStoreError
from evidence_store.trust import CA, LOG, PQ, SEAL, USES, KeyHistory, Verdict
from tests.key_events import Change, day, details_of, event_of, events_of, history_of, key_of

REFUSED = {Verdict.UNKNOWN, Verdict.NOT_YET, Verdict.RETIRED, Verdict.COMPROMISED}
RANK = {verdict: rank for rank, verdict in enumerate([Verdict.VALID, Verdict.RETIRED_UNPROVEN])}
DAYS = st.integers(1, 40)
TIMES = st.none() | DAYS.map(day)


@st.composite
def histories(draw: st.DrawFn) -> list[Change]:
    """Changes in an order that an archive could record: each key introduced first, retired at most once."""
    known: list[tuple[str, int]] = []
    retired: set[tuple[str, int]] = set()
    changes: list[Change] = []
    for step in range(draw(st.integers(1, 8))):
        what = draw(st.sampled_from(["introduction", "retirement", "compromise"])) if known else "introduction"
        if what == "introduction":
            place = draw(st.sampled_from(USES)), step
            known.append(place)
        else:
            place = draw(st.sampled_from(known))
            if what == "retirement" and place in retired:
                what = "compromise"
            retired |= {place} if what == "retirement" else set()
        changes.append((what, *place, draw(DAYS)))
    return changes


@given(histories(), TIMES, TIMES)
def test_compromised_key_is_never_valid_without_a_proof_from_before_the_compromise(
    changes: list[Change], claimed: datetime | None, proven: datetime | None
) -> None:
    history = history_of(*changes)
    for what, use, number, at in changes:
        if what != "compromise" or (proven is not None and proven < day(at)):
            continue
        assert history.judge(use, key_of(use, number)[0], claimed, proven) is Verdict.COMPROMISED


@given(histories(), TIMES, TIMES)
def test_no_later_event_makes_a_signature_look_better(
    changes: list[Change], claimed: datetime | None, proven: datetime | None
) -> None:
    worst: dict[tuple[str, str], int] = {}
    for end in range(1, len(changes) + 1):
        history = history_of(*changes[:end])
        for record in history.records:
            place = record.use, record.key
            now = RANK.get(record.judge(claimed, proven), 2)
            assert now >= worst.get(place, 0), changes[:end]
            worst[place] = now


@given(histories(), TIMES, TIMES)
def test_changes_of_one_key_say_nothing_of_another(
    changes: list[Change], claimed: datetime | None, proven: datetime | None
) -> None:
    history = history_of(*changes)
    for use, number in {(use, number) for _, use, number, _ in changes}:
        alone = history_of(*(change for change in changes if change[1:3] == (use, number)))
        key = key_of(use, number)[0]
        assert history.judge(use, key, claimed, proven) is alone.judge(use, key, claimed, proven)
        for other in set(USES) - {use}:
            assert history.judge(other, key, claimed, proven) is Verdict.UNKNOWN


@given(histories(), TIMES)
def test_claims_alone_never_make_a_retired_key_valid(changes: list[Change], claimed: datetime | None) -> None:
    for record in history_of(*changes).records:
        if record.retired is not None:
            assert record.judge(claimed, None) is not Verdict.VALID


@given(histories())
def test_a_proof_from_before_every_change_keeps_an_honest_signature_valid(changes: list[Change]) -> None:
    for record in history_of(*changes).records:
        ends = [end for end in (record.retired, record.compromised) if end is not None]
        if all(record.introduced < end for end in ends):
            assert record.judge(record.introduced, record.introduced) is Verdict.VALID


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
ITEM = "item:00000000-0000-4000-8000-000000000001"
CHANGES = st.sampled_from(["introduction", "retirement", "compromise", "blessing"])


@st.composite
def hostile_events(draw: st.DrawFn) -> CustodyEvent:
    """An event as somebody would write it who wants the reader to fall over."""
    use = draw(st.sampled_from(USES))
    details: dict[str, Any] = details_of(draw(CHANGES), use, draw(st.integers(0, 1)), day(draw(DAYS)))
    for name in draw(st.sets(st.sampled_from([*details, "more"]), max_size=2)):
        if draw(st.booleans()):
            details.pop(name, None)
        else:
            details[name] = draw(JSON)
    other: dict[str, Any] = draw(st.sampled_from([{}, {}, {"type": "access"}, {"object": ITEM}]))
    return event_of(details, **other)


@given(st.lists(hostile_events(), max_size=5), TIMES, TIMES)
def test_malformed_histories_raise_one_code_only(
    events: list[CustodyEvent], claimed: datetime | None, proven: datetime | None
) -> None:
    try:
        history = KeyHistory.from_events(events)
    except EvidenceStoreError as error:
        codes = {error.code}
    else:
        codes = {"key_history_malformed"}
        for record in history.records:
            assert record.judge(claimed, proven) in Verdict
            assert history.current(record.use) in [None, *history.of(record.use)]
    assert codes == {"key_history_malformed"}


@pytest.mark.parametrize("use", USES)
def test_key_in_use_is_valid_from_its_introduction_on(use: str) -> None:
    history, key = history_of(("introduction", use, 0, 5)), key_of(use, 0)[0]
    assert history.judge(use, key, day(6), None) is Verdict.VALID
    assert history.judge(use, key, None, None) is Verdict.VALID
    assert history.judge(use, key, day(4), None) is Verdict.NOT_YET
    assert history.judge(use, key_of(use, 1)[0], day(6), day(6)) is Verdict.UNKNOWN
    current = history.current(use)
    assert current is not None
    assert current.key == key


def test_seal_of_the_second_in_which_its_key_was_introduced_is_valid() -> None:
    introduced = datetime(2024, 5, 1, 12, 0, 0, 900_000, tzinfo=UTC)
    events = [event_of(details_of("introduction", SEAL, 0, introduced))]
    claimed = introduced.replace(microsecond=0)  # seals count whole seconds
    assert KeyHistory.from_events(events).judge(SEAL, key_of(SEAL, 0)[0], claimed, None) is Verdict.VALID


def test_retired_key_then_compromised_before_its_retirement() -> None:
    history = history_of(("introduction", SEAL, 0, 1), ("retirement", SEAL, 0, 20), ("compromise", SEAL, 0, 10))
    key = key_of(SEAL, 0)[0]
    assert history.judge(SEAL, key, day(5), day(9)) is Verdict.VALID
    assert history.judge(SEAL, key, day(5), day(10)) is Verdict.COMPROMISED
    assert history.judge(SEAL, key, day(5), None) is Verdict.COMPROMISED
    assert history.judge(SEAL, key, day(21), day(21)) is Verdict.COMPROMISED


def test_retired_key_then_compromised_after_its_retirement() -> None:
    history = history_of(("introduction", SEAL, 0, 1), ("retirement", SEAL, 0, 20), ("compromise", SEAL, 0, 30))
    key = key_of(SEAL, 0)[0]
    assert history.judge(SEAL, key, day(20), day(20)) is Verdict.VALID
    assert history.judge(SEAL, key, day(20), day(25)) is Verdict.RETIRED_UNPROVEN
    assert history.judge(SEAL, key, day(21), day(25)) is Verdict.RETIRED
    assert history.judge(SEAL, key, day(20), day(30)) is Verdict.COMPROMISED


def test_later_and_milder_compromise_does_not_replace_an_earlier_one() -> None:
    history = history_of(("introduction", LOG, 0, 1), ("compromise", LOG, 0, 10), ("compromise", LOG, 0, 30))
    assert history.judge(LOG, key_of(LOG, 0)[0], None, day(20)) is Verdict.COMPROMISED
    earlier = history_of(("introduction", LOG, 0, 1), ("compromise", LOG, 0, 30), ("compromise", LOG, 0, 10))
    assert earlier.judge(LOG, key_of(LOG, 0)[0], None, day(20)) is Verdict.COMPROMISED


def test_two_keys_of_one_use_have_each_a_fate_of_their_own() -> None:
    history = history_of(("introduction", SEAL, 0, 1), ("introduction", SEAL, 1, 10), ("retirement", SEAL, 0, 10))
    old, new = key_of(SEAL, 0)[0], key_of(SEAL, 1)[0]
    assert history.judge(SEAL, old, day(11), None) is Verdict.RETIRED
    assert history.judge(SEAL, new, day(11), None) is Verdict.VALID
    assert [record.key for record in history.of(SEAL)] == [new, old]
    current = history.current(SEAL)
    assert current is not None
    assert current.key == new


def test_checkpoint_that_claims_no_time_is_retired_only_as_far_as_it_is_unproven() -> None:
    history = history_of(("introduction", PQ, 0, 1), ("retirement", PQ, 0, 10))
    key = key_of(PQ, 0)[0]
    assert history.judge(PQ, key, None, day(10)) is Verdict.VALID
    assert history.judge(PQ, key, None, day(11)) is Verdict.RETIRED_UNPROVEN
    assert history.judge(PQ, key, None, None) is Verdict.RETIRED_UNPROVEN


CERTIFIED = (("introduction", CA, 0, 1), ("introduction", SEAL, 0, 1))


def judged(*more: Change, proven: int | None = None, issued: int | None = None) -> tuple[str, Verdict]:
    """The verdict over a seal of day 5, of seal key 0 under authority 0."""
    times = [None if at is None else day(at) for at in (proven, issued)]
    history = history_of(*CERTIFIED, *more)
    return history.judge_seal(key_of(SEAL, 0)[0], key_of(CA, 0)[0], day(5), *times)


def test_seal_falls_with_its_authority_unless_one_of_the_two_is_proven_older() -> None:
    assert judged() == (SEAL, Verdict.VALID)
    stolen = ("compromise", CA, 0, 10)
    assert judged(stolen) == (CA, Verdict.COMPROMISED)
    assert judged(stolen, proven=9) == (SEAL, Verdict.VALID)
    assert judged(stolen, proven=11) == (CA, Verdict.COMPROMISED)
    assert judged(stolen, proven=11, issued=2) == (SEAL, Verdict.VALID)
    rotated = ("retirement", CA, 0, 10), ("retirement", SEAL, 0, 10)
    assert judged(*rotated) == (SEAL, Verdict.RETIRED_UNPROVEN)
    assert judged(*rotated, stolen) == (CA, Verdict.COMPROMISED), "the milder of two verdicts hid the graver"


def test_seal_key_that_an_authority_certified_after_its_retirement_or_that_nobody_introduced() -> None:
    late = history_of(("introduction", CA, 0, 1), ("retirement", CA, 0, 3), ("introduction", SEAL, 0, 4))
    found = late.judge_seal(key_of(SEAL, 0)[0], key_of(CA, 0)[0], day(5), day(5))
    assert found == (CA, Verdict.RETIRED)
    assert late.judge_seal(key_of(SEAL, 7)[0], key_of(CA, 0)[0], day(5), day(5)) == (SEAL, Verdict.UNKNOWN)
    assert late.judge_seal(key_of(SEAL, 0)[0], key_of(CA, 7)[0], day(5), day(5)) == (CA, Verdict.UNKNOWN)
    own = late.judge_seal(key_of(SEAL, 0)[0], key_of(CA, 7)[0], day(3), day(5))
    assert own == (SEAL, Verdict.NOT_YET)


def test_history_without_events_knows_no_key() -> None:
    history = KeyHistory.from_events([])
    assert history == KeyHistory()
    assert history.current(SEAL) is None
    assert history.judge(SEAL, key_of(SEAL, 0)[0], day(1), day(1)) is Verdict.UNKNOWN


def _spoiled(**changes: Any) -> CustodyEvent:  # noqa: ANN401 - anything an opponent may write
    return event_of(details_of("introduction", SEAL, 0, day(1)) | changes)


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([_spoiled(), _spoiled()], "a second time"),
        (events_of([*CERTIFIED, ("retirement", CA, 0, 2), ("retirement", CA, 0, 3)]), "retires a key a second time"),
        (events_of([("retirement", SEAL, 0, 1)]), "never introduced"),
        (events_of([("compromise", SEAL, 0, 1)]), "never introduced"),
        ([_spoiled(use="blog")], "'use'"),
        ([_spoiled(change="compromise of")], "'change'"),
        ([_spoiled(at="2024-02-30T00:00:00.000000Z")], "'at'"),
        ([_spoiled(key="")], "'key'"),
        ([_spoiled(reason=None)], "'reason'"),
        ([_spoiled(material=None)], "certificate"),
        ([_spoiled(material=key_of(SEAL, 1)[1])], "certificate"),
        ([_spoiled(material="-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----")], "certificate"),
        ([_spoiled(material=key_of(SEAL, 0)[1] * 2)], "certificate"),
        ([_spoiled(use=LOG)], "verifier key"),
        ([event_of(details_of("introduction", LOG, 0, day(1)) | {"material": key_of(LOG, 1)[1]})], "verifier key"),
        ([event_of(details_of("introduction", LOG, 0, day(1)) | {"use": PQ})], "neither Ed25519"),
        (
            [event_of(details_of("introduction", PQ, 0, day(1)) | dict.fromkeys(("key", "material"), "w+00000000+AA"))],
            "not base64",
        ),
        ([_spoiled(), event_of(_spoiled().details, object="keys:0e9f8f6c-0000-4000-8000-000000000002")], "object"),
        ([event_of(_spoiled().details, object="item:0e9f8f6c-0000-4000-8000-000000000001")], "object"),
        ([event_of(_spoiled().details, type="access")], "no key change"),
    ],
)
def test_history_that_no_archive_writes_is_refused(events: list[CustodyEvent], why: str) -> None:
    with pytest.raises(EvidenceStoreError, match=why) as caught:
        KeyHistory.from_events(events)
    assert caught.value.code == "key_history_malformed"


def test_witness_key_cannot_stand_for_the_second_key_of_the_log() -> None:
    from evidence_store.log.cosignature import ED25519_COSIGNER, format_cosigner_vkey

    vkey = format_cosigner_vkey("witness.example", ED25519_COSIGNER, bytes(32))
    details = details_of("introduction", PQ, 0, day(1)) | {"key": vkey, "material": vkey}
    with pytest.raises(EvidenceStoreError, match="ML-DSA-44") as caught:
        KeyHistory.from_events([event_of(details)])
    assert caught.value.code == "key_history_malformed"
