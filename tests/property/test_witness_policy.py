"""Witness policies: the grammar, every quorum by counting, and what must be refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from evidence_store.errors import EvidenceStoreError
from evidence_store.log.cosignature import (
    ED25519_COSIGNER,
    MLDSA44_COSIGNER,
    CosignerKey,
    format_cosigner_vkey,
    parse_cosigner_vkey,
)
from evidence_store.log.note import VerifierKey, format_vkey
from evidence_store.log.policy import MAX_POLICY_BYTES, decode_policy, parse_policy


def _public(seed: int) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32, "big")).public_key().public_bytes_raw()


VKEYS = [format_cosigner_vkey(f"w{n}.example", ED25519_COSIGNER, _public(n)) for n in range(8)]
KEYS = [parse_cosigner_vkey(vkey) for vkey in VKEYS]
LOG = format_vkey("archive.example/log", _public(100))
QUANTUM = format_cosigner_vkey(
    "archive.example/log",
    MLDSA44_COSIGNER,
    MLDSA44PrivateKey.from_seed_bytes(bytes(32)).public_key().public_bytes_raw(),
)
SIX = "".join(f"witness {name} {VKEYS[n]}\n" for n, name in enumerate(("X1", "X2", "X3", "Y1", "Y2", "Y3")))
EXAMPLE = f"""log {LOG}

{SIX}group X-witnesses 2 X1 X2 X3
group Y-witnesses any Y1 Y2 Y3
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def _refused(text: str) -> str:
    with pytest.raises(EvidenceStoreError) as failure:
        parse_policy(text)
    return failure.value.code


def test_the_example_of_the_specification_holds_for_every_set_of_signers() -> None:
    policy = parse_policy(EXAMPLE)
    for chosen in itertools.product((False, True), repeat=6):
        signed = [key for key, there in zip(KEYS, chosen, strict=False) if there]
        assert policy.satisfied(signed) == (sum(chosen[:3]) >= 2 and any(chosen[3:]))


def test_a_policy_keeps_logs_witnesses_groups_and_urls() -> None:
    policy = parse_policy(
        f"log {LOG} https://log.example\nlog {QUANTUM}\nwitness a {VKEYS[0]} https://w.example/\nquorum a\n"
    )
    assert isinstance(policy.logs[0].key, VerifierKey)
    assert isinstance(policy.logs[1].key, CosignerKey)
    assert [log.url for log in policy.logs] == ["https://log.example", None]
    assert policy.witnesses["a"].url == "https://w.example/"
    assert policy.keys == [KEYS[0]]
    assert (policy.groups, policy.quorum) == ({}, "a")


def test_no_quorum_is_met_by_nobody_and_one_witness_only_by_itself() -> None:
    assert parse_policy("quorum none\n").satisfied([])
    policy = parse_policy(f"witness a {VKEYS[0]}\nquorum a\n")
    assert [policy.satisfied(signed) for signed in ([], [KEYS[0]], [KEYS[1]])] == [False, True, False]


def test_a_key_counts_once_however_often_it_signs() -> None:
    policy = parse_policy(f"witness a {VKEYS[0]}\nwitness b {VKEYS[1]}\ngroup g 2 a b\nquorum g\n")
    assert not policy.satisfied([KEYS[0], KEYS[0]])
    assert policy.satisfied([KEYS[1], KEYS[0]])


@given(st.integers(1, 8), st.data())
def test_n_of_m_is_met_by_n_and_not_by_fewer(members: int, data: st.DataObject) -> None:
    needed = data.draw(st.integers(1, members))
    names = " ".join(f"w{n}" for n in range(members))
    lines = "".join(f"witness w{n} {VKEYS[n]}\n" for n in range(members))
    policy = parse_policy(f"{lines}group g {needed} {names}\nquorum g\n")
    signed = data.draw(st.lists(st.sampled_from(KEYS), unique_by=lambda key: key.name))
    counted = sum(key in KEYS[:members] for key in signed)
    assert policy.satisfied(signed) == (counted >= needed)


@given(st.lists(st.sampled_from(["", " ", "\t", " \t "]), min_size=5, max_size=5), st.lists(st.text("\t #ab\u00e9")))
def test_blanks_and_comments_say_nothing(blanks: list[str], comments: list[str]) -> None:
    a, b, c, d, e = blanks
    said = "".join(f"{a}#{text}\n" for text in comments)
    text = f"{said}{a}witness {b}x\t{VKEYS[0]}{c}\n{d}\n{said}{e}quorum\tx{b}\n"
    assert parse_policy(text) == parse_policy(f"witness x {VKEYS[0]}\nquorum x\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "quorum none",
        "quorum\n",
        "quorum a\n",
        "quorum none none\n",
        "quorum none\nquorum none\n",
        "witnesses a\nquorum none\n",
        "log\nquorum none\n",
        f"log {LOG} url more\nquorum none\n",
        f"log {LOG}\nlog {LOG}\nquorum none\n",
        "witness a\nquorum none\n",
        f"witness a {VKEYS[0]} url more\nquorum none\n",
        f"witness none {VKEYS[0]}\nquorum none\n",
        f"witness a {VKEYS[0]}\nwitness a {VKEYS[1]}\nquorum none\n",
        f"witness a {VKEYS[0]}\nwitness b {VKEYS[0]}\nquorum none\n",
        f"witness a {VKEYS[0]}\ngroup a all a\nquorum none\n",
        f"witness a {VKEYS[0]}\ngroup none all a\nquorum none\n",
        f"witness a {VKEYS[0]}\ngroup g all\nquorum none\n",
        f"witness a {VKEYS[0]}\ngroup g\nquorum none\n",
        f"witness a {VKEYS[0]}\ngroup g 0 a\nquorum g\n",
        f"witness a {VKEYS[0]}\ngroup g 2 a\nquorum g\n",
        f"witness a {VKEYS[0]}\ngroup g 01 a\nquorum g\n",
        f"witness a {VKEYS[0]}\ngroup g \u0661 a\nquorum g\n",
        f"witness a {VKEYS[0]}\ngroup g most a\nquorum g\n",
        f"witness a {VKEYS[0]}\ngroup g all a a\nquorum g\n",
        f"witness a {VKEYS[0]}\ngroup g all a\ngroup h all a\nquorum g\n",
        f"witness a {VKEYS[0]}\ngroup g all none\nquorum g\n",
        f"witness a {VKEYS[0]}\ngroup g all g\nquorum g\n",
        f"group g all a\nwitness a {VKEYS[0]}\nquorum g\n",
        f"quorum a\nwitness a {VKEYS[0]}\n",
        f"witness a {VKEYS[0]}\r\nquorum a\n",
        f"witness a {VKEYS[0]}\x7f\nquorum a\n",
        "# \x00\nquorum none\n",
        "\u2028quorum none\n",
        "#" * MAX_POLICY_BYTES + "\nquorum none\n",
    ],
)
def test_what_breaks_a_rule_is_refused(text: str) -> None:
    assert _refused(text) == "policy_form"


@pytest.mark.parametrize(
    "line",
    [
        f"log {VKEYS[0]}",
        f"log {LOG[:-4]}AAA=",
        "log nothing",
        f"witness a {LOG}",
        f"witness a {VKEYS[0].replace('w0', 'w1')}",
    ],
    ids=["witness key of a log", "wrong key id", "no key", "log key of a witness", "renamed key"],
)
def test_a_key_of_the_wrong_kind_or_name_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(EvidenceStoreError, match="line 2") as failure:
        parse_policy(f"# keys\n{line}\nquorum none\n")
    assert failure.value.code == "vkey_form"


def test_thirty_two_of_everything_are_read() -> None:
    vkeys = [format_cosigner_vkey(f"w{n}", ED25519_COSIGNER, _public(n)) for n in range(32)]
    logs = "".join(f"log {format_vkey(f'l{n}', _public(n))}\n" for n in range(32))
    lines = "".join(f"witness w{n} {vkey}\ngroup g{n} 1 w{n}\n" for n, vkey in enumerate(vkeys))
    policy = parse_policy(f"{logs}{lines}quorum g31\n")
    assert (len(policy.logs), len(policy.witnesses), len(policy.groups)) == (32, 32, 32)


def test_names_are_opaque_and_not_normalised() -> None:
    text = f"witness K {VKEYS[0]}\nwitness \u212a {VKEYS[1]}\nquorum \u212a\n"
    assert parse_policy(decode_policy(text.encode())).quorum == "\u212a"
    with pytest.raises(EvidenceStoreError) as failure:
        decode_policy(b"quorum \xff\n")
    assert failure.value.code == "policy_form"


_WORDS = st.sampled_from(
    ["log", "witness", "group", "quorum", "none", "all", "any", "1", "2", "a", "b", "g", *VKEYS[:2], LOG]
)


@given(st.lists(st.lists(_WORDS, max_size=5).map(" ".join), max_size=8))
def test_any_lines_are_a_policy_or_a_coded_error(lines: list[str]) -> None:
    _coded(lambda: parse_policy("".join(f"{line}\n" for line in lines)))


@given(st.text())
def test_any_text_is_a_policy_or_a_coded_error(text: str) -> None:
    _coded(lambda: parse_policy(text))


@given(st.binary())
def test_any_bytes_are_a_policy_or_a_coded_error(data: bytes) -> None:
    _coded(lambda: parse_policy(decode_policy(data)))


def _coded(call: Callable[[], object]) -> None:
    try:
        call()
    except EvidenceStoreError as error:
        assert error.code in {"policy_form", "vkey_form"}  # noqa: PT017
