"""Postfix's settings that can discard, redirect, copy, hold or rewrite a message. Pure.

Lists from postconf(5) of Postfix 3.7 and 3.10: where all of Postfix is ours, none has a value of anybody else's.
"""

from __future__ import annotations

CLIENTS = ("smtp", "lmtp")

CONTENT = (
    *("header_checks", "mime_header_checks", "nested_header_checks", "body_checks", "milter_header_checks"),
    *(f"{client}_{part}_checks" for client in CLIENTS for part in ("header", "mime_header", "nested_header", "body")),
)
"""Tables in which a letter itself decides: DISCARD, REDIRECT, BCC, FILTER, HOLD, REPLACE, STRIP (header_checks(5))."""

COPIES = ("always_bcc", "sender_bcc_maps", "recipient_bcc_maps")

REWRITING = (
    *("canonical_maps", "sender_canonical_maps", "recipient_canonical_maps", "virtual_alias_maps", "relocated_maps"),
    *("smtp_generic_maps", "lmtp_generic_maps", "masquerade_domains", "remote_header_rewrite_domain", "luser_relay"),
)

ROUTES = (
    *("content_filter", "smtpd_proxy_filter", "smtpd_command_filter", "transport_maps", "relayhost"),
    *("sender_dependent_default_transport_maps", "sender_dependent_relayhost_maps", "best_mx_transport"),
    *("smtp_fallback_relay", "lmtp_fallback_relay", "fallback_transport", "fallback_transport_maps"),
    *("mailbox_transport", "mailbox_transport_maps", "mailbox_command", "mailbox_command_maps"),
    *("smtp_dns_reply_filter", "lmtp_dns_reply_filter", "smtp_reply_filter", "lmtp_reply_filter"),
)

FATES = (
    *("defer_transports", "receive_override_options", "smtpd_restriction_classes"),
    *("default_delivery_status_filter", "smtp_delivery_status_filter", "lmtp_delivery_status_filter"),
    *("local_delivery_status_filter", "pipe_delivery_status_filter", "virtual_delivery_status_filter"),
    *("smtp_discard_ehlo_keyword_address_maps", "lmtp_discard_lhlo_keyword_address_maps"),
    *("smtpd_discard_ehlo_keyword_address_maps", "internal_mail_filter_classes", "default_filter_nexthop"),
)
"""What waits for ever, what is looked at by nobody, and what a delivery's end is called."""

MILTERS = ("smtpd_milters", "non_smtpd_milters", "smtpd_milter_maps")

CLAIMS = ("smtpd_authorized_xclient_hosts", "smtpd_authorized_xforward_hosts")
"""Who may say that it is somebody else."""

CLASSES = ("virtual_mailbox_domains", "virtual_alias_domains", "local_command_shell")
"""Domains that would be delivered in another way, and what local(8) gives commands to."""

STEERING = (*CONTENT, *COPIES, *REWRITING, *ROUTES, *FATES, *MILTERS, *CLAIMS, *CLASSES)
"""All of these are empty by default."""

NOTICES = ("bounce", "2bounce", "delay", "error")
RATES = ("default", "smtp", "lmtp", "relay", "local", "virtual", "error", "retry", "cjsm", "inner", "cjsm-inner")
USUAL = {
    "notify_classes": "resource, software",  # others send copies of what passed to the recipients of notices
    **{f"{what}_notice_recipient": "postmaster" for what in NOTICES},
    "empty_address_recipient": "MAILER-DAEMON",
    "forward_path": "$home/.forward${recipient_delimiter}${extension}, $home/.forward",
    "allow_mail_to_commands": "alias, forward",
    "allow_mail_to_files": "alias, forward",
    "home_mailbox": "",
    "mail_spool_directory": "/var/mail",
    "virtual_transport": "virtual",
    "daemon_directory": "/usr/lib/postfix/sbin",
    "command_directory": "/usr/sbin",
    **{f"{name}_{what}_rate_delay": "0s" for name in RATES for what in ("destination", "transport")},
}
"""Settings that steer as well, and are not empty: with Postfix's default (Debian's packages) in each."""

REFUSALS = (
    *("reject_code", "access_map_reject_code", "access_map_defer_code", "defer_code", "relay_domains_reject_code"),
    *("unknown_local_recipient_reject_code", "unknown_relay_recipient_reject_code", "unknown_address_reject_code"),
    *("unknown_virtual_alias_reject_code", "unknown_virtual_mailbox_reject_code", "unknown_client_reject_code"),
    *("unknown_hostname_reject_code", "invalid_hostname_reject_code", "non_fqdn_reject_code", "maps_rbl_reject_code"),
    *("multi_recipient_bounce_reject_code", "plaintext_reject_code", "smtpd_forbid_bare_newline_reject_code"),
    *("unverified_recipient_reject_code", "unverified_recipient_defer_code"),
    *("unverified_sender_reject_code", "unverified_sender_defer_code"),
)
"""What a refusal begins with: Postfix takes 250 as well, and the client believes that its message was taken."""

VERIFYING = {
    f"address_verify_{name}": name
    for name in (
        *("default_transport", "local_transport", "relay_transport", "virtual_transport", "relayhost"),
        *("transport_maps", "sender_dependent_default_transport_maps", "sender_dependent_relayhost_maps"),
    )
}
"""Recipients are asked about where mail goes, or Postfix takes mail for whom nobody knows."""

MAIL_SERVER = {"default_transport": ("smtp", "error:"), "relay_transport": ("relay",), "local_transport": ("local:",)}
"""How these begin on a mail server; a relay's have a check of their own (relay.no-other-way-out)."""

NAMES = tuple(dict.fromkeys((*STEERING, *USUAL, *REFUSALS, *VERIFYING, *VERIFYING.values(), *MAIL_SERVER)))
