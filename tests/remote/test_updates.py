"""What is published and not installed is told, whatever makes apt silent about it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cjsm_connect.remote import updates

SECURITY = "http://security.example.org/debian-security trixie-security/main amd64 Packages"
MAIN = "http://mirror.example.org/debian trixie/main amd64 Packages"
BACKPORTS = "http://mirror.example.org/debian trixie-backports/main amd64 Packages"
NEXT = "http://mirror.example.org/debian forky/main amd64 Packages"
VENDOR = "https://packages.vendor.example stable/main amd64 Packages"
RELEASES = [{"Label": "Debian Backports", "Codename": "trixie-backports", "NotAutomatic": "yes"}]


def policy(security: int = 500) -> str:
    return f"""\
Package files:
 100 /var/lib/dpkg/status
     release a=now
{security:4} {SECURITY}
     release v=13,o=Debian,a=stable-security,n=trixie-security,l=Debian-Security,c=main,b=amd64
     origin security.example.org
 500 {MAIN}
     release v=13.2,o=Debian,a=stable,n=trixie,l=Debian,c=main,b=amd64
     origin mirror.example.org
 100 {BACKPORTS}
     release o=Debian Backports,a=stable-backports,n=trixie-backports,l=Debian Backports,c=main,b=amd64
     origin mirror.example.org
 100 {NEXT}
     release o=Debian,a=testing,n=forky,l=Debian,c=main,b=amd64
     origin mirror.example.org
 500 {VENDOR}
     release o=Vendor,a=stable,n=stable,l=Vendor,c=main,b=amd64
     origin packages.vendor.example
Pinned packages:
     openssl -> 3.5.1-1 with priority -5
     absent -> 1.0 with priority -5
     agent -> 2.0 with priority 990
"""


def package(name: str, candidate: str, *rows: tuple[str, int, str], installed: str = "3.5.1-1") -> str:
    table = "".join(f"     {version} {priority}\n        500 {where}\n" for version, priority, where in rows)
    table += f" *** {installed} 100\n        100 /var/lib/dpkg/status\n     3.0 500\n        500 {SECURITY}\n"
    return f"{name}:\n  Installed: {installed}\n  Candidate: {candidate}\n  Version table:\n{table}"


@pytest.fixture
def apt(monkeypatch: pytest.MonkeyPatch):
    """Let the programs say what a test wants."""

    def says(packages: str, *, archives: str = "", held: str = "", simulated: str = "", install: str = "") -> None:
        def attempt(argv: Sequence[str]) -> tuple[int, str, str]:
            if argv[0] == "dpkg":
                return 0, "amd64\n", ""
            if argv[0] == "dpkg-query":
                rows = "openssl|amd64|{}|installed\nagent|all|install|installed\ngone|all|deinstall|config-files\n"
                return 0, rows.format(held or "install"), ""
            if argv[:2] == ["apt-cache", "policy"]:
                return 0, packages if len(argv) > 2 else archives or policy(), ""
            return (0, simulated, "") if "dist-upgrade" in argv else (100, install, "")

        monkeypatch.setattr(updates, "attempt", attempt)
        monkeypatch.setattr(updates, "releases", lambda: RELEASES)
        monkeypatch.setattr(updates, "read", lambda _: "VERSION_CODENAME=trixie\n")

    return says


FIX = ("3.5.1-1+deb13u1", 500, SECURITY)
TAKEN = "Inst openssl [3.5.1-1] (3.5.1-1+deb13u1 Debian-Security:13/stable-security [amd64])\n"


def test_a_fix_that_apt_would_install_is_pending_and_nothing_keeps_it_away(apt) -> None:
    brought = "Inst libnew1 (2.0 Debian-Security:13/stable-security [amd64])\n"
    apt(package("openssl", FIX[0], FIX), simulated=TAKEN + brought)
    fix, new = updates.look()["updates"]
    assert (fix["package"], fix["installed"], fix["version"], fix["kept"]) == ("openssl", "3.5.1-1", FIX[0], "")
    assert (fix["origin"], fix["security"]) == ("Debian-Security:13/stable-security", True)
    assert (new["package"], new["installed"], new["security"]) == ("libnew1", "", True)


@pytest.mark.parametrize("priority", [-32768, -100, -10, -1, 1, 50, 99])
def test_a_pin_of_every_priority_that_keeps_a_fix_away_is_told(apt, priority) -> None:
    apt(package("openssl", "3.5.1-1", (FIX[0], priority, SECURITY)), archives=policy(priority))
    found = updates.look()
    assert [row["kept"] for row in found["updates"]] == [
        f"pinned to {priority}: apt would take 3.5.1-1 (apt-cache policy openssl)"
    ]
    assert found["pinned"] == [SECURITY, "openssl"]


def test_a_fix_of_an_archive_of_a_priority_of_four_digits_is_pending(apt) -> None:
    """apt-cache writes "%4i": nothing stands before such a priority."""
    apt(package("openssl", FIX[0], (FIX[0], 1001, SECURITY)), archives=policy(1001), simulated=TAKEN)
    assert [row["version"] for row in updates.look()["updates"]] == [FIX[0]]


def test_a_pin_to_the_installed_version_is_told(apt) -> None:
    apt(package("openssl", "3.5.1-1", FIX).replace("*** 3.5.1-1 100", "*** 3.5.1-1 1001"))
    [row] = updates.look()["updates"]
    assert row["kept"].startswith("pinned to 500: apt would take 3.5.1-1")


def test_a_candidate_of_none_is_a_pin(apt) -> None:
    apt(package("openssl", "(none)", (FIX[0], -5, SECURITY)))
    assert updates.look()["updates"][0]["kept"].startswith("pinned to -5: apt would take (none)")


def test_a_hold_is_told(apt) -> None:
    apt(package("openssl", FIX[0], FIX), held="hold")
    assert updates.look()["updates"][0]["kept"] == "on hold (apt-mark showhold)"


def test_a_fix_that_depends_on_what_is_missing_is_pending_and_says_on_what(apt) -> None:
    said = " openssl : Depends: libnew1 (>= 2) but it is not installable\n"
    apt(package("openssl", FIX[0], FIX), simulated="The following packages have been kept back:\n", install=said)
    assert updates.look()["updates"][0]["kept"] == (
        "kept back: openssl : Depends: libnew1 (>= 2) but it is not installable"
    )


def test_an_older_fix_counts_where_the_newest_version_is_no_fix_of_this_release(apt) -> None:
    apt(package("openssl", FIX[0], ("4.0", 100, NEXT), ("3.9~bpo", 100, BACKPORTS), FIX), simulated=TAKEN)
    assert [row["version"] for row in updates.look()["updates"]] == [FIX[0]]


@pytest.mark.parametrize("where", [NEXT, BACKPORTS])
def test_another_release_and_backports_are_no_fixes(apt, where) -> None:
    apt(package("openssl", "3.5.1-1", ("4.0", 100, where)))
    assert updates.look()["updates"] == []


def test_a_newer_version_of_somebody_elses_package_is_one(apt) -> None:
    apt(
        package("agent", "2.0", ("2.0", 500, VENDOR), installed="1.0"),
        simulated="Inst agent [1.0] (2.0 Vendor:stable [all])\n",
    )
    assert [(row["package"], row["security"]) for row in updates.look()["updates"]] == [("agent", False)]


def test_nothing_newer_is_nothing_pending(apt) -> None:
    apt(package("openssl", "3.5.1-1"))
    assert updates.look()["updates"] == []


def test_an_apt_that_fails_says_so(monkeypatch) -> None:
    monkeypatch.setattr(updates, "attempt", lambda _: (100, "", "E: The lists could not be parsed\n"))
    with pytest.raises(updates.NoAnswer, match="could not be parsed"):
        updates.look()
