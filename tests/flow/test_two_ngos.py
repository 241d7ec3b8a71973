"""Two organisations witness each other's archives: four real processes, from exchanged keys to the co-signed head."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app.api.services import Services
from app.custody.service import SYSTEM
from app.custody.vkeys import log_keys, verifier_lines
from evidence_store.log.cosignature import verify_cosignatures
from evidence_store.log.note import open_checkpoint
from evidence_store.log.policy import parse_policy
from evidence_store.witness.folder import WitnessFolder
from tests.archives import PASSPHRASE, make_archive
from tests.checks import assert_clean
from tests.processes import Nursery, nursery, until
from tests.witnesses import make_witness, policy_text, vkeys_of


@dataclass
class Ngo:
    """One organisation: an archive and a witness."""

    name: str
    services: Services
    witness: WitnessFolder
    token: str
    api: str = ""

    def deposit(self, data: bytes) -> None:
        """Take a file in over HTTP."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = httpx.post(f"{self.api}/api/v1/items?case=T1", content=data, headers=headers, timeout=60)
        assert answer.status_code == 201, answer.text

    def cosigned(self) -> bytes | None:
        """What its archive publishes."""
        answer = httpx.get(f"{self.api}/log/checkpoint.cosigned", timeout=60)
        return answer.content if answer.status_code == 200 else None

    def size(self, note: bytes) -> int:
        """Of a checkpoint that the archive signed."""
        return open_checkpoint(note, log_keys(self.services.archive.settings.keys)[0]).size


@pytest.fixture
def ngos(tmp_path: Path) -> Iterator[tuple[Ngo, Ngo]]:
    made = []
    for name in ("a", "b"):
        services = make_archive(tmp_path / name, fresh=True)
        who = services.access.local_operator()
        services.evidence.create_case(who, "T1")
        token = services.access.create_token(SYSTEM, who.name)[1]
        made.append(Ngo(name, services, make_witness(tmp_path / f"w{name}", f"{name}.example/witness"), token))
    yield made[0], made[1]
    for ngo in made:
        ngo.services.archive.db.close()


def _start(processes: Nursery, ngo: Ngo, other: Ngo) -> None:
    """Each gives the other its log's keys, and gets the witness's keys and address."""
    for vkey in verifier_lines(other.services.archive.settings.keys):
        ngo.witness.add_log(vkey)
    environment = {"CATENA_PASSPHRASE": PASSPHRASE.decode()}
    witness = processes.start(
        "witness", "serve", "--folder", str(ngo.witness.path), "--port", "0", "--json", **environment
    )
    classic, quantum = vkeys_of(ngo.witness)
    text = policy_text(("classic", classic, witness.url()), ("quantum", quantum, witness.url()))
    other.services.witnessing.set_policy(other.services.access.local_operator().actor, text)
    settings = other.services.archive.settings
    environment |= {"CATENA_DATA": str(settings.data), "CATENA_DATABASE_URL": settings.database_url}
    other.api = processes.start("serve", "--port", "0", "--json", **environment).url()


def test_two_ngos_witness_each_other(ngos: tuple[Ngo, Ngo], tmp_path: Path) -> None:
    with nursery(tmp_path) as processes:
        for ngo, other in (ngos, ngos[::-1]):
            _start(processes, ngo, other)
        for ngo, other in (ngos, ngos[::-1]):
            _grows_and_is_cosigned(ngo, other)
        for ngo in ngos:
            shown = httpx.get(f"{ngo.api}/log/witnesses", timeout=60).json()
            assert not shown["contradicted"]
            assert all(one["size"] > 0 for one in shown["witnesses"])
    for ngo in ngos:
        assert_clean(ngo.services)


def _grows_and_is_cosigned(ngo: Ngo, other: Ngo) -> None:
    before = 0
    for number in range(2):
        ngo.deposit(f"{ngo.name} {number}".encode())
        after = ngo.size(httpx.get(f"{ngo.api}/log/checkpoint", timeout=60).content)
        assert after > before
        note = _wait_for(ngo, after)
        keys = other.witness.public_keys()
        found = verify_cosignatures(note, keys)
        assert {one.key for one in found} == set(keys)
        policy = parse_policy(ngo.services.witnessing.policies.text() or "")
        assert policy.satisfied([one.key for one in found])
        before = ngo.size(note)
    assert other.witness.state.read()[ngo.services.archive.identity.log].size >= before


def _wait_for(ngo: Ngo, size: int) -> bytes:
    """The co-signed checkpoint, once it has so many entries."""
    found: list[bytes] = []

    def there() -> bool:
        note = ngo.cosigned()
        if note is not None and ngo.size(note) >= size:
            found.append(note)
        return bool(found)

    until(there, f"{size} entries are co-signed")
    return found[0]
