"""What the room hears when a shelf ends: what came, what rings now, what waits for a look. Pure."""

from datetime import datetime

from alerts.calm.holding import Left
from alerts.calm.shelves import Scope, Shelf
from alerts.calm.texts import WORDS
from alerts.messages import MQTT
from alerts.recipients import ROOM, Recipient
from alerts.values import Outgoing
from monitor.domain.assets import City, Text
from monitor.domain.roles import Role
from monitor.domain.violations import CATALOGUE


def shelf_messages(shelf: Shelf, left: Left, city: City, now: datetime) -> tuple[Outgoing, ...]:
    """One for each person: of the role that shelved, and the supervisors."""
    roles = dict.fromkeys((Role.SUPERVISOR.value, shelf.role))
    people: dict[str, Recipient] = {}
    for role in roles:
        named = [c for c in city.contacts if c.role == role]
        for contact in named:
            people[contact.contact_id] = Recipient(
                person=contact.contact_id, team_id=ROOM, contacts=contact.addresses, in_room=True
            )
        if not named:
            people[role] = Recipient(person=role, team_id=ROOM, in_room=True)
    found = []
    for person in people.values():
        # what is still there is worth a text message, if the person has that; the rest is read in the room
        channel, address = person.reached_by(("sms", MQTT) if left.rings else (MQTT,))
        key = f"shelf:{shelf.shelf_id}:ended:{person.person}"
        body = {
            "idempotency_key": key, "officer": person.person, "what": "shelf_ended", "shelf_id": shelf.shelf_id,
            "level": shelf.worst.value, "title": title(shelf, city), "text": text(left), "site_id": shelf.site_id,
            "shelved_by": shelf.shelved_by, "ended_by": shelf.ended_by, "rings": list(left.rings),
            "gone": list(left.gone), "url": f"/shelves?ended={shelf.shelf_id}",
        }  # fmt: skip
        found.append(
            Outgoing(channel=channel, address=address, idempotency_key=key, body=body, created_at=now)
        )
    return tuple(found)


def title(shelf: Shelf, city: City) -> Text:
    """What was shelved, in both languages."""
    camera = next((c for c in city.cameras if c.camera_id == shelf.camera_id), None)

    def said(language: str) -> str:
        name = camera.name.get(language, shelf.camera_id or "") if camera else shelf.camera_id or ""
        if shelf.scope is Scope.RULE and shelf.violation in CATALOGUE:
            return f"{name}: {CATALOGUE[shelf.violation].title[language]}"
        return WORDS["one_alert"][language].format(name=name) if shelf.scope is Scope.ALERT else name

    return {"en": said("en"), "zh": said("zh")}


def text(left: Left) -> Text:
    """What came while it stood."""

    def said(language: str) -> str:
        parts = []
        for key in ("rings", "gone", "held", "closed"):
            numbers: tuple[int, ...] = getattr(left, key)
            if numbers:
                shown = " ".join(f"#{n}" for n in numbers[:10]) + (" …" if len(numbers) > 10 else "")
                parts.append(WORDS[f"left_{key}"][language].format(n=len(numbers), which=shown))
        return ("; " if language == "en" else "；").join(parts) or WORDS["left_nothing"][language]

    return {"en": said("en"), "zh": said("zh")}
