"""The commands that README.txt prints, the same in every language; each is run by a test exactly as printed."""

from __future__ import annotations

from typing import Final

COMMANDS: Final = {
    "sums": """\
    sha256sum -c manifest-sha256.txt
    sha512sum -c manifest-sha512.txt
    sha256sum -c tagmanifest-sha256.txt""",
    "bag": """\
    bagit.py --validate .""",
    "sealed": """\
    openssl cms -verify -cades -binary -inform DER -in META-INF/signature001.p7s \\
      -content META-INF/ASiCManifest001.xml -CAfile keys/ca.crt -out /dev/null""",
    "one_digest": """\
    openssl dgst -sha256 -binary manifest.json | base64""",
    "all_digests": """\
    find . -type f ! -path './META-INF/*' ! -path ./mimetype | while read -r f; do \\
      grep -F "URI=\\"${f#./}\\"" META-INF/ASiCManifest001.xml \\
      | grep -qF ">$(openssl dgst -sha256 -binary "$f" | base64)<" || echo "FAILED: $f"; done""",
    "receipts": """\
    for f in custody/receipts/*.json; do \\
      if ! test -e "$f"; then echo "no receipt is here"; break; fi; \\
      openssl cms -verify -cades -binary -inform DER -in "$f.p7s" \\
      -content "$f" -CAfile keys/ca.crt -out /dev/null || echo "FAILED: $f"; done""",
    "chain": """\
    sed -n 1p custody/events.jsonl | tr -d '\\n' | sha256sum""",
    "verifier": """\
    python3 -m evidence_store.verify .""",
    "fingerprint": """\
    openssl x509 -in keys/ca.crt -noout -fingerprint -sha256""",
    "seal_time": """\
    at=$(openssl asn1parse -inform DER -in META-INF/signature001.p7s | awk -F: \\
      '/timeStampToken/ {found=1} found && /cons: SEQUENCE/ {print $1; exit}'); test -z "$at" || \\
      openssl asn1parse -inform DER -in META-INF/signature001.p7s -strparse $at -noout -out /dev/stdout \\
      | openssl ts -reply -token_in -in /dev/stdin -text | grep "Time stamp\"""",
    "tool": """\
    sha256sum tools/catena_verify.py
    python3 tools/catena_verify.py .""",
}

OF_STAMP: Final = """\
    openssl ts -verify -token_in -in {token} -data custody/checkpoint -CAfile {roots}
    openssl ts -reply -token_in -in {token} -text | grep "Time stamp\""""
