"""What the field and the room found, counted, and what it teaches the cameras (docs/feedback.md)."""
