-- subscriptions_of --
-- The browsers of one person, the newest first.
SELECT endpoint, p256dh, auth FROM push_subscription WHERE user_name = %(user)s ORDER BY created_at DESC, endpoint

-- subscription --
-- A browser as it is known, locked.
SELECT user_name, p256dh, auth FROM push_subscription WHERE endpoint = %(endpoint)s FOR UPDATE

-- subscribe --
-- A browser; if it was somebody else's, it is this person's now.
INSERT INTO push_subscription (endpoint, user_name, p256dh, auth, created_at)
VALUES (%(endpoint)s, %(user)s, %(p256dh)s, %(auth)s, %(now)s)
ON CONFLICT (endpoint) DO UPDATE SET
    user_name = EXCLUDED.user_name, p256dh = EXCLUDED.p256dh, auth = EXCLUDED.auth, created_at = EXCLUDED.created_at

-- forget_oldest --
-- All but a person's newest browsers.
DELETE FROM push_subscription
WHERE user_name = %(user)s AND endpoint NOT IN (
    SELECT endpoint FROM push_subscription WHERE user_name = %(user)s ORDER BY created_at DESC, endpoint LIMIT %(most)s
)
RETURNING endpoint

-- unsubscribe --
-- A browser that its owner takes back.
DELETE FROM push_subscription WHERE endpoint = %(endpoint)s AND user_name = %(user)s

-- forget --
-- A browser whose push service does not know it any more.
DELETE FROM push_subscription WHERE endpoint = %(endpoint)s RETURNING user_name
