"""What was seen of the hosts without asking them now: the last check, or a bundle of the organisation's own."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from cjsm_connect.application.observed import Observed
from cjsm_connect.results import inputs
from cjsm_connect.verbs import _last


def last_check(folder: Path) -> Observed | None:
    """The last whole run of `cjsm check`; None where there was none."""
    found = _last.last(folder)
    return Observed(found[0], "the last cjsm check", found[1]) if found else None


def of_bundle(bundle: Path, folder: Path, now: datetime) -> Observed:
    """What a bundle holds, once it is known to be genuine by the organisation's own evidence.pub.

    Raises:
        EvidenceError: it cannot be read, or is not what the organisation signed.
    """
    from cjsm_connect.evidence import EvidenceError, keys, verification
    from cjsm_connect.evidence.strict_json import parse_object
    from cjsm_connect.results.stored import run_of

    try:
        pem, data = inputs.read(folder / keys.PUBLIC, inputs.KEY), inputs.read(bundle, inputs.BUNDLE)
    except inputs.Unreadable as error:
        raise EvidenceError(str(error)) from error
    public = keys.public_key(pem, keys.PUBLIC)
    found = verification.verify(data, public, None, now, verification.Reader.of(pem))
    if not found.genuine:
        raise EvidenceError(f"{bundle} is not relied on: {'; '.join(found.problems)}. Make a new one: cjsm evidence")
    results = found.files[verification.RESULTS]
    versions = parse_object(found.files["versions.json"], "versions.json")["hosts"]
    return Observed(run_of(inputs.json_of(results)), bundle.name, hashlib.sha256(results).hexdigest(), versions)
