// Turns notifications of this browser on and off. Shown only where the browser can do it and a channel is set up.
import { t } from "./live.js";

const box = document.getElementById("push");
const button = document.getElementById("push-button");
const said = document.getElementById("push-said");

async function send(method, body) {
  const answer = await fetch("/api/v1/push/browsers", { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail ?? t("network"));
}

function show(isOn, text = "") {
  button.textContent = t(isOn ? "push_off" : "push_on");
  button.dataset.on = isOn ? "yes" : "";
  said.textContent = text;
  box.hidden = false;
}

async function turnOn(worker) {
  if ((await Notification.requestPermission()) !== "granted") return show(false, t("push_denied"));
  const browser = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: box.dataset.key });
  try {
    await send("POST", browser);
  } catch (error) {
    await browser.unsubscribe();
    throw error;
  }
  show(true, t("push_is_on"));
}

async function turnOff(worker) {
  const browser = await worker.pushManager.getSubscription();
  if (browser) {
    await send("DELETE", { endpoint: browser.endpoint });
    await browser.unsubscribe();
  }
  show(false);
}

async function begin() {
  // without TLS there is no service worker
  if (!box || !window.isSecureContext || !("serviceWorker" in navigator) || !("PushManager" in window)) return;
  const worker = await navigator.serviceWorker.register("/sw.js");
  await navigator.serviceWorker.ready;
  const browser = await worker.pushManager.getSubscription();
  const isOn = Boolean(browser) && Notification.permission === "granted";
  // the centre may have forgotten it, or somebody else logged in here before
  if (isOn) await send("POST", browser).catch(() => {});
  show(isOn);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await (button.dataset.on ? turnOff(worker) : turnOn(worker));
    } catch (error) {
      said.textContent = t("push_failed", { why: error.message });
    }
    button.disabled = false;
  });
}

begin();
