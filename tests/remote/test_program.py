"""Programs for a host: one text in, one answer out."""

import subprocess
import sys

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
