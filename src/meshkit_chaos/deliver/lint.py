"""What lint finds in ``chaos-notify.yaml`` beyond its grammar: names of nothing, silence, what would travel in the clear.

Takes the document, its value and where findings go. Pure.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from meshkit_chaos.deliver.action import Occasion
from meshkit_chaos.deliver.grammar import ChannelText, NotifyText
from meshkit_chaos.deliver.routing import TICKETED
from meshkit_chaos.deliver.settings import TRACKERS, Email, Links, Route, Routing
from meshkit_chaos.scenario.findings import At
from meshkit_chaos.scenario.grammar_values import close_names

MUST_BE_HEARD: Final[tuple[Occasion, ...]] = ("first-failure", "environment-dirty", "nightly-missing", "gate-blocked")
"""What goes wrong unnoticed if no route takes it. (Whatever else goes on is in the summary, or follows on one of these.)"""
_ADDRESS_KEYS: Final = {"slack": "api", "github": "api", "jira": "site", "alertmanager": "url"}
_ADDRESS: Final = re.compile(r"(?P<scheme>https?)://(?P<host>\[[0-9a-fA-F:.]+\]|[^/?#:@\s]+)(:[0-9]+)?([/?#]\S*)?$")
_FIELDS: Final = {"invocation": {"invocation", "commit", "run"}, "compare": {"first", "last"}, "dashboard": set[str]()}


def lint_routing(text: NotifyText, routing: Routing, *, at: At) -> None:
    """Find what is wrong with a document that its grammar admits."""
    _lint_names([one.id for one in text.channels], at=at.below("channels"))
    _lint_names([one.id for one in text.routes], at=at.below("routes"))
    for number, channel in enumerate(text.channels):
        _lint_channel(channel, at=at.below("channels", number))
    for number, route in enumerate(routing.routes):
        _lint_route(route, routing, at=at.below("routes", number))
    _lint_unused(routing, at=at.below("channels"))
    _lint_silence(routing, at=at.below("routes"))
    _lint_links(routing.links, at=at.below("links"))


def _lint_names(names: Sequence[str], *, at: At) -> None:
    seen: Counter[str] = Counter()
    for number, name in enumerate(names):
        seen[name] += 1
        if seen[name] > 1:
            at.below(number, "id").say("MC110", f"the name {name!r} is taken", hint="give it another one")


def _lint_channel(text: ChannelText, *, at: At) -> None:
    for kind, key in _ADDRESS_KEYS.items():
        if (channel := getattr(text, kind)) is not None and (url := getattr(channel, key)) is not None:
            _lint_address(url, at=at.below(kind, key))
    for kind in ChannelText.ONE_OF:
        tls = getattr(getattr(text, kind), "tls", None)
        if tls is not None and (tls.certificate is None) != (tls.key_file is None):
            at.below(kind, "tls").say("MC403", "a certificate needs its key, and a key its certificate", hint="give both")
    if text.email is not None:
        _lint_pair(text.email.user, text.email.password, at=at.below("email"))
        _lint_mail(text, at=at.below("email"))
    if text.alertmanager is not None:
        _lint_pair(text.alertmanager.user, text.alertmanager.password, at=at.below("alertmanager"))
        if text.alertmanager.bearer is not None and text.alertmanager.user is not None:
            message = "`user` and `bearer` both set the header Authorization"
            at.below("alertmanager", "bearer").say("MC403", message, hint="use one", of_key=True)


def _lint_address(url: str, *, at: At) -> None:
    found = _ADDRESS.match(url)
    if found is None:
        at.say("MC126", "this is no address that starts with https://", hint="such as https://chat.example.com")
    elif found["scheme"] == "http" and not loopback(found["host"].strip("[]")):
        at.say(
            "MC401", f"{found['host']} is asked without TLS: what is sent, and its token, can be read", hint="write https://"
        )


def loopback(host: str) -> bool:
    """Whether a host is this machine itself, as far as its name tells."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _lint_pair(user: str | None, password: object, *, at: At) -> None:
    if (user is None) != (password is None):
        at.say("MC403", "`user` needs `password`, and `password` needs `user`", hint="give both")


def _lint_mail(text: ChannelText, *, at: At) -> None:
    mail = text.email
    if mail is None or mail.security != "none" or loopback(mail.server):
        return
    if mail.password is not None:
        at.below("security").say("MC401", f"the password would go to {mail.server} without TLS", hint="write starttls or tls")
    else:
        message = f"mail goes to {mail.server} without TLS"
        at.below("security").say("MC401", message, hint="write starttls or tls", severity="warning")


def _lint_route(route: Route, routing: Routing, *, at: At) -> None:
    channels = [channel.id for channel in routing.channels]
    for number, name in enumerate(route.to):
        if name not in channels:
            at.below("to", number).say("MC402", f"there is no channel {name!r}", hint=_near(name, channels))
    owners = [owner.name for owner in routing.owners]
    for number, name in enumerate(route.owners):
        if owners and not set(name) & set("*?[") and name not in owners:
            at.below("owners", number).say("MC406", f"{name!r} is not among `owners`", hint=_near(name, owners))


def _near(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = close_names(name, names)
    return f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(names)}"


def _lint_unused(routing: Routing, *, at: At) -> None:
    used = {name for route in routing.routes for name in route.to}
    for number, channel in enumerate(routing.channels):
        if channel.id not in used:
            at.below(number, "id").say("MC404", f"no route goes to {channel.id!r}", hint="name it in a route, or take it out")
        if isinstance(channel, Email) and not all("@" in address for address in (*channel.to, channel.sender)):
            at.below(number, "email").say("MC403", "an address of mail has no @", hint="such as chaos@example.com")


def _lint_silence(routing: Routing, *, at: At) -> None:
    """Occasions that no route takes to anybody. A ticket alone is told apart: it is not seen at three in the morning."""
    trackers = {channel.id for channel in routing.channels if isinstance(channel, TRACKERS)}
    for occasion in MUST_BE_HEARD:
        heard = {name for route in routing.routes if occasion in (route.occasions or (occasion,)) for name in route.to}
        if heard & trackers == heard and heard and occasion in TICKETED:
            at.say("MC407", f"only a ticket tells of {occasion}", hint=f"take {occasion} to a chat or a mailbox, too")
        elif not heard - trackers:
            hint = "no tracker takes it: take it to a chat or a mailbox" if heard else "add it to the `occasions` of a route"
            at.say("MC407", f"no route tells anybody of {occasion}", hint=hint)


def _lint_links(links: Links, *, at: At) -> None:
    for name, known in _FIELDS.items():
        url = getattr(links, name)
        if not url:
            continue
        if not url.startswith(("https://", "http://")):
            at.below(name).say(
                "MC126", f"{url!r} does not start with http:// or https://", hint="such as https://chaos.example.com"
            )
        for field in re.findall(r"\{([^{}]*)\}", url):
            if field not in known:
                names = ", ".join(f"{{{one}}}" for one in sorted(known))
                hint = f"known here: {names}" if known else "nothing is filled in here"
                at.below(name).say("MC116", f"nothing fills in {{{field}}}", hint=hint)
