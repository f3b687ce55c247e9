"""From pixels to the ground and back: one arithmetic for the edge that places machines, and for the console in
which a person registers a camera. Pure; flat ground."""
