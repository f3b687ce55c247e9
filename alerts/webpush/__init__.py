"""Web Push: dispatches as notifications of the officer's own browser, also while no page is open."""
