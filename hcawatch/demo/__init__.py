"""The demo: a made-up city, one real and one simulated story, the whole chain for real."""
