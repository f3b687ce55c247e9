// The checklist of a dispatch, and the permits that its visit looks at: answered item by item, without a link as well.
import { now, refresh, t } from "./live.js";
import { forget, put, waiting } from "./outbox.js";
import { here, showDistance } from "./field_where.js";
import { newKey, showProblem } from "./steps.js";

const alertId = document.getElementById("field-alert").dataset.alert;
const textOf = (line) => line.querySelector(".check-text").firstChild.textContent.trim();

// items that have to be answered and are not: {key, text}, and the first one's line
export function openItems() {
  return [...document.querySelectorAll(".check-line")].filter((line) => !line.dataset.answer && line.dataset.required).map((line) => ({ key: line.dataset.item, text: textOf(line), line }));
}

// what waits on this phone counts as answered
export function showAnswers() {
  for (const { alert, body } of waiting()) {
    if (alert !== alertId || !body?.item) continue;
    const line = document.querySelector(`.check-line[data-item="${CSS.escape(body.item)}"]`);
    if (line) showAnswer(line, body);
  }
}

function showAnswer(line, { answer, value_m: metres, note }) {
  line.dataset.answer = answer === "open" ? "" : answer;
  line.className = `check-line check-${line.dataset.answer || "none"}`;
  const said = line.querySelector(".check-said");
  said.hidden = answer === "open";
  said.textContent = [t(answer === "done" ? "check_done" : "check_not_possible") + (metres == null ? "" : ` ${metres} m`), note, t("outbox_kept")].filter(Boolean).join(" · ");
}

async function answerItem(line, say) {
  const metres = line.querySelector(".check-metres")?.value;
  let note = "";
  if (say === "not_possible") {
    note = noteOf(line);
    if (!note) return;
  }
  if (say === "done" && line.dataset.measured && !metres) {
    showProblem(t("check_metres"));
    line.querySelector(".check-metres").focus();
    return;
  }
  const key = newKey();
  const body = { item: line.dataset.item, answer: say, note, value_m: metres ? Number(metres) : null, done_at: new Date(now()).toISOString(), ...here() };
  const answer = await put({ alert: alertId, url: `/api/v1/alerts/${alertId}/checks`, body, key, label: textOf(line) });
  if (answer.refused) {
    forget(key);
    return showProblem(answer.refused);
  }
  showProblem("");
  if (!answer.waits) return refresh(showDistance);
  showAnswers();
}

// why it could not be checked: its field appears, and the same button sends it
function noteOf(line) {
  const box = line.querySelector(".check-why");
  box.hidden = false;
  box.focus();
  return box.value.trim();
}

async function lookAt(button) {
  const row = button.closest(".along-row");
  const where = button.closest(".look-buttons").dataset;
  const url = `/api/v1/visits/${where.dispatch}/permits/${encodeURIComponent(where.permit)}`;
  const key = newKey();
  const body = { outcome: button.dataset.outcome, note: row.querySelector(".look-note").value };
  const answer = await put({ alert: alertId, url, body, key, label: where.permit });
  if (answer.refused) forget(key);
  if (!answer.waits) await refresh(showDistance);
  showProblem(answer.refused ?? "");
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.check-do");
  if (button) {
    if (!document.getElementById("checklist-list").dataset.there) return showProblem(t("check_there"));
    return answerItem(button.closest(".check-line"), button.dataset.answer);
  }
  const look = event.target.closest("button.look-do");
  if (look) lookAt(look);
});
