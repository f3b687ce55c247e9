-- What kept an alert from ringing after each of its transitions: when it first rang, what its channels heard, and how
-- long it was inhibited can be told from its history alone. May be NULL, so that an older release goes on writing.

ALTER TABLE alert_transition ADD COLUMN held_by text;   -- shelf | inhibited | shelf_over; NULL: it rings
CREATE INDEX alert_transition_inhibited ON alert_transition (at) WHERE held_by = 'inhibited';  -- the monthly report
