// What a phone has to say, in its order: kept until the centre has it, also over a reload and hours without a link.
// Each entry has a key of its own, so that one that was sent twice is taken once. What the centre refuses is shown
// with its reason and not tried again; what comes after it still is. A step waits for the photos that it names; a photo
// holds up nothing else.
import { now, t } from "./live.js";
import { bytesOf, dropPhotos, keepPhoto, list } from "./pictures.js";
import { send } from "./sending.js";

const STORE = "hcawatch-outbox";
const SENT = "hcawatch-sent";
const MOST_SENT = 200;
const AGAIN_MS = 15000;
// so often the centre may make a mistake over one photo, five minutes at least; then the steps go on without it
const MOST_FAULTS = 20;
// so long a press looks at what becomes of it; then the page goes on, and what the centre says is shown when it comes
const LOOK_MS = 4000;
const user = document.querySelector("[data-user]")?.dataset.user ?? "";
let sending = Promise.resolve(new Map());
let timer = 0;

function read(name) {
  try {
    return JSON.parse(localStorage.getItem(name) ?? "[]");
  } catch {
    return [];
  }
}

const all = () => read(STORE);

function keep(entries) {
  localStorage.setItem(STORE, JSON.stringify(entries));
  show();
}

// ---------------------------------------------------------------- what waits, and what was refused
export const isPhoto = (entry) => entry.kind === "photo";
export const waiting = () => all().filter((one) => one.user === user && !one.refused);
export const refused = () => all().filter((one) => one.user === user && one.refused);

// steps and photos of an alert that the centre has: a page that was made before does not know of them
export function sentOf(alert) {
  return read(SENT).filter((one) => one.user === user && one.alert === alert);
}

function remember({ alert, body }, sha256) {
  if (!sha256 && !body?.step) return;
  const fresh = { user, alert, step: body?.step, dispatch: body?.dispatch, sha256 };
  localStorage.setItem(SENT, JSON.stringify([...read(SENT), fresh].slice(-MOST_SENT)));
}

function change(key, fresh) {
  keep(all().flatMap((one) => (one.key === key ? (fresh ? [fresh] : []) : [one])));
}

// what steps name a photo by: its hash, or while nobody knows that its key
function settlePhoto(entry, sha256) {
  keep(
    all().flatMap((one) => {
      if (one.key === entry.key) return sha256 ? [] : [one];
      if (!one.photos?.includes(entry.key)) return [one];
      const attachments = [...new Set([...(one.body.attachments ?? []), ...(sha256 ? [sha256] : [])])];
      return [{ ...one, photos: one.photos.filter((key) => key !== entry.key), body: { ...one.body, attachments } }];
    }),
  );
}

// ---------------------------------------------------------------- what the person sees
let showMore = () => {};
export function onShow(tell) {
  showMore = tell;
  tell();
}

// a photo that the centre does not take is the officer's to keep
async function saveCopy(entry) {
  const bytes = await bytesOf(entry.key).catch(() => null);
  if (!bytes) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type: entry.type }));
  link.download = `${(entry.taken_at ?? "photo").slice(0, 19).replaceAll(":", "")}.${(entry.type ?? "").split("/")[1] || "jpg"}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function button(text, press) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "quiet";
  made.textContent = text;
  made.addEventListener("click", press);
  return made;
}

function lineOf(text, name = "") {
  const p = document.createElement("p");
  p.className = name;
  p.textContent = text;
  return p;
}

function show() {
  showMore();
  const box = document.getElementById("outbox");
  if (!box) return;
  const [mine, gone, others] = [waiting(), refused(), all().filter((one) => one.user !== user)];
  const photos = mine.filter(isPhoto).length;
  const lines = [];
  if (mine.length) lines.push(lineOf(t("outbox_waits", { n: mine.length }) + (photos ? ` ${t("outbox_photos", { n: photos })}` : "")));
  if (others.length) lines.push(lineOf(t("outbox_others", { n: others.length, user: others[0].user })));
  const reasons = new Map();
  for (const one of gone) {
    const same = `${one.alert} ${one.refused}`;
    reasons.set(same, [...(reasons.get(same) ?? []), one]);
  }
  for (const same of reasons.values()) {
    lines.push(lineOf(t("outbox_refused", { what: same.map((one) => one.label).join(", "), why: same[0].refused }), "problem"));
    for (const one of same.filter(isPhoto)) lines.push(button(t("photo_save", { photo: one.label }), () => saveCopy(one)));
  }
  if (gone.length) lines.push(button(t("outbox_seen"), () => forgetAll(refused())));
  box.replaceChildren(...lines);
  box.hidden = !lines.length;
}

async function forgetAll(entries) {
  const keys = new Set(entries.map((one) => one.key));
  keep(all().filter((one) => !keys.has(one.key)));
  await dropPhotos(entries.filter(isPhoto).map((one) => one.key));
}

// ---------------------------------------------------------------- sending
let progress = () => {};
export function onProgress(tell) {
  progress = tell;
}

// an alert's steps keep their order, and wait for the photos before them; photos are overtaken by everything else
function nextOf(entries, blocked) {
  const free = entries.filter((entry, at) => {
    const before = entries.slice(0, at).filter((one) => one.alert === entry.alert);
    const waitsForPhotos = !isPhoto(entry) && "step" in entry.body;
    return !blocked.has(entry.key) && before.every((one) => isPhoto(one) && !waitsForPhotos);
  });
  return free.find((one) => !isPhoto(one)) ?? free[0];
}

// the same, or a refusal where a photo that the centre stumbles over would hold up its visit's conclusion for ever
function given(entry, result) {
  if (!result.fault || !isPhoto(entry)) return result;
  const faults = (entry.faults ?? 0) + 1;
  if (faults >= MOST_FAULTS) return { refused: result.fault };
  change(entry.key, { ...entry, faults });
  return result;
}

async function sendAll() {
  const results = new Map();
  const blocked = new Set();
  for (;;) {
    const entry = nextOf(waiting(), blocked);
    if (!entry) break;
    const result = given(entry, await send(entry, progress));
    results.set(entry.key, result);
    if (result.waits) {
      if (result.ended) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
      blocked.add(entry.key);
      if (!result.here) break;
      continue;
    }
    if (result.ok) remember(entry, isPhoto(entry) ? (result.body.sha256 ?? entry.sha256) : "");
    // the steps first: a crash in between sends the photo once more, which is the same photo
    if (isPhoto(entry)) settlePhoto(entry, result.ok ? (result.body.sha256 ?? entry.sha256) : "");
    if (!result.ok) change(entry.key, { ...entry, refused: result.refused });
    else if (isPhoto(entry)) await dropPhotos([entry.key]);
    else change(entry.key, null);
  }
  clearTimeout(timer);
  if (waiting().length) timer = setTimeout(flush, AGAIN_MS);
  show();
  return results;
}

// of several pages of one phone one sends
function alone(work) {
  return navigator.locks ? navigator.locks.request("hcawatch-outbox", work) : work();
}

let sent = () => {};
export function onSent(tell) {
  sent = tell;
}

export function flush() {
  sending = sending
    .then(() => alone(sendAll))
    .then((results) => {
      if ([...results.values()].some((one) => !one.waits)) sent(results);
      return results;
    });
  return sending;
}

// {alert, url, body, key, label}; tells {ok}, {refused: why} or {waits}
export async function put(entry) {
  keep([...all(), { ...entry, user, put: Date.now() }]);
  const late = new Promise((resolve) => setTimeout(resolve, LOOK_MS, new Map()));
  return (await Promise.race([flush(), late])).get(entry.key) ?? { waits: true };
}

// a photo as it is taken: kept first, then sent; {full: {n, mb}} if the phone has no room for it
export async function putPhoto(alert, key, file, place) {
  const taken = new Date(now());
  const label = t("photo_label", { time: taken.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", timeZone: document.body.dataset.zone }) });
  const about = { kind: "photo", alert, user, put: Date.now(), taken_at: taken.toISOString(), lon: place?.lon, lat: place?.lat, label };
  const kept = await keepPhoto(key, file, about);
  if (kept.full) return kept;
  const { thumb: _, size: __, ...entry } = kept.about;
  keep([...all().filter((one) => one.key !== key), entry]);
  flush();
  return kept;
}

// a refusal that was said in another way need not be said here
export function forget(key) {
  change(key, null);
}

// ---------------------------------------------------------------- after a crash, and when somebody leaves
// a photo whose entry was not written any more is sent all the same
async function findLost() {
  const known = new Set(all().map((one) => one.key));
  const lost = (await list()).filter((one) => !known.has(one.key)).map(({ thumb: _, size: __, ...entry }) => entry);
  if (lost.length) keep([...lost, ...all()]);
}

// who leaves with something unsent is told so; else nothing of theirs stays on the phone
document.querySelector("form[action='/logout']")?.addEventListener("submit", async (event) => {
  const form = event.target;
  event.preventDefault();
  const mine = [...waiting(), ...refused()];
  if (mine.length && !(await leaves(mine))) return;
  localStorage.setItem(SENT, JSON.stringify(read(SENT).filter((one) => one.user !== user)));
  if (!mine.length) await dropPhotos((await list()).filter((one) => one.user === user).map((one) => one.key));
  form.submit();
});

function leaves(mine) {
  return new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    dialog.id = "leave";
    const buttons = document.createElement("div");
    buttons.className = "buttons";
    const answer = (text, value) => button(text, () => dialog.close(value));
    const stay = answer(t("leave_stay"), "stay");
    stay.className = "primary";
    buttons.append(stay, answer(t("leave_go"), "go"));
    dialog.append(lineOf(t("leave_waits", { n: mine.length, photos: mine.filter(isPhoto).length })), buttons);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "go");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

addEventListener("online", flush);
addEventListener("storage", (event) => event.key === STORE && show());
show();
findLost().then(() => waiting().length && flush());
