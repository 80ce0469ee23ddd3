"""Python's smtplib: a connection for each message; SMTP_MODE=keep sends all by one, SMTP_MODE=limit five by each."""

import json
import os
import smtplib
import ssl
from email.message import EmailMessage

HOST, PORT = os.environ["SMTP_HOST"], int(os.environ["SMTP_PORT"])
COUNT = int(os.environ["SMTP_COUNT"])
PER_CONNECTION = {"plain": 1, "keep": COUNT, "limit": 5}[os.environ["SMTP_MODE"]]


def connect() -> smtplib.SMTP:
    """Return a connection that has logged in."""
    context = ssl.create_default_context(cafile=os.environ["SMTP_CA"])
    if os.environ["SMTP_TLS"] == "implicit":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(HOST, PORT, context=context)
    else:
        smtp = smtplib.SMTP(HOST, PORT)
        smtp.starttls(context=context)
    smtp.login(os.environ["SMTP_USER"], os.environ["SMTP_PASSWORD"])
    return smtp


def message(number: int) -> EmailMessage:
    """Make one."""
    made = EmailMessage()
    made["From"], made["To"] = os.environ["SMTP_FROM"], "someone@example.org"
    made["Subject"] = f"{os.environ['SMTP_RUN']} {number}"
    made["X-Tags"] = "welcome, clients"
    made.set_content("It works.")
    return made


for n in range(1, COUNT + 1):
    try:
        if (n - 1) % PER_CONNECTION == 0:
            server = connect()
        server.send_message(message(n))
        if n % PER_CONNECTION == 0:
            server.quit()
        line = {"n": n, "ok": ""}
    except (smtplib.SMTPException, OSError) as error:
        line = {"n": n, "error": str(error)}
    print(json.dumps(line))
