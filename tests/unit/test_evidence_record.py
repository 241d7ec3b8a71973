"""Evidence records: what they show, and every way in which they must not be believed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509

from evidence_store import asn1
from evidence_store.bundle.renewals import (
    checkpoint_members,
    covered_events,
    object_members,
    record_name,
    renewal_folder,
    token_name,
    verify_object,
)
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps import hash_tree
from evidence_store.timestamps.algorithms import digest_of
from evidence_store.timestamps.ers import holds_until, make_chain, renewal_imprint, verify_record
from evidence_store.timestamps.evidence_record import (
    MAX_CHAINS,
    MAX_RECORD,
    MAX_STAMPS,
    ArchiveTimeStamp,
    EvidenceRecord,
    parse_record,
)
from evidence_store.timestamps.token import MAX_TOKEN
from tests.evidence_records import (
    EXPIRY,
    FIRST,
    YEAR,
    Stamper,
    chains_over,
    records,
    rehashed,
    roots_of,
    short_lived,
    stampers,
)
from tests.tsa import authority

GROUPS = [[f"object:{number}".encode(), *(b"event %d" % event for event in range(number + 1))] for number in range(5)]
ME = 3


def refused(
    code: str, record: EvidenceRecord | bytes, members: Sequence[bytes], roots: Sequence[x509.Certificate]
) -> str:
    """The record must be refused with this code; returns why."""
    der = record if isinstance(record, bytes) else record.encode()
    with pytest.raises(EvidenceStoreError) as caught:
        verify_record(der, members, roots)
    assert caught.value.code == code, caught.value
    return caught.value.detail


def with_stamp(record: EvidenceRecord, place: int, **changes: object) -> EvidenceRecord:
    """The record with one time stamp of its only chain changed."""
    chain = list(record.chains[0])
    chain[place] = replace(chain[place], **changes)  # type: ignore[arg-type]
    return EvidenceRecord((tuple(chain),))


# -- what holds -------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_every_group_of_a_tree_is_proven_through_every_renewal(count: int, algorithm: str) -> None:
    stamping = stampers(count)
    for group, record in zip(GROUPS, records(GROUPS, stamping, algorithm), strict=True):
        tokens = verify_record(record.encode(), list(reversed(group)), roots_of(stamping))
        assert [token.gen_time for token in tokens] == [FIRST + year * YEAR for year in range(count)]
        assert [token.der for token in tokens] == list(record.tokens)
        assert parse_record(record.encode()) == record


def test_first_list_of_a_record_is_its_group_and_each_other_list_one_sibling() -> None:
    for group, record in zip(GROUPS, records(GROUPS, stampers()), strict=True):
        first, *above = record.chains[0][0].lists
        assert first == tuple(sorted(hashlib.sha512(member).digest() for member in group))
        assert all(len(siblings) == 1 for siblings in above)
        assert len(above) == (1 if group is GROUPS[-1] else 3)


def test_tree_of_one_group_has_the_group_for_its_root() -> None:
    stamping = stampers()
    (record,) = records(GROUPS[:1], stamping)
    assert len(record.chains[0][0].lists) == 1
    assert len(verify_record(record.encode(), GROUPS[0], roots_of(stamping))) == 1


def test_tree_is_the_one_that_a_pencil_draws() -> None:
    """RFC 4998, section 4.2, for three leaves: the third goes up unchanged."""

    def node(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(min(left, right) + max(left, right)).digest()

    a, b, c = (hashlib.sha256(each).digest() for each in (b"a", b"b", b"c"))
    assert list(hash_tree.next_level("sha256", [a, b, c])) == [node(a, b), c]
    assert hash_tree.root_from("sha256", c, [node(a, b)]) == node(node(a, b), c)
    assert hash_tree.level_sizes(3) == [3, 2, 1]
    assert hash_tree.path(2, 3, lambda level, index: bytes([level, index])) == [b"\x01\x00"]


def test_renewal_covers_the_one_token_itself_and_several_as_a_group() -> None:
    one, two = b"token one", b"token two"
    h1, h2 = hashlib.sha512(one).digest(), hashlib.sha512(two).digest()
    assert renewal_imprint("sha512", [one]) == h1
    assert renewal_imprint("sha512", [one, two]) == hashlib.sha512(min(h1, h2) + max(h1, h2)).digest()


def test_record_holds_until_the_first_certificate_of_its_last_token_expires() -> None:
    stamping = [stampers()[0], Stamper(short_lived(), FIRST + timedelta(days=1))]
    record = records(GROUPS, stamping)[ME]
    assert holds_until(verify_record(record.encode(), GROUPS[ME], roots_of(stamping))) == EXPIRY


def test_history_is_hashed_anew_with_another_algorithm() -> None:
    before, after = stampers(4)[:2], stampers(4)[2:]
    older = records(GROUPS, before, "sha256")
    for group, record in zip(GROUPS, rehashed(older, GROUPS, after, "sha512"), strict=True):
        assert len(verify_record(record.encode(), group, roots_of(stampers(4)))) == 4
        assert record.encode().count(asn1.oid("2.16.840.1.101.3.4.2.1")) >= 1


def test_same_algorithm_twice_is_named_once() -> None:
    older = records(GROUPS, stampers(2)[:1])
    record = rehashed(older, GROUPS, stampers(2)[1:], "sha512")[ME]
    outer = asn1.Reader(record.encode()).enter(asn1.SEQUENCE)
    outer.take(asn1.INTEGER)
    assert len(outer.enter(asn1.SEQUENCE).elements()) == 1
    assert len(verify_record(record.encode(), GROUPS[ME], roots_of(stampers(2)))) == 2


def test_certificates_that_a_token_lacks_may_come_from_elsewhere() -> None:
    whole = authority("split", intermediate=True)
    record = records(GROUPS, [Stamper(whole, FIRST)])[ME]
    assert refused("timestamp_untrusted", record, GROUPS[ME], whole.roots)
    between = [issued.certificate for issued in whole.between]
    assert verify_record(record.encode(), GROUPS[ME], whole.roots, between)


# -- data that the record is not over ---------------------------------------------------------


def test_member_changed_is_refused() -> None:
    members = [*GROUPS[ME][:-1], GROUPS[ME][-1] + b" "]
    assert refused("ers_object_missing", records(GROUPS, stampers())[ME], members, roots_of(stampers()))


def test_member_left_out_is_refused() -> None:
    record = records(GROUPS, stampers())[ME]
    for place in range(len(GROUPS[ME])):
        members = [*GROUPS[ME][:place], *GROUPS[ME][place + 1 :]]
        assert "4 were given" in refused("ers_object_missing", record, members, roots_of(stampers()))


@pytest.mark.parametrize("added", [b"one more", GROUPS[0][0], b"", GROUPS[ME][0]])
def test_member_added_or_given_twice_is_refused(added: bytes) -> None:
    record = records(GROUPS, stampers())[ME]
    assert refused("ers_object_missing", record, [*GROUPS[ME], added], roots_of(stampers()))


def test_group_of_a_neighbour_is_refused() -> None:
    assert refused("ers_object_missing", records(GROUPS, stampers())[ME], GROUPS[ME - 1], roots_of(stampers()))


def test_nothing_at_all_is_refused() -> None:
    assert refused("ers_object_missing", records(GROUPS, stampers())[ME], [], roots_of(stampers()))


def test_node_of_the_tree_does_not_pass_as_a_record_of_one_object() -> None:
    """Cut off the first list: the joined hashes of the group would be the only "object"."""
    record = records(GROUPS, stampers())[ME]
    group, *above = record.chains[0][0].lists
    shorter = with_stamp(record, 0, lists=tuple(above))
    assert refused("ers_object_missing", shorter, [b"".join(group)], roots_of(stampers()))


def test_group_of_one_passes_in_no_form() -> None:
    """Whether a list of one hash is hashed again is read in two ways; here neither is accepted, nor built."""
    member = b"alone"
    for root in (hashlib.sha512(member).digest(), hashlib.sha512(hashlib.sha512(member).digest()).digest()):
        stamp = ArchiveTimeStamp("sha512", ((hashlib.sha512(member).digest(),),), stampers()[0].token(root))
        assert refused("ers_object_missing", EvidenceRecord(((stamp,),)), [member], roots_of(stampers()))
    with pytest.raises(EvidenceStoreError) as caught:
        make_chain("sha512", [hashlib.sha512(member).digest()], [], [b""])
    assert caught.value.code == "ers_group"


@pytest.mark.parametrize("hashes", [[bytes(64), bytes(64)], [bytes(64), b"short"], []])
def test_group_that_no_record_can_list_is_not_built(hashes: list[bytes]) -> None:
    with pytest.raises(EvidenceStoreError) as caught:
        make_chain("sha512", hashes, [], [b""])
    assert caught.value.code == "ers_group"


# -- trees and tokens that do not fit ---------------------------------------------------------


def test_sibling_changed_is_refused() -> None:
    record = records(GROUPS, stampers())[ME]
    lists = record.chains[0][0].lists
    for place in range(1, len(lists)):
        bent = (bytes(64) if lists[place][0] != bytes(64) else b"\1" * 64,)
        other = with_stamp(record, 0, lists=(*lists[:place], bent, *lists[place + 1 :]))
        assert refused("ers_tree_mismatch", other, GROUPS[ME], roots_of(stampers()))


def test_sibling_left_out_or_added_is_refused() -> None:
    record = records(GROUPS, stampers())[ME]
    lists = record.chains[0][0].lists
    for other in (lists[:-1], (*lists, (bytes(64),)), (lists[0], lists[2], lists[1], *lists[3:])):
        assert refused("ers_tree_mismatch", with_stamp(record, 0, lists=other), GROUPS[ME], roots_of(stampers()))


def test_token_of_another_tree_is_refused() -> None:
    record, other = records(GROUPS, stampers())[ME], records(GROUPS[:ME], stampers())[0]
    assert refused("ers_tree_mismatch", with_stamp(record, 0, token=other.tokens[0]), GROUPS[ME], roots_of(stampers()))


def test_token_over_the_root_by_name_of_another_algorithm_is_refused() -> None:
    """The imprint has the right bytes, but says that they are a digest of another kind."""
    record = records(GROUPS, stampers(), "sha256")[ME]
    root = hashlib.sha512(b"").digest()
    token = stampers()[0].token(root, "sha512")
    assert refused("ers_tree_mismatch", with_stamp(record, 0, token=token), GROUPS[ME], roots_of(stampers()))


@pytest.mark.parametrize("lists", [(), ((bytes(64), b"\1" * 64),) * 2])
def test_tree_of_another_shape_is_refused(lists: tuple[tuple[bytes, ...], ...]) -> None:
    record = with_stamp(records(GROUPS, stampers())[ME], 0, lists=lists)
    assert refused("ers_malformed", record, GROUPS[ME], roots_of(stampers()))


def test_token_of_an_authority_that_is_not_trusted_is_refused() -> None:
    record = records(GROUPS, stampers(2))[ME]
    for known in stampers(2):
        assert refused("timestamp_untrusted", record, GROUPS[ME], known.by.roots)
    assert refused("timestamp_untrusted", record, GROUPS[ME], [])


# -- chains that do not hold ------------------------------------------------------------------


def test_renewal_of_another_record_is_refused() -> None:
    mine, other = records(GROUPS, stampers(2))[ME], records(GROUPS[:ME], stampers(2))[0]
    grafted = with_stamp(mine, 1, token=other.tokens[1])
    assert refused("ers_chain_broken", grafted, GROUPS[ME], roots_of(stampers(2)))


def test_renewal_taken_out_of_the_middle_is_refused() -> None:
    record = records(GROUPS, stampers(3))[ME]
    shorter = EvidenceRecord(((record.chains[0][0], record.chains[0][2]),))
    assert refused("ers_chain_broken", shorter, GROUPS[ME], roots_of(stampers(3)))


def test_renewals_in_another_order_are_refused() -> None:
    first, second, third = records(GROUPS, stampers(3))[ME].chains[0]
    for chain in ((first, third, second), (second, first, third)):
        code = "ers_chain_broken" if chain[0] is first else "ers_malformed"
        assert refused(code, EvidenceRecord((chain,)), GROUPS[ME], roots_of(stampers(3)))


def test_renewal_that_lists_other_tokens_than_those_before_it_is_refused() -> None:
    record = records(GROUPS, stampers(3))[ME]
    listed = record.chains[0][2].lists[0]
    for lists in ((), ((listed[0],),), ((*listed, b"\xff" * 64),), (listed, (bytes(64),))):
        assert refused("ers_chain_broken", with_stamp(record, 2, lists=lists), GROUPS[ME], roots_of(stampers(3)))


def test_renewal_after_the_certificate_had_expired_is_refused() -> None:
    early, late = Stamper(short_lived(), FIRST), stampers(4)[-1]
    assert late.at > EXPIRY
    record = records(GROUPS, [early, late])[ME]
    assert "had expired" in refused("ers_chain_broken", record, GROUPS[ME], roots_of([early, late]))
    on_time = replace(late, at=EXPIRY)
    assert verify_record(records(GROUPS, [early, on_time])[ME].encode(), GROUPS[ME], roots_of([early, late]))


def test_last_token_is_judged_at_its_own_time() -> None:
    early = Stamper(short_lived(until=FIRST + timedelta(seconds=1)), FIRST)
    assert verify_record(records(GROUPS, [early])[ME].encode(), GROUPS[ME], roots_of([early]))
    late = replace(early, at=FIRST + timedelta(seconds=2))
    assert refused("timestamp_certificate_expired", records(GROUPS, [late])[ME], GROUPS[ME], roots_of([late]))


def test_renewal_older_than_what_it_renews_is_refused() -> None:
    first, second = stampers(2)
    backwards = [second, first]
    assert "older" in refused("ers_chain_broken", records(GROUPS, backwards)[ME], GROUPS[ME], roots_of(backwards))


def test_renewal_in_another_algorithm_within_a_chain_is_refused() -> None:
    record = records(GROUPS, stampers(2))[ME]
    token = stampers(2)[1].token(digest_of(record.tokens[0], "sha256"), "sha256")
    other = with_stamp(record, 1, algorithm="sha256", token=token)
    assert refused("ers_chain_broken", other, GROUPS[ME], roots_of(stampers(2)))


def test_tree_of_a_further_chain_that_does_not_cover_the_chains_before_is_refused() -> None:
    before, after = stampers(2)
    older = records(GROUPS, [before], "sha256")[ME]
    hashed = [[digest_of(member, "sha512") for member in group] for group in GROUPS]
    chain = chains_over("sha512", hashed, [after])[0][ME]
    record = EvidenceRecord((*older.chains, chain))
    assert refused("ers_object_missing", record, GROUPS[ME], roots_of([before, after]))


def test_chain_before_a_hash_tree_renewal_cannot_be_exchanged() -> None:
    before, after = stampers(2)
    record = rehashed(records(GROUPS, [before], "sha256"), GROUPS, [after], "sha512")[ME]
    again = replace(before, at=before.at + timedelta(days=1))
    other = EvidenceRecord((records(GROUPS, [again], "sha256")[ME].chains[0], record.chains[1]))
    assert refused("ers_object_missing", other, GROUPS[ME], roots_of([before, after]))


# -- encodings --------------------------------------------------------------------------------


def parts(record: EvidenceRecord) -> list[bytes]:
    return asn1.Reader(record.encode()).enter(asn1.SEQUENCE).elements()


def bend_version(record: EvidenceRecord) -> bytes:
    return asn1.encode(asn1.SEQUENCE, asn1.integer(2), *parts(record)[1:])


def bend_algorithms(record: EvidenceRecord) -> bytes:
    version, algorithms, chains = parts(record)
    twice = asn1.encode(asn1.SEQUENCE, asn1.Reader(algorithms).take(asn1.SEQUENCE) * 2)
    return asn1.encode(asn1.SEQUENCE, version, twice, chains)


def bend_crypto_infos(record: EvidenceRecord) -> bytes:
    version, algorithms, chains = parts(record)
    return asn1.encode(asn1.SEQUENCE, version, algorithms, asn1.encode(asn1.context(0)), chains)


def bend_tail(record: EvidenceRecord) -> bytes:
    return asn1.encode(asn1.SEQUENCE, *parts(record), asn1.encode(asn1.NULL))


def bend_after(record: EvidenceRecord) -> bytes:
    return record.encode() + b"\x00"


def bend_no_chain(record: EvidenceRecord) -> bytes:
    return asn1.encode(asn1.SEQUENCE, *parts(record)[:2], asn1.encode(asn1.SEQUENCE))


def bend_empty_chain(record: EvidenceRecord) -> bytes:
    return asn1.encode(asn1.SEQUENCE, *parts(record)[:2], asn1.encode(asn1.SEQUENCE, asn1.encode(asn1.SEQUENCE)))


def bend_many_chains(record: EvidenceRecord) -> bytes:
    empty = asn1.encode(asn1.SEQUENCE) * (MAX_CHAINS + 1)
    return asn1.encode(asn1.SEQUENCE, *parts(record)[:2], asn1.encode(asn1.SEQUENCE, empty))


def bend_many_stamps(record: EvidenceRecord) -> bytes:
    return EvidenceRecord((record.chains[0] * (MAX_STAMPS + 1),)).encode()


def bend_many_lists(record: EvidenceRecord) -> bytes:
    return with_stamp(record, 0, lists=((bytes(64),),) * 101).encode()


def bend_parameters(record: EvidenceRecord) -> bytes:
    null = asn1.encode(asn1.NULL)
    sha512 = asn1.oid("2.16.840.1.101.3.4.2.3")
    stamp = asn1.encode(asn1.SEQUENCE, asn1.encode(asn1.context(0), sha512, null), record.tokens[0])
    chains = asn1.encode(asn1.SEQUENCE, asn1.encode(asn1.SEQUENCE, stamp))
    return asn1.encode(asn1.SEQUENCE, *parts(record)[:2], chains)


def bend_sha1(record: EvidenceRecord) -> bytes:
    identifier = asn1.encode(asn1.context(0), asn1.oid("1.3.14.3.2.26"))
    stamp = asn1.encode(asn1.SEQUENCE, identifier, record.tokens[0])
    chains = asn1.encode(asn1.SEQUENCE, asn1.encode(asn1.SEQUENCE, stamp))
    return asn1.encode(asn1.SEQUENCE, *parts(record)[:2], chains)


def bend_order(record: EvidenceRecord) -> bytes:
    lists = record.chains[0][0].lists
    return with_stamp(record, 0, lists=(lists[0][::-1], *lists[1:])).encode()


def bend_twice(record: EvidenceRecord) -> bytes:
    lists = record.chains[0][0].lists
    return with_stamp(record, 0, lists=((lists[0][0], *lists[0]), *lists[1:])).encode()


def bend_empty_list(record: EvidenceRecord) -> bytes:
    return with_stamp(record, 0, lists=((), *record.chains[0][0].lists)).encode()


def bend_cut_hash(record: EvidenceRecord) -> bytes:
    return record.encode().replace(b"\x04\x40", b"\x04\x3f", 1)


def bend_tree_empty(record: EvidenceRecord) -> bytes:
    sha512 = asn1.encode(asn1.context(0), asn1.oid("2.16.840.1.101.3.4.2.3"))
    stamp = asn1.encode(asn1.SEQUENCE, sha512, asn1.encode(asn1.context(2)), record.tokens[0])
    chains = asn1.encode(asn1.SEQUENCE, asn1.encode(asn1.SEQUENCE, stamp))
    return asn1.encode(asn1.SEQUENCE, *parts(record)[:2], chains)


def bend_token_size(record: EvidenceRecord) -> bytes:
    return with_stamp(record, 0, token=asn1.encode(asn1.SEQUENCE, bytes(MAX_TOKEN))).encode()


def bend_token_away(record: EvidenceRecord) -> bytes:
    return with_stamp(record, 0, token=b"").encode()


def bend_size(record: EvidenceRecord) -> bytes:
    return record.encode() + bytes(MAX_RECORD)


BENT = [bend for name, bend in sorted(globals().items()) if name.startswith("bend_")]


@pytest.mark.parametrize("bend", BENT, ids=lambda bend: bend.__name__)
def test_other_encodings_are_refused(bend: Callable[[EvidenceRecord], bytes]) -> None:
    record = records(GROUPS, stampers())[ME]
    assert refused("ers_malformed", bend(record), GROUPS[ME], roots_of(stampers()))


def test_token_that_is_none_is_refused_as_one() -> None:
    record = with_stamp(records(GROUPS, stampers())[ME], 0, token=asn1.encode(asn1.SEQUENCE))
    assert refused("timestamp_malformed", record, GROUPS[ME], roots_of(stampers()))


@pytest.mark.parametrize("index", [-1, 5])
def test_tree_has_no_leaf_outside_its_size(index: int) -> None:
    with pytest.raises(EvidenceStoreError) as caught:
        hash_tree.path(index, 5, lambda _level, _index: b"")
    assert caught.value.code == "ers_leaf_range"


# -- what a bundle makes of them --------------------------------------------------------------


def test_object_is_proven_as_far_as_its_events_were_there() -> None:
    events = [b"event %d" % number for number in range(6)]
    groups = [*GROUPS, object_members("item:1", events[:4])]
    record = records(groups, stampers())[-1].encode()
    assert covered_events(record) == 4
    assert verify_object(record, "item:1", events, roots_of(stampers()))[0] == 4
    assert verify_object(record, "item:1", events[:4], roots_of(stampers()))[0] == 4
    for about, given in (("item:1", events[:3]), ("item:2", events), ("item:1", events[1:]), ("item:1", [])):
        with pytest.raises(EvidenceStoreError) as caught:
            verify_object(record, about, given, roots_of(stampers()))
        assert caught.value.code == "ers_object_missing"


def test_record_without_a_tree_covers_no_event() -> None:
    record = with_stamp(records(GROUPS, stampers())[ME], 0, lists=()).encode()
    assert covered_events(record) == 0
    with pytest.raises(EvidenceStoreError) as caught:
        verify_object(record, "item:1", [b"event"], roots_of(stampers()))
    assert caught.value.code == "ers_object_missing"


def test_names_and_groups_in_a_bundle() -> None:
    assert renewal_folder(1) == "custody/renewals/001"
    assert record_name("item:12ab") == "item_12ab.ers"
    assert token_name("tsa") == "checkpoint.tsa.tst"
    assert checkpoint_members(7, b"note", [b"token"]) == [b"checkpoint:7", b"note", b"token"]
