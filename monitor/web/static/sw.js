// Keeps the officer's pages readable without a link, and shows what the centre pushes, also while no page is open.

// ---------------------------------------------------------------- pages without a link
// What was seen last of My dispatches and what it is made of; never pictures, films or anything of the console.
const KEPT = "hcawatch-field";
const MOST_PAGES = 40;
// a link that does not answer so long counts as none, if there is something to show
const PATIENCE_MS = 5000;

function isPage(url) {
  return url.pathname === "/field" || url.pathname.startsWith("/field/");
}

function isKept(url) {
  return url.origin === self.location.origin && (isPage(url) || url.pathname.startsWith("/static/"));
}

async function keep(request, answer) {
  const store = await caches.open(KEPT);
  // the newest are last; a new person's log-in page is none of them
  await store.delete(request);
  await store.put(request, answer);
  const all = await store.keys();
  const pages = all.filter((one) => isPage(new URL(one.url)));
  await Promise.all(pages.slice(0, -MOST_PAGES).map((one) => store.delete(one)));
}

async function freshOrKept(event) {
  const known = await caches.match(event.request, { cacheName: KEPT });
  const asked = fetch(event.request).then((answer) => {
    // a page that leads elsewhere leads to the log-in: the session ended, and who comes next may be another
    const elsewhere = answer.redirected || answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403;
    if (elsewhere && isPage(new URL(event.request.url))) event.waitUntil(caches.delete(KEPT));
    else if (answer.ok && answer.type === "basic") event.waitUntil(keep(event.request, answer.clone()));
    return answer;
  });
  // a page's own look for news must not take what is kept for news
  if (!known || (event.request.mode !== "navigate" && isPage(new URL(event.request.url)))) return asked;
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  return (await Promise.race([asked.catch(() => null), late])) ?? marked(known);
}

// the page says itself since when it is old (live.js)
async function marked(known) {
  if (!known.headers.get("Content-Type")?.startsWith("text/html")) return known;
  return new Response((await known.text()).replace("<body", "<body data-kept"), { headers: known.headers });
}

async function leave() {
  await caches.delete(KEPT);
  try {
    const browser = await self.registration.pushManager.getSubscription();
    if (!browser) return;
    const asked = { method: "DELETE", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ endpoint: browser.endpoint }) };
    await Promise.race([fetch("/api/v1/push/browsers", asked), new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
    await browser.unsubscribe();
  } catch {
    // no push here, or no link: the log-out goes on
  }
}

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  // whoever takes the phone next sees and hears nothing of this one's
  if (event.request.method === "POST" && url.pathname === "/login") event.waitUntil(caches.delete(KEPT));
  if (event.request.method === "POST" && url.pathname === "/logout") event.respondWith(leave().then(() => fetch(event.request)));
  if (event.request.method === "GET" && isKept(url)) event.respondWith(freshOrKept(event));
});

// ---------------------------------------------------------------- notifications
// Texts come with the message, in the reader's language.
self.addEventListener("push", (event) => {
  let message = {};
  try {
    message = event.data.json();
  } catch {
    // what cannot be read is shown all the same: browsers withdraw the right from who shows nothing
  }
  const shown = { body: message.body ?? "", tag: message.tag ?? "", renotify: Boolean(message.tag), requireInteraction: Boolean(message.urgent), lang: message.language ?? "", icon: "/static/icon.svg", data: { url: message.url ?? "/field" } };
  event.waitUntil(self.registration.showNotification(message.title ?? "hcawatch", shown));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const url = new URL(event.notification.data?.url ?? "/field", self.location.origin);
  if (url.origin !== self.location.origin) return;
  const show = async () => {
    const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    const open = pages.find((page) => new URL(page.url).pathname === url.pathname) ?? pages[0];
    if (!open) return self.clients.openWindow(url.href);
    await open.focus();
    if (new URL(open.url).pathname !== url.pathname) await open.navigate(url.href).catch(() => self.clients.openWindow(url.href));
  };
  event.waitUntil(show());
});

// the push service gave this browser a new address: nobody would reach it at the old one
self.addEventListener("pushsubscriptionchange", (event) => {
  const renew = async () => {
    const { key } = await (await fetch("/api/v1/push/key")).json();
    const browser = await self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    await fetch("/api/v1/push/browsers", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(browser) });
  };
  event.waitUntil(renew());
});
