// Shows what the centre pushes, also while no page is open. Texts come with the message, in the reader's language.
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
