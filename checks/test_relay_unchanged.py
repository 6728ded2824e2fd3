"""relay: a message arrives as it was sent."""

from __future__ import annotations

from checks.framework import check
from checks.postfix import option, setting
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict

CLIENTS = {"relay": ("cjsm/unix", "inner/unix"), "mail": ("cjsm-inner/unix",)}


@check(
    "relay.lines-uncut",
    requirement="relay.unchanged",
    role="relay,mail",
    title="A line of more than 998 bytes goes on as it came",
    remedy="cjsm apply, which sets smtp_line_length_limit = 0 of the services to the hub and of the inner hop",
)
def test_lines_uncut(seen: Seen, verdict: Verdict) -> None:
    services = seen.fact("relay", "services")
    for name in (name for name in CLIENTS[seen.host.role] if name in services):
        limit = option(seen, name, "smtp_line_length_limit")
        verdict(limit == "0", expected=f"{name}: smtp_line_length_limit = 0", observed=f"{name}: {limit}")
    verdict(True, expected="no limit towards the hub and inside", observed="none")


@check(
    "relay.headers-kept",
    requirement="relay.unchanged",
    role="relay",
    title="No header of the sender's is taken out",
    remedy="cjsm apply, which sets message_drop_headers to nothing in main.cf",
)
def test_headers_kept(seen: Seen, verdict: Verdict) -> None:
    dropped = setting(seen, "message_drop_headers")
    verdict(not dropped, expected="no message_drop_headers", observed=dropped or "none")


@check(
    "antivirus.adds-nothing",
    requirement="relay.unchanged",
    role="relay",
    title="The scanner adds no header, and takes none out",
    remedy="cjsm apply, which sets AddHeader No in /etc/clamav/clamav-milter.conf",
)
def test_adds_nothing(seen: Seen, verdict: Verdict) -> None:
    if seen.organisation.antivirus.hook:
        verdict(True, expected="your own scanner", observed="what it adds is its maker's to say")
        return
    found = [str(word) for word in seen.fact("antivirus", "settings", "clamav-milter.conf").get("AddHeader", ["No"])]
    kept = all(word.lower() in ("no", "false", "off") for word in found)
    verdict(kept, expected="AddHeader No", observed=f"AddHeader {' '.join(found)}")
