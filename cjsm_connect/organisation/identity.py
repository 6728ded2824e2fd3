"""Who applies: what the application asks about the organisation and its people (2009 checklist, 2017 form)."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, MinLen

from .values import Domain, Email, Part, Several, Telephone, Text


class Sponsor(Part):
    """Someone at an organisation that is already connected, who asks for this connection."""

    name: Text
    organisation: Text
    domain: Domain
    email: Email


class Identity(Part):
    """The applicant; the application's page "About your organisation"."""

    name: Text
    kind: Text
    address: Annotated[Several[Text], MinLen(1)]
    town: Text
    postcode: Text
    telephone: Telephone
    staff: Annotated[int, Ge(1)]
    users: Annotated[int, Ge(1)]
    reason: Text
    mail_server: Literal["on-premises", "uk-datacentre", "hosted", "cloud", "none", "unknown"]
    other_networks: Several[Text] = ()
    webmail_wanted: bool = False
    sponsors: Several[Sponsor] = ()


class Person(Part):
    """A contact: a person, or a group mailbox."""

    name: Text
    email: Email
    telephone: Telephone


class Contacts(Part):
    """Whom CJSM may call, and about what; one business and one technical contact at least."""

    applicant: Person
    administrator: Person
    helpdesk: Person
    business: Annotated[Several[Person], MinLen(1)]
    technical: Annotated[Several[Person], MinLen(1)]


class Signatory(Part):
    """Someone with the authority to sign the terms, by hand."""

    name: Text
    position: Text
