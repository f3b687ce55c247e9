// One dispatch on a phone: the next step, photos, the note, and where the officer is.
import { connect, refresh, refreshSoon, t } from "./live.js";
import { newKey, showProblem, takeStep } from "./steps.js";

const alertId = document.getElementById("field-alert").dataset.alert;
const dock = document.getElementById("field-dock");
const EARTH_M = 6371008.8;
let here = null;
const keys = new Map();

// ---------------------------------------------------------------- where the officer is
function metresBetween(a, b) {
  const rad = Math.PI / 180;
  const h = Math.sin(((b.lat - a.lat) * rad) / 2) ** 2 + Math.cos(a.lat * rad) * Math.cos(b.lat * rad) * Math.sin(((b.lon - a.lon) * rad) / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.sqrt(h));
}

function showDistance() {
  const box = document.getElementById("distance");
  if (!box || !here) return;
  const m = metresBetween(here, { lon: Number(box.dataset.lon), lat: Number(box.dataset.lat) });
  const d = m < 1000 ? t("distance_m", { n: Math.round(m) }) : t("distance_km", { n: (m / 1000).toFixed(1) });
  document.getElementById("distance-text").textContent = t("distance", { d });
}

if (window.isSecureContext && navigator.geolocation) {
  navigator.geolocation.watchPosition(
    ({ coords }) => {
      here = { lon: coords.longitude, lat: coords.latitude };
      showDistance();
    },
    () => {
      here = null;
    },
    { enableHighAccuracy: true, maximumAge: 15000 },
  );
}

// ---------------------------------------------------------------- steps
dock.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-step]");
  if (!button) return;
  const step = button.dataset.step;
  const text = button.textContent;
  for (const other of dock.querySelectorAll("button")) other.disabled = true;
  button.textContent = t("sending");
  showProblem("");
  // the same press again after a broken connection is the same step
  if (!keys.has(step)) keys.set(step, newKey());
  const photos = document.getElementById("photo-count")?.dataset.photos;
  const body = { step, note: document.getElementById("field-note")?.value ?? "", reason: document.getElementById("field-outcome")?.value ?? "", cause: causeBox()?.value ?? "", attachments: step === "collect" && photos ? photos.split(",") : [], ...here };
  const answer = await takeStep(alertId, body, keys.get(step));
  if (!answer.retry) keys.delete(step);
  if (answer.ok) {
    const note = document.getElementById("field-note");
    if (note) note.value = "";
  }
  button.textContent = text;
  for (const other of dock.querySelectorAll("button")) other.disabled = false;
  await refresh(showDistance);
  showProblem(answer.ok ? "" : answer.detail);
});

// ---------------------------------------------------------------- a false alarm has a cause
function causeBox() {
  return document.getElementById("field-outcome")?.value === "false_alarm" ? document.getElementById("field-cause") : null;
}

document.addEventListener("change", (event) => {
  if (event.target.id === "field-outcome") document.getElementById("field-cause-field").hidden = !causeBox();
});

// ---------------------------------------------------------------- photos
function uploadPhoto(file) {
  const count = document.getElementById("photo-count");
  const label = document.getElementById("photo-label");
  label.classList.add("is-busy");
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/v1/alerts/${alertId}/photos`);
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) count.textContent = t("photo_sending", { n: Math.round((100 * event.loaded) / event.total) });
    };
    const failed = (why) => {
      label.classList.remove("is-busy");
      showProblem(t("photo_failed", { why }));
      resolve();
    };
    request.onerror = () => failed(t("network"));
    request.onload = () => {
      label.classList.remove("is-busy");
      if (request.status < 300) return resolve(showProblem(""));
      let why = t("network");
      try {
        why = JSON.parse(request.responseText).detail ?? why;
      } catch {
        // no problem details: a proxy answered
      }
      failed(why);
    };
    const form = new FormData();
    form.append("file", file);
    request.send(form);
  });
}

document.addEventListener("change", async (event) => {
  if (event.target.id !== "photo" || !event.target.files.length) return;
  for (const file of event.target.files) await uploadPhoto(file);
  event.target.value = "";
  const problem = document.getElementById("step-problem").textContent;
  await refresh(showDistance);
  showProblem(problem);
});

connect(["dispatch"], (name, { alert_id: id }) => {
  if (name === "resync" || id === alertId) refreshSoon(showDistance);
});
