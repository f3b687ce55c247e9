"""Why: every reason that the loop stores, shows and counts. Texts for people are in texts.py."""

from enum import StrEnum


class Why(StrEnum):
    """Reason of a transition, a join, a dispatch or the end of one."""

    # opening and joining
    NEW_PLACE = "new_place"  # no running alert holds this place
    AFTER_CLOSING = "after_closing"  # a new onset where an alert was closed
    WORSE_AFTER_CLOSING = "worse_after_closing"  # the episode of a closed alert got worse
    OUTSIDE_PERMIT = "outside_permit"  # lawful work went on outside its permit
    SAME_PLACE = "same_place"  # within 50 m on the same side
    SAME_PICTURE_ZONE = "same_picture_zone"  # no ground fix: same camera and zone
    # level
    GRADED_WORSE = "graded_worse"
    PERMIT_REGISTERED = "permit_registered"  # the one reason by which a level falls
    # condition, apart from the case
    CONDITION_ENDED = "condition_ended"
    CONDITION_RESUMED = "condition_resumed"
    PERMIT_COVERS = "permit_covers"
    # dispatch
    LEVEL_I_AT_ONCE = "level_i_at_once"
    LEVEL_II_UNREFUTED = "level_ii_unrefuted"
    CONFIRMED = "confirmed"
    SEEN_ON_SITE = "seen_on_site"  # a patrol or an officer stood there
    SENT_BY_ROOM = "sent_by_room"
    REOPENED = "reopened"
    AFTER_DECLINE = "after_decline"
    AFTER_DARK = "after_dark"
    ACCEPT_OVERDUE = "accept_overdue"
    DEPART_OVERDUE = "depart_overdue"
    AFTER_HAND_OVER = "after_hand_over"
    SAME_VISIT = "same_visit"  # somebody is at the site because of another alert
    VISIT_OVER = "visit_over"  # … and left it without beginning with this one
    # by a supervision rule
    SOONER_BY_RULE = "sooner_by_rule"
    KEPT_REMOTE = "kept_remote"  # settled by the picture
    KEPT_FOR_VISIT = "kept_for_visit"  # looked at with the next visit of the site
    KEPT_LONG_ENOUGH = "kept_long_enough"
    # the end of a shift
    SHIFT_ENDED = "shift_ended"
    SHIFT_ENDED_UNDER_WAY = "shift_ended_under_way"
    NOBODY_FOLLOWS = "nobody_follows"
    HANDED_OVER_BY_ROOM = "handed_over_by_room"
    # a clock ran out
    ACKNOWLEDGE_OVERDUE = "acknowledge_overdue"
    ARRIVE_OVERDUE = "arrive_overdue"
    CURE_OVERDUE = "cure_overdue"
    VERIFY_OVERDUE = "verify_overdue"
    NOBODY_ANSWERED = "nobody_answered"
    # health
    PROBLEM_BEGAN = "problem_began"
    PROBLEM_CHANGED = "problem_changed"
    PROBLEM_OVER = "problem_over"
    # calm: kept from ringing, and what ends that
    SHELVED = "shelved"
    INHIBITED = "inhibited"  # its camera is covered, moved, dark …
    SHELF_ENDED = "shelf_ended"
    GONE_WHILE_SHELVED = "gone_while_shelved"
    NOTHING_HOLDS = "nothing_holds"  # seen again, or by another camera, or worse: it rings
    FLAPPING = "flapping"  # lost too often: held as one alert
    STAYED_BACK = "stayed_back"
    # steps
    BY_HAND = "by_hand"
    ARRIVED = "arrived"
    ARRIVED_FAR = "arrived_far"  # further than 300 m from the alert
    ARRIVED_WITHOUT_POSITION = "arrived_without_position"
    ARRIVED_PLACE_UNKNOWN = "arrived_place_unknown"  # the alert itself has no ground fix


class Choice(StrEnum):
    """Why this officer."""

    NEAREST_FREE = "nearest_free"
    LEAST_LOADED = "least_loaded"  # everybody has a running dispatch
    SKILLED = "skilled"  # has the skill that the violation asks for
    ON_CALL = "on_call"  # nobody on shift who answers
    ASKED_AGAIN = "asked_again"  # nobody else covers the site
    NOBODY_COVERS = "nobody_covers"
    ALL_AT_LIMIT = "all_at_limit"
    ALL_DECLINED = "all_declined"
    NOBODY_ON_SHIFT = "nobody_on_shift"
    SAME_VISIT = "same_visit"  # is at the site already


class Health(StrEnum):
    """What can be wrong with the watching itself."""

    CAMERA_NOT_WATCHING = "camera_not_watching"
    EDGE_OFFLINE = "edge_offline"
    NUMBER_GAP = "number_gap"
    DEAD_LETTER = "dead_letter"
    SAME_NUMBER_OTHER_HASH = "same_number_other_hash"
    LOSS = "loss"
    EVIDENCE_OVERDUE = "evidence_overdue"
    NOBODY_TO_DISPATCH = "nobody_to_dispatch"
    NOBODY_ANSWERED = "nobody_answered"
    UNDELIVERABLE = "undeliverable"
    WORK_FAILED = "work_failed"
    # devices that speak GB/T 28181
    DEVICE_SILENT = "device_silent"
    DEVICE_REFUSED = "device_refused"


class EndOfDispatch(StrEnum):
    """How a dispatch ended."""

    RESOLVED = "resolved"
    DECLINED = "declined"
    RECALLED = "recalled"
    WENT_DARK = "went_dark"
    DISMISSED = "dismissed"
    HANDED_OVER = "handed_over"
    VISIT_OVER = "visit_over"


class EndOfChain(StrEnum):
    """How an escalation ended. Only these ends exist: a chain has as many steps as its row says."""

    ANSWERED = "answered"  # what was waited for followed
    ACKNOWLEDGED = "acknowledged"  # a person has seen it, and waits with us
    LEVEL_ROSE = "level_rose"  # the worse level's chain began
    EXHAUSTED = "exhausted"  # everybody was told and nobody answered
