"""Each language's own program, on a lab host, finds the same directives in hostile files as in plain ones."""

from __future__ import annotations

import json

import pytest

from cjsm_connect.lab import Lab
from cjsm_connect.organisation import Organisation
from tests.deploys.hostile import accepted, bases, files_of, parsed

pytestmark = pytest.mark.lab

# what a program lists of a file, without the values; nothing of it touches the host's own configuration
LISTING = r"""
import json, os, re, subprocess, sys, tempfile
files, told = json.load(sys.stdin), {}
top = tempfile.mkdtemp(prefix="hostile-")
for path, text in files.items():
    os.makedirs(os.path.dirname(top + "/" + path), exist_ok=True)
    with open(top + "/" + path, "w") as file:
        file.write(text)
def said(name, *argv, take="stdout", text=None):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, input=text)
    lines = getattr(done, take).replace(top, "").splitlines()
    told[name] = [done.returncode, [re.split(r"[ =(]", line.strip())[0] for line in lines]]
p = top + "/etc/postfix"
said("postconf", "postconf", "-c", p, "-n")
said("postconf warnings", "postconf", "-c", p, "-n", take="stderr")
said("services", "postconf", "-c", p, "-M")
said("parameters of services", "postconf", "-c", p, "-P")
for name in sorted(os.listdir(top + "/maps")):
    kind = "cidr" if re.search("sources|clients", name) else "lmdb"
    if kind == "lmdb":
        said("postmap " + name, "postmap", "-c", p, "lmdb:%s/maps/%s" % (top, name), take="stderr")
        said("rows of " + name, "sh", "-c", "postmap -c %s -s lmdb:%s/maps/%s | wc -l" % (p, top, name))
    else:
        said("stranger to " + name, "postmap", "-c", p, "-q", "198.18.0.9", "cidr:%s/maps/%s" % (top, name))
    table = kind + ":%s/maps/%s" % (top, name)
    said("warnings of " + name, "postmap", "-c", p, "-q", "198.18.0.9", table, take="stderr")
said("nft", "unshare", "-n", "sh", "-c", "nft -f %s/etc/nftables.d/cjsm.nft && nft list ruleset" % top)
said("apt", "apt-config", "-c", top + "/etc/apt/apt.conf.d/60cjsm", "dump")
said("chrony", "chronyd", "-p", "-f", top + "/etc/chrony/chrony.conf")
said("rsyslog", "rsyslogd", "-N1", "-f", top + "/etc/rsyslog.conf", take="stderr")
for name in ("clamd", "clamav-milter", "freshclam"):
    said(name, "clamconf", "-n", "-c", top + "/etc/clamav")
for name in ("cjsm-mail", "ulogd2"):
    said("logrotate " + name, "logrotate", "--debug", top + "/etc/logrotate.d/" + name, take="stderr")
said("shell", "sh", "-n", top + "/usr/local/lib/cjsm/wait-for-signatures")
said("perl", "perl", "-c", top + "/etc/needrestart/conf.d/50-cjsm.conf", take="stderr")
said("sshd", "sshd", "-T", "-f", top + "/etc/ssh/sshd_config.d/10-cjsm.conf", "-h", "/etc/ssh/ssh_host_ed25519_key")
print(json.dumps(told))
"""


def listed(lab: Lab, made: Organisation) -> dict[str, list[object]]:
    texts = {path: text for (host, path), text in files_of(made).items() if host == "relay"}
    done = lab.exec("relay", ["python3", "-I", "-c", LISTING], input=json.dumps(texts))
    assert done.returncode == 0, done.stderr
    found: dict[str, list[object]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("turn", [0, 29])
def test_programs_find_the_same_directives_whatever_the_values(
    lab: Lab, turn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOSTILE_PASSWORD", "correct horse")
    plain, hostile = parsed(bases()[1]), parsed(accepted(bases()[1], turn))
    assert plain and hostile and plain != hostile
    before, after = listed(lab, plain), listed(lab, hostile)
    assert {name: after[name] for name in before if after[name] != before[name]} == {}
    failed = {
        name: found for name, found in before.items() if found[0] and not name.startswith(("warnings", "stranger"))
    }
    assert failed == {}
