"""Permits as their people handle them: read from a form or a CSV, requested, decided, prolonged, reminded of."""
