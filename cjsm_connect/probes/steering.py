"""Postfix's settings that can discard, redirect, copy, hold or rewrite a message. Pure.

One list, from postconf(5) of Postfix 3.7 and 3.10: where all of Postfix is ours, none has a value of anybody else's.
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
)
"""What waits for ever, what is looked at by nobody, and what a delivery's end is called."""

MILTERS = ("smtpd_milters", "non_smtpd_milters", "smtpd_milter_maps")

STEERING = (*CONTENT, *COPIES, *REWRITING, *ROUTES, *FATES, *MILTERS)
