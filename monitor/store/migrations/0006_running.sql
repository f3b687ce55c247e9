-- What ran before 0002 and 0004 came gets what they give to everything new.
-- A permit that was over then was never ended: it stood as approved for ever. Its end is due at once.
INSERT INTO permit_due (permit_number, what, valid_to, due_at)
SELECT permit_number, 'end', valid_to, valid_to FROM permit WHERE state = 'approved'
ON CONFLICT (permit_number, what, valid_to) DO NOTHING;

-- When officers left and arrived was known as transitions only; the clocks read it here.
UPDATE dispatch SET departed_at = step.at
FROM alert_transition AS step
WHERE dispatch.departed_at IS NULL AND step.alert_id = dispatch.alert_id AND step.step = 'depart'
  AND step.at >= dispatch.dispatched_at AND step.at <= coalesce(dispatch.ended_at, 'infinity');
UPDATE dispatch SET arrived_at = step.at
FROM alert_transition AS step
WHERE dispatch.arrived_at IS NULL AND step.alert_id = dispatch.alert_id AND step.step = 'arrive'
  AND step.at >= dispatch.dispatched_at AND step.at <= coalesce(dispatch.ended_at, 'infinity');

-- Clocks of running violations are looked at once, and set themselves from then on.
INSERT INTO timer (alert_id, what, due_at)
SELECT alert_id, 'clocks', now() FROM alert
WHERE kind = 'violation' AND closed_at IS NULL
  AND NOT EXISTS (
      SELECT FROM timer WHERE timer.alert_id = alert.alert_id AND what = 'clocks' AND done_at IS NULL
  );
