"""Who is reached where: contacts of members and others, by channel and address. Pure."""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from alerts.newest import Newest
from monitor.domain.assets import Channel, City

#: kinds whose messages go to persons; the others have one address of their own
PERSONAL = frozenset({"email", "sms", "voice", "webpush"})


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who can be reached."""

    name: str
    language: Literal["en", "zh"]
    addresses: dict[str, str]


class Routes:
    """The contacts of one city."""

    def __init__(self, city: City) -> None:
        self.channels = {channel.channel_id: channel for channel in city.channels}
        self._people = {person.name: person for person in people_of(city)}
        self._at: dict[tuple[str, str], list[Person]] = {}
        for person in self._people.values():
            for reached in person.addresses.items():
                self._at.setdefault(reached, []).append(person)

    def person_at(self, channel: str, address: str, body: dict[str, Any]) -> Person | None:
        """Whose address this is; where several share it, the officer whom the message names."""
        known = self.channels.get(channel)
        at = list(self._at.get((channel, address), ()))
        if known is not None and known.kind == "webpush" and address in self._people:
            at.append(self._people[address])  # browsers are known by who logged in there
        named = [person for person in at if person.name == body.get("officer")]
        return next(iter(named or at), None)

    def language(self, channel: Channel, address: str, body: dict[str, Any]) -> Literal["en", "zh"]:
        """The receiver's language, else the channel's."""
        person = self.person_at(channel.channel_id, address, body) if address else None
        return channel.language if person is None else person.language

    def fallback(self, channel: str, address: str, body: dict[str, Any]) -> tuple[str, str] | None:
        """Channel and address that take over from this one: the first of the chain that has an address.

        A message to nobody in particular (a group, a system) goes to the officer whom it names, if any.
        """
        known = self.channels.get(channel)
        person = self.person_at(channel, address, body) or self._people.get(str(body.get("officer")))
        seen = {channel}
        while known is not None and known.fallback is not None and known.fallback not in seen:
            other = known.fallback
            seen.add(other)
            known = self.channels.get(other)
            if known is not None and (found := self.address(known, person)) is not None:
                return other, found
        return None

    def of_person(self, name: str, channel: Channel) -> str | None:
        """Where this person (a member's user, a contact's id) is reached by that channel."""
        person = self._people.get(name)
        return self.address(channel, person)

    @staticmethod
    def address(channel: Channel, person: Person | None) -> str | None:
        """Where that person is reached by the channel; '' for one that has an address of its own."""
        own = None if person is None else person.addresses.get(channel.channel_id)
        if own is not None:
            return own
        if channel.kind == "webpush":  # browsers are known by who logged in there
            return None if person is None else person.name
        if channel.kind in PERSONAL or channel.kind == "mqtt":
            return None
        return ""


#: `routes_of(city)`: as Routes(city), built once; thousands of people take milliseconds
routes_of = Newest(Routes).of


def people_of(city: City) -> Iterator[Person]:
    """Members of teams by their login, others by their id."""
    for team in city.teams:
        for member in team.members:
            yield Person(name=member.user, language=member.language, addresses=member.contacts)
    for contact in city.contacts:
        yield Person(name=contact.contact_id, language=contact.language, addresses=contact.addresses)
