-- Queries of reports, by name: all within the loop's own transactions.

-- by_key --
-- The report of one form.
SELECT body FROM report WHERE idempotency_key = %(key)s

-- one --
-- One report.
SELECT body FROM report WHERE report_id = %(report_id)s

-- add --
-- A new report, without its caller.
INSERT INTO report (report_id, idempotency_key, source, device_key, observed_at, received_at, body)
VALUES (%(report_id)s, %(idempotency_key)s, %(source)s, %(device_key)s, %(observed_at)s, %(received_at)s, %(body)s)

-- add_caller --
-- Who called.
INSERT INTO report_caller (report_id, name, phone, salt) VALUES (%(report_id)s, %(name)s, %(phone)s, %(salt)s)

-- caller --
-- Who called.
SELECT name, phone, salt FROM report_caller WHERE report_id = %(report_id)s

-- alert_of --
-- The alert that holds a report.
SELECT alert_id::text FROM alert_episode WHERE episode_id = %(report_id)s

-- of_alert --
-- The reports that an alert holds.
SELECT report.body FROM report JOIN alert_episode ON alert_episode.episode_id = report.report_id
WHERE alert_episode.alert_id = %(alert_id)s ORDER BY report.received_at, report.report_id

-- newest_of_device --
-- The newest report of one condition of one device.
SELECT body FROM report WHERE device_key = %(device_key)s AND source = 'device'
ORDER BY received_at DESC, report_id DESC LIMIT 1

-- newest --
-- People's reports with their cases.
SELECT report.body, alert.alert_id::text, alert.number, alert.level, alert.state, alert.confirmation, alert.closing_reason
FROM report
JOIN alert_episode ON alert_episode.episode_id = report.report_id
JOIN alert ON alert.alert_id = alert_episode.alert_id
WHERE report.source = 'report'
ORDER BY report.received_at DESC, report.report_id DESC
LIMIT %(limit)s

-- figures --
-- What the alerts of each source turned out to be; a source's false alarms are its own.
SELECT source, count(*) AS opened,
       count(*) FILTER (WHERE confirmation = 'confirmed' AND coalesce(closing_reason, '') <> ALL(%(no_offence)s)) AS confirmed,
       count(*) FILTER (WHERE confirmation = 'refuted' OR closing_reason = 'false_alarm') AS false_alarms,
       count(*) FILTER (WHERE closing_reason IN ('permitted_work', 'permit_covers')) AS lawful,
       count(*) FILTER (WHERE confirmation = 'pending' AND coalesce(closing_reason, '') <> ALL(%(no_offence)s)) AS unjudged
FROM alert WHERE kind = 'violation' AND opened_at >= %(since)s
GROUP BY source ORDER BY source
