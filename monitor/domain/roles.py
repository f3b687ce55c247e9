"""Who may do what: one table for steps of a case and one for routes' rights. Denied unless listed."""

from enum import StrEnum


class Role(StrEnum):
    """Roles of people and machines (design.md, 'Roles')."""

    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    PATROL = "patrol"
    OFFICER = "officer"
    AUDITOR = "auditor"
    HOLDER = "holder"
    ADMIN = "admin"
    EDGE = "edge"
    #: the system itself: timers, permits, the watchdog. Nobody can log in as it.
    SYSTEM = "system"


class Right(StrEnum):
    """What a route asks for. A route names exactly one right."""

    SEE_CONSOLE = "see_console"  # map, alerts, cameras
    TAKE_STEP = "take_step"  # any step of a case; the lifecycle's table decides which
    SEE_FIELD = "see_field"  # the own team's dispatches
    UPLOAD_PHOTO = "upload_photo"
    FILL_CHECKLIST = "fill_checklist"  # on site, by who was sent
    UPLOAD_EVIDENCE = "upload_evidence"  # edges only
    FETCH_MODEL = "fetch_model"  # edges only
    SEE_EVIDENCE = "see_evidence"
    REGISTER_CAMERA = "register_camera"  # survey a camera's ground: changes where its events are put
    SHELVE = "shelve"  # keep a source from ringing for a while; up to which level, alerts.calm decides
    REPORT = "report"  # open an alert by hand; the field: at its own team's sites, asked in the route
    SEE_CALLER = "see_caller"  # who reported: personal data, for the control room alone
    SEE_PERMITS = "see_permits"  # a holder: his own only, asked in the route
    REQUEST_PERMIT = "request_permit"  # ask for one, withdraw the own, ask for a prolongation
    ASK_ABOUT_PERMIT = "ask_about_permit"  # a holder: his own only, asked in the route
    DECIDE_PERMIT = "decide_permit"
    DECIDE_FEEDBACK = "decide_feedback"  # thresholds that false alarms suggest
    SET_THRESHOLDS = "set_thresholds"  # by hand, at one camera
    DECIDE_OBJECTION = "decide_objection"  # of a visited company; questions of holders
    SEE_AUDIT = "see_audit"
    EXPORT_AUDIT = "export_audit"
    MANAGE = "manage"  # users and configuration


_PEOPLE_IN_THE_ROOM = frozenset({Role.OPERATOR, Role.SUPERVISOR})
_FIELD = frozenset({Role.OFFICER, Role.PATROL})

RIGHTS: dict[Right, frozenset[Role]] = {
    Right.SEE_CONSOLE: _PEOPLE_IN_THE_ROOM | {Role.AUDITOR, Role.ADMIN},
    Right.TAKE_STEP: _PEOPLE_IN_THE_ROOM | _FIELD,
    Right.SEE_FIELD: _FIELD | _PEOPLE_IN_THE_ROOM,
    Right.UPLOAD_PHOTO: _FIELD,
    Right.FILL_CHECKLIST: _FIELD,
    Right.UPLOAD_EVIDENCE: frozenset({Role.EDGE}),
    Right.FETCH_MODEL: frozenset({Role.EDGE}),
    Right.SEE_EVIDENCE: _PEOPLE_IN_THE_ROOM | _FIELD | {Role.AUDITOR},
    Right.REGISTER_CAMERA: frozenset({Role.SUPERVISOR, Role.ADMIN}),
    Right.SHELVE: _PEOPLE_IN_THE_ROOM,
    Right.REPORT: _PEOPLE_IN_THE_ROOM | _FIELD,
    Right.SEE_CALLER: _PEOPLE_IN_THE_ROOM,
    Right.SEE_PERMITS: _PEOPLE_IN_THE_ROOM | {Role.AUDITOR, Role.ADMIN, Role.HOLDER},
    Right.REQUEST_PERMIT: frozenset({Role.HOLDER, Role.SUPERVISOR}),
    Right.ASK_ABOUT_PERMIT: frozenset({Role.HOLDER}),
    Right.DECIDE_PERMIT: frozenset({Role.SUPERVISOR}),
    Right.DECIDE_FEEDBACK: frozenset({Role.SUPERVISOR}),
    Right.SET_THRESHOLDS: frozenset({Role.SUPERVISOR}),
    Right.DECIDE_OBJECTION: frozenset({Role.SUPERVISOR}),
    Right.SEE_AUDIT: frozenset({Role.AUDITOR, Role.SUPERVISOR}),
    Right.EXPORT_AUDIT: frozenset({Role.AUDITOR}),
    Right.MANAGE: frozenset({Role.ADMIN}),
}


class Sight(StrEnum):
    """How clearly somebody who may see evidence sees it: faces and number plates are only for who needs them."""

    #: as it was filmed; each view of an original is an entry of the audit log that says so
    CLEAR = "clear"
    #: the blurred copy, and the original if asked for: the question is what the entry names
    ON_REQUEST = "on_request"
    #: the blurred copy, nothing else
    BLURRED = "blurred"


#: Whoever is not listed gets the blurred copy. The room decides whether it is a violation and whose, and the
#: authority's officer holds somebody to account. The patrol goes to a place, for which it needs no face;
#: the auditor checks the trail, and now and then that an original is what its hash says.
SIGHT: dict[Role, Sight] = {
    Role.OPERATOR: Sight.CLEAR,
    Role.SUPERVISOR: Sight.CLEAR,
    Role.OFFICER: Sight.CLEAR,
    Role.PATROL: Sight.BLURRED,
    Role.AUDITOR: Sight.ON_REQUEST,
}


def sight(role: Role) -> Sight:
    """How clearly `role` sees the evidence that it may see."""
    return SIGHT.get(role, Sight.BLURRED)


def may(role: Role, right: Right) -> bool:
    """Whether `role` has `right`. An unlisted right belongs to nobody."""
    return role in RIGHTS.get(right, frozenset())
