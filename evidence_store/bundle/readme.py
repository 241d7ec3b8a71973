"""README.txt of a bundle: how a stranger checks it with tools that he already trusts, and what that shows."""

from __future__ import annotations

from evidence_store.bundle.manifest import Manifest

_TEXT = """\
EVIDENCE BUNDLE {bundle_id}

Made {created_at} by the archive of
{org}
(archive {archive_id}, log {log}).
It holds {items} item(s) with their chain of custody: {events} event(s).

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
custody/checkpoint is the log's signed state (a C2SP tlog-checkpoint, Ed25519, key in keys/log.vkey), and
custody/proofs/ shows for each object that its last event is in that log. All of this, and all of the above, is checked
by our own verifier. It works offline and needs Python 3.11 and the package "cryptography":

    python3 -m evidence_store.verify .

Where the archive's program is installed, "catena verify ." does the same. Both also take the ZIP file itself.


5. WHOSE KEYS ARE THESE?

Anyone can make a bundle with keys of his own. keys/ca.crt and keys/log.vkey come from this bundle, so by themselves
they prove nothing about who sealed it. Get the fingerprint of the archive's certificate in another way (in person, in
print, from a party that you trust) and compare:

    openssl x509 -in keys/ca.crt -noout -fingerprint -sha256

Or keep the trusted certificate and log key in a file and run the verifier with --trust FILE.


6. WHAT THIS PROVES

If all of the above holds with keys that you trust:
- The files are, bit for bit, those that the holder of the archive's seal key sealed in this bundle.
- The original of each item is the one that the archive confirmed in its receipt and recorded in its log.
- No event between the first one and the head (the last event listed) of an object was changed, removed or
  reordered after the checkpoint was signed: the log had {tree_size} entries then.

7. WHAT THIS DOES NOT PROVE

- Not that a picture, video or document is authentic. A seal says: this is what the archive received. It cannot say
  what happened before, who made the recording, or whether a scene was staged or a file edited before it was received.
- Not the time. There is no trusted timestamp yet: every time in this bundle is from the archive's own clock.
- Not completeness. The archive states each object's head as of {tree_size} entries of the log. It may know later
  events, and other items, that are not in this bundle.
- Not that a provision of law was violated. Links to provisions and reviews are the opinions of the people named.
- Reference data without an event of its own (such as the text of provisions and the list of similar items) is covered
  by the seal over the bundle only.
"""


def readme(manifest: Manifest) -> bytes:
    """Write README.txt (UTF-8) for a bundle."""
    return _TEXT.format(
        bundle_id=manifest.bundle_id,
        created_at=manifest.created_at,
        # indentation marks a command: a name must not be able to look like one
        org=" ".join(manifest.archive.org.split()),
        archive_id=" ".join(manifest.archive.id.split()),
        log=" ".join(manifest.archive.log.split()),
        items=len(manifest.items),
        events=sum(entry.events for entry in manifest.objects),
        tree_size=manifest.checkpoint.size,
    ).encode()
