"""The door of a clone: `cjsm VERB`. What an installed cjsm runs is the same (cjsm_connect/__main__.py)."""

from cjsm_connect.__main__ import main
from cjsm_connect.rooms import Rooms

__all__ = ["Rooms", "main"]

if __name__ == "__main__":
    main()
