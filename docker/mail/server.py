"""Takes mails and prints what is in them: see `server`, which calls this."""

import asyncio
import json
import os
import ssl
import sys
from email import message_from_bytes
from email.policy import SMTP as WRITTEN

from aiosmtpd.smtp import SMTP, AuthResult

# Headers that a mail may have once (RFC 5322 section 3.6).
ONCE = ("from", "to", "subject", "date", "message-id", "references")


def read(envelope):
    """What Python's reader of RFC 5322 finds in a mail."""
    raw = envelope.original_content
    mail = message_from_bytes(raw, policy=WRITTEN)
    defects = [type(defect).__name__ for defect in mail.defects]
    for name, value in mail.items():
        defects += [f"{name}: {type(defect).__name__}" for defect in value.defects]
    defects += [f"{name} is there twice" for name in ONCE if len(mail.get_all(name, [])) > 1]
    if any(len(line) > 998 for line in raw.split(b"\r\n")):
        defects.append("a line is too long")
    if raw.count(b"\n") != raw.count(b"\r\n") or raw.count(b"\r") != raw.count(b"\r\n"):
        defects.append("a line has another end")
    return {
        "envelope": {"from": envelope.mail_from, "to": envelope.rcpt_tos},
        "headers": {name.lower(): str(value) for name, value in mail.items()},
        "to": [[one.display_name, one.addr_spec] for one in mail["to"].addresses],
        "from": [[one.display_name, one.addr_spec] for one in mail["from"].addresses],
        "at": mail["date"].datetime.isoformat(),
        "kind": mail.get_content_type(),
        "text": mail.get_content(),
        "is_ascii": raw.isascii(),
        "defects": defects,
    }


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody"):
            return "550 5.1.1 nobody of that name"
        if address.startswith("full"):
            return "452 4.2.2 the mailbox is full"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 good"

    async def handle_DATA(self, server, session, envelope):
        told = read(envelope)
        told["is_over_tls"] = session.ssl is not None or how == "tls"
        told["is_proven"] = session.authenticated
        print(json.dumps(told), flush=True)
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = (b"andon", os.environ["MAIL_PASSWORD"].encode())
    return AuthResult(success=(data.login, data.password) == good, handled=False)


def context(certificate, key):
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(certificate, key)
    return made


async def main(port, tls):
    def session():
        if how == "plain":
            return SMTP(Handler(), hostname="mail")
        return SMTP(
            Handler(),
            hostname="mail",
            tls_context=tls if how == "starttls" else None,
            require_starttls=how == "starttls",
            auth_require_tls=how == "starttls",
            auth_required=True,
            authenticator=authenticate,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        session, "127.0.0.1", port, ssl=tls if how == "tls" else None
    )
    print("it listens", flush=True)
    await server.serve_forever()


how = sys.argv[2]
asyncio.run(main(int(sys.argv[1]), context(*sys.argv[3:]) if how != "plain" else None))
