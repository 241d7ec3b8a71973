"""README.txt of a bundle: how a stranger checks it with tools that he already trusts, and what that shows."""

from __future__ import annotations

from collections.abc import Sequence

from evidence_store.bundle import layout
from evidence_store.bundle.manifest import Manifest
from evidence_store.bundle.withheld import readme_notice

_TEXT = """\
EVIDENCE BUNDLE {bundle_id}

Made {created_at} by the archive of
{org}
(archive {archive_id}, log {log}).
It holds {items} item(s) with their chain of custody: {events} event(s).
{kept_back}
This text is in plain English on purpose. You need no program of ours to check the bundle. Unzip it into a new, empty
folder, open a terminal in that folder, and run the commands below (the lines that start with four spaces).


1. ARE ALL FILES HERE, UNCHANGED?

Every line must end in "OK":

    sha256sum -c manifest-sha256.txt
    sha512sum -c manifest-sha512.txt
    sha256sum -c tagmanifest-sha256.txt

The folder is a BagIt bag (RFC 8493). With the tool of the Library of Congress (Python package "bagit"):

    bagit.py --validate .


2. DID THE ARCHIVE SEAL EXACTLY THESE FILES?

META-INF/ASiCManifest001.xml lists every file with its SHA-256 digest in base64. The archive's seal (CAdES, ETSI EN
319 122) is a signature over that list. This must print "CMS Verification successful":

    openssl cms -verify -cades -binary -inform DER -in META-INF/signature001.p7s \\
      -content META-INF/ASiCManifest001.xml -CAfile keys/ca.crt -out /dev/null

The digest of one file, to compare with its line in the list:

    openssl dgst -sha256 -binary manifest.json | base64

The same for every file. It prints nothing when all agree, and one line "FAILED" for each file that does not:

    find . -type f ! -path './META-INF/*' ! -path ./mimetype | while read -r f; do \\
      grep -F "URI=\\"${{f#./}}\\"" META-INF/ASiCManifest001.xml \\
      | grep -qF ">$(openssl dgst -sha256 -binary "$f" | base64)<" || echo "FAILED: $f"; done

Years from now the certificate will have expired. Then add -no_check_time to the commands with "cms -verify".


3. WHAT DID THE ARCHIVE CONFIRM WHEN IT RECEIVED EACH ITEM?

custody/receipts/ holds one deposit receipt per item, sealed on the day of receipt. Each must be "successful":

    for f in custody/receipts/*.json; do \\
      openssl cms -verify -cades -binary -inform DER -in "$f.p7s" \\
      -content "$f" -CAfile keys/ca.crt -out /dev/null || echo "FAILED: $f"; done


4. IS THE CHAIN OF CUSTODY WHOLE?

custody/events.jsonl has one event per line, grouped by object. Each event names, as "prev", the SHA-256 digest of the
line before it of the same object (without the line end). For line 1:

    sed -n 1p custody/events.jsonl | tr -d '\\n' | sha256sum

The digest of each object's last event is an entry of the archive's log, an append-only Merkle tree (RFC 6962).
custody/checkpoint is the log's signed state (a C2SP tlog-checkpoint; Ed25519 and ML-DSA-44, keys in keys/log.vkey), and
custody/proofs/ shows for each object that its last event is in that log (C2SP tlog-proof). Programs for transparency
logs read these files; our own verifier checks them too, see 6.


5. WHEN DID IT EXIST, AND WHO ELSE SAW IT?

{time}

{witnesses}


6. OUR OWN VERIFIER

It checks all of the above and more, offline. It needs Python 3.11 or newer and the packages "cryptography" and
"asn1crypto", and takes this folder or the ZIP file itself. Where the archive's program is installed:

    python3 -m evidence_store.verify .

{tool}

7. WHOSE KEYS ARE THESE?

Anyone can make a bundle with keys of his own. keys/ca.crt and keys/log.vkey come from this bundle, so by themselves
they prove nothing about who sealed it. Get the fingerprint of the archive's certificate in another way (in person, in
print, from a party that you trust) and compare:

    openssl x509 -in keys/ca.crt -noout -fingerprint -sha256

Or keep the trusted certificate and log keys in a file and run the verifier with --trust FILE, the roots of the
time-stamping authorities that you trust with --tsa FILE, and the witnesses that you trust with --policy FILE. The
archive's keys change in time; the object "keys:{archive_id}" in custody/events.jsonl is their
history up to this bundle.


8. WHAT THIS PROVES

If all of the above holds with keys that you trust:
- The files are, bit for bit, those that the holder of the archive's seal key sealed in this bundle.
- The original of each item is the one that the archive confirmed in its receipt and recorded in its log.
- No event between the first one and the head (the last event listed) of an object was changed, removed or
  reordered after the checkpoint was signed: the log had {tree_size} entries then.

9. WHAT THIS DOES NOT PROVE

- Not that a picture, video or document is authentic. A seal says: this is what the archive received. It cannot say
  what happened before, who made the recording, or whether a scene was staged or a file edited before it was received.
- Not when a recording was made. A time stamp shows that something existed at the latest at its time, never since
  when. Every time that no time stamp is over is from the archive's own clock.
- Not that no key was stolen or retired after this bundle was made. Ask the archive for its newest key history.
- Not completeness. The archive states each object's head as of {tree_size} entries of the log. It may know later
  events, and other items, that are not in this bundle.
- Not that a provision of law was violated. Links to provisions and reviews are the opinions of the people named.
- Reference data without an event of its own (such as the text of provisions and the list of similar items) is covered
  by the seal over the bundle only.
"""

_STAMPED = """\
Time-stamping authorities have stamped custody/checkpoint (RFC 3161): {names}. Every event listed here,
and all that the events name by digest, existed then. The first command must print "Verification: OK", the second
prints the time:

{commands}
The certificates in keys/tsa/ come from this bundle: compare them with what the authority itself publishes."""

_NOT_STAMPED = """\
There is no trusted time stamp over custody/checkpoint. {why}"""

_SEALS = """\
Each seal can hold time stamps of its own. This prints the time of the first one in the seal over this bundle, and
nothing when there is none:

    at=$(openssl asn1parse -inform DER -in META-INF/signature001.p7s | awk -F: \\
      '/timeStampToken/ {found=1} found && /cons: SEQUENCE/ {print $1; exit}'); test -z "$at" || \\
      openssl asn1parse -inform DER -in META-INF/signature001.p7s -strparse $at -noout -out /dev/stdout \\
      | openssl ts -reply -token_in -in /dev/stdin -text | grep "Time stamp\""""

_COMMANDS = """\
    openssl ts -verify -token_in -in {token} -data custody/checkpoint -CAfile {roots}
    openssl ts -reply -token_in -in {token} -text | grep "Time stamp"
"""

_WITNESSED = """\
{cosigned} witness(es) co-signed the checkpoint (custody/checkpoint.cosigned, C2SP tlog-cosignature): they saw a log of
this size and root and never another history of it. The archive asks for: {required}. Which witnesses, and with
which keys, is in keys/witnesses.policy; whether they are independent of the archive, you must find out."""

_NOT_WITNESSED = """\
No independent witness co-signed the checkpoint: that others were shown the same log is not shown here."""

_TOOL = """\
A copy in one readable file is tools/catena_verify.py, for the day when the program can no longer be found elsewhere.
NEVER RUN A PROGRAM OUT OF A BUNDLE THAT YOU DISTRUST: get it from elsewhere, or compare its SHA-256 with the one that
the makers of Catena publish for its version ("catena verify --tool-digest" prints it too):

    sha256sum tools/catena_verify.py
    python3 tools/catena_verify.py .

"""


def readme(manifest: Manifest, stamped_by: Sequence[str] = (), *, with_verifier: bool = False) -> bytes:
    """Write README.txt (UTF-8) for a bundle.

    Args:
        manifest: of the bundle.
        stamped_by: authorities whose tokens over the checkpoint are in the bundle.
        with_verifier: whether the single-file verifier is.
    """
    return _TEXT.format(
        bundle_id=manifest.bundle_id,
        created_at=manifest.created_at,
        # indentation marks a command: a name must not be able to look like one
        org=_one_line(manifest.archive.org),
        archive_id=_one_line(manifest.archive.id),
        log=_one_line(manifest.archive.log),
        items=len(manifest.items),
        events=sum(entry.events for entry in manifest.objects),
        tree_size=manifest.checkpoint.size,
        time=_time(manifest, stamped_by),
        witnesses=_witnesses(manifest),
        kept_back=readme_notice(manifest.disclosure),
        tool=_TOOL if with_verifier else "",
    ).encode()


def _time(manifest: Manifest, stamped_by: Sequence[str]) -> str:
    if stamped_by:
        files = [(layout.token_path(name), layout.authority_roots_path(name)) for name in stamped_by]
        commands = "".join(_COMMANDS.format(token=token, roots=roots) for token, roots in files)
        return _STAMPED.format(names=", ".join(stamped_by), commands=commands) + "\n\n" + _SEALS
    if manifest.time is None or not manifest.time.authorities:
        return _NOT_STAMPED.format(why="The archive had no time-stamping authority. All times are its own clock.")
    why = "The archive had asked for one, and none had come when the bundle was made. All times are its own clock."
    return _NOT_STAMPED.format(why=why) + "\n\n" + _SEALS


def _witnesses(manifest: Manifest) -> str:
    stated = manifest.witnesses
    if stated is None or not stated.cosigned:
        return _NOT_WITNESSED
    return _WITNESSED.format(cosigned=stated.cosigned, required=_one_line(stated.required))


def _one_line(text: str) -> str:
    return " ".join(text.split())
