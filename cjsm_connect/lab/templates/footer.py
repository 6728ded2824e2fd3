"""Append the simulated hub's footer to a message and hand it back: stdin is the message, arguments the envelope."""

import email
import email.policy
import smtplib
import sys

FOOTER = "\n\nThis message passed through the lab's CJSM hub. / Aeth y neges hon drwy ganolbwynt CJSM y labordy.\n"

message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.SMTP)
body = message.get_body(("plain",))
if body is not None:
    body.set_content(body.get_content() + FOOTER)
with smtplib.SMTP("127.0.0.1", 10026) as server:
    # not send_message, which would write ">From" where a line begins with "From"
    server.sendmail(sys.argv[1], sys.argv[2:], message.as_bytes())
