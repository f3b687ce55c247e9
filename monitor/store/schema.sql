-- The whole database, read from top to bottom. Migrations (monitor/store/migrations/) lead to exactly
-- this; a test compares both. Runs on PostgreSQL 15+ and, where the extension is available, makes
-- hypertables of TimescaleDB out of the time series (last section).
-- Times are timestamptz in UTC, lengths metres (_m), durations seconds (_s), positions lon/lat WGS84.

-- ---------------------------------------------------------------- vocabulary
-- risk level, I worst
CREATE TYPE risk_level AS ENUM ('I', 'II', 'III', 'IV');
CREATE TYPE alert_kind AS ENUM ('violation', 'health');
CREATE TYPE alert_source AS ENUM ('edge', 'report', 'device');
-- alerts.lifecycle.State; a test compares
CREATE TYPE alert_state AS ENUM (
    'open',               -- nobody is on the way
    'dispatched',         -- sent to an officer
    'accepted', 'en_route', 'on_site', 'evidence_collected',
    'resolved',           -- the officer is done; somebody else verifies
    'verified', 'dismissed', 'supervised',   -- final, violations
    'acknowledged', 'cleared'                -- health alerts
);
CREATE TYPE confirmation AS ENUM ('pending', 'confirmed', 'refuted');
-- alerts.feedback.causes: Outcome and FalseCause; a test compares
CREATE TYPE closing_outcome AS ENUM ('rectified', 'referred', 'permitted_work', 'false_alarm', 'duplicate', 'no_access');
CREATE TYPE false_cause AS ENUM (
    'passing_vehicle', 'animal', 'shadow_light', 'permitted_work', 'wrong_zone', 'wrong_place', 'wrong_class', 'other'
);

-- ---------------------------------------------------------------- running configuration
CREATE TABLE config_version (
    version     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256      text NOT NULL,
    body        jsonb NOT NULL,
    author      text NOT NULL,
    reason      text NOT NULL,
    created_at  timestamptz NOT NULL
);

-- ---------------------------------------------------------------- numbers and receipts
-- newness of a numbered message is decided here and nowhere else, in the transaction that stores it
CREATE TABLE edge_number (
    edge_id     text NOT NULL,
    epoch       text NOT NULL,
    seq         bigint NOT NULL CHECK (seq >= 1),
    sha256      text NOT NULL,
    kind        text NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (edge_id, epoch, seq)
);
-- monitor.domain.numbers.Stored per edge and epoch; numbers up to stored_through may be pruned above
CREATE TABLE edge_receipt (
    edge_id        text NOT NULL,
    epoch          text NOT NULL,
    stored_through bigint NOT NULL DEFAULT 0,
    ranges         jsonb NOT NULL DEFAULT '[]',
    last_seq       bigint NOT NULL DEFAULT 0,   -- highest number heard of (received or told by the status)
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (edge_id, epoch)
);
CREATE TABLE dead_letter (
    dead_letter_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic          text NOT NULL,
    edge_id        text,
    epoch          text,
    seq            bigint,
    sha256         text,
    payload        bytea NOT NULL,
    reason         text NOT NULL,
    received_at    timestamptz NOT NULL
);
CREATE INDEX dead_letter_bytes ON dead_letter (sha256, topic);                 -- keep_dead_letter
-- holes in the numbers that stand now: since when, and whether the alert module was told
CREATE TABLE number_gap (
    edge_id       text NOT NULL,
    epoch         text NOT NULL,
    from_seq      bigint NOT NULL,
    to_seq        bigint NOT NULL,
    first_seen_at timestamptz NOT NULL,
    reported_at   timestamptz,
    PRIMARY KEY (edge_id, epoch, from_seq)
);

-- ---------------------------------------------------------------- time series
CREATE TABLE risk_event (
    captured_at   timestamptz NOT NULL,
    event_id      uuid NOT NULL,
    edge_id       text NOT NULL,
    epoch         text NOT NULL,
    seq           bigint NOT NULL,
    episode_id    uuid NOT NULL,
    phase         text NOT NULL CHECK (phase IN ('onset', 'update', 'end')),
    site_id       text NOT NULL,
    camera_id     text NOT NULL,
    violation     text NOT NULL,
    rule_id       text NOT NULL,
    object_class  text NOT NULL,
    track_id      bigint NOT NULL,
    confidence    double precision NOT NULL,
    lon           double precision,
    lat           double precision,
    accuracy_m    double precision,
    no_fix        text,
    pipeline_id   text,
    chainage_m    double precision,
    offset_m      double precision,
    within_band   double precision,
    dwell_s       double precision NOT NULL,
    activity      text NOT NULL,
    risk_edge     risk_level NOT NULL,
    footage       text NOT NULL,
    body          jsonb NOT NULL,              -- the whole message
    published_at  timestamptz,
    received_at   timestamptz NOT NULL,
    stored_at     timestamptz NOT NULL,
    PRIMARY KEY (edge_id, epoch, seq, captured_at)
);
CREATE INDEX risk_event_episode ON risk_event (episode_id, captured_at);       -- an alert's page
CREATE INDEX risk_event_camera ON risk_event (camera_id, captured_at DESC);    -- dashboards: cameras

CREATE TABLE watch_minute (
    minute          timestamptz NOT NULL,
    camera_id       text NOT NULL,
    edge_id         text,                       -- NULL: the centre wrote it, since no record came
    epoch           text,
    seq             bigint,
    watched_s       double precision NOT NULL,
    span_s          double precision NOT NULL,
    frames          bigint NOT NULL,
    looks           bigint NOT NULL,
    detector_runs   bigint NOT NULL,
    detections      bigint NOT NULL,
    longest_blind_s double precision NOT NULL,
    state_s         jsonb NOT NULL,
    seen            jsonb NOT NULL,             -- [[pipeline_id, from_m, to_m], …]
    calibration_version text NOT NULL,
    config_version  text NOT NULL,
    stored_at       timestamptz NOT NULL,
    PRIMARY KEY (camera_id, minute)
);

CREATE TABLE loss (
    edge_id   text NOT NULL,
    epoch     text NOT NULL,
    seq       bigint NOT NULL,
    what      text NOT NULL,
    count     bigint NOT NULL,
    reason    text NOT NULL,
    sha256    text,
    from_at   timestamptz NOT NULL,
    to_at     timestamptz NOT NULL,
    stored_at timestamptz NOT NULL,
    PRIMARY KEY (edge_id, epoch, seq)
);

-- ---------------------------------------------------------------- what edges and cameras say of themselves
CREATE TABLE edge_state (
    edge_id    text PRIMARY KEY,
    online     boolean NOT NULL DEFAULT false,
    status     jsonb,
    updated_at timestamptz NOT NULL,
    silent     boolean NOT NULL DEFAULT false   -- no status for too long, although the broker says it is there
);
CREATE TABLE camera_state (
    camera_id  text PRIMARY KEY,
    edge_id    text NOT NULL,
    state      text NOT NULL,
    reason     text NOT NULL DEFAULT '',
    since      timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE TABLE camera_state_change (
    camera_id text NOT NULL,
    edge_id   text NOT NULL,
    state     text NOT NULL,
    reason    text NOT NULL DEFAULT '',
    since     timestamptz NOT NULL,
    PRIMARY KEY (camera_id, since, state)
);

-- ---------------------------------------------------------------- work that ingest leaves for the alert module
-- written in the transaction that stores the cause; taken with FOR UPDATE SKIP LOCKED
CREATE TABLE alert_work (
    work_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text NOT NULL CHECK (kind IN ('event', 'camera_state', 'edge_online', 'number_gap', 'dead_letter', 'loss', 'same_number_other_hash', 'device_alarm', 'gb_device')),
    body       jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    done_at    timestamptz
);
-- next_rest: not past all onsets and device alarms that wait
CREATE INDEX alert_work_rest ON alert_work (work_id)
    WHERE done_at IS NULL AND (kind = 'event' AND body->>'phase' = 'onset') IS NOT TRUE AND kind <> 'device_alarm';
-- next_device_alarm, and that a camera's keep their order
CREATE INDEX alert_work_devices ON alert_work (work_id) WHERE done_at IS NULL AND kind = 'device_alarm';
CREATE INDEX alert_work_device ON alert_work ((body->>'camera_id'), work_id)
    WHERE done_at IS NULL AND kind = 'device_alarm';
-- next_onset, waiting_onsets
CREATE INDEX alert_work_onsets ON alert_work (work_id)
    WHERE done_at IS NULL AND kind = 'event' AND body->>'phase' = 'onset';
-- next_rest: an episode's work keeps its order
CREATE INDEX alert_work_episode ON alert_work ((body->>'episode_id'), work_id) WHERE done_at IS NULL;

-- ---------------------------------------------------------------- alerts
CREATE TABLE alert (
    alert_id        uuid PRIMARY KEY,
    number          bigint GENERATED ALWAYS AS IDENTITY UNIQUE,  -- what people call it
    kind            alert_kind NOT NULL,
    source          alert_source NOT NULL,
    state           alert_state NOT NULL,
    violation       text,                       -- code of the catalogue; NULL for health alerts
    health          text,                       -- what is wrong; NULL for violations
    subject         text NOT NULL,              -- camera, edge or site that it is about
    site_id         text,
    camera_id       text,
    level           risk_level NOT NULL,
    reasons         jsonb NOT NULL,             -- monitor.domain.risk.Reason[]
    weights_version text NOT NULL,
    confirmation    confirmation NOT NULL DEFAULT 'pending',
    lon             double precision,
    lat             double precision,
    accuracy_m      double precision,
    pipeline_id     text,
    chainage_m      double precision,
    offset_m        double precision,
    object_class    text,
    activity        text,
    zone_id         text,                       -- zone drawn in the picture, where the rule has no distance
    footage         text NOT NULL DEFAULT 'real',
    opened_at       timestamptz NOT NULL,       -- the centre's clock
    onset_at        timestamptz NOT NULL,       -- captured_at of the first event
    last_seen_at    timestamptz NOT NULL,
    condition_ended_at timestamptz,             -- the condition (what the camera sees), apart from the case
    acknowledged_at timestamptz,
    arrived_at      timestamptz,
    resolved_at     timestamptz,
    resolved_by     text,
    closed_at       timestamptz,
    closing_reason  text,
    occurrence_of   uuid REFERENCES alert (alert_id),
    version         bigint NOT NULL DEFAULT 1,  -- counts transitions; updates name the one they start from
    held_by         text,                       -- shelf | inhibited | shelf_over; NULL: it rings
    held_until      timestamptz,
    shelf_id        uuid,                       -- the shelf that holds it, or held it last
    rung_at         timestamptz,                -- when it began to ring, if not with its opening; clocks count from here
    flapping_since  timestamptz,                -- clears only once it stayed well for a while
    came_back       integer,                    -- how often the condition came back
    outcome         closing_outcome,            -- once somebody judged it
    cause           false_cause,                -- of a false alarm
    CONSTRAINT alert_cause_of_false CHECK (cause IS NULL OR outcome = 'false_alarm')
);
CREATE INDEX alert_opened ON alert (opened_at);                                     -- figures, floods
CREATE INDEX alert_rung ON alert (rung_at) WHERE rung_at IS NOT NULL;                -- floods
CREATE INDEX alert_shelf ON alert (shelf_id) WHERE shelf_id IS NOT NULL;            -- what came while shelved
CREATE INDEX alert_health ON alert (health, subject, opened_at) WHERE kind = 'health';   -- lost_before
CREATE INDEX alert_judged ON alert (onset_at) WHERE kind = 'violation' AND source = 'edge';   -- feedback: judged
CREATE INDEX alert_waits ON alert (site_id, level, opened_at)                        -- open_at_sites
    WHERE kind = 'violation' AND state = 'open' AND closed_at IS NULL;
CREATE INDEX alert_running ON alert (site_id, violation) WHERE closed_at IS NULL;   -- pages
-- joining, new occurrences: alerts of a place, and those of a camera where one of the two has none
CREATE INDEX alert_place ON alert USING gist (point(lon, lat)) WHERE kind = 'violation' AND lon IS NOT NULL;
CREATE INDEX alert_camera ON alert (camera_id, last_seen_at) WHERE kind = 'violation';
CREATE INDEX alert_camera_placeless ON alert (camera_id, last_seen_at) WHERE kind = 'violation' AND lon IS NULL;
CREATE INDEX alert_repeats ON alert (site_id, violation, last_seen_at)                      -- repeats
    WHERE confirmation = 'confirmed' OR state = 'verified';
CREATE UNIQUE INDEX alert_one_health ON alert (health, subject) WHERE kind = 'health' AND closed_at IS NULL;

-- a source that is kept from ringing (alerts/calm/shelves.py); level I goes through each
CREATE TABLE shelf (
    shelf_id   uuid PRIMARY KEY,
    scope      text NOT NULL CHECK (scope IN ('camera', 'rule', 'alert')),
    camera_id  text,
    violation  text,                            -- of scope rule
    alert_id   uuid REFERENCES alert (alert_id),
    site_id    text,
    worst      risk_level NOT NULL CHECK (worst <> 'I'),
    reason     text NOT NULL,
    note       text NOT NULL,
    shelved_by text NOT NULL,
    role       text NOT NULL,
    from_at    timestamptz NOT NULL,
    until_at   timestamptz NOT NULL,
    ended_at   timestamptz,
    ended_by   text,
    end_reason text,                            -- due | by_hand
    end_note   text NOT NULL DEFAULT ''
);
CREATE INDEX shelf_camera ON shelf (camera_id) WHERE ended_at IS NULL;          -- quiet
CREATE INDEX shelf_alert ON shelf (alert_id) WHERE ended_at IS NULL;
CREATE INDEX shelf_due ON shelf (until_at) WHERE ended_at IS NULL;              -- next_shelf
CREATE INDEX shelf_from ON shelf (from_at);                                     -- the list, the monthly report

-- which episodes an alert holds; an episode belongs to one alert only
CREATE TABLE alert_episode (
    episode_id uuid PRIMARY KEY,
    alert_id   uuid NOT NULL REFERENCES alert (alert_id),
    camera_id  text NOT NULL,
    joined_at  timestamptz NOT NULL,
    ended_at   timestamptz                      -- captured_at of the episode's end; NULL while it runs
);
CREATE INDEX alert_episode_alert ON alert_episode (alert_id);

-- what a person said, or a device's own alarm; held by an alert as an episode is (alert_episode.episode_id)
CREATE TABLE report (
    report_id       uuid PRIMARY KEY,
    idempotency_key text NOT NULL UNIQUE,         -- the same form twice is one report
    source          alert_source NOT NULL CHECK (source IN ('report', 'device')),
    device_key      text NOT NULL DEFAULT '',     -- one condition of one device; '' for people
    observed_at     timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    body            jsonb NOT NULL                -- alerts.reporting.values.Report
);
CREATE INDEX report_newest ON report (received_at DESC) WHERE source = 'report';             -- newest
CREATE INDEX report_device ON report (device_key, received_at DESC) WHERE source = 'device'; -- newest_of_device

-- personal data, apart from all that officers, holders and exports see; may be deleted by itself
CREATE TABLE report_caller (
    report_id uuid PRIMARY KEY REFERENCES report (report_id) ON DELETE CASCADE,
    name      text NOT NULL,
    phone     text NOT NULL,
    salt      text NOT NULL                       -- of the hash in the audit log
);

CREATE TABLE alert_transition (
    alert_id   uuid NOT NULL REFERENCES alert (alert_id),
    n          bigint NOT NULL,                 -- 1, 2, 3 … per alert
    step       text NOT NULL,                   -- alerts.lifecycle.Step, or open | join | rise | fall | note | escalate
    from_state alert_state,
    to_state   alert_state NOT NULL,
    level      risk_level NOT NULL,
    actor      text NOT NULL,
    role       text NOT NULL,
    at         timestamptz NOT NULL,
    reason     text NOT NULL,                   -- why, as a key
    note       text NOT NULL DEFAULT '',
    lon        double precision,                -- where, for field steps
    lat        double precision,
    attachments jsonb NOT NULL DEFAULT '[]',    -- sha256 of photos
    idempotency_key text,                       -- of the step's request: the same key is the same step
    held_by    text,                            -- after it: shelf | inhibited | shelf_over; NULL: it rings
    PRIMARY KEY (alert_id, n)
);
CREATE UNIQUE INDEX alert_transition_once ON alert_transition (alert_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX alert_transition_inhibited ON alert_transition (at) WHERE held_by = 'inhibited';  -- the monthly report

CREATE TABLE dispatch (
    dispatch_id   uuid PRIMARY KEY,
    alert_id      uuid NOT NULL REFERENCES alert (alert_id),
    team_id       text NOT NULL,
    officer       text NOT NULL,                -- user name
    dispatched_at timestamptz NOT NULL,
    accepted_at   timestamptz,
    ended_at      timestamptz,                  -- resolved, declined, recalled, went dark, handed over
    end_reason    text,
    departed_at   timestamptz,
    arrived_at    timestamptz,
    shift_until   timestamptz,                  -- end of the officer's shift, when it was chosen
    choice        text NOT NULL DEFAULT '',     -- alerts.reasons.Choice: why this officer
    chosen        jsonb NOT NULL DEFAULT '{}'   -- what spoke for them: shift, skills, load, metres, seconds
);
CREATE UNIQUE INDEX dispatch_one_running ON dispatch (alert_id) WHERE ended_at IS NULL;
CREATE INDEX dispatch_alert ON dispatch (alert_id, dispatched_at);              -- each timer, each phone
CREATE INDEX dispatch_officer ON dispatch (officer, dispatched_at DESC);       -- the field page
CREATE INDEX dispatch_running ON dispatch (officer) WHERE ended_at IS NULL;    -- running_by_officer
CREATE INDEX dispatch_newest ON dispatch (dispatched_at, dispatch_id) WHERE ended_at IS NULL;  -- running_visits

-- due times survive restarts; taken with FOR UPDATE SKIP LOCKED
CREATE TABLE timer (
    timer_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id uuid NOT NULL REFERENCES alert (alert_id),
    what     text NOT NULL,                     -- dispatch_level_ii | accept_overdue | …
    dispatch_id uuid,                           -- the dispatch that it is about; another one makes it void
    due_at   timestamptz NOT NULL,
    done_at  timestamptz
);
CREATE INDEX timer_due ON timer (due_at) WHERE done_at IS NULL;
CREATE INDEX timer_waits ON timer (alert_id, what) WHERE done_at IS NULL;       -- add_timer, once

-- a clock that ran out, and where its chain stands (alerts.escalation)
CREATE TABLE escalation (
    alert_id       uuid NOT NULL REFERENCES alert (alert_id),
    clock          text NOT NULL,                -- party:milestone, e.g. authority:arrive
    since          timestamptz NOT NULL,         -- when that clock began to run
    begun_at       timestamptz NOT NULL,         -- when it ran out; the chain's steps count from here
    level          risk_level NOT NULL,          -- whose chain it is
    told_through_s double precision NOT NULL,    -- steps of the chain up to this offset are done; -1: none
    next_at        timestamptz,                  -- of the next step, or of the chain's end; NULL when it ended
    ended_at       timestamptz,
    end_reason     text,                         -- answered | acknowledged | level_rose | exhausted
    PRIMARY KEY (alert_id, clock, begun_at)
);

CREATE TABLE told (
    idempotency_key text PRIMARY KEY,            -- of the message in outgoing: one per step, round and person
    alert_id   uuid NOT NULL REFERENCES alert (alert_id),
    clock      text NOT NULL,
    at         timestamptz NOT NULL,
    who        text NOT NULL,                    -- the chain's word: team_lead, supervisor, …
    person     text NOT NULL,                    -- user name, or the role where the room has no names
    channel    text NOT NULL,
    sent_as    text                              -- key of the bundle that it went with
);
CREATE INDEX told_person ON told (person, at);                                 -- told_lately
CREATE INDEX escalation_running ON escalation (alert_id, next_at) WHERE ended_at IS NULL;   -- next_escalations
CREATE INDEX told_alert ON told (alert_id, at);                                -- the alert's page

-- transactional outbox of the loop: delivered at least once, the receiver deduplicates by key
CREATE TABLE outgoing (
    outgoing_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel         text NOT NULL,              -- mqtt, or an id of hcawatch.yaml's channels
    address         text NOT NULL,              -- topic, e-mail address, number, URL; '' where the channel has its own
    idempotency_key text NOT NULL UNIQUE,
    body            jsonb NOT NULL,
    created_at      timestamptz NOT NULL,
    next_try_at     timestamptz NOT NULL,
    attempts        integer NOT NULL DEFAULT 0,
    last_error      text,
    sent_at         timestamptz,
    handed_to       text,                       -- the channel that took it over, as a message of its own
    handed_at       timestamptz
);
-- take_outgoing: in its order, and with a condition that the look for earlier messages does not have
CREATE INDEX outgoing_todo ON outgoing (next_try_at, outgoing_id) WHERE coalesce(sent_at, handed_at) IS NULL;
-- take_outgoing: the messages of one dispatch to one address keep their order
CREATE INDEX outgoing_dispatch ON outgoing ((body->>'dispatch_id'), channel, address, outgoing_id)
    WHERE sent_at IS NULL AND handed_at IS NULL;

-- one row for each channel that was used (alerts/channels/limits.py)
CREATE TABLE channel_state (
    channel       text PRIMARY KEY,
    tokens        double precision,             -- messages that may go now, as of filled_at
    filled_at     timestamptz,
    failures      integer NOT NULL DEFAULT 0,   -- in a row
    open_until    timestamptz,                  -- rests until then; NULL: in order
    probing_until timestamptz,
    hold_until    timestamptz,                  -- the other side asked to wait
    delivered     bigint NOT NULL DEFAULT 0,
    failed        bigint NOT NULL DEFAULT 0,
    last_ok_at    timestamptz,
    last_error    text,
    last_error_at timestamptz
);

-- permits: lawful work; lowers, never mutes (monitor.domain.risk)
CREATE TYPE permit_state AS ENUM (
    'requested',   -- a holder asked; covers nothing yet
    'approved',    -- requested -> approved
    'refused',     -- requested -> refused; final
    'withdrawn',   -- requested, approved -> withdrawn; final, covers what was seen before
    'ended'        -- approved -> ended, by time; covers what was seen before
);
CREATE TABLE permit (
    permit_number  text PRIMARY KEY,
    violation      text NOT NULL,               -- the catalogue's row that it makes lawful
    pipeline_id    text NOT NULL,
    from_m         double precision NOT NULL,
    to_m           double precision NOT NULL,
    valid_from     timestamptz NOT NULL,
    valid_to       timestamptz NOT NULL,
    company        text NOT NULL,
    machines       text NOT NULL DEFAULT '',
    created_at     timestamptz NOT NULL,
    also           jsonb NOT NULL DEFAULT '[]', -- further rows of the catalogue that it makes lawful
    state          permit_state NOT NULL DEFAULT 'approved',
    phone          text NOT NULL DEFAULT '',
    email          text NOT NULL DEFAULT '',
    holder         text,                        -- user who sees it as his own
    from_offset_m  double precision,            -- signed, right of the line is positive; NULL: no limit
    to_offset_m    double precision,
    hours          jsonb NOT NULL DEFAULT '[]', -- of the city's clock; empty: any
    activities     jsonb NOT NULL DEFAULT '[]', -- empty: any
    machine_limits jsonb NOT NULL DEFAULT '{}', -- class -> most at once; empty: any
    file_sha256    text,                        -- of the approval's file, kept by the authority
    ended_at       timestamptz,                 -- when it was withdrawn
    prolong_to     timestamptz,                 -- asked for and not decided
    version        integer NOT NULL DEFAULT 1
);
CREATE INDEX permit_line ON permit (pipeline_id, valid_to);              -- permits_near
CREATE INDEX permit_holder ON permit (holder) WHERE holder IS NOT NULL;  -- a holder's own

-- the history of permits; each row has its audit entry 'permit.<step>'
CREATE TABLE permit_move (
    permit_number   text NOT NULL,              -- no reference: a file may take its permit back
    n               integer NOT NULL,
    step            text NOT NULL,
    from_state      permit_state,
    to_state        permit_state NOT NULL,
    actor           text NOT NULL,
    role            text NOT NULL,
    at              timestamptz NOT NULL,
    note            text NOT NULL DEFAULT '',
    facts           jsonb NOT NULL DEFAULT '{}',
    idempotency_key text,
    PRIMARY KEY (permit_number, n)
);
CREATE UNIQUE INDEX permit_move_key ON permit_move (permit_number, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- what a permit's holder asks, or objects to, and the answer
CREATE TABLE permit_question (
    question_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    permit_number   text NOT NULL,
    alert_id        uuid REFERENCES alert (alert_id),    -- an objection to this one; NULL: a question
    asked_by        text NOT NULL,
    at              timestamptz NOT NULL,
    text            text NOT NULL,
    state           text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'answered', 'upheld', 'rejected')),
    answered_by     text,
    answered_at     timestamptz,
    answer          text NOT NULL DEFAULT '',
    idempotency_key text
);
CREATE INDEX permit_question_permit ON permit_question (permit_number, question_id);   -- the permit's page
CREATE INDEX permit_question_open ON permit_question (at) WHERE state = 'open';        -- the supervisor's tasks
CREATE UNIQUE INDEX permit_question_once ON permit_question (permit_number, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
-- what becomes due for a permit, once per end of its time; FOR UPDATE SKIP LOCKED
CREATE TABLE permit_due (
    permit_number text NOT NULL,
    what          text NOT NULL,                -- alerts.permit_due.Due
    valid_to      timestamptz NOT NULL,         -- the end that it is about
    due_at        timestamptz NOT NULL,
    done_at       timestamptz,
    PRIMARY KEY (permit_number, what, valid_to)
);
CREATE INDEX permit_due_todo ON permit_due (due_at) WHERE done_at IS NULL;

-- ---------------------------------------------------------------- feedback
-- a bounded step of one number of one rule at one camera; each change has its audit entry 'feedback.<step>'
CREATE TYPE proposal_state AS ENUM (
    'proposed',    -- waits for a supervisor
    'approved',    -- proposed -> approved: a configuration version was written
    'refused',     -- proposed -> refused; final
    'withdrawn',   -- proposed -> withdrawn: it would not be proposed any more; final
    'reverted'     -- approved -> reverted: a version took it back; final
);
CREATE TABLE threshold_proposal (
    proposal_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('raise', 'back')),
    camera_id   text NOT NULL,
    rule_id     text NOT NULL,
    number      text NOT NULL CHECK (number IN ('enter_score', 'dwell_s')),
    from_value  double precision NOT NULL,
    to_value    double precision NOT NULL,
    why         text NOT NULL,                  -- alerts.feedback.proposing.Why
    facts       jsonb NOT NULL,                 -- the replay that it rests on
    state       proposal_state NOT NULL DEFAULT 'proposed',
    of_proposal bigint REFERENCES threshold_proposal (proposal_id),   -- of 'back': the step that it takes back
    made_at     timestamptz NOT NULL,
    decided_at  timestamptz,
    decided_by  text,
    note        text NOT NULL DEFAULT '',
    entry_before jsonb,                         -- the camera's setting of the rule before and after, to take it back
    entry_after  jsonb,
    written_version bigint,                     -- of the configuration
    reverted_at timestamptz,
    reverted_by text,
    revert_note text NOT NULL DEFAULT '',
    reverted_version bigint,
    -- the camera's numbers by day, at night, or both
    point       text NOT NULL DEFAULT 'always' CHECK (point IN ('always', 'day', 'night'))
);
CREATE UNIQUE INDEX threshold_proposal_open ON threshold_proposal (camera_id, rule_id) WHERE state = 'proposed';
CREATE INDEX threshold_proposal_camera ON threshold_proposal (camera_id);   -- where a camera's numbers come from
-- what a person set by hand; each change has its audit entry 'thresholds.set' or 'thresholds.revert'
CREATE TABLE threshold_change (
    change_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    camera_id     text NOT NULL,
    rule_id       text NOT NULL,
    entry_before  jsonb,                        -- the camera's setting of the rule; NULL: it had none of its own
    entry_after   jsonb,
    changed_at    timestamptz NOT NULL,
    changed_by    text NOT NULL,
    reason        text NOT NULL,
    version       bigint NOT NULL,              -- of the configuration
    reverted_at   timestamptz,
    reverted_by   text,
    revert_reason text NOT NULL DEFAULT '',
    reverted_version bigint,
    edge_entry    jsonb                         -- what the edge had set then for all its cameras
);
CREATE INDEX threshold_change_camera ON threshold_change (camera_id, change_id);
-- what becomes due, once for all workers; FOR UPDATE SKIP LOCKED
CREATE TABLE feedback_due (
    what   text PRIMARY KEY,
    due_at timestamptz NOT NULL
);

-- ---------------------------------------------------------------- visits
CREATE TABLE checklist_tick (
    tick_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id uuid NOT NULL REFERENCES alert (alert_id),
    item     text NOT NULL,                      -- key of monitor.domain.checklists
    answer   text NOT NULL CHECK (answer IN ('done', 'not_possible', 'open')),
    value_m  double precision,                   -- of a measured item
    note     text NOT NULL DEFAULT '',
    who      text NOT NULL,
    role     text NOT NULL,
    at       timestamptz NOT NULL,               -- the centre's clock
    done_at  timestamptz NOT NULL,               -- when it was done, by the phone's clock where that can be
    lon      double precision,
    lat      double precision,
    idempotency_key text
);
CREATE INDEX checklist_tick_alert ON checklist_tick (alert_id, tick_id);       -- ticks
CREATE UNIQUE INDEX checklist_tick_once ON checklist_tick (alert_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- a visit is a dispatch; what else is looked at while the officer is there
CREATE TABLE visit_check (
    dispatch_id uuid NOT NULL REFERENCES dispatch (dispatch_id),
    kind        text NOT NULL CHECK (kind IN ('alert', 'permit')),
    ref         text NOT NULL,                   -- alert_id, or permit number
    why         text NOT NULL,                   -- alerts.visiting.bundling.Along
    added_at    timestamptz NOT NULL,
    taken_at    timestamptz,                     -- an alert: since when the officer has it as a dispatch of its own
    taken_dispatch uuid REFERENCES dispatch (dispatch_id),
    looked_at   timestamptz,                     -- a permit: when, by whom, and how it was
    looked_by   text,
    outcome     text,
    note        text NOT NULL DEFAULT '',
    PRIMARY KEY (dispatch_id, kind, ref)
);
CREATE INDEX visit_check_ref ON visit_check (kind, ref);                       -- open_at_sites, permits_ending

-- what the visited company is given: a code by which it sees what concerns it, rates the visit, and objects
CREATE TABLE notice (
    notice_id   uuid PRIMARY KEY,
    alert_id    uuid NOT NULL REFERENCES alert (alert_id),
    company     text NOT NULL,
    code_sha256 text NOT NULL UNIQUE,            -- the code itself is nowhere stored
    advice      boolean NOT NULL,                -- the act was explained and advice given, before any penalty
    said        text NOT NULL DEFAULT '',        -- to the company: what is to be put right until when
    issued_by   text NOT NULL,
    issued_at   timestamptz NOT NULL,
    idempotency_key text,
    rating      smallint CHECK (rating BETWEEN 1 AND 5),
    rating_note text NOT NULL DEFAULT '',
    rated_at    timestamptz
);
CREATE INDEX notice_alert ON notice (alert_id);                                -- per company, the alert's page
CREATE UNIQUE INDEX notice_once ON notice (alert_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE TABLE objection (
    objection_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    notice_id    uuid NOT NULL REFERENCES notice (notice_id),
    at           timestamptz NOT NULL,
    text         text NOT NULL,
    state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'upheld', 'rejected')),
    decided_by   text,
    decided_at   timestamptz,
    decision     text NOT NULL DEFAULT ''
);
CREATE INDEX objection_notice ON objection (notice_id);
CREATE INDEX objection_open ON objection (at) WHERE state = 'open';            -- the supervisor's tasks
-- what a company sends with its objection: the original is sealed by its hash, pages show copies encoded anew
CREATE TABLE objection_file (
    objection_id bigint PRIMARY KEY REFERENCES objection (objection_id),
    sha256       text NOT NULL,
    content_type text NOT NULL,
    bytes        bigint NOT NULL,
    pages        integer NOT NULL CHECK (pages >= 1),   -- copies to look at, from 1
    at           timestamptz NOT NULL
);

-- ---------------------------------------------------------------- evidence
CREATE TABLE evidence (
    sha256       text PRIMARY KEY,
    kind         text NOT NULL,
    content_type text NOT NULL,
    bytes        bigint NOT NULL,
    edge_id      text,                          -- NULL for photos of the field
    camera_id    text,
    event_id     uuid,
    episode_id   uuid,
    alert_id     uuid REFERENCES alert (alert_id),   -- photos
    uploaded_by  text,
    footage      text NOT NULL DEFAULT 'real',
    announced_at timestamptz NOT NULL,
    stored_at    timestamptz,
    lost_reason  text,
    taken_at     timestamptz,                   -- photos: by the phone's clock, where that can be
    lon          double precision,
    lat          double precision
);
CREATE INDEX evidence_episode ON evidence (episode_id);
CREATE INDEX evidence_alert ON evidence (alert_id) WHERE alert_id IS NOT NULL;  -- photos
CREATE INDEX evidence_waiting ON evidence (announced_at) WHERE stored_at IS NULL AND lost_reason IS NULL;

-- ---------------------------------------------------------------- audit
-- whoever changes something inserts an entry in the same transaction; the sequencer alone gives `leaf_index`
CREATE TABLE audit_entry (
    entry_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    leaf_index bigint UNIQUE,                   -- 0, 1, 2 … without gaps; NULL until sequenced
    body       bytea NOT NULL,                  -- canonical JSON, RFC 8785
    leaf_hash  bytea NOT NULL,                  -- RFC 9162: SHA-256(0x00 || body)
    kind       text NOT NULL,
    subject    text NOT NULL,
    actor      text NOT NULL,
    at         timestamptz NOT NULL
);
CREATE INDEX audit_entry_waiting ON audit_entry (entry_id) WHERE leaf_index IS NULL;  -- the sequencer
CREATE INDEX audit_entry_subject ON audit_entry (subject, entry_id);                   -- an alert's history
CREATE INDEX audit_entry_keys ON audit_entry (entry_id) WHERE kind = 'audit.key';      -- which keys sign
CREATE TABLE audit_head (
    size       bigint PRIMARY KEY,
    root       bytea NOT NULL,
    checkpoint text NOT NULL,                   -- C2SP signed note
    frontier   bytea NOT NULL,                  -- roots of the perfect subtrees, left to right, 32 bytes each
    signed_at  timestamptz NOT NULL
);
-- nobody rewrites history by accident: updates may only set the leaf index once
CREATE FUNCTION audit_entry_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.body <> NEW.body OR OLD.leaf_hash <> NEW.leaf_hash OR OLD.leaf_index IS NOT NULL THEN
        RAISE EXCEPTION 'audit entries are append-only';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION audit_entry_is_append_only();

-- ---------------------------------------------------------------- GB/T 28181
-- devices that registered with the centre by GB/T 28181: a restart of the centre must not make them strangers, since many
-- register once a day only and an alarm of a stranger is refused
CREATE TABLE gb_registration (
    gb_id         text PRIMARY KEY CHECK (gb_id ~ '^[0-9]{20}$'),
    transport     text NOT NULL CHECK (transport IN ('UDP', 'TCP')),
    host          text NOT NULL,                 -- its messages count only from this address
    port          integer NOT NULL,
    registered_at timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL
);

-- ---------------------------------------------------------------- people
CREATE TABLE app_user (
    user_name     text PRIMARY KEY,
    role          text NOT NULL,
    display_name  text NOT NULL,
    team_id       text,
    password_hash text NOT NULL,                -- argon2id
    created_at    timestamptz NOT NULL
);
CREATE TABLE app_session (
    token_sha256 text PRIMARY KEY,              -- the token itself is nowhere stored
    user_name    text NOT NULL REFERENCES app_user (user_name) ON DELETE CASCADE,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL
);
-- tries to log in, or codes of notices, that failed: counted together whatever server process they came to.
-- Rows live for a quarter of an hour
CREATE TABLE failed_try (
    try_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind   text NOT NULL,                        -- what was tried: login, notice
    who    text NOT NULL,                        -- counted by: name and address, address alone, name alone
    at     timestamptz NOT NULL
);
CREATE INDEX failed_try_who ON failed_try (kind, who, at DESC);   -- recent_tries
CREATE INDEX failed_try_at ON failed_try (at);                    -- sweep_tries
-- browsers that show dispatches as notifications (alerts.webpush)
CREATE TABLE push_subscription (
    endpoint   text PRIMARY KEY,                 -- the push service's address of this browser: a secret
    user_name  text NOT NULL REFERENCES app_user (user_name) ON DELETE CASCADE,
    p256dh     text NOT NULL,                    -- the browser's public key, base64url
    auth       text NOT NULL,                    -- what it shares with us, base64url
    created_at timestamptz NOT NULL
);
CREATE INDEX push_subscription_user ON push_subscription (user_name, created_at);
CREATE TABLE edge_credential (
    edge_id      text PRIMARY KEY,
    token_sha256 text NOT NULL
);
