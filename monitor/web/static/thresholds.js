// Thresholds of one camera: asks for the edge's answer until there is one. The form works without this.
import "./live.js";

const box = document.getElementById("edge-says");
const FINAL = new Set(["taken", "refused"]);
const EVERY_MS = 1500;

async function ask() {
  if (FINAL.has(box.dataset.answer)) return;
  try {
    const answer = await fetch(`/api/v1/cameras/${encodeURIComponent(box.dataset.camera)}/thresholds/answer`);
    if (answer.status === 401 || answer.status === 403) return;
    if (answer.ok) show(await answer.json());
  } catch {
    // the next time
  }
  setTimeout(ask, EVERY_MS);
}

function show({ answer, text, reasons }) {
  if (box.dataset.answer === answer && document.getElementById("edge-text").textContent === text) return;
  box.dataset.answer = answer;
  box.className = `edge-says edge-${answer}`;
  document.getElementById("edge-text").textContent = text;
  document.getElementById("edge-reasons").replaceChildren(...reasons.map((said) => Object.assign(document.createElement("li"), { textContent: said })));
}

setTimeout(ask, EVERY_MS);
