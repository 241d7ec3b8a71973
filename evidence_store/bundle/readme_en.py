"""README.txt of a bundle in English."""

from __future__ import annotations

from evidence_store.bundle.readme_words import Words

ENGLISH = Words(
    text="""\
EVIDENCE BUNDLE {bundle_id}

Made {created_at} by the archive of
{org}
(archive {archive_id}, log {log}).
It holds {items} item(s) with their chain of custody: {events} event(s).

{part}You need no program of ours to check the bundle. Unzip it into a new, empty folder, open a terminal in that
folder, and run the commands below (the lines that start with four spaces).


1. ARE ALL FILES HERE, UNCHANGED?

Every line must end in "OK":

{sums}

The folder is a BagIt bag (RFC 8493). With the tool of the Library of Congress (Python package "bagit"):

{bag}


2. DID THE ARCHIVE SEAL EXACTLY THESE FILES?

META-INF/ASiCManifest001.xml lists every file with its SHA-256 digest in base64. The archive's seal (CAdES, ETSI EN
319 122) is a signature over that list. This must print "CMS Verification successful":

{sealed}

The digest of one file, to compare with its line in the list:

{one_digest}

The same for every file. It prints nothing when all agree, and one line "FAILED" for each file that does not:

{all_digests}

Years from now the certificate will have expired. Then add -no_check_time to the commands with "cms -verify".


3. WHAT DID THE ARCHIVE CONFIRM WHEN IT RECEIVED EACH ITEM?

custody/receipts/ holds one deposit receipt per item, sealed on the day of receipt. Each must be "successful":

{receipts}


4. IS THE CHAIN OF CUSTODY WHOLE?

custody/events.jsonl has one event per line, grouped by object. Each event names, as "prev", the SHA-256 digest of the
line before it of the same object (without the line end). For line 1:

{chain}

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

{verifier}

{tool}

7. WHOSE KEYS ARE THESE?

Anyone can make a bundle with keys of his own. keys/ca.crt and keys/log.vkey come from this bundle, so by themselves
they prove nothing about who sealed it. Get the fingerprint of the archive's certificate in another way (in person, in
print, from a party that you trust) and compare:

{fingerprint}

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
""",
    part="""\
It is part {part} of {parts} of one handover (set {set}). Each part can be checked alone. That all parts are here, the
signed list of the set shows (NAME-set.json, beside the parts).

""",
    stamped="""\
Time-stamping authorities have stamped custody/checkpoint (RFC 3161): {names}. Every event listed here,
and all that the events name by digest, existed then. The first command must print "Verification: OK", the second
prints the time:

{commands}
The certificates in keys/tsa/ come from this bundle: compare them with what the authority itself publishes.""",
    not_stamped="""\
There is no trusted time stamp over custody/checkpoint. {why}""",
    no_authority="""\
The archive had no time-stamping authority. All times are its own clock.""",
    none_came="""\
The archive had asked for one, and none had come when the bundle was made. All times are its own clock.""",
    seals="""\
Each seal can hold time stamps of its own. This prints the time of the first one in the seal over this bundle, and
nothing when there is none:

{seal_time}""",
    witnessed="""\
{cosigned} witness(es) co-signed the checkpoint (custody/checkpoint.cosigned, C2SP tlog-cosignature): they saw a log of
this size and root and never another history of it. The archive asks for: {required}. Which witnesses, and with
which keys, is in keys/witnesses.policy; whether they are independent of the archive, you must find out.""",
    not_witnessed="""\
No independent witness co-signed the checkpoint: that others were shown the same log is not shown here.""",
    tool="""\
A copy in one readable file is tools/catena_verify.py, for the day when the program can no longer be found elsewhere.
NEVER RUN A PROGRAM OUT OF A BUNDLE THAT YOU DISTRUST: get it from elsewhere, or compare its SHA-256 with the one that
the makers of Catena publish for its version ("catena verify --tool-digest" prints it too):

{tool}

""",
)
