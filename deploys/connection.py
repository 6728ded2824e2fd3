"""The whole connection: one snapshot, one apt transaction, one tree, one activation per host.

pyinfra inventories/NAME/inventory.py deploys/connection.py
"""

from __future__ import annotations

from cjsm_connect.desired import Desired, merge
from cjsm_connect.operations import concern
from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.results import CjsmError
from deploys import antivirus, domains, firewall, logging, patching, relay, tls

CONCERNS = (tls, relay, domains, firewall, antivirus, patching, logging)


def desired(organisation: Organisation, host: Host) -> Desired:
    """Everything a host must have: the seven concerns, merged.

    Raises:
        CjsmError: the organisation has what this version does not configure; better than half of a connection.
    """
    if organisation.estate.topology != "separated" or host.mta != "postfix":
        raise CjsmError(
            f"{host.name}: expected the separated topology with Postfix, found {organisation.estate.topology} with "
            f"{host.mta}; this version configures nothing else. `cjsm check` looks at it all the same."
        )
    return merge(part.desired(organisation, host) for part in CONCERNS)


connection = concern("connection", desired)
mail_path = concern("mail path", tls.desired, relay.desired, domains.desired)

if __name__ == "builtins":  # so pyinfra executes a deploy file
    connection()
