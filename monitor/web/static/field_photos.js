// Photos of a dispatch: kept on the phone as they are taken, with time, place and hash; shown until the centre has them.
import { lasting, now, t } from "./live.js";
import { isPhoto, onProgress, putPhoto, waiting } from "./outbox.js";
import { list } from "./pictures.js";
import { newKey, showProblem } from "./steps.js";
import { here } from "./field_where.js";

const alertId = document.getElementById("field-alert").dataset.alert;
const shown = new Map();
const done = new Map();

// ---------------------------------------------------------------- what waits, with its preview
function rowOf(about) {
  const row = document.createElement("li");
  row.className = "photo-waits";
  row.dataset.key = about.key;
  if (about.thumb) {
    const img = document.createElement("img");
    img.src = URL.createObjectURL(new Blob([about.thumb], { type: "image/jpeg" }));
    img.alt = about.label;
    row.append(img);
  }
  const text = document.createElement("div");
  for (const name of ["photo-said", "photo-state", "photo-hash"]) {
    const p = document.createElement("p");
    p.className = `${name} small`;
    text.append(p);
  }
  const place = about.lon == null ? t("photo_no_place") : `${about.lat.toFixed(5)}, ${about.lon.toFixed(5)}`;
  text.querySelector(".photo-said").textContent = `${about.label} · ${place}`;
  text.querySelector(".photo-hash").textContent = about.sha256 ? `SHA-256 ${about.sha256.slice(0, 16)}…` : t("photo_hash_later");
  row.append(text);
  return row;
}

function say(key) {
  const row = shown.get(key);
  if (!row) return;
  const part = done.get(key);
  const since = lasting(now() - Date.parse(row.dataset.taken));
  row.querySelector(".photo-state").textContent = part === undefined ? t("photo_waits", { since }) : t("photo_sending", { n: Math.round(100 * part) });
}

// the list follows the queue; previews are read once
export async function showPhotos() {
  const box = document.getElementById("photos-waiting");
  if (!box) return;
  const mine = waiting().filter((one) => isPhoto(one) && one.alert === alertId);
  if (mine.some((one) => !shown.has(one.key))) {
    for (const about of await list()) {
      if (shown.has(about.key) || !mine.some((one) => one.key === about.key)) continue;
      const row = rowOf(about);
      row.dataset.taken = about.taken_at;
      shown.set(about.key, row);
    }
  }
  const keys = new Set(waiting().map((one) => one.key));
  for (const [key, row] of [...shown]) {
    if (keys.has(key)) {
      say(key);
      if (row.parentElement !== box) box.append(row);
      continue;
    }
    const img = row.querySelector("img");
    if (img) URL.revokeObjectURL(img.src);
    row.remove();
    shown.delete(key);
    done.delete(key);
  }
  box.hidden = !shown.size;
}

onProgress((key, part) => {
  done.set(key, part);
  say(key);
});
setInterval(() => [...shown.keys()].forEach(say), 10000);

// ---------------------------------------------------------------- taking one
document.addEventListener("change", async (event) => {
  if (event.target.id !== "photo" || !event.target.files.length) return;
  const label = document.getElementById("photo-label");
  label.classList.add("is-busy");
  showProblem("");
  try {
    for (const file of event.target.files) {
      const kept = await putPhoto(alertId, newKey(), file, here());
      if (kept.full) showProblem(t(kept.full.n ? "photo_room" : "photo_no_room", kept.full));
      else if (kept.about.fleeting) showProblem(t("photo_fleeting"));
    }
  } catch (error) {
    console.warn("photo not kept", error);
    showProblem(t("photo_unreadable"));
  } finally {
    event.target.value = "";
    label.classList.remove("is-busy");
  }
});
