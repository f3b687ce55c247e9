// One dispatch on a phone: the next step, the checklist, photos, the note, and where the officer is.
import { connect, now, refresh, refreshSoon, t } from "./live.js";
import { flush, forget, onSent, put } from "./outbox.js";
import { newKey, showProblem } from "./steps.js";

const alertId = document.getElementById("field-alert").dataset.alert;
const dock = document.getElementById("field-dock");
const EARTH_M = 6371008.8;
// outcomes before which nothing is asked of the checklist
const WITHOUT_LIST = ["false_alarm", "duplicate", "no_access"];
let here = null;
let asked = "";

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
const noteBox = () => document.getElementById("field-note");
const requiredOpen = () => [...document.querySelectorAll(".check-line")].filter((line) => !line.dataset.answer && line.dataset.required);

function bodyOf(step) {
  const photos = document.getElementById("photo-count")?.dataset.photos;
  const body = { step, note: noteBox()?.value ?? "", reason: document.getElementById("field-outcome")?.value ?? "", cause: causeBox()?.value ?? "", ...here };
  if (step === "collect" && photos) body.attachments = photos.split(",");
  if (step === "resolve") body.left_open = requiredOpen().map((line) => line.dataset.item);
  return body;
}

// the first press says what is still open; the second, with a note, leaves it so
function mayResolve(body) {
  const open = requiredOpen();
  if (!open.length || WITHOUT_LIST.includes(body.reason)) return true;
  const items = open.map((line) => line.querySelector(".check-text").firstChild.textContent.trim());
  const told = open.map((line) => line.dataset.item).join();
  if (asked === told && body.note.trim()) return true;
  asked = told;
  showProblem(t("check_open", { items: items.join("; ") }));
  open[0].scrollIntoView({ block: "center" });
  return false;
}

// without a link the page goes on by itself, as far as a press alone is enough
function goOn(steps) {
  for (const step of steps) document.getElementById(`step-${step}`)?.setAttribute("hidden", "");
  document.getElementById("step-begin")?.setAttribute("hidden", "");
  const chain = [...dock.querySelectorAll("button.chain")];
  const last = chain.findIndex((button) => button.dataset.step === steps.at(-1));
  chain[last + 1]?.removeAttribute("hidden");
  if (steps.includes("arrive")) document.getElementById("checklist-list").dataset.there = "yes";
}

dock.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-step]");
  if (!button) return;
  const steps = button.dataset.step.split(",");
  if (steps[0] === "resolve" && !mayResolve(bodyOf("resolve"))) return;
  const text = button.textContent;
  for (const other of dock.querySelectorAll("button")) other.disabled = true;
  button.textContent = t("sending");
  showProblem("");
  let last = {};
  for (const step of steps) {
    const key = newKey();
    last = await put({ alert: alertId, url: `/api/v1/alerts/${alertId}/steps`, body: bodyOf(step), key, label: t(`step_${step}`) });
    if (last.refused) {
      forget(key);
      break;
    }
  }
  button.textContent = text;
  for (const other of dock.querySelectorAll("button")) other.disabled = false;
  if (!last.refused && noteBox()) noteBox().value = "";
  if (last.waits) return goOn(steps);
  await refresh(showDistance);
  showProblem(last.refused ?? "");
});

// ---------------------------------------------------------------- a false alarm has a cause
function causeBox() {
  return document.getElementById("field-outcome")?.value === "false_alarm" ? document.getElementById("field-cause") : null;
}

document.addEventListener("change", (event) => {
  if (event.target.id === "field-outcome") document.getElementById("field-cause-field").hidden = !causeBox();
});

// ---------------------------------------------------------------- the checklist
async function answerItem(line, say) {
  const metres = line.querySelector(".check-metres")?.value;
  let note = "";
  if (say === "not_possible") {
    note = noteOf(line);
    if (!note) return;
  }
  if (say === "done" && line.dataset.measured && !metres) {
    showProblem(t("check_metres"));
    line.querySelector(".check-metres").focus();
    return;
  }
  const key = newKey();
  const body = { item: line.dataset.item, answer: say, note, value_m: metres ? Number(metres) : null, done_at: new Date(now()).toISOString(), ...here };
  const answer = await put({ alert: alertId, url: `/api/v1/alerts/${alertId}/checks`, body, key, label: line.querySelector(".check-text").firstChild.textContent.trim() });
  if (answer.refused) {
    forget(key);
    return showProblem(answer.refused);
  }
  showProblem("");
  if (!answer.waits) return refresh(showDistance);
  line.dataset.answer = say === "open" ? "" : say;
  line.className = `check-line check-${line.dataset.answer || "none"}`;
  const said = line.querySelector(".check-said");
  said.hidden = say === "open";
  said.textContent = [t(say === "done" ? "check_done" : "check_not_possible") + (metres ? ` ${metres} m` : ""), note, t("outbox_kept")].filter(Boolean).join(" · ");
}

// why it could not be checked: its field appears, and the same button sends it
function noteOf(line) {
  const box = line.querySelector(".check-why");
  box.hidden = false;
  box.focus();
  return box.value.trim();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.check-do");
  if (button) {
    if (!document.getElementById("checklist-list").dataset.there) return showProblem(t("check_there"));
    return answerItem(button.closest(".check-line"), button.dataset.answer);
  }
  const look = event.target.closest("button.look-do");
  if (look) {
    const row = look.closest(".along-row");
    const where = look.closest(".look-buttons").dataset;
    const url = `/api/v1/visits/${where.dispatch}/permits/${encodeURIComponent(where.permit)}`;
    const key = newKey();
    const body = { outcome: look.dataset.outcome, note: row.querySelector(".look-note").value };
    const answer = await put({ alert: alertId, url, body, key, label: where.permit });
    if (answer.refused) forget(key);
    if (!answer.waits) await refresh(showDistance);
    showProblem(answer.refused ?? "");
  }
});

// ---------------------------------------------------------------- a notice for the company: its code is shown once
document.addEventListener("click", async (event) => {
  if (event.target.id !== "notice-send") return;
  const box = document.getElementById("notice-code");
  const body = { company: document.getElementById("notice-company").value, said: document.getElementById("notice-said").value, advice: document.getElementById("notice-advice").checked };
  event.target.disabled = true;
  try {
    const answer = await fetch(`/api/v1/alerts/${alertId}/notices`, { method: "POST", headers: { "Content-Type": "application/json", "Idempotency-Key": newKey() }, body: JSON.stringify(body) });
    const told = await answer.json();
    if (!answer.ok) return showProblem(told.detail ?? t("network"));
    showProblem("");
    box.replaceChildren(...drawn(told));
  } catch {
    showProblem(t("network"));
  } finally {
    event.target.disabled = false;
  }
});

function drawn({ code, url, qr }) {
  const text = document.createElement("p");
  text.className = "notice-code";
  text.textContent = code;
  const where = document.createElement("p");
  where.className = "muted small";
  where.textContent = `${t("notice_once")} ${url}`;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${qr.size} ${qr.size}`);
  svg.setAttribute("class", "qr");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", url);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", qr.path);
  svg.append(path);
  return [text, svg, where];
}

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

onSent(() => refreshSoon(showDistance));
connect(["dispatch"], (name, { alert_id: id }) => {
  if (name === "resync") flush();
  if (name === "resync" || id === alertId) refreshSoon(showDistance);
});
