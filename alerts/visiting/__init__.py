"""A visit and what it is for: checklists, further checks at the same site, and how often whom was visited why."""
