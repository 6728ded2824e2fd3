"""What is broken after activation is seen by the host itself, told, and taken back."""

import json
import textwrap

import pytest

from cjsm_connect import remote
from cjsm_connect.operations import programs
from cjsm_connect.organisation import reading
from deploys import connection

pytestmark = pytest.mark.lab

IMPOSTOR = textwrap.dedent("""
    import socket, ssl, sys
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/tmp/impostor.pem")
    with socket.create_server(("", 4546)) as server:
        while True:
            connection, _ = server.accept()
            connection.sendall(b"220 impostor\\r\\n")
            while True:
                line = connection.recv(500)
                if not line:
                    break
                word = line.split()[0].upper()
                said = {b"EHLO": b"250-x\\r\\n250 STARTTLS", b"MAIL": b"530 5.7.0 no", b"STARTTLS": b"220 go"}
                connection.sendall(said.get(word, b"500 what") + b"\\r\\n")
                if word == b"STARTTLS":
                    try:
                        connection = context.wrap_socket(connection, server_side=True)
                    except OSError:
                        break
""")
CERTIFICATE = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=impostor -days 2 -keyout /tmp/k -out /tmp/c 2>&1"
STAND_IN = (
    f"{CERTIFICATE} && cat /tmp/k /tmp/c > /tmp/impostor.pem && (setsid python3 /tmp/impostor.py >/dev/null 2>&1 &) && "
    "nft 'add table ip stray; add chain ip stray out { type nat hook output priority -100; }; "
    "add rule ip stray out tcp dport 4545 redirect to :4546'"
)
BREAKS = [
    ("pkill -STOP -x clamav-milter", "the milter speaks to Postfix", "timed out"),
    ("pkill -STOP -x ulogd", "dropped packets are recorded", "is not in /var/log/ulog/firewall.log"),
    ("nft 'chain inet cjsm output { policy accept; }'", "the firewall denies by default", "in output"),
    ("mv /var/log/cjsm/mail.log /var/log/cjsm/mail.log.1", "the mail log is written", "has not come to"),
    ("rm /etc/cjsm/maps/transport.lmdb", "transport_maps knows every domain", "transport"),
    ("postconf -e relay_domains=", "relay_domains knows every domain", "relay_domains is ''"),
    (
        "sed -i s/^Include.*// /etc/ssh/sshd_config; echo PasswordAuthentication yes >> /etc/ssh/sshd_config",
        "SSH accepts keys only",
        "passwordauthentication yes",
    ),
    ("systemctl stop apt-daily.timer", "apt-daily.timer will elapse again", "ActiveState=inactive"),
    ("cd /etc/cjsm/tls && cat hub.key inner.chain.pem > hub.chain.pem", "the hub certificate holds", "do not belong"),
    ("postconf -P 4545/x=y; systemctl stop postfix", "the listener for the hub admits nobody else", "refused"),
    ("systemctl stop clamav-daemon.socket clamav-daemon", "the virus scanner answers and finds", "clamd.ctl"),
    (STAND_IN, "the listener for the hub admits nobody else", "another certificate is served"),
]


def tried(lab, host, seconds=1):
    """What the host's own tries say: "" when all is well."""
    organisation = reading.load(lab.organisation_folder / "organisation.toml")
    wanted = programs.wanted(connection.desired(organisation, organisation.host(host)))["health"]
    text = remote.program(programs.ACTIVATOR, "health:all_well", wanted)
    assert "PATIENCE = 20" in text
    done = lab.exec(host, ["python3", "-I", "-"], input=text.replace("PATIENCE = 20", f"PATIENCE = {seconds}"))
    line = next(line for line in done.stdout.splitlines() if line.startswith(remote.MARK))
    return json.loads(line[len(remote.MARK) :]).get("error", "")


@pytest.mark.parametrize("host", ["relay", "mail", "firewall"])
def test_a_healthy_host_says_nothing(lab, host):
    assert tried(lab, host, seconds=20) == ""


@pytest.mark.touches("relay")
@pytest.mark.parametrize(("command", "concern", "said"), BREAKS, ids=[row[1] + ":" + row[2] for row in BREAKS])
def test_what_is_broken_is_noticed_by_the_try_that_is_for_it_and_told(lab, command, concern, said):
    lab.exec("relay", ["tee", "/tmp/impostor.py"], input=IMPOSTOR)
    lab.exec("relay", ["sh", "-c", command])
    told = tried(lab, "relay")
    assert f"{concern}: " in told
    assert said in told


def drifted(lab):
    """Something for an apply to do."""
    lab.exec("relay", ["sh", "-c", "echo '# by hand' >> /etc/logrotate.d/cjsm-mail"])


def has_gone_back(lab):
    return "# by hand" in lab.exec("relay", ["cat", "/etc/logrotate.d/cjsm-mail"]).stdout


@pytest.mark.touches("relay")
def test_an_apply_after_which_another_certificate_is_served_goes_back_and_says_so(lab, cjsm):
    drifted(lab)
    lab.exec("relay", ["tee", "/tmp/impostor.py"], input=IMPOSTOR)
    lab.exec("relay", ["sh", "-c", STAND_IN])
    done = cjsm("apply", "--yes")
    assert done.returncode == 1
    assert "another certificate is served than the one in /etc/cjsm/tls/hub.chain.pem" in done.stderr
    assert has_gone_back(lab)


@pytest.mark.touches("relay")
def test_an_apply_that_finds_the_listeners_port_taken_goes_back_and_says_so(lab, cjsm):
    drifted(lab)
    taker = "import socket, time; s = socket.create_server(('198.51.100.10', 4545)); time.sleep(600)"
    lab.exec("relay", ["sh", "-c", f'systemctl stop postfix; (setsid python3 -c "{taker}" >/dev/null 2>&1 &)'])
    done = cjsm("apply", "--yes")
    assert done.returncode == 1
    assert "4545" in done.stderr
    assert has_gone_back(lab)
