"""Show the whole job on sample media, through the public HTTP API and the command line.

`make demo` stays up until Ctrl-C and leaves its files in ./catena-demo; `make demo ONCE=1` ends by itself and
leaves nothing. Each step says in plain words what happened, and what it says is checked: a demo that ends well has
found the times, places, matches and verdicts that it knows to be right.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from scripts.demo_service import ROOT, Api, DemoError, Server, catena, run_catena
from scripts.sample_media import Sample, make_samples

FOLDER: Final = ROOT / "catena-demo"
MARK: Final = ".made-by-catena-demo"
CASE: Final = "DEMO"
PROVISION: Final = "ap1-art62"
WORK_SECONDS: Final = 240.0
SAME_PLACE_DEGREES: Final = 1e-5
LOG: Final = "service.log"


@dataclass
class Demo:
    """Where the demo is, and what it has made so far."""

    folder: Path
    server: Server
    admin: Api
    ana: Api
    lena: Api
    omar: Api
    items: dict[str, str] = field(default_factory=dict)
    bundle: Path = Path()

    @property
    def data(self) -> Path:
        """The throwaway archive."""
        return self.folder / "archive"


_steps = iter(range(1, 100))


def step(title: str) -> None:
    """Announce the next step."""
    print(f"\n{next(_steps)}. {title}", flush=True)


def say(text: str, *, more: bool = False) -> None:
    """One thing that happened, or more about the one before."""
    indent = "     " if more else "   "
    print(textwrap.fill(text, 118, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False), flush=True)


def must(*, holds: bool, otherwise: str) -> None:
    """Check a claim of the demo.

    Raises:
        DemoError: when it does not hold.
    """
    if not holds:
        raise DemoError(otherwise)


def sha256_of(path: Path) -> str:
    """Digest computed here, independently of the archive."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def make_archive(data: Path) -> str:
    """`catena init`; returns the first administrator's token."""
    made = catena(data, "init", "--org", "Demo archive (nothing in it is real)")
    say(f"An archive of its own, made for this demo: {data}")
    say("It got its own keys: one to seal receipts and bundles (ECDSA P-256), one to sign its log (Ed25519).")
    return str(made["token"])


def open_case(server: Server, folder: Path, token: str) -> Demo:
    """Three people, one case that they work on."""
    admin = Api(server, token)
    people = {}
    for name, role in (("ana", "investigator"), ("lena", "legal"), ("omar", "legal")):
        admin.post("/users", {"name": name, "role": role})
        people[name] = Api(server, admin.post("/tokens", {"user": name, "label": "demo", "days": 1})["token"])
    people["ana"].post("/cases", {"ref": CASE, "title": "Sample media, not an incident"})
    for name in ("lena", "omar"):
        people["ana"].post(f"/cases/{CASE}/members", {"user": name})
    say("ana (investigator) opened the case DEMO and let in lena and omar (legal). Their tokens end tomorrow.")
    return Demo(folder, server, admin, ana=people["ana"], lena=people["lena"], omar=people["omar"])


def upload(demo: Demo, sample: Sample) -> None:
    """One file: streamed, hashed, sealed, logged."""
    digest = sha256_of(sample.path)
    headers = {
        "X-Filename": quote(sample.path.name),
        "X-Source-Note": quote(f"sample media: {sample.title}"),
        "Idempotency-Key": f"demo-{sample.path.name}",
        "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(digest)).decode()}:",
    }
    with sample.path.open("rb") as stream:
        answer = demo.ana.ask("POST", f"/items?case={CASE}", content=stream, headers=headers).json()
    item, receipt = answer["item"], answer["receipt"]
    must(holds=item["sha256"] == digest, otherwise=f"the archive computed another digest of {sample.path.name}")
    demo.items[sample.path.name] = item["id"]
    say(f"{sample.path.name}: {sample.title}")
    say(f"SHA-256 {digest}, as computed here before sending", more=True)
    seal = len(base64.b64decode(receipt["p7s_base64"]))
    say(f"receipt sealed ({seal} bytes, CAdES); entry {receipt['position']['leaf_index']} of the log", more=True)


def wait_for_workers(demo: Demo) -> None:
    """Until no job is waiting or running.

    Raises:
        DemoError: when that takes too long, or a job was given up.
    """
    deadline = time.monotonic() + WORK_SECONDS
    while time.monotonic() < deadline:
        lines = demo.admin.ask("GET", "/metrics").text.splitlines()
        jobs = {line.split('"')[1]: float(line.split()[-1]) for line in lines if line.startswith("catena_jobs{")}
        must(holds=not jobs.get("dead"), otherwise=f"the workers gave up {jobs.get('dead')} job(s)")
        if not jobs.get("ready") and not jobs.get("running"):
            return
        time.sleep(0.25)
    raise DemoError(f"analysis was not done after {WORK_SECONDS:.0f} seconds")


def show_when_and_where(demo: Demo, sample: Sample) -> None:
    """What the file says about itself, against what we know it says."""
    found = demo.ana.get(f"/items/{demo.items[sample.path.name]}")["analysis"]
    must(holds=found["state"] == "done", otherwise=f"analysis of {sample.path.name}: {found['failure_code']}")
    if sample.copy_of:
        must(holds=found["lat"] is None, otherwise=f"{sample.path.name} should carry no position")
        say(f"{sample.path.name}: no time and no place in it (consistent with a messenger or a re-upload)")
        return
    must(holds=found["lat"] is not None, otherwise=f"no position was found in {sample.path.name}")
    off = max(abs(float(found["lat"]) - (sample.latitude or 0)), abs(float(found["lon"]) - (sample.longitude or 0)))
    # The clip's container holds its position with four decimals only.
    allowed = SAME_PLACE_DEGREES if sample.kind == "photo" else 1e-4
    must(holds=off <= allowed, otherwise=f"{sample.path.name} was placed at {found['lat']}, {found['lon']}")
    say(f"{sample.path.name}: taken {found['captured_at']} at {found['lat']}, {found['lon']} (open sea: a sample)")


def show_matches(demo: Demo, samples: list[Sample]) -> None:
    """Each copy must lead to its original, and to nothing else as the same content."""
    by_id = {item: name for name, item in demo.items.items()}
    for sample in samples:
        if sample.copy_of is None:
            continue
        found = demo.ana.get(f"/items/{demo.items[sample.path.name]}/matches")["matches"]
        strong = [match for match in found if match["verdict"] != "possibly_related"]
        must(
            holds=[by_id.get(match["item"]) for match in strong] == [sample.copy_of],
            otherwise=f"{sample.path.name} should match {sample.copy_of} and nothing else; found {found}",
        )
        say(f"{sample.path.name} matches {sample.copy_of}: {strong[0]['verdict']}")
        say(f"Why: {strong[0]['explanation']}", more=True)
        for part in strong[0]["segments"]:
            here, there = (
                f"{part[f'{side}_start_s']:.1f} to {part[f'{side}_end_s']:.1f} s" for side in ("query", "item")
            )
            say(f"{here} of the copy is {there} of the original", more=True)
    say("A match is a suggestion with a reason. Nothing is merged; people decide.")


def link_and_approve(demo: Demo, sample: Sample) -> None:
    """Somebody links the item to a provision, somebody else approves it."""
    provision = demo.ana.get(f"/provisions/{PROVISION}")
    say(f"{provision['instrument']}, {provision['article']}: {provision['official_title']} ({provision['status']})")
    body = {
        "provision": PROVISION,
        "direction": "supports",
        "rationale": "A fire engine stands on the road: it may bear on the protection of civil defence. Sample only.",
    }
    link = demo.lena.post(f"/items/{demo.items[sample.path.name]}/links", body)
    say(f'lena linked {sample.path.name} to it ("{body["rationale"]}")')
    own = demo.lena.send("POST", f"/links/{link['id']}/review", json={"decision": "approve"})
    must(holds=own.status_code in {403, 409, 422}, otherwise="lena could approve her own link")
    say(f"lena may not approve her own link: refused ({own.json()['code']})")
    demo.omar.post(f"/links/{link['id']}/review", {"decision": "approve", "comment": "Seen; the vehicle is red."})
    state = demo.lena.get(f"/links/{link['id']}")["state"]
    must(holds=state == "approved", otherwise=f"the link is {state}")
    say("omar, a second person, approved it: the link is approved")


def export(demo: Demo) -> None:
    """A signed bundle, fetched over HTTP."""
    made = demo.lena.post("/exports", {"case": CASE, "purpose": "to show how a bundle is checked"})
    demo.bundle = demo.folder / f"{CASE}.zip"
    demo.bundle.write_bytes(demo.lena.ask("GET", f"/exports/{made['id']}/bundle").content)
    must(holds=sha256_of(demo.bundle) == made["sha256"], otherwise="the bundle arrived altered")
    say(f"{demo.bundle}: {made['size']} bytes, {made['files']} files, as of {made['tree_size']} entries of the log")
    say("It holds the originals, what was found out about them, every event, the proofs, the links and the reviews.")


def verify(demo: Demo) -> None:
    """Our verifier, then the world's tools, then a forgery."""
    trust = demo.folder / "trust.txt"
    trust.unlink(missing_ok=True)
    catena(demo.data, "keys", "export", "-o", str(trust))
    report = catena(demo.folder / "no-archive-here", "verify", str(demo.bundle), "--trust", str(trust))
    must(holds=report["ok"], otherwise=f"the bundle does not verify: {report['findings']}")
    say("`catena verify` (offline, without the archive): everything holds")
    for claim in report["claims"]:
        say(f"- {claim['text']}", more=True)
    unzipped = demo.folder / "unzipped"
    shutil.rmtree(unzipped, ignore_errors=True)
    with zipfile.ZipFile(demo.bundle) as archive:
        archive.extractall(unzipped)
    foreign(unzipped, "every file is whole", ["sha256sum", "--check", "--quiet", "manifest-sha256.txt"])
    foreign(unzipped, "the seal is good", [
        "openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", "META-INF/signature001.p7s",
        "-content", "META-INF/ASiCManifest001.xml", "-CAfile", "keys/ca.crt", "-out", os.devnull,
    ])  # fmt: skip
    forge(demo, unzipped, trust)


def foreign(folder: Path, meaning: str, command: list[str]) -> None:
    """Ask a program that nobody here wrote."""
    if shutil.which(command[0]) is None:
        say(f"`{command[0]}` is not on this machine, so it could not be asked")
        return
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    must(holds=done.returncode == 0, otherwise=f"{command[0]} disagrees: {(done.stderr or done.stdout).strip()}")
    say(f"`{command[0]}` agrees: {meaning}")


def forge(demo: Demo, unzipped: Path, trust: Path) -> None:
    """Change one byte of one file and see it named."""
    victim = next((unzipped / "data" / "originals").rglob("*.JPG"))
    victim.chmod(0o644)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    ran = run_catena(demo.data, "verify", str(unzipped), "--trust", str(trust))
    named = victim.name in ran.out
    must(holds=ran.code == 1 and named, otherwise="a changed byte was not noticed")
    say(f"One bit of {victim.name} changed on purpose in a copy: `catena verify` refuses it and names the file")
    shutil.rmtree(unzipped)


def audit(demo: Demo) -> None:
    """The whole archive."""
    report = catena(demo.data, "audit")
    must(holds=report["ok"], otherwise=f"the audit found {report['findings']}")
    checked = ", ".join(f"{count} {name}" for name, count in report["checked"].items())
    say(f"`catena audit` checked everything again: {checked}. All of it holds.")


def tell(server: Server, folder: Path, token: str, samples: list[Sample]) -> None:
    """All steps after the service was started."""
    server.ready()
    say(f"It answers at {server.address} (only from this machine)")
    demo = open_case(server, folder, token)
    step("Six files are deposited")
    for sample in samples:
        upload(demo, sample)
    step("When and where were they taken? (read in a confined process)")
    wait_for_workers(demo)
    for sample in samples:
        show_when_and_where(demo, sample)
    step("Which items show the same thing?")
    show_matches(demo, samples)
    step("An item is linked to a provision of law, under the four-eyes rule")
    link_and_approve(demo, samples[0])
    step("The case is exported as a signed bundle")
    export(demo)
    step("The bundle is checked by somebody who does not trust the archive")
    verify(demo)
    step("The archive checks itself")
    audit(demo)


def prepare(*, once: bool) -> Path:
    """An empty folder for this run.

    Raises:
        DemoError: when ./catena-demo holds something that the demo did not make.
    """
    if once:
        return Path(tempfile.mkdtemp(prefix="catena-demo-"))
    if FOLDER.exists():
        if not (FOLDER / MARK).is_file():
            raise DemoError(f"{FOLDER} exists and was not made by the demo; move it away")
        shutil.rmtree(FOLDER)
    FOLDER.mkdir()
    (FOLDER / MARK).touch()
    return FOLDER


def stay(server: Server, folder: Path, token: str) -> None:
    """Leave the service up until Ctrl-C.

    Raises:
        DemoError: when the service ends by itself.
    """
    print(f"\nDone. The service stays up at {server.address} (its interface: {server.address}/docs).")
    print(f"Administrator's token: {token}")
    print(f"Files of this demo: {folder}    Stop with Ctrl-C.", flush=True)
    server.wait()
    raise DemoError("the service ended by itself")


def run(folder: Path, *, once: bool) -> None:
    """All steps; the service is ended whatever happens.

    Raises:
        DemoError: when a step did not hold.
    """
    step("Sample media are made (rendered, marked as samples, placed in the open sea)")
    samples = make_samples(folder / "samples")
    say(f"{len(samples)} files: two photos and a clip as from a drone, and an altered copy of each")
    step("An archive is made and its service started")
    token = make_archive(folder / "archive")
    server = Server(folder / "archive", folder / LOG)
    try:
        tell(server, folder, token, samples)
        if not once:
            stay(server, folder, token)
    finally:
        server.stop()


def main() -> int:
    """Run the demo; exit code 0 when every step held or the visitor left, 1 when a step did not hold."""
    once = os.environ.get("ONCE", "") not in {"", "0"}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        folder = prepare(once=once)
    except (DemoError, OSError) as error:
        print(f"The demo could not begin: {error}", file=sys.stderr)
        return 1
    try:
        run(folder, once=once)
        print("\nDone: every step held.", flush=True)
    except KeyboardInterrupt:
        print("\nStopped.", flush=True)
    except (DemoError, OSError, subprocess.TimeoutExpired) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        print(f"What it made stays in {folder}; the service's log is {folder / LOG}", file=sys.stderr, flush=True)
        return 1
    if once:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
