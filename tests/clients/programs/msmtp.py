"""msmtp, a process and a connection for each message, as a program does that calls sendmail(8)."""

import json
import os
import subprocess
import tempfile

CONFIGURATION = """\
account default
host {SMTP_HOST}
port {SMTP_PORT}
tls on
tls_starttls {starttls}
tls_trust_file {SMTP_CA}
auth plain
user {SMTP_USER}
password {SMTP_PASSWORD}
from {SMTP_FROM}
logfile {log}
"""

MESSAGE = """\
From: {SMTP_FROM}
To: someone@example.org
Subject: {SMTP_RUN} {n}
X-Tags: welcome, clients

It works.
"""

with tempfile.NamedTemporaryFile("w") as configuration, tempfile.NamedTemporaryFile() as log:
    starttls = "off" if os.environ["SMTP_TLS"] == "implicit" else "on"
    configuration.write(CONFIGURATION.format(**os.environ, starttls=starttls, log=log.name))
    configuration.flush()
    for n in range(1, int(os.environ["SMTP_COUNT"]) + 1):
        argv = ["msmtp", f"--file={configuration.name}", "--", "someone@example.org"]
        text = MESSAGE.format(**os.environ, n=n)
        done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
        logged = log.readlines()[-1].decode()
        print(json.dumps({"n": n, "error": done.stderr} if done.returncode else {"n": n, "ok": logged}))
