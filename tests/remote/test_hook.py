"""A hook's status command: run only if nobody but root could have changed it, and believed in nothing it prints."""

import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pytest

from cjsm_connect.remote import hook
from cjsm_connect.remote.common import Failed

FIELDS = ["engine", "updated"]


@pytest.fixture
def closed():
    """A folder that only root may change, all the way up; pytest's own lies below /tmp, where everybody writes."""
    if os.geteuid() != 0:
        pytest.skip("needs root: only root has places that are root's own")
    folder = Path(tempfile.mkdtemp(dir="/var/lib", prefix="cjsm-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def program(path, text="#!/bin/sh\necho '{}'\n"):
    path.write_text(text)
    path.chmod(0o755)
    return path


def reported(path, **other):
    return hook.report({"status": [str(path)], "fields": FIELDS, **other})


def test_a_program_of_roots_own_is_run_without_a_shell_and_its_fields_are_told(closed):
    script = program(closed / "status", '#!/bin/sh\nprintf \'{"engine": "%s"}\' "$1"\n')
    (closed / "link").symlink_to("status")
    found = hook.report({"status": [str(closed / "link"), "$(id); `id`"], "fields": FIELDS})
    assert found == {"why": "", "said": {"engine": "$(id); `id`"}}
    assert (
        hook.report({"status": [str(script), "x"], "fields": FIELDS, "printed": True})["printed"] == '{"engine": "x"}'
    )


def loosened(folder):
    folder.chmod(0o775)


def given_away(folder):
    os.chown(folder / "status", 65534, 65534)


def open_program(folder):
    (folder / "status").chmod(0o757)


def open_parent_of_a_links_target(folder):
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    (folder / "status").rename(elsewhere / "status")
    (folder / "status").symlink_to(elsewhere / "status")
    elsewhere.chmod(0o777)


def another_users_link_on_the_way(folder):
    (folder / "real").mkdir()
    (folder / "status").rename(folder / "real" / "status")
    (folder / "step").symlink_to("real")
    (folder / "status").symlink_to("step/status")
    os.chown(folder / "step", 65534, 65534, follow_symlinks=False)


def interpreter_of_anybody(folder):
    shutil.copy("/bin/sh", folder / "sh")
    (folder / "sh").chmod(0o777)
    program(folder / "status", f"#!{folder}/sh\necho '{{}}'\n")


def circle(folder):
    (folder / "status").unlink()
    (folder / "status").symlink_to("status")


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (loosened, "writable by others (775)"),
        (given_away, "belongs to user 65534"),
        (open_program, "writable by others (757)"),
        (open_parent_of_a_links_target, "writable by others (777)"),
        (another_users_link_on_the_way, "belongs to user 65534"),
        (interpreter_of_anybody, "writable by others (777)"),
        (circle, "too many links"),
        (lambda folder: (folder / "status").chmod(0o644), "expected a program"),
        (lambda folder: (folder / "status").unlink(), "No such file"),
    ],
)
def test_what_somebody_else_could_change_is_not_run(closed, harm, why):
    program(closed / "status", f"#!/bin/sh\ntouch {closed}/ran\necho '{{}}'\n")
    assert reported(closed / "status")["why"] == ""
    (closed / "ran").unlink()
    harm(closed)
    assert why in reported(closed / "status")["why"]
    assert not (closed / "ran").exists()


def test_a_relative_path_is_refused():
    assert "absolute" in hook.report({"status": ["status"], "fields": FIELDS})["why"]


def printed(code, seconds=10):
    return hook.printed([sys.executable, "-c", code], seconds)


def test_it_has_no_input_and_no_settings_of_the_administrators():
    code = "import os, sys; print(sys.stdin.read(), sorted(os.environ), os.getcwd())"
    said = printed(code)
    assert "'LC_ALL', 'PATH'" in said and "HOME" not in said and said.strip().endswith("/")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise SystemExit(3)", "ended with 3"),
        ("import os; os.kill(os.getpid(), 9)", "ended with -9"),
        ("print('x' * 20_000)", "more than 16384 bytes"),
        ("while True: print('x' * 4096)", "more than 16384 bytes"),
        ("import sys; sys.stdout.buffer.write(b'\\xff')", "not UTF-8"),
    ],
)
def test_a_command_that_does_not_do_its_work_says_so(code, why):
    with pytest.raises(Failed, match=why):
        printed(code)


@pytest.mark.parametrize("closes", [False, True])
def test_a_command_that_hangs_is_ended_with_all_that_it_started(tmp_path, closes):
    mark = tmp_path / "child"
    code = (
        "import os, subprocess, sys, time\n"
        f"child = subprocess.Popen(['sleep', '60'])\nopen({str(mark)!r}, 'w').write(str(child.pid))\n"
        + ("os.close(1)\n" if closes else "")
        + "time.sleep(60)"
    )
    with pytest.raises(Failed, match="no end within"):
        printed(code, 1)
    for _ in range(100):
        state = Path(f"/proc/{mark.read_text()}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("what the command started still runs")


def test_plain_fields_are_told_as_they_are():
    assert hook.said('{"engine": "Own 1", "updated": null}', FIELDS) == {"engine": "Own 1", "updated": None}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "one JSON object"),
        ("[]", "found list"),
        ("OK\n", "one JSON object"),
        ('{"engine": "a", "engine": "b"}', "appears twice"),
        ('{"engine": "a"} {"engine": "b"}', "one JSON object"),
        ('{"engine": "a", "secret": "b"}', "unknown fields 'secret'"),
        ('{"engine": ["a"]}', "plain value"),
        ('{"engine": NaN}', "whole numbers"),
        ('{"engine": 1.5}', "whole numbers"),
        ('{"engine": 1e400}', "whole numbers"),
        ('{"engine": 99999999999999999999}', "too large"),
        (json.dumps({"engine": "x" * 201}), "at most 200"),
        (json.dumps({"engine": "a\u001b[2Jb"}), "printable"),
        ('{"engine": "\\ud800"}', "printable"),
        ("[" * 10_000, "one JSON object"),
        ('{"engine":' * 3_000, "one JSON object"),
    ],
)
def test_what_is_not_one_flat_object_of_known_fields_is_refused(text, why):
    with pytest.raises(Failed, match=why):
        hook.said(text, FIELDS)
