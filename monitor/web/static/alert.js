// One alert in the room: the detail map, and steps with a dialog for the note and the outcome.
import { connect, refresh, refreshSoon, t } from "./live.js";
import { cameraMarker, create, drawLines, note, placeMarker } from "./map.js";
import { newKey, showProblem, takeStep } from "./steps.js";

const alertId = document.getElementById("alert").dataset.alert;
const dialog = document.getElementById("step-dialog");
const form = document.getElementById("step-form");
const noteBox = document.getElementById("step-note");
const outcomeBox = document.getElementById("step-outcome");
const causeBox = document.getElementById("step-cause");
const send = document.getElementById("step-send");
let asked = null;

document.getElementById("alert").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-step]");
  if (!button) return;
  asked = { step: button.dataset.step, key: newKey(), needsNote: button.dataset.note === "required" };
  document.getElementById("step-dialog-title").textContent = button.textContent;
  document.getElementById("step-dialog-explain").textContent = button.dataset.explain;
  document.getElementById("step-outcome-field").hidden = !button.dataset.outcomes;
  // nobody's outcome is chosen for them; who verifies begins with what the officer found
  outcomeBox.value = button.dataset.outcome;
  causeBox.value = button.dataset.cause;
  showCause();
  document.getElementById("step-note-optional").textContent = asked.needsNote ? t("note_required") : t("note_optional");
  noteBox.value = "";
  noteBox.required = asked.needsNote;
  send.textContent = button.textContent;
  send.disabled = false;
  showProblem("");
  dialog.showModal();
  noteBox.focus();
});

function showCause() {
  const asks = !document.getElementById("step-outcome-field").hidden;
  const isFalse = asks && outcomeBox.value === "false_alarm";
  document.getElementById("step-cause-field").hidden = !isFalse;
  outcomeBox.required = asks;
  causeBox.required = isFalse;
}
outcomeBox.addEventListener("change", showCause);

document.getElementById("step-cancel").addEventListener("click", () => dialog.close());

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (asked.needsNote && !noteBox.value.trim()) {
    noteBox.setCustomValidity(t("note_needed"));
    noteBox.reportValidity();
    return;
  }
  send.disabled = true;
  send.textContent = t("sending");
  const outcome = outcomeBox.required ? outcomeBox.value : "";
  const cause = causeBox.required ? causeBox.value : "";
  const answer = await takeStep(alertId, { step: asked.step, note: noteBox.value, reason: outcome, cause }, asked.key);
  dialog.close();
  await refresh(afterRefresh);
  showProblem(answer.ok ? "" : answer.detail);
  document.getElementById("actions-title")?.scrollIntoView({ block: "nearest" });
});
noteBox.addEventListener("input", () => noteBox.setCustomValidity(""));

// ---------------------------------------------------------------- the detail map
const element = document.getElementById("detail-map");
const map = element && create(element);
let layers = null;
let lastPlace = "";
const NEAR_M = 12;
const FAR_M = 120; // without a fix the camera's surroundings are shown

async function drawMap() {
  if (!map) return;
  try {
    const answer = await fetch(`/api/v1/alerts/${alertId}`);
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const { around, offset_m: offset } = await answer.json();
    const place = around.features.find((feature) => feature.properties.kind === "place");
    if (!place) return note(element, t("map_empty"));
    const where = JSON.stringify(place);
    if (where === lastPlace) return;
    const [lon, lat] = place.geometry.coordinates;
    if (layers) layers.remove();
    else map.fitBounds(L.latLng(lat, lon).toBounds(2 * Math.max(NEAR_M, 1.5 * Math.abs(offset ?? FAR_M))), { animate: false });
    lastPlace = where;
    layers = drawLines(map, around.features, { detail: true });
    for (const feature of around.features) if (feature.properties.kind === "camera") cameraMarker(feature).addTo(layers);
    placeMarker(place).addTo(layers);
  } catch (error) {
    console.warn("map failed", error);
    if (!layers) note(element, t("map_failed"));
  }
}

function afterRefresh() {
  drawMap();
}

drawMap();
connect(["alert"], (name, { alert_id: id }) => {
  if (name === "resync" || id === alertId) refreshSoon(afterRefresh);
});
