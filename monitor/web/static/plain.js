// Pages that don't change by themselves: the clock and ages only.
import "./live.js";
