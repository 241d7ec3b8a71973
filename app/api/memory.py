"""What a server has loaded once it is up is set apart from what requests make.

Python's collector of cycles walks through everything that is alive each time that much was made: half a million objects
of loaded code for one page of a map, which doubled the time of such a page. What is there at the start stays until the
end, so it need not be looked at again (measured: docs/benchmarks.md, "Patterns").
"""

from __future__ import annotations

import gc
from functools import cache

from app.law.suggestions_applicability import packaged_status
from app.law.suggestions_rules import packaged_rules


@cache
def settle() -> None:
    """Load what every server needs sooner or later, and leave all that out of later collections.

    Once in a process: what a second server in it is given may end before the process does.
    """
    packaged_rules()
    packaged_status()
    gc.collect()
    gc.freeze()
