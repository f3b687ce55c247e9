-- browsers that show dispatches as notifications (alerts.webpush)
CREATE TABLE push_subscription (
    endpoint   text PRIMARY KEY,                 -- the push service's address of this browser: a secret
    user_name  text NOT NULL REFERENCES app_user (user_name) ON DELETE CASCADE,
    p256dh     text NOT NULL,                    -- the browser's public key, base64url
    auth       text NOT NULL,                    -- what it shares with us, base64url
    created_at timestamptz NOT NULL
);
CREATE INDEX push_subscription_user ON push_subscription (user_name, created_at);
