-- Queries of the door for GB/T 28181, by name.

-- registrations --
-- Devices that are registered.
SELECT gb_id, transport, host, port, registered_at, expires_at FROM gb_registration WHERE expires_at > %(now)s;

-- register --
-- A registration, in the place of an earlier one.
INSERT INTO gb_registration (gb_id, transport, host, port, registered_at, expires_at)
VALUES (%(gb_id)s, %(transport)s, %(host)s, %(port)s, %(registered_at)s, %(expires_at)s)
ON CONFLICT (gb_id) DO UPDATE SET transport = EXCLUDED.transport, host = EXCLUDED.host, port = EXCLUDED.port,
    registered_at = EXCLUDED.registered_at, expires_at = EXCLUDED.expires_at;

-- unregister --
-- It logged off.
DELETE FROM gb_registration WHERE gb_id = %(gb_id)s;

-- notify_work --
-- Wakes the alert module when this transaction commits.
SELECT pg_notify('hcawatch_work', '');
