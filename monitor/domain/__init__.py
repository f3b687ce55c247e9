"""Pure values and decisions. No I/O, no clock, no settings; imports nothing of ours."""
