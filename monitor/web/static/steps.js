// Taking a step: one request with a key of its own, so that a repeated press is the same step.
import { t } from "./live.js";

export function newKey() {
  // crypto.randomUUID needs TLS; phones in the field may come over plain HTTP inside a VPN
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export async function takeStep(alertId, body, key) {
  let answer;
  try {
    answer = await fetch(`/api/v1/alerts/${alertId}/steps`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": key },
      body: JSON.stringify(body),
    });
  } catch {
    return { ok: false, retry: true, detail: t("network") };
  }
  if (answer.ok) return { ok: true };
  const problem = await answer.json().catch(() => ({}));
  return { ok: false, retry: answer.status >= 500, detail: problem.detail ?? t("network") };
}

export function showProblem(text) {
  const box = document.getElementById("step-problem");
  box.textContent = text;
  box.hidden = !text;
}
