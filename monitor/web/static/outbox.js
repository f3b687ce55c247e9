// What a phone has to say, in its order: kept until the centre has it, also over a reload and hours without a link.
// Each entry has a key of its own, so that one that was sent twice is taken once. What the centre refuses is shown
// with its reason and not tried again; what comes after it still is.
import { t } from "./live.js";

const STORE = "hcawatch-outbox";
const AGAIN_MS = 15000;
const LATE_MS = 60000;
const user = document.querySelector("[data-user]")?.dataset.user ?? "";
let sending = Promise.resolve(new Map());
let timer = 0;

function all() {
  try {
    return JSON.parse(localStorage.getItem(STORE) ?? "[]");
  } catch {
    return [];
  }
}

function keep(entries) {
  localStorage.setItem(STORE, JSON.stringify(entries));
  show();
}

function change(key, fresh) {
  keep(all().flatMap((one) => (one.key === key ? (fresh ? [fresh] : []) : [one])));
}

// ---------------------------------------------------------------- what the person sees
export function waiting() {
  return all().filter((one) => one.user === user && !one.refused);
}

function show() {
  const box = document.getElementById("outbox");
  if (!box) return;
  const refused = all().filter((one) => one.user === user && one.refused);
  const others = all().filter((one) => one.user !== user);
  const lines = [];
  const line = (text) => {
    const p = document.createElement("p");
    p.textContent = text;
    lines.push(p);
    return p;
  };
  if (waiting().length) line(t("outbox_waits", { n: waiting().length }));
  if (others.length) line(t("outbox_others", { n: others.length, user: others[0].user }));
  for (const alert of new Set(refused.map((one) => one.alert))) {
    const mine = refused.filter((one) => one.alert === alert);
    line(t("outbox_refused", { what: mine.map((one) => one.label).join(", "), why: mine[0].refused })).className = "problem";
  }
  if (refused.length) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = t("outbox_seen");
    button.addEventListener("click", () => keep(all().filter((one) => one.user !== user || !one.refused)));
    lines.push(button);
  }
  box.replaceChildren(...lines);
  box.hidden = !lines.length;
}

// ---------------------------------------------------------------- sending
async function send(entry) {
  const late = Date.now() - entry.put > LATE_MS && "note" in entry.body;
  const time = new Date(entry.put).toLocaleTimeString();
  const body = late ? { ...entry.body, note: `${entry.body.note} [${t("outbox_late", { time })}]`.trim() } : entry.body;
  let answer;
  try {
    answer = await fetch(entry.url, { method: "POST", headers: { "Content-Type": "application/json", "Idempotency-Key": entry.key }, body: JSON.stringify(body) });
  } catch {
    return { waits: true };
  }
  if (answer.ok) return { ok: true };
  if (answer.status === 401 || answer.status === 429 || answer.status >= 500) return { waits: true, ended: answer.status === 401 };
  const problem = await answer.json().catch(() => ({}));
  return { refused: problem.detail ?? t("network") };
}

async function sendAll() {
  const results = new Map();
  for (const entry of waiting()) {
    const result = await send(entry);
    results.set(entry.key, result);
    if (result.waits) {
      if (result.ended) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
      clearTimeout(timer);
      timer = setTimeout(flush, AGAIN_MS);
      break;
    }
    change(entry.key, result.ok ? null : { ...entry, refused: result.refused });
  }
  show();
  return results;
}

let sent = () => {};
export function onSent(tell) {
  sent = tell;
}

export function flush() {
  sending = sending.then(sendAll).then((results) => {
    if ([...results.values()].some((one) => !one.waits)) sent(results);
    return results;
  });
  return sending;
}

// {alert, url, body, key, label}; tells {ok}, {refused: why} or {waits}
export async function put(entry) {
  keep([...all(), { ...entry, user, put: Date.now() }]);
  return (await flush()).get(entry.key) ?? { waits: true };
}

// a refusal that was said in another way need not be said here
export function forget(key) {
  change(key, null);
}

addEventListener("online", flush);
show();
if (waiting().length) flush();
