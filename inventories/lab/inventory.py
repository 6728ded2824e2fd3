"""The hosts of organisation.toml for pyinfra itself: pyinfra inventory.py ../../deploys/connection.py"""

import sys
from pathlib import Path

folder = Path(__file__).resolve().parent
sys.path.insert(0, str(folder.parents[1]))  # pyinfra finds the project only when it runs from its folder

from cjsm_connect.organisation import inventory  # noqa: E402 - the path above comes first

globals().update(inventory.groups(folder))
