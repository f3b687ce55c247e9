// One dispatch on a phone: the next step, and how the page goes on without a link. Where the case stands here is where
// the centre had it last, and every step since that still waits on this phone.
import { connect, refresh, refreshSoon, t } from "./live.js";
import { flush, forget, isPhoto, onSent, onShow, put, refused, sentOf, waiting } from "./outbox.js";
import { openItems, showAnswers } from "./field_checks.js";
import { showPhotos } from "./field_photos.js";
import { here, showDistance } from "./field_where.js";
import { newKey, showProblem } from "./steps.js";

const alertId = document.getElementById("field-alert").dataset.alert;
const dock = document.getElementById("field-dock");
// outcomes before which nothing is asked of the checklist
const WITHOUT_LIST = ["false_alarm", "duplicate", "no_access"];
const LEADS_TO = { accept: "accepted", depart: "en_route", arrive: "on_site", collect: "evidence_collected", resolve: "resolved", decline: "declined" };
// within one dispatch a case only goes on
const ORDER = ["dispatched", "accepted", "en_route", "on_site", "evidence_collected", "resolved", "declined"];
const ON_SITE = ["on_site", "evidence_collected"];
let asked = "";
// refused conclusions whose words stand in the fields again: once each, so that who clears a field is left alone
const given = new Set();

const mine = (entry) => entry.alert === alertId;
const dispatch = () => dock.querySelector("[data-dispatch]")?.dataset.dispatch ?? "";
const stepsWaiting = () => waiting().filter((one) => mine(one) && one.body?.step).map((one) => one.body.step);
const waitingPhotos = () => waiting().filter((one) => mine(one) && isPhoto(one));
const noteBox = () => document.getElementById("field-note");
const causeBox = () => (document.getElementById("field-outcome")?.value === "false_alarm" ? document.getElementById("field-cause") : null);

// ---------------------------------------------------------------- where the case stands
// what the page says was so when it was made: steps may have been sent since, and the link been lost before it heard
function standing() {
  const sent = sentOf(alertId).filter((one) => one.step && one.dispatch === dispatch()).map((one) => one.step);
  const made = dock.querySelector("[data-state]")?.dataset.state ?? "";
  return [...sent, ...stepsWaiting()].map((step) => LEADS_TO[step]).reduce((state, to) => (ORDER.indexOf(to) > ORDER.indexOf(state) ? to : state), made);
}

function sentPhotos() {
  const made = (document.getElementById("photo-count")?.dataset.photos || "").split(",");
  return [...new Set([...made, ...sentOf(alertId).map((one) => one.sha256)])].filter(Boolean);
}

function lay() {
  const state = standing();
  const photos = sentPhotos().length + waitingPhotos().length;
  const there = ON_SITE.includes(state);
  for (const button of dock.querySelectorAll("button[data-from]")) {
    button.hidden = !button.dataset.from.split(" ").includes(state) || (button.dataset.step === "collect" && !photos);
  }
  const label = document.getElementById("photo-label");
  if (label) {
    label.hidden = !there;
    label.textContent = t(photos ? "photo_another" : "photo_take");
    label.classList.toggle("primary", !photos);
    label.classList.toggle("big", !photos);
  }
  const count = document.getElementById("photo-count");
  if (count) {
    count.hidden = !there;
    count.textContent = photos ? t("photo_count", { n: photos }) : t("photo_needed");
  }
  document.getElementById("field-outcome-field")?.toggleAttribute("hidden", state !== "evidence_collected");
  document.getElementById("field-note-field")?.toggleAttribute("hidden", !dock.querySelector("button[data-from]:not([hidden])"));
  document.getElementById("field-kept")?.toggleAttribute("hidden", !stepsWaiting().some((step) => ["resolve", "decline"].includes(step)));
  const checklist = document.getElementById("checklist-list");
  if (checklist?.dataset.mine) checklist.dataset.there = there ? "yes" : "";
  showAnswers();
  showPhotos();
  giveBack();
}

// what was written for a conclusion that the centre did not take is there again, to be pressed anew
function giveBack() {
  const entry = refused().findLast?.((one) => mine(one) && one.body?.step === "resolve");
  const outcome = document.getElementById("field-outcome");
  if (!entry || !outcome || given.has(entry.key)) return;
  given.add(entry.key);
  outcome.value ||= entry.body.reason;
  document.getElementById("field-cause").value ||= entry.body.cause;
  document.getElementById("field-cause-field").hidden = !causeBox();
  noteBox().value ||= entry.body.note;
}

// ---------------------------------------------------------------- steps
function bodyOf(step) {
  const body = { step, note: noteBox()?.value ?? "", reason: "", cause: "", dispatch: dispatch(), ...here() };
  if (step === "collect") body.attachments = sentPhotos();
  if (step !== "resolve") return body;
  return { ...body, reason: document.getElementById("field-outcome").value, cause: causeBox()?.value ?? "", left_open: openItems().map((one) => one.key) };
}

// photos that wait are named by their hash; where the phone has none, by their key until the centre says it
function entryOf(step, key) {
  const entry = { alert: alertId, url: `/api/v1/alerts/${alertId}/steps`, body: bodyOf(step), key, label: t(`step_${step}`) };
  return step === "collect" ? { ...entry, photos: waitingPhotos().map((one) => one.key) } : entry;
}

// the first press says what is still open; the second, with a note, leaves it so. Without a link nobody else says it
function mayResolve(body) {
  if (!body.reason || (body.reason === "false_alarm" && !body.cause)) {
    showProblem(t(body.reason ? "cause_first" : "outcome_first"));
    return false;
  }
  const open = openItems();
  if (!open.length || WITHOUT_LIST.includes(body.reason)) return true;
  const told = open.map((one) => one.key).join();
  if (asked === told && body.note.trim()) return true;
  asked = told;
  showProblem(t("check_open", { items: open.map((one) => one.text).join("; ") }));
  open[0].line.scrollIntoView({ block: "center" });
  return false;
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
  const note = noteBox()?.value ?? "";
  const entries = steps.map((step) => entryOf(step, newKey()));
  // at once, not after the answer: whoever types on meanwhile writes the next step's note
  if (noteBox()) noteBox().value = "";
  for (const entry of entries) {
    const { key } = entry;
    last = await put(entry);
    if (last.refused) {
      forget(key);
      break;
    }
  }
  button.textContent = text;
  for (const other of dock.querySelectorAll("button")) other.disabled = false;
  if (last.refused && noteBox() && !noteBox().value) noteBox().value = note;
  if (last.waits) return lay();
  await refresh(after);
  showProblem(last.refused ?? "");
});

document.addEventListener("change", (event) => {
  if (event.target.id === "field-outcome") document.getElementById("field-cause-field").hidden = !causeBox();
});

function after() {
  showDistance();
  lay();
}

onShow(lay);
onSent(() => refreshSoon(after));
connect(["dispatch"], (name, { alert_id: id }) => {
  if (name === "resync") flush();
  if (name === "resync" || id === alertId) refreshSoon(after);
});
