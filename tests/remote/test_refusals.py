"""What the scanner refused is told apart: malware, a limit, what is encrypted, what it cannot open."""

from __future__ import annotations

from cjsm_connect.desired import Desired
from cjsm_connect.desired.condition import said
from cjsm_connect.remote import refusals


def line(name: str, recipient: str = "clerk@council.example", queue: str = "4dKx1") -> str:
    subject = "with subject 'infected by Nothing' message-id '<x@example.org>' date 'today'"
    return f"Message {queue} from <a@member.example> to <{recipient}> {subject} infected by {name}\n"


LINES = (
    line("Win.Test.EICAR_HDB-1")
    + line("Heuristics.Phishing.Email")
    + line("Heuristics.Limits.Exceeded.MaxFiles") * 2  # as syslog(3) has it, and as the program prints it
    + line("Heuristics.Limits.Exceeded.MaxFiles", queue="4dKx3")
    + line("Heuristics.Encrypted.Zip")
    + line("YARA.Cjsm_Encrypted_Office.UNOFFICIAL")
    + line("YARA.Cjsm_Unopened_RAR.UNOFFICIAL")
    + line("Eicar-Test-Signature.UNOFFICIAL", "discard@selftest.invalid")
    + "Clean message 4dKx2 from <a@member.example> to <clerk@council.example>\n"
)


def test_each_kind_is_counted_apart_and_our_own_tests_are_not() -> None:
    found = refusals.counted(LINES)
    assert {name: found[name] for name in ("malware", "limits", "encrypted", "unopened")} == {
        "malware": 2,
        "limits": 2,
        "encrypted": 2,
        "unopened": 1,
    }
    assert found["names"]["Heuristics.Limits.Exceeded.MaxFiles"] == 2


def test_a_sender_cannot_pass_for_our_own_tests() -> None:
    imitated = line("Win.Test.EICAR_HDB-1").replace("infected by Nothing", "to <discard@selftest.invalid> with subject")
    another = line("Win.Test.EICAR_HDB-1", queue="4dKx9").replace("a@member.example", "a@selftest.invalid")
    assert refusals.counted(imitated + another)["malware"] == 2


def test_status_says_limits_apart_from_malware() -> None:
    snapshot = {"condition": {"refused": refusals.counted(line("Eicar") + line("Heuristics.Limits.Exceeded.MaxFiles"))}}
    (sentence,) = said(Desired(), snapshot)
    assert "1 as malware, 1 over a limit of size, depth, number or time" in sentence


def test_nothing_refused_is_said() -> None:
    (sentence,) = said(Desired(), {"condition": {"refused": refusals.counted("")}})
    assert sentence == "in the last day the scanner refused nothing"
