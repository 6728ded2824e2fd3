"""One host in trouble: a clear sentence for it, the others reported, exit code 2, nothing half-written."""

import json

import pytest

pytestmark = pytest.mark.lab


def plan(cjsm):
    done = cjsm("plan", "--json")
    assert "Traceback" not in done.stderr
    return done, json.loads(done.stdout)["hosts"]


@pytest.mark.touches("relay")
def test_a_host_that_does_not_answer(lab, cjsm):
    lab.exec("relay", ["systemctl", "stop", "ssh.socket", "ssh.service"])
    done, hosts = plan(cjsm)
    assert done.returncode == 2
    assert "SSH to operator@198.51.100.10:22" in hosts["relay"]["problem"]
    assert hosts["mail"]["problem"] == hosts["firewall"]["problem"] == ""


def test_a_host_with_another_host_key_than_the_pinned_one(lab, cjsm):
    known = lab.organisation_folder / "known_hosts"
    kept = known.read_text()
    lines = kept.splitlines()
    other = next(line.split(None, 1)[1] for line in lines if line.startswith("192.0.2.10 "))
    swapped = [f"198.51.100.10 {other}" if line.startswith("198.51.100.10 ") else line for line in lines]
    known.write_text("\n".join(swapped) + "\n")
    try:
        done, hosts = plan(cjsm)
    finally:
        known.write_text(kept)
    assert done.returncode == 2
    assert "the host key has changed" in hosts["relay"]["problem"]
    assert "expected" in hosts["relay"]["problem"] and "found" in hosts["relay"]["problem"]
    assert hosts["mail"]["problem"] == ""


@pytest.mark.touches("relay")
def test_a_host_that_refuses_sudo(lab, cjsm):
    lab.exec("relay", ["sh", "-c", "grep -rl operator /etc/sudoers.d | xargs rm"])
    done, hosts = plan(cjsm)
    assert done.returncode == 2
    assert "sudo" in hosts["relay"]["problem"]
    assert hosts["mail"]["problem"] == ""


@pytest.mark.touches("relay")
def test_a_host_whose_disk_is_full_keeps_what_it_had(lab, cjsm):
    lab.exec("relay", ["sh", "-c", "echo '# by hand' >> /etc/postfix/main.cf"])
    lab.exec("relay", ["mkdir", "-p", "/.cjsm-stage"])
    lab.exec("relay", ["mount", "-t", "tmpfs", "-o", "size=4k,mode=0700", "full", "/.cjsm-stage"])
    lab.exec("relay", ["sh", "-c", "cat /dev/zero > /.cjsm-stage/filler"])
    done = cjsm("apply")
    assert done.returncode == 2, done.stderr
    assert "relay: failed." in done.stderr and "disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert "# by hand" in lab.exec("relay", ["cat", "/etc/postfix/main.cf"]).stdout


def test_a_returned_certificate_for_another_key_is_refused_before_anything_is_sent(lab, cjsm):
    answer = lab.organisation_folder / "certificates/relay.pem"
    right = answer.read_text()
    answer.write_text((lab.organisation_folder / "certificates/mail-inner.pem").read_text())
    try:
        done = cjsm("apply")
    finally:
        answer.write_text(right)
    assert done.returncode == 2
    assert "the returned certificate for the hub key belongs to another key" in done.stderr
    assert "does not lead to the declared CA" in done.stderr
    assert "nothing was changed" in done.stderr
    assert cjsm("status").returncode == 0
