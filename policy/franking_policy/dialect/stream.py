"""The stream of a message: what login and endpoint are bound to, or what the message names.

A login bound to a stream comes before the endpoint (`milter_macro_daemon_name` in Postfix's master.cf), and either
before a field of the message. Where they name different streams, the message is refused, unless `on_conflict` lets
the former override the latter.
"""

from franking_policy.dialect.fault import Fault
from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.shown import shown


def at_endpoint(account: Account, endpoint: str) -> tuple[Account, Fault | None]:
    """Return ``account`` on the stream that a transaction at ``endpoint`` begins with, and what speaks against it."""
    named = account.endpoints.get(endpoint, "")
    if not named or named == account.stream:
        return account, None
    if not account.bound:
        return account.streams[named], None
    if account.stream_selection.on_conflict.value == "override":
        return account, None
    text = (
        f"this endpoint is for stream {named}, and the login is bound to stream {account.stream}: "
        "use the login's own endpoint, or another login"
    )
    return account, Fault("conflict", text, "on_conflict", named)


def selectable(account: Account, endpoint: str) -> tuple[Account, ...]:
    """Return ``account``, as `at_endpoint` gave it, on every stream by which a message may go yet.

    What is judged before the header section is seen is judged by all of them.
    """
    if _fixed(account, endpoint) or not account.stream_selection.headers.value:
        return (account,)
    return (account, *(view for view in account.streams.values() if view.stream_type != "inbound"))


def _fixed(account: Account, endpoint: str) -> bool:
    """Tell whether the stream is settled by login or endpoint, whatever the message says."""
    return account.bound or endpoint in account.endpoints


def chosen(account: Account, message: Message) -> tuple[Account, Fault | None]:
    """Return ``account`` on the stream by which ``message`` goes, and what is wrong with its choice."""
    if account.bound and (fault := at_endpoint(account, message.endpoint)[1]):
        return account, fault  # which MAIL was not refused for, by the mode of the check
    fields = [field for name in account.stream_selection.headers.value for field in message.all(name)]
    names = {field.text.strip() for field in fields}
    if not names:
        return _sending(account)
    field = fields[0]
    if len(names) > 1:
        return account, Fault("conflict", f"{field.name} names {len(names)} streams: name one", "headers")
    name = names.pop()
    if name not in account.streams:
        return account, _unknown(field.name, name, account)
    if _fixed(account, message.endpoint) and name != account.stream:
        if account.stream_selection.on_conflict.value == "override":
            return _sending(account)
        what = "login is" if account.bound else "endpoint is"
        text = f"{field.name} says {name}, and the {what} bound to stream {account.stream}: leave the field out"
        return account, Fault("conflict", text, "on_conflict", name)
    return _sending(account.streams[name])


def _sending(account: Account) -> tuple[Account, Fault | None]:
    if account.stream_type != "inbound":
        return account, None
    text = f"stream {account.stream} is for incoming mail: send by another"
    return account, Fault("inbound", text, seen=account.stream)


def _unknown(header: str, name: str, account: Account) -> Fault:
    known = [one for one, view in account.streams.items() if view.stream_type != "inbound"]
    instead = f"name one of {', '.join(known[:10])}" if known else "leave the field out"
    return Fault("unknown", f"{header} says {shown(name)}, and there is no such stream: {instead}", "headers", name)
