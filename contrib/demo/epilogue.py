"""What comes after the scenarios: the log, how to connect to a stack that was kept, and where to go next."""

from demo import paper
from demo.private_stack import PrivateStack

# To be pasted as it is printed, indented: Python, too, goes on with the next line after a backslash.
PYTHON = """\
python3 -c 'import smtplib, ssl; smtp = smtplib.SMTP("{host}", {port}); \\
  smtp.starttls(context=ssl.create_default_context(cafile="{certificate}")); \\
  smtp.login("acme-app", "{password}"); smtp.set_debuglevel(1); \\
  smtp.sendmail("me@acme.example", "you@example.org", \\
    "From: me@acme.example\\nTo: you@example.org\\nSubject: Hello\\n\\nHello.\\n")'"""

SWAKS = """\
swaks --server {host}:{port} -tls --auth-user acme-app --auth-password {password} \\
  --from me@acme.example --to you@example.org"""


def log(lines: list[str]) -> None:
    """Print the log lines, without time and process."""
    paper.heading("What Franking logged")
    paper.paragraph(
        "One line a transaction: who, the verdict, the checks that failed, and the place in the policy that switched "
        "them on. Time and process are left out here."
    )
    for line in lines:
        print()
        for number, part in enumerate(paper.wrap(line, paper.WIDTH - 6)):
            print(("  " if number == 0 else "      ") + part)


def how_to_connect(stack: PrivateStack, queue_id: str) -> None:
    """Say how to use the stack that stays, and how to end it."""
    endpoint = stack.endpoint
    here = {
        "host": endpoint.host,
        "port": endpoint.port,
        "certificate": endpoint.certificate.relative_to(stack.directory),
        "password": endpoint.password,
    }
    paper.heading("The stack is still running")
    paper.row("server", f"{endpoint.host}, port {endpoint.port}: STARTTLS, then AUTH PLAIN or LOGIN")
    paper.row("trust", str(endpoint.certificate))
    paper.row("log in", f"as acme-app, acme-news or trial-app; the password is {endpoint.password}")
    print("\nFirst of all, go there; each of the others is to be pasted as it stands:\n")
    _command("cd", f"cd {stack.directory}")
    _command("python", PYTHON.format(**here))
    _command("swaks", SWAKS.format(**here))
    _command("log", "tail log/franking.log")
    _command("arrived", "ls sink")
    _command("record", f"bin/franking message show {queue_id}")
    _command("policy", "editor policy/demo.yaml; bin/stack stop . franking; bin/stack start . franking")
    _command("end", f"bin/stack down . && cd .. && rm -r {stack.directory.name}")


def where_next() -> None:
    """Print the last two lines."""
    print("\nNext: KEEP=1 make demo leaves the stack running, to try mail of your own; make test runs every test.")
    print("Read: README.md to put it behind a Postfix of yours, docs/flow.md for one message's way through it.")


def _command(label: str, text: str) -> None:
    """Print what is to be copied: never wrapped, and nothing before it but blanks."""
    for number, line in enumerate(text.split("\n")):
        print(f"  {paper.paint(f'{label if number == 0 else str():<{paper.LABEL - 2}}', paper.DIM)}{line}")
