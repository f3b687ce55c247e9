"""How messages of the loop reach people beside MQTT: webhook, e-mail, gateways, robots, CAP.

`desk` decides with `limits` (pure) whether a channel may be used now, and `routes` where a message goes when it
may not; one file each says how a kind of channel is spoken to. The courier stays the only one who keeps a
message until somebody has it.
"""
