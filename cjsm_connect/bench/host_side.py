"""Our host-side assertions from process start: read the hosts, judge them, and try nothing.

Run as a program: `python host_side.py ORGANISATION [HOST...]`. It prints a line for each: check, host, status; and on
standard error the seconds that observing and judging took, once the organisation was known.
"""

import gc
import sys
import time
from pathlib import Path

from cjsm_connect.organisation import load
from cjsm_connect.probes.gather import Options
from cjsm_connect.probes.run import Wanted, run_checks

if __name__ == "__main__":
    gc.set_threshold(100_000)  # as cli.py does
    options, organisation = Options(tries=False, hosts=tuple(sys.argv[2:])), load(Path(sys.argv[1]))
    begun = time.monotonic()
    run, _ = run_checks(organisation, Wanted(options))
    print(f"{time.monotonic() - begun:.3f}", file=sys.stderr)
    print("\n".join(f"{one.check} {one.subject} {one.status.value}" for one in run.results))
