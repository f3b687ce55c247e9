// A notice for the company: its code is shown this once.
import { t } from "./live.js";
import { newKey, showProblem } from "./steps.js";

document.addEventListener("click", async (event) => {
  if (event.target.id !== "notice-send") return;
  const box = document.getElementById("notice-code");
  const body = { company: document.getElementById("notice-company").value, said: document.getElementById("notice-said").value, advice: document.getElementById("notice-advice").checked };
  event.target.disabled = true;
  try {
    const answer = await fetch(`/api/v1/alerts/${document.getElementById("field-alert").dataset.alert}/notices`, { method: "POST", headers: { "Content-Type": "application/json", "Idempotency-Key": newKey() }, body: JSON.stringify(body) });
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
