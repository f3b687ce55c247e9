"""Alarms of devices by GB/T 28181: the centre as their SIP server.

`door` is the rim; whom it lets in is decided in `registrar`, what an alarm means in `alarms`, who is silent in `hearing`.
"""
