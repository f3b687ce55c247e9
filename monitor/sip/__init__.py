"""SIP (RFC 3261) as far as GB/T 28181 needs it without media: REGISTER and MESSAGE over UDP and TCP, digest, transactions.

Our own, since no library reads what these devices send (docs/decisions/0409-gb28181.md). `messages` and `digest` are
pure, `endpoint` has the sockets.
"""
