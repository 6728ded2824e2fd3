"""The same state with pyinfra's own operations, for `pyinfra -y INVENTORY stock_pyinfra.py`: no code of ours runs.

CJSM_BENCH_STATE names the JSON file of bench/state.py.
"""

import json
import os
from pathlib import Path

from pyinfra import host
from pyinfra.operations import apt, files, server, systemd

state = json.loads(Path(os.environ["CJSM_BENCH_STATE"]).read_text())[host.name]

apt.packages(name="packages", packages=state["packages"])
for item in host.loop(state["directories"]):
    owned = {"user": item["owner"], "group": item["group"], "mode": item["mode"]}
    files.directory(name=item["path"], path=item["path"], **owned)
for item in host.loop([*state["files"], *state["tables"]]):
    owned = {"user": item["owner"], "group": item["group"], "mode": item["mode"]}
    put = files.put(name=item["path"], src=item["source"], dest=item["path"], **owned)
    if item["path"] in state["compiled"]:
        server.shell(name="compile " + item["path"], commands=["postmap lmdb:" + item["path"]], _if=put.did_change)
    if item["path"] in state["rules"]:
        server.shell(name="load " + item["path"], commands=["nft -f " + item["path"]], _if=put.did_change)
for path in host.loop(state["absent"]):
    files.file(name=path, path=path, present=False)
for item in host.loop(state["units"]):
    systemd.service(name=item["unit"], service=item["unit"], running=item["running"], enabled=item["enabled"])
