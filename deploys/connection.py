"""The whole connection: one snapshot, one apt transaction, one tree, one activation per host.

pyinfra inventories/NAME/inventory.py deploys/connection.py
"""

from __future__ import annotations

from collections.abc import Iterable

from cjsm_connect.desired import Desired, merge
from cjsm_connect.operations import concern
from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.organisation.problems import did_you_mean
from cjsm_connect.results import CjsmError
from deploys import antivirus, domains, firewall, logging, patching, relay, tls

CONCERNS = {
    "tls": tls.desired,
    "relay": relay.desired,
    "domains": domains.desired,
    "firewall": firewall.desired,
    "antivirus": antivirus.desired,
    "patching": patching.desired,
    "logging": logging.desired,
}
# one Postfix, one set of maps behind one link, one chain file a key: a part of them would be a broken whole
MAIL_PATH = ("tls", "relay", "domains")


def desired(organisation: Organisation, host: Host, only: Iterable[str] = ()) -> Desired:
    """Everything a host must have: the seven concerns, merged; or those of `only`, and what belongs to them.

    Raises:
        CjsmError: the organisation has what this version does not configure; better than half of a connection.
    """
    if organisation.estate.topology != "separated" or host.mta != "postfix":
        raise CjsmError(
            f"{host.name}: expected the separated topology with Postfix, found {organisation.estate.topology} with "
            f"{host.mta}; this version configures nothing else. `cjsm check` looks at it all the same."
        )
    return merge(CONCERNS[name](organisation, host) for name in together(only))


def together(only: Iterable[str]) -> tuple[str, ...]:
    """The concerns to take when `only` these are asked for, in their order; all of them when none is.

    Raises:
        CjsmError: there is no concern of such a name.
    """
    asked = set(only)
    unknown = asked - CONCERNS.keys()
    if unknown:
        wrong = sorted(unknown)
        near = did_you_mean(wrong[0], CONCERNS)
        raise CjsmError(f"--only {', '.join(wrong)}: no such concern{near}; there are: {', '.join(CONCERNS)}")
    taken = asked | set(MAIL_PATH) if asked.intersection(MAIL_PATH) else asked
    return tuple(name for name in CONCERNS if not taken or name in taken)


connection = concern("connection", desired)
mail_path = concern("mail path", *(CONCERNS[name] for name in MAIL_PATH))

if __name__ == "builtins":  # so pyinfra executes a deploy file
    connection()
