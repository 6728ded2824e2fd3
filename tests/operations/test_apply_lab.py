"""apply on real hosts: what is right stays, what drifted is put right, what fails goes back."""

import json

import pytest

pytestmark = pytest.mark.lab


def commands(lab, host):
    """How many commands SSH sessions have run on a host, from sudo's own records."""
    told = lab.exec(host, ["journalctl", "-q", "--no-pager", "-o", "cat", "_COMM=sudo"]).stdout
    return told.count("COMMAND=")


def test_a_second_apply_changes_nothing_says_so_and_is_one_ssh_command_a_host(lab, cjsm):
    hosts = ("firewall", "relay", "mail")
    before = {host: commands(lab, host) for host in hosts}
    done = cjsm("apply")
    assert done.returncode == 0
    assert f"Nothing to do on the lab '{lab.name}': every host is as wanted." in done.stderr
    assert {host: commands(lab, host) - before[host] for host in hosts} == dict.fromkeys(hosts, 1)


@pytest.mark.touches("relay")
def test_drift_is_told_by_status_and_put_right_by_apply(lab, cjsm):
    lab.exec("relay", ["sed", "-i", "s/^rotate.*/rotate 3/; s/\\trotate .*/\\trotate 3/", "/etc/logrotate.d/cjsm-mail"])
    lab.exec("relay", ["systemctl", "stop", "rsyslog.service"])
    status = cjsm("status")
    assert status.returncode == 1
    assert "relay: /etc/logrotate.d/cjsm-mail is changed" in status.stdout
    assert "relay: rsyslog.service is inactive; expected active and enabled" in status.stdout
    assert cjsm("apply").returncode == 0
    assert "rotate 3\n" not in lab.exec("relay", ["cat", "/etc/logrotate.d/cjsm-mail"]).stdout
    assert lab.exec("relay", ["systemctl", "is-active", "rsyslog.service"]).stdout == "active\n"


@pytest.mark.touches("relay")
def test_a_plan_shows_the_difference_of_a_changed_file_and_touches_nothing(lab, cjsm):
    lab.exec("relay", ["sh", "-c", "echo '# by hand' >> /etc/postfix/main.cf"])
    done = cjsm("plan", "--json")
    plan = json.loads(done.stdout)["hosts"]
    assert done.returncode == 1
    assert [file["path"] for file in plan["relay"]["files"]] == ["/etc/postfix/main.cf"]
    assert "-# by hand" in plan["relay"]["files"][0]["diff"]
    assert "reload postfix.service" in plan["relay"]["steps"]
    assert not plan["mail"]["changes"]
    assert "# by hand" in lab.exec("relay", ["cat", "/etc/postfix/main.cf"]).stdout


@pytest.mark.touches("relay")
def test_an_apply_that_cannot_become_healthy_goes_back_by_itself(lab, cjsm):
    lab.exec("relay", ["sh", "-c", "echo '# by hand' >> /etc/logrotate.d/cjsm-mail"])
    lab.exec("relay", ["systemctl", "stop", "clamav-milter.service"])
    lab.exec("relay", ["mv", "/usr/sbin/clamav-milter", "/usr/sbin/clamav-milter.away"])
    done = cjsm("apply")
    assert done.returncode == 1, done.stderr
    assert "clamav-milter.service" in done.stderr
    assert "# by hand" in lab.exec("relay", ["cat", "/etc/logrotate.d/cjsm-mail"]).stdout
    assert lab.exec("relay", ["systemctl", "is-active", "postfix.service"]).stdout == "active\n"


@pytest.mark.touches("relay")
def test_private_keys_are_closed_from_everybody_and_never_leave_the_host(lab, cjsm):
    names = lab.exec("relay", ["find", "/etc/cjsm/tls", "-name", "*.key"]).stdout.split()
    assert len(names) == 2
    for name in names:
        assert lab.exec("relay", ["stat", "-c", "%a %U", name]).stdout == "600 root\n"
        secret = "".join(lab.exec("relay", ["cat", name]).stdout.splitlines()[1:4])
        kept = [path for path in lab.organisation_folder.rglob("*") if path.is_file()]
        assert not [path for path in kept if secret[:60] in path.read_text(errors="replace").replace("\n", "")]
    lab.exec("relay", ["chmod", "0644", names[0]])
    assert "is open to others than root; expected root's alone" in cjsm("status").stdout
    assert cjsm("apply").returncode == 0
    assert lab.exec("relay", ["stat", "-c", "%a", names[0]]).stdout == "600\n"


@pytest.mark.touches("relay", "mail", "firewall")
def test_the_plain_pyinfra_entry_point_finds_nothing_to_do(lab, cjsm):
    before = commands(lab, "relay")
    done = cjsm("lab", "shell", "--lab", lab.name, "--", "pyinfra", "-y", str(lab.organisation_folder / "inventory.py"),
                "deploys/connection.py")  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Changed: 0" in (done.stdout + done.stderr) or "No changes" in (done.stdout + done.stderr)
    assert commands(lab, "relay") - before <= 6
