"""A process of its own for pyinfra's API: gevent must patch Python before anything else is imported.

`python -m cjsm_connect.operations.run` reads one job as JSON on standard input and prints JSON lines: first progress
(`{"host", "step", "state", "seconds"}`), last the outcome (`{"outcome": {HOST: {"steps", "failed", "put_back"}}}`).
"""

from gevent import monkey

monkey.patch_all()

import importlib  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from pyinfra.api import BaseStateCallback, Config, Inventory, State  # noqa: E402
from pyinfra.api.connect import connect_all, disconnect_all  # noqa: E402
from pyinfra.api.deploy import add_deploy, deploy  # noqa: E402
from pyinfra.api.exceptions import PyinfraError  # noqa: E402
from pyinfra.api.operations import run_ops  # noqa: E402
from pyinfra.api.state import StateStage  # noqa: E402
from pyinfra.context import ctx_host, ctx_state  # noqa: E402

from cjsm_connect import remote  # noqa: E402
from cjsm_connect.operations.converge import Job, converge, roll_back  # noqa: E402
from cjsm_connect.operations.deploys import errand  # noqa: E402
from cjsm_connect.operations.fast import FastSSH  # noqa: E402
from cjsm_connect.operations.ssh import hinted  # noqa: E402
from cjsm_connect.organisation import Organisation, load  # noqa: E402
from cjsm_connect.organisation.inventory import data  # noqa: E402
from cjsm_connect.rooms import importable  # noqa: E402

started: dict[tuple[str, str], float] = {}


class Progress(BaseStateCallback):
    """Says what pyinfra does, host by host and step by step."""

    @staticmethod
    def operation_start(state: Any, op_hash: Any) -> None:
        emit({"step": step_name(state, op_hash), "state": "started"})

    @staticmethod
    def operation_host_start(state: Any, host: Any, op_hash: Any) -> None:
        started[host.name, op_hash] = time.monotonic()

    @staticmethod
    def operation_host_success(state: Any, host: Any, op_hash: Any, retry_count: int = 0) -> None:
        say(host, state, op_hash, "done")

    @staticmethod
    def operation_host_error(state: Any, host: Any, op_hash: Any, retry_count: int = 0, max_retries: int = 0) -> None:
        say(host, state, op_hash, "failed")


def say(host: Any, state: Any, op_hash: Any, word: str) -> None:
    """One line of progress: a step has ended on a host."""
    seconds = time.monotonic() - started[host.name, op_hash]
    emit({"host": host.name, "step": step_name(state, op_hash), "state": word, "seconds": round(seconds, 2)})


def step_name(state: Any, op_hash: Any) -> str:
    """An operation's own name, without the deploy's in front of it."""
    return str(next(iter(state.op_meta[op_hash].names))).rpartition(" | ")[2]


def emit(row: dict[str, Any]) -> None:
    """One JSON line for the parent process."""
    print(json.dumps(row), flush=True)


def main() -> None:
    """Read the job, converge its hosts, print the outcome."""
    importable()
    job = json.load(sys.stdin)
    organisation = load(Path(job["folder"]))
    emit({"outcome": converge_all(organisation, job)})


def converge_all(organisation: Organisation, job: dict[str, Any]) -> dict[str, Any]:
    """Run the operations on every host of the job; what failed is in the outcome, never an exception."""
    state = prepared(organisation, job["hosts"])
    module, _, function = job["desired"].partition(":")
    desired = getattr(importlib.import_module(module), function)
    only = tuple(job.get("only", ()))
    jobs = {
        name: Job(
            organisation,
            desired(organisation, organisation.host(name), only),
            lambda host: errand(organisation, host, job["about"]),
            job.get("to", 0),
            asked=True,
        )
        for name in job["hosts"]
    }

    @deploy("Connection")
    def connection() -> None:
        current = ctx_host.get()
        (roll_back if job.get("to") else converge)(jobs[current.name])

    problem = ""
    try:
        connect_all(state)
        state.set_stage(StateStage.Prepare)
        for name, snapshot in job["snapshots"].items():
            host = state.inventory.get_host(name)
            host.connector_data["cjsm"] = {False: {"snapshot": snapshot}, True: {}}
        with ctx_state.use(state):
            active = state.inventory.get_active_hosts()
            gevent.joinall(
                [state.pool.spawn(add_deploy, state, connection, host=host) for host in active], raise_error=True
            )
        state.set_stage(StateStage.Execute)
        run_ops(state)
    except PyinfraError as error:
        problem = str(error)
    outcome = {name: outcome_of(state, name, problem) for name in job["hosts"]}
    disconnect_all(state)
    return outcome


def prepared(organisation: Organisation, names: list[str]) -> State:
    """A state for the named hosts, with our connector and progress."""
    inventory = Inventory(([(name, data(organisation, organisation.host(name))) for name in names], {}))
    for host in inventory:
        host.connector_cls = FastSSH
    state = State(inventory, Config(CONNECT_TIMEOUT=10), check_for_changes=True)
    state.add_callback_handler(Progress())
    return state


def outcome_of(state: State, name: str, problem: str) -> dict[str, Any]:
    """What each step did on one host, and what failed: pyinfra itself raises for neither."""
    host = state.inventory.get_host(name)
    noted = host.connector_data.get("cjsm", {}).get(True, {})
    steps: dict[str, Any] = {}
    failed = ""
    for op_hash, queued in state.ops[host].items():
        step = step_name(state, op_hash)
        meta = queued.operation_meta
        if not meta.is_complete():
            continue
        steps[step] = answered(meta.stdout)
        if meta.did_error():
            why = noted.get("problem") or said(meta)
            failed = failed or f"{step}: {' '.join(filter(None, (hinted(why), why)))}"
    if host in state.failed_hosts or host not in state.activated_hosts:
        failed = failed or problem or "the connection failed"
    restored = any(isinstance(step, dict) and step.get("restored") for step in steps.values())
    return {"steps": steps, "failed": failed, "put_back": restored or bool(noted.get("put_back"))}


def answered(text: str) -> Any:
    """The answer in a step's output, None if it ran no program."""
    try:
        return remote.answer(text)
    except remote.RemoteError:
        return None


def said(meta: Any) -> str:
    """The end of what a failed step said, without our own marks."""
    lines = [line for line in (meta.stderr or meta.stdout).splitlines() if not line.startswith(remote.MARK)]
    return " ".join(lines[-4:]).strip()[-800:]


if __name__ == "__main__":
    main()
