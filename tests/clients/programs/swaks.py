"""swaks, a process and a connection for each message."""

import json
import os
import re
import subprocess

given = os.environ
BAD = re.compile(r"^(?:<~\*|<\*\*|\*\*\*) (.*)$", re.MULTILINE)
"""What its transcript marks."""

for n in range(1, int(given["SMTP_COUNT"]) + 1):
    argv = ["swaks", "--server", f"{given['SMTP_HOST']}:{given['SMTP_PORT']}"]
    argv += ["--tls-on-connect" if given["SMTP_TLS"] == "implicit" else "--tls"]
    argv += ["--tls-verify", "--tls-ca-path", given["SMTP_CA"]]
    argv += ["--auth", "PLAIN", "--auth-user", given["SMTP_USER"], "--auth-password", given["SMTP_PASSWORD"]]
    argv += ["--from", given["SMTP_FROM"], "--to", "someone@example.org"]
    argv += ["--header", f"Subject: {given['SMTP_RUN']} {n}", "--header", "X-Tags: welcome, clients"]
    argv += ["--body", "It works."]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    said = "\n".join(BAD.findall(done.stdout + done.stderr))
    print(json.dumps({"n": n, "error": said} if done.returncode else {"n": n, "ok": done.stdout}))
