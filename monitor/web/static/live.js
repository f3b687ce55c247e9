// What every page shares: texts, ages, the clock, the live line to the server, and bringing parts up to date.
// Pages are laid out by the server; a change makes the page fetch itself and swap the parts marked data-live.

const catalogue = JSON.parse(document.getElementById("texts")?.textContent || "{}");
// a page that the phone kept from earlier (sw.js) says the time at which it was made: the phone's own clock counts then
const keptFrom = "kept" in document.body.dataset ? Date.parse(document.body.dataset.now) : 0;
const serverAhead = keptFrom ? 0 : Date.parse(document.body.dataset.now) - Date.now();
const zone = document.body.dataset.zone;
const clockFormat = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

const TICK_MS = 1000;
const SILENT_MS = 25000; // the server says something every ten seconds
const DEBOUNCE_MS = 250;

export function t(key, facts = {}) {
  const text = catalogue[`js.${key}`] ?? key.replaceAll("_", " ");
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in facts ? String(facts[name]) : whole));
}

export function now() {
  return Date.now() + serverAhead;
}

export function lasting(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return t("unit_s", { n: s });
  if (s < 3600) return t("unit_min_s", { m: Math.floor(s / 60), s: s % 60 });
  if (s < 86400) return t("unit_h_min", { h: Math.floor(s / 3600), m: Math.floor((s % 3600) / 60) });
  return t("unit_d_h", { d: Math.floor(s / 86400), h: Math.floor((s % 86400) / 3600) });
}

function showTimes() {
  document.getElementById("clock").textContent = clockFormat.format(now());
  for (const age of document.querySelectorAll("time[data-age]")) {
    const text = lasting(now() - Date.parse(age.dateTime));
    if (age.textContent !== text) age.textContent = text;
  }
  for (const left of document.querySelectorAll("time[data-left]")) {
    const ms = Date.parse(left.dateTime) - now();
    const text = t(ms > 0 ? "left" : "over", { lasts: lasting(Math.abs(ms)) });
    if (left.textContent !== text) left.textContent = text;
  }
}

export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

// ---------------------------------------------------------------- swapping
// kept: elements with data-keep (maps, what somebody is typing), and pictures that are already loaded
function swap(old, fresh) {
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  const opened = new Set([...old.querySelectorAll("details[open]")].map((d) => d.id));
  const scrolled = [...old.querySelectorAll(".table-scroll, .cameras")].map((e) => [e.scrollLeft, e.scrollTop]);
  for (const kept of old.querySelectorAll("[data-keep]")) {
    fresh.querySelector(`#${CSS.escape(kept.id)}`)?.replaceWith(kept);
  }
  const pictures = new Map([...old.querySelectorAll("img")].map((img) => [img.getAttribute("src"), img]));
  for (const img of fresh.querySelectorAll("img")) {
    const known = pictures.get(img.getAttribute("src"));
    if (known) {
      img.replaceWith(known);
      pictures.delete(img.getAttribute("src"));
    }
  }
  old.replaceChildren(...fresh.childNodes);
  [...old.querySelectorAll(".table-scroll, .cameras")].forEach((e, i) => scrolled[i] && e.scrollTo(...scrolled[i]));
  for (const d of old.querySelectorAll("details")) d.open = opened.has(d.id) && d.id !== "";
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

let refreshing = null;
let again = false;

export async function refresh(after = () => {}) {
  if (refreshing) {
    again = true;
    return refreshing;
  }
  refreshing = (async () => {
    try {
      do {
        again = false;
        const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "follow" });
        if (answer.redirected && new URL(answer.url).pathname === "/login") return sessionEnded();
        if (!answer.ok) throw new Error(`status ${answer.status}`);
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const old of document.querySelectorAll("[data-live]")) {
          const part = fresh.getElementById(old.id);
          if (part) swap(old, document.adoptNode(part));
        }
        showTimes();
        after();
      } while (again);
    } catch (error) {
      // whoever asked while this was under way waits for the same promise, so it must not reject
      console.warn("refresh failed", error);
    } finally {
      refreshing = null;
    }
  })();
  return refreshing;
}

let timer = 0;
export function refreshSoon(after) {
  clearTimeout(timer);
  timer = setTimeout(() => refresh(after), DEBOUNCE_MS);
}

// ---------------------------------------------------------------- the live line
let lostSince = keptFrom;
let heardAt = Date.now();
let deafSince = 0;
let ended = false;

function sessionEnded() {
  ended = true;
  const box = document.getElementById("lost");
  const link = document.createElement("a");
  link.href = `/login?next=${encodeURIComponent(location.pathname)}`;
  link.textContent = t("session_ended");
  box.replaceChildren(link);
  box.hidden = false;
}

function showLink() {
  if (ended) return;
  const silent = Date.now() - heardAt > SILENT_MS;
  const since = lostSince || (silent ? heardAt : 0) || deafSince;
  const link = document.getElementById("link");
  const box = document.getElementById("lost");
  const state = since ? "lost" : "live";
  if (link.hidden || link.dataset.state !== state) {
    link.hidden = false;
    link.dataset.state = state;
    document.getElementById("link-text").textContent = t(`link_${state}`);
  }
  box.hidden = !since;
  document.body.classList.toggle("is-lost", Boolean(since));
  if (since) {
    const key = since === deafSince ? "lost_database" : "lost";
    const text = t(key, { time: clockFormat.format(since + serverAhead), age: lasting(Date.now() - since) });
    if (box.textContent !== text) box.textContent = text;
  }
}

export function connect(names, onEvent) {
  let source = null;
  const heard = () => {
    heardAt = Date.now();
    if (lostSince) {
      lostSince = 0;
      onEvent("resync", {});
    }
    showLink();
  };
  const open = () => {
    source = new EventSource("/api/v1/stream");
    source.addEventListener("hello", heard);
    source.addEventListener("tick", (event) => {
      const { listening } = JSON.parse(event.data);
      deafSince = listening ? 0 : deafSince || Date.now();
      heard();
    });
    for (const name of [...names, "resync"]) {
      source.addEventListener(name, (event) => {
        heard();
        onEvent(name, JSON.parse(event.data));
      });
    }
    source.onerror = () => {
      lostSince = lostSince || heardAt || Date.now();
      showLink();
      if (source.readyState === EventSource.CLOSED) {
        setTimeout(retry, 3000);
      }
    };
  };
  const retry = async () => {
    try {
      const answer = await fetch(location.href, { method: "GET", headers: { Accept: "text/html" } });
      if (answer.redirected && new URL(answer.url).pathname === "/login") return sessionEnded();
    } catch {
      // still away
    }
    open();
  };
  open();
  setInterval(showLink, TICK_MS);
  addEventListener("pagehide", () => source?.close());
}

setInterval(showTimes, TICK_MS);
showTimes();
