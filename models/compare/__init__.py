"""Is a candidate better than the detector in use? Both look at the same pictures; the differences are `figures`,
what follows from them is `verdict` (pure, one table of rules), and `site` and `html` are the rims.
Leaves putting a candidate into use, and taking it back, to others.
"""
