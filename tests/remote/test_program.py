"""Programs for a host: one text in, one answer out."""

import os
import signal
import subprocess
import sys
import time

import pytest

from cjsm_connect import remote


def executed(text):
    return subprocess.run([sys.executable, "-I", "-"], input=text, capture_output=True, text=True, check=False)


def test_a_program_needs_nothing_but_python_and_answers_with_builtin_types(tmp_path):
    text = remote.program(["common"], "common:read", str(tmp_path / "none"))
    assert remote.answer(executed(text).stdout) == ""


def test_a_program_is_pure_ascii_whatever_its_arguments(tmp_path):
    (tmp_path / "bücher").write_text("ä\n")
    text = remote.program(["common"], "common:read", str(tmp_path / "bücher"))
    assert text.isascii()
    assert remote.answer(executed(text).stdout) == "ä\n"


def test_a_failure_is_an_error_on_both_sides():
    done = executed(remote.program(["common"], "common:run", ["false"]))
    assert done.returncode == 1
    assert "false ended with 1" in done.stderr
    with pytest.raises(remote.RemoteError, match="false ended with 1"):
        remote.answer(done.stdout)


@pytest.mark.parametrize("output", ["", "Welcome!\n", remote.MARK + "[]", remote.MARK + "{", remote.MARK + "{}"])
def test_what_is_no_answer_is_refused(output):
    with pytest.raises(remote.RemoteError):
        remote.answer(output)


def test_a_banner_before_the_answer_does_not_matter():
    assert remote.answer(f"Authorised use only\n\n{remote.MARK}" + '{"ok": 3}\n') == 3


@pytest.mark.slow
@pytest.mark.parametrize(("apart", "goes_on"), [(10, True), (0, False)])
def test_a_program_that_changes_a_host_goes_on_when_its_session_is_killed(tmp_path, apart, goes_on):
    """As sudo ends a command whose terminal is gone: the whole process group, by every signal in turn."""
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    argv = ["sh", "-c", f"touch {begun}; sleep 0.7; touch {ended}"]
    text = remote.program(["common"], "common:run", argv, apart)
    process = subprocess.Popen([sys.executable, "-I", "-"], stdin=subprocess.PIPE, text=True, start_new_session=True)
    process.stdin.write(text)
    process.stdin.close()
    wait_for(begun)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGKILL):
        os.killpg(process.pid, number)
    process.wait()
    if goes_on:
        wait_for(ended)
    else:
        time.sleep(1)
        assert not ended.exists()


@pytest.mark.slow
def test_a_program_that_goes_on_alone_has_its_time_limit_too(tmp_path):
    text = remote.program(["common"], "common:run", ["sh", "-c", f"sleep 30; touch {tmp_path / 'ended'}"], apart=1)
    assert executed(text).returncode != 0


def wait_for(path, seconds=10):
    end = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert path.exists()
