"""A private Postfix on loopback: real processes take up the staged configuration before any of it is renamed.

`postfix check` and postconf see spelling only. What they miss is seen here: an `-o` that a daemon refuses, a key or CA
that cannot be read, a restriction that does not exist, a table that cannot be opened, another certificate served.

Nothing can be delivered: there is no queue manager, no pickup, and no message is ever finished. What would ask somebody
else (DNS lists, policy servers, address probes, milters) is left out. The instance has its own folder, ports and log
below /run, and ends itself if we are killed.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cjsm_connect.remote import common

INSTALLED = "/etc/postfix"
LIFETIME = 30  # seconds after which the private master(8) ends by itself (-e)
PATIENCE = 3.0  # seconds for one answer; a daemon that cannot start gives none
OWN_DOMAIN = "rehearsal.invalid"  # the recipient that every listener must judge; RFC 2606
MARK = "cjsm-connect: end of the rehearsal"
# commands of master.cf that a session needs; qmgr, pickup and everything that delivers are not among them
HELPERS = ("anvil", "bounce", "cleanup", "dnsblog", "flush", "postlogd", "proxymap", "scache", "tlsmgr", "tlsproxy",
           "trivial-rewrite", "verify")  # fmt: skip
CLIENTS = ("smtp", "lmtp")
# restrictions that ask other machines (postconf(5), smtpd_recipient_restrictions): without and with an argument
ELSEWHERE = ("reject_unverified_recipient", "reject_unverified_sender", "reject_unknown_client_hostname",
             "reject_unknown_client", "reject_unknown_reverse_client_hostname", "reject_unknown_helo_hostname",
             "reject_unknown_sender_domain", "reject_unknown_recipient_domain", "permit_mx_backup")  # fmt: skip
ELSEWHERE_BY = re.compile(
    r"(reject_rbl|reject_rhsbl|permit_dnswl|permit_rhswl)_\w+|check_\w+_(mx|ns|a)_access|check_policy_service|sleep"
)
# what would ask another program, admit us early, or want another protocol first; set in main.cf, dropped from master.cf
LEFT_OUT = {"mynetworks": "", "smtpd_milters": "", "non_smtpd_milters": "", "smtpd_proxy_filter": "",
            "smtpd_sasl_auth_enable": "no", "smtpd_upstream_proxy_protocol": ""}  # fmt: skip
# one of these must stand in a list without warn_if_reject, or smtpd(8) refuses to relay at all
STOPS = ("reject", "defer", "defer_if_permit", "reject_unauth_destination", "defer_unauth_destination")


@dataclass
class Service:
    """One line of master.cf: its eight columns and its `-o` settings by name."""

    columns: list[str]
    settings: dict[str, str] = field(default_factory=dict)
    port: int = 0  # of a listener, on 127.0.0.1

    @property
    def name(self) -> str:
        return self.columns[0]


def rehearse(configuration: str, places: dict[str, str]) -> None:
    """Start what the folder `configuration` says and speak to it; `places` says where each path is staged.

    A problem that the installed configuration has too is no reason to refuse: what runs today may stay.

    Raises:
        Failed: with what Postfix said.
    """
    if not concerned(configuration, places):
        return
    found = problems(configuration, places)
    if found and os.path.exists(INSTALLED + "/main.cf"):
        known = set(problems(INSTALLED, {}))
        found = [problem for problem in found if problem not in known]
    if found:
        told = "; ".join(found)[-1200:]
        raise common.Failed(f"Postfix's configuration is not valid, a private Postfix on loopback shows: {told}")


def concerned(configuration: str, places: dict[str, str]) -> bool:
    """Does the host have Postfix, and will it read one of these paths?"""
    if not os.path.exists(configuration + "/master.cf"):
        return False
    read = common.read(configuration + "/main.cf") + common.read(configuration + "/master.cf")
    return any(path.startswith(INSTALLED + "/") or path in read for path in places)


def problems(configuration: str, places: dict[str, str]) -> list[str]:
    """What goes wrong with a configuration, one sentence each, without numbers that differ between two tries."""
    common.swept("/run/cjsm-postfix-*")
    folder = tempfile.mkdtemp(prefix="cjsm-postfix-", dir="/run")
    try:
        everything = entries(configuration)
        main, services = rewritten(configuration, everything, places, folder)
        said = [*missing(everything, daemons(configuration))]
        said += [line for part in tried(folder, main, services) for line in part]
        return list(dict.fromkeys(plain(line, folder, services, places) for line in said))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def plain(line: str, folder: str, services: list[Service], places: dict[str, str]) -> str:
    """A problem in the words of the real configuration: its own paths and addresses."""
    words = {folder + "/etc": INSTALLED} | {staged: path for path, staged in places.items()}
    words |= {f"127.0.0.1:{service.port}": service.name for service in services if service.port}
    for private in sorted(words, key=len, reverse=True):
        line = line.replace(private, words[private])
    return line


def tried(folder: str, main: dict[str, str], services: list[Service]) -> Iterator[list[str]]:
    """Run the private instance; what each listener, each client and the log have against it."""
    write(folder, main, services)
    with running(folder, services):
        for service in services:
            if service.port:
                yield listener(service, main)
            elif service.columns[7] in CLIENTS:
                yield client(service, folder)
        until_logged(folder)
    yield complaints(folder)


def missing(services: list[Service], directory: str) -> Iterator[str]:
    """Services whose program there is not; neither postconf nor `postfix check` looks."""
    for service in services:
        if not os.path.exists(os.path.join(directory, service.columns[7])):
            yield f"master.cf, {service.name}: there is no program {service.columns[7]} in {directory}"


def rewritten(
    configuration: str, everything: list[Service], places: dict[str, str], folder: str
) -> tuple[dict[str, str], list[Service]]:
    """main.cf and master.cf as the private instance reads them."""
    main = {name: staged(value, places) for name, value in settings(configuration, "-n").items()}
    main.pop("config_directory", None)  # postconf tells where it looked; there it is us who say so
    main = lenient_lists(main) | confined(folder, main)
    services = [private(service, places) for service in everything if kept(service)]
    return main, services


def confined(folder: str, main: dict[str, str]) -> dict[str, str]:
    """What keeps the private instance to itself."""
    return {
        "queue_directory": folder + "/queue",
        "data_directory": folder + "/data",
        "maillog_file": folder + "/log/mail.log",
        "maillog_file_prefixes": folder + "/log",
        "multi_instance_directories": "",
        "inet_interfaces": "all",
        "inet_protocols": "ipv4",
        "smtpd_error_sleep_time": "0",
        "in_flow_delay": "0",
        "notify_classes": "",
        "local_recipient_maps": "",
        "local_transport": "discard:",
        "mydestination": main.get("mydestination", "") + " " + OWN_DOMAIN,
    } | LEFT_OUT


def settings(configuration: str, flag: str) -> dict[str, str]:
    """What postconf(1) lists with `flag`: one `name = value` a line."""
    lines = common.run(["postconf", "-c", configuration, flag]).splitlines()
    rows = (line.partition("=") for line in lines if "=" in line)
    return {name.strip(): value.strip() for name, _, value in rows}


def entries(configuration: str) -> list[Service]:
    """The services of master.cf, each with its `-o` settings."""
    found = []
    overrides = settings(configuration, "-P")
    for line in common.run(["postconf", "-c", configuration, "-M"]).splitlines():
        columns = line.split()[:8]
        prefix = "/".join(columns[:2]) + "/"
        own = {name[len(prefix) :]: value for name, value in overrides.items() if name.startswith(prefix)}
        found.append(Service(columns, own))
    return found


def kept(service: Service) -> bool:
    """Is this service part of a session?"""
    command = service.columns[7]
    return command in HELPERS or command in CLIENTS or listens(service)


def listens(service: Service) -> bool:
    """Is it a listener of smtpd(8), also one behind postscreen(8)?"""
    return service.columns[7] == "smtpd" and service.columns[1] in ("inet", "pass")


def private(service: Service, places: dict[str, str]) -> Service:
    """A service outside any chroot, a listener moved to a free port of loopback, restrictions told and not obeyed."""
    columns = [*service.columns[:4], "n", *service.columns[5:]]
    port = 0
    if listens(service):
        port = free_port()
        columns[1:3] = ["inet", "n"]
    own = {name: staged(value, places) for name, value in service.settings.items() if name not in LEFT_OUT}
    return Service(columns, lenient_lists(own), port)


def staged(value: str, places: dict[str, str]) -> str:
    """A value whose paths are where their new content is now."""
    value = re.sub(r"\$\{?config_directory\}?", INSTALLED, value)
    for path in sorted(places, key=len, reverse=True):
        value = re.sub(re.escape(path) + r"(?![\w.-])", places[path].replace("\\", "\\\\"), value)
    return value


def lenient(value: str) -> str:
    """A list of restrictions in which each is asked, and a refusal is only noted (warn_if_reject)."""
    words = re.findall(r"\{[^}]*\}|[^\s,]+", value)
    out = []
    for before, word in zip(["", *words], words):
        if ELSEWHERE_BY.fullmatch(before) or ELSEWHERE_BY.fullmatch(word) or word in (*ELSEWHERE, "warn_if_reject"):
            continue
        out.append("warn_if_reject " + word if re.fullmatch(r"[a-z]\w*", word) else word)
    stop = ["reject_unauth_destination"] if set(STOPS) & set(words) else []
    return " ".join(out + stop)


def lenient_lists(parameters: dict[str, str]) -> dict[str, str]:
    """The parameters with every list of restrictions made lenient."""
    return {
        name: lenient(value) if re.fullmatch(r"smtpd_\w+_restrictions", name) else value
        for name, value in parameters.items()
    }


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def write(folder: str, main: dict[str, str], services: list[Service]) -> None:
    """The private instance's folders, main.cf and master.cf."""
    os.chmod(folder, 0o755)
    owner = pwd.getpwnam(main.get("mail_owner", "postfix")).pw_uid
    for name in ("etc", "log", "queue", "queue/pid"):
        os.mkdir(f"{folder}/{name}")
    for name in ("data", *("queue/" + part for part in ("active", "incoming", "private", "public", "defer", "bounce"))):
        os.mkdir(f"{folder}/{name}")
        os.chown(f"{folder}/{name}", owner, -1)
    common.write_private(folder + "/etc/main.cf", "".join(f"{k} = {v}\n" for k, v in main.items()), 0o644)
    common.settled(folder + "/etc/main.cf")
    lines = [line(service) for service in services]
    if not any(service.columns[7] == "postlogd" for service in services):
        lines.append("postlog unix-dgram n - n - 1 postlogd")
    common.write_private(folder + "/etc/master.cf", "\n".join(lines) + "\n", 0o644)
    for name in ("dynamicmaps.cf", "dynamicmaps.cf.d"):
        if os.path.exists(f"{INSTALLED}/{name}"):
            os.symlink(f"{INSTALLED}/{name}", f"{folder}/etc/{name}")


def line(service: Service) -> str:
    """One service as master.cf has it."""
    columns = [f"127.0.0.1:{service.port}" if service.port else service.name, *service.columns[1:]]
    own = "".join(f"\n  -o {{ {name} = {value} }}" for name, value in service.settings.items())
    return " ".join(columns) + own


@contextlib.contextmanager
def running(folder: str, services: list[Service]) -> Iterator[None]:
    """master(8) in a process group of its own, until the block ends."""
    program = daemons(folder + "/etc") + "/master"
    process = subprocess.Popen(
        [program, "-c", folder + "/etc", "-d", "-e", str(LIFETIME)],
        env=common.ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(lambda: process.poll() is not None or all(ready(service, folder) for service in services))
        yield
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(5)


def wait_for(condition: Any) -> bool:
    """Ask a condition every 10 ms until it holds or PATIENCE is over."""
    last = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > last:
            return False
        time.sleep(0.01)
    return True


def daemons(configuration: str) -> str:
    """The directory of the programs that master.cf names (postconf(5), daemon_directory)."""
    return common.run(["postconf", "-c", configuration, "-hx", "daemon_directory"]).strip()


def ready(service: Service, folder: str) -> bool:
    """Does master(8) listen for a service that will be tried?"""
    if service.port:
        return open_port(service.port)
    return service.columns[7] not in CLIENTS or os.path.exists(endpoint(service, folder))


def endpoint(service: Service, folder: str) -> str:
    """The socket of a service that is not on the network (master(5), private)."""
    return f"{folder}/queue/{'public' if service.columns[2] == 'n' else 'private'}/{service.name}"


def open_port(port: int) -> bool:
    """Is somebody listening there? Read from the kernel (proc(5)): a connection would start a daemon."""
    wanted = f"0100007F:{port:04X} 00000000:0000 0A"
    return any(wanted in " ".join(line.split()) for line in common.read("/proc/net/tcp").splitlines())


def listener(service: Service, main: dict[str, str]) -> list[str]:
    """One session with a listener, up to the message; what is not as it must be."""
    at = f"127.0.0.1:{service.port}"
    effective = main | service.settings
    try:
        with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE) as connection:
            return session(connection, effective, at)
    except (OSError, common.Failed) as error:
        return [f"the listener {at}: {str(error) or type(error).__name__}"]


def session(connection: socket.socket, effective: dict[str, str], at: str) -> list[str]:
    """Greeting, STARTTLS where it must be, the certificate of the staged chain, and a recipient that is judged.

    Raises:
        Failed, OSError: a step was refused.
    """
    level = effective.get("smtpd_tls_security_level", "")
    if effective.get("smtpd_tls_wrappermode") == "yes":
        connection = handshake(connection, effective)
        ask(connection, "", "220")
    else:
        ask(connection, "", "220")
        offered = "STARTTLS" in ask(connection, "EHLO localhost", "250").upper()
        if not offered and level in ("may", "encrypt"):
            raise common.Failed("does not offer STARTTLS")
        if level == "encrypt":
            ask(connection, "MAIL FROM:<>", "530")
        if offered:
            ask(connection, "STARTTLS", "220")
            connection = handshake(connection, effective)
    ask(connection, "EHLO localhost", "250")
    ask(connection, "MAIL FROM:<>", "250")
    ask(connection, f"RCPT TO:<postmaster@{OWN_DOMAIN}>", "250")
    ask(connection, "DATA", "354")  # and no more: what is not ended with a dot is no message (RFC 5321 4.1.1.4)
    return []


def ask(connection: socket.socket, command: str, wanted: str) -> str:
    """Send a command and read the whole reply (RFC 5321 4.2).

    Raises:
        Failed: it does not begin with `wanted`.
    """
    if command:
        connection.sendall(common.command_line(command))
    reply = b""
    while not re.search(rb"(^|\n)\d{3}( [^\n]*)?\r?\n$", reply):
        more = connection.recv(4096)
        if not more:
            raise common.Failed(f"hung up after {command or 'connecting'}")
        reply += more
    text = reply.decode("utf-8", "replace").strip()
    if not text.startswith(wanted):
        raise common.Failed(f"answered {text!r} to {command or 'connecting'}, expected {wanted}")
    return text


def handshake(connection: socket.socket, effective: dict[str, str]) -> ssl.SSLSocket:
    """TLS with the listener's own certificate as client certificate; the one it serves must be the same.

    Raises:
        Failed: another certificate was served.
    """
    chain = effective.get("smtpd_tls_chain_files", "").split(",")[0].strip()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # compared as a whole below
    if chain and "$" not in chain:
        context.load_cert_chain(chain)
    secured = context.wrap_socket(connection)
    if chain and "$" not in chain and secured.getpeercert(True) != leaf(chain):
        raise common.Failed(f"serves another certificate than the first one in {chain}")
    return secured


def leaf(chain: str) -> bytes:
    """The first certificate of a chain file, DER."""
    text = common.read(chain)
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    return ssl.PEM_cert_to_DER_cert(begin + text.partition(begin)[2].partition(end)[0] + end)


def client(service: Service, folder: str) -> list[str]:
    """A delivery agent starts, reads its tables and keys, and is ready for a request; it gets none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE)
        try:
            connection.connect(endpoint(service, folder))
            answer = connection.recv(64)
        except OSError as error:
            return [f"the client {service.name}: {error}"]
    return [] if answer else [f"the client {service.name} did not start"]


def until_logged(folder: str) -> None:
    """Let postlogd(8) write what it was told: datagrams arrive in order, so ours is the last."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection, contextlib.suppress(OSError):
        connection.sendto(MARK.encode(), folder + "/queue/public/postlog")
        wait_for(lambda: MARK in common.read(folder + "/log/mail.log"))


def complaints(folder: str) -> list[str]:
    """What the log holds of warnings and worse, without time, host, process number and queue ID."""
    found = []
    for line in common.read(folder + "/log/mail.log").splitlines():
        told = re.search(r"(\S+)\[\d+\]: ((?:warning|error|fatal|panic): .*)", line)
        if told:
            found.append(f"{told[1]} says: " + re.sub(r"^(\w+: )[0-9A-F]{6,}: ", r"\1", told[2]))
    return found
