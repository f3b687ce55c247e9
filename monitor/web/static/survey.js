// Registering a camera: points are clicked, moved and deleted in the picture; the server says what they are worth.
// Coordinates are pixels of the camera's frame throughout: the drawing's own units.
import { announce, t } from "./live.js";

const data = JSON.parse(document.getElementById("survey-data").textContent);
const root = document.getElementById("survey");
const maySave = root.dataset.maySave === "yes";
const stage = document.getElementById("stage");
const list = document.getElementById("point-list");
const rowTemplate = document.getElementById("point-row");
const sigma = document.getElementById("sigma");
const saveButton = document.getElementById("save");
const [frameW, frameH] = data.frame ?? [1, 1];
const mayClick = maySave && stage && data.frame_fits;
const api = `/api/v1/cameras/${data.camera_id}/survey`;

const TRY_AFTER_MS = 350;
const CLICK_PX = 4; // further than this is a drag
const MOST_POINTS = 60;
// how far along its line a name stands, so that names of neighbours don't cover each other on a phone
const NAME_AT = { onon: 0.5, "5left": 0.15, "5right": 0.8, "200left": 0.68, "200right": 0.68 };
const ZOOMS = [1, 2, 4, 8];

let seen = data.number;
let mode = "lonlat";
let nextId = 1;
let selected = null;
let zoom = 1;
let middle = [frameW / 2, frameH / 2];
let asked = 0;
let timer = 0;
let good = false;
const points = data.points.map((point) => ({ id: nextId++, chainage: "", offset: "", side: "right", lonlat: "", ...point }));

// ---------------------------------------------------------------- drawing
function svg(name, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// how many frame pixels one pixel of the screen is
const unit = () => (stage ? frameW / zoom / Math.max(1, stage.clientWidth) : 1);

function path(at) {
  return at.map(([x, y]) => `${x},${y}`).join(" ");
}

function drawLines(trial) {
  if (!stage) return;
  const lines = document.getElementById("lines");
  const area = document.getElementById("area");
  lines.replaceChildren();
  area.replaceChildren();
  if (trial?.area_px?.length) area.append(svg("polygon", { points: path(trial.area_px), class: "area" }));
  const u = unit();
  for (const { band_m: band, side, parts } of trial?.lines ?? []) {
    const kind = side === "on" ? "on" : band;
    const longest = { length: 0 };
    for (const { exact: surveyed, points_px: at } of parts) {
      const exact = surveyed && !trial.refused; // what contradicts itself is exact nowhere
      lines.append(svg("polyline", { points: path(at), class: `line-halo${exact ? "" : " line-guess"}` }));
      lines.append(svg("polyline", { points: path(at), class: `line line-${kind}${exact ? "" : " line-guess"}`, "data-band": band, "data-side": side }));
      const length = at.slice(1).reduce((sum, [x, y], i) => sum + Math.hypot(x - at[i][0], y - at[i][1]), 0) * (exact ? 10 : 1);
      if (length > longest.length) Object.assign(longest, { length, at });
    }
    if (!longest.at) continue;
    const [x, y] = longest.at[Math.floor(longest.at.length * (NAME_AT[`${kind}${side}`] ?? 0.3))];
    const name = svg("text", { x, y: y - 6 * u, class: `line-name name-${kind}`, "font-size": 13 * u, "stroke-width": 3 * u });
    name.textContent = side === "on" ? t("survey_line") : t("survey_band", { n: band });
    lines.append(name);
  }
}

function drawPoints() {
  if (!stage) return;
  const holder = document.getElementById("points");
  const focused = document.activeElement?.dataset?.id;
  const u = unit();
  const drawn = points.map((point, i) => {
    const { x, y } = point;
    const text = svg("text", { x: x + 13 * u, y: y - 13 * u, "font-size": 12 * u });
    text.textContent = i + 1;
    const states = [point.id === selected && "is-selected", !point.placed && "is-unplaced", point.guilty && "is-guilty"];
    return svg(
      "g",
      { class: ["point", ...states.filter(Boolean)].join(" "), "data-id": point.id, role: "button", tabindex: "0", "aria-label": t("survey_point", { n: i + 1, x: Math.round(x), y: Math.round(y) }) },
      svg("circle", { cx: x, cy: y, r: 20 * u, class: "grip" }),
      svg("circle", { cx: x, cy: y, r: 7 * u, class: "ring" }),
      svg("path", { d: `M${x - 11 * u},${y}h${7 * u}M${x + 4 * u},${y}h${7 * u}M${x},${y - 11 * u}v${7 * u}M${x},${y + 4 * u}v${7 * u}`, class: "mark" }),
      svg("circle", { cx: x, cy: y, r: 7 * u, class: "mark" }),
      svg("circle", { cx: x + 13 * u, cy: y - 13 * u, r: 9 * u, class: "tag" }),
      text,
    );
  });
  holder.replaceChildren(...drawn);
  if (focused) holder.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

let lastTrial = data.trial;
function draw() {
  drawLines(lastTrial);
  drawPoints();
}

function showZoom() {
  const [w, h] = [frameW / zoom, frameH / zoom];
  middle = [Math.min(Math.max(middle[0], w / 2), frameW - w / 2), Math.min(Math.max(middle[1], h / 2), frameH - h / 2)];
  stage.setAttribute("viewBox", `${middle[0] - w / 2} ${middle[1] - h / 2} ${w} ${h}`);
  stage.classList.toggle("is-zoomed", zoom > 1);
  document.getElementById("zoom-now").textContent = `${zoom}×`;
  draw();
}

function zoomBy(step) {
  zoom = ZOOMS[Math.min(Math.max(ZOOMS.indexOf(zoom) + step, 0), ZOOMS.length - 1)];
  const point = points.find(({ id }) => id === selected);
  if (point) middle = [point.x, point.y];
  showZoom();
}

// ---------------------------------------------------------------- the list
function drawList() {
  list.classList.toggle("by-mode-lonlat", mode === "lonlat");
  list.classList.toggle("by-mode-chainage", mode === "chainage");
  list.replaceChildren(
    ...points.map((point, i) => {
      const row = rowTemplate.content.firstElementChild.cloneNode(true);
      row.dataset.id = point.id;
      const number = row.querySelector(".point-number");
      number.textContent = i + 1;
      number.setAttribute("aria-label", `${number.getAttribute("aria-label")} ${i + 1}`);
      row.querySelector(".point-delete").setAttribute("aria-label", `${row.querySelector(".point-delete").getAttribute("aria-label")} ${i + 1}`);
      row.querySelector(".point-delete").hidden = !mayClick;
      for (const field of row.querySelectorAll("input, select")) {
        field.value = point[field.name];
        field.disabled = !mayClick;
      }
      return row;
    }),
  );
  showTold();
}

function showTold() {
  for (const [i, point] of points.entries()) {
    const row = list.children[i];
    row.classList.toggle("is-selected", point.id === selected);
    row.classList.toggle("is-guilty", Boolean(point.guilty));
    const told = row.querySelector(".point-told");
    told.classList.toggle("is-bad", Boolean(point.fault) && !point.empty);
    told.textContent = point.fault ?? [point.offText, point.placeText].filter(Boolean).join(" · ");
  }
}

function select(id, { focus = false } = {}) {
  selected = id;
  showTold();
  drawPoints();
  if (focus) list.querySelector(`[data-id="${id}"] ${mode === "lonlat" ? "[name=lonlat]" : "[name=chainage]"}`)?.focus({ preventScroll: true });
}

function remove(id) {
  const at = points.findIndex((point) => point.id === id);
  if (at < 0) return;
  points.splice(at, 1);
  selected = points[Math.min(at, points.length - 1)]?.id ?? null;
  changed();
  drawList();
}

// what is left of the last answer is not the answer to this any more
function changed() {
  good = false;
  if (saveButton) saveButton.disabled = true;
  draw();
  clearTimeout(timer);
  timer = setTimeout(tryPoints, TRY_AFTER_MS);
}

// ---------------------------------------------------------------- asking the server
// a place that was typed as a chainage counts as that; else longitude and latitude
function body() {
  return {
    width: frameW,
    height: frameH,
    sigma_m: Number(sigma.value),
    points: points.map(({ x, y, lonlat, chainage, offset, side, by }) => (by === "chainage" ? { x, y, chainage, offset, side } : { x, y, lonlat })),
  };
}

async function ask(url, method, content) {
  try {
    const answer = await fetch(url, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(content) });
    const told = await answer.json().catch(() => ({}));
    return { ok: answer.ok, told, detail: told.detail ?? t("network") };
  } catch {
    return { ok: false, told: {}, detail: t("network") };
  }
}

async function tryPoints() {
  const mine = ++asked;
  verdict(t("survey_trying"), "");
  const { ok, told, detail } = await ask(`${api}/trial`, "POST", body());
  if (mine !== asked) return;
  if (!ok) return verdict(detail, "is-bad");
  show(told);
}

function verdict(text, tone) {
  const box = document.getElementById("verdict");
  box.textContent = text;
  box.className = `verdict ${tone}`;
}

function show(trial) {
  lastTrial = trial;
  for (const [i, told] of trial.points.entries()) {
    const point = points[i];
    if (!point) break;
    Object.assign(point, { placed: Boolean(told.place), fault: told.fault, empty: told.empty, guilty: told.guilty, placeText: "", offText: "" });
    if (told.place) {
      const { chainage_text: at, offset, side } = told.place;
      point.placeText = t(`survey_at_${side}`, { chainage: at, offset });
      if (point.by === "chainage") point.lonlat = told.place.lonlat;
      else Object.assign(point, { chainage: told.place.chainage, offset: told.place.offset, side: told.place.side });
    }
    if (told.off_m != null) {
      point.offText = t(told.by_others_m == null ? "survey_off" : "survey_off_others", { m: told.off_m.toFixed(2), px: told.off_px?.toFixed(1) ?? "–", others: told.by_others_m?.toFixed(2) });
    }
    for (const field of list.children[i].querySelectorAll("input, select")) if (field !== document.activeElement) field.value = point[field.name];
  }
  const waiting = points.filter(({ placed }) => !placed).length;
  good = !trial.refused && points.length > 0 && waiting === 0;
  if (trial.refused) verdict(trial.refused.text, points.length ? "is-bad" : "");
  else verdict(waiting ? t("survey_waiting", { n: waiting }) : t("survey_good"), waiting ? "" : "is-good");
  document.getElementById("notes").replaceChildren(...trial.notes.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  showSure(trial);
  const ranges = trial.seen.map(([a, b]) => `${a} – ${b}`).join(", ");
  document.getElementById("seen").textContent = trial.lines.length || trial.seen.length ? t("survey_seen", { n: trial.seen_m.toFixed(0), ranges: ranges || "–" }) : "";
  const yaml = document.getElementById("yaml-part");
  if (yaml) {
    yaml.hidden = !(good && trial.yaml);
    document.getElementById("yaml").textContent = trial.yaml ?? "";
  }
  if (saveButton) saveButton.disabled = !good;
  showTold();
  draw();
}

function showSure(trial) {
  const table = document.getElementById("sure");
  table.hidden = !trial.sure.length;
  const caption = document.getElementById("sure-caption");
  caption.textContent = trial.from_camera ? caption.dataset.camera : caption.dataset.border;
  table.tBodies[0].replaceChildren(
    ...trial.sure.map(({ distance_m: distance, accuracy_m: accuracy }) => {
      const row = document.createElement("tr");
      row.append(
        Object.assign(document.createElement("th"), { textContent: t("survey_metres", { n: distance }), scope: "row" }),
        Object.assign(document.createElement("td"), { textContent: t("survey_plus_minus", { n: accuracy.toFixed(accuracy < 10 ? 1 : 0) }), className: "num" }),
      );
      return row;
    }),
  );
}

// ---------------------------------------------------------------- hands
function place(event) {
  const box = stage.getBoundingClientRect();
  const [w, h] = [frameW / zoom, frameH / zoom];
  const x = middle[0] - w / 2 + ((event.clientX - box.left) / box.width) * w;
  const y = middle[1] - h / 2 + ((event.clientY - box.top) / box.height) * h;
  return inside(x, y);
}

function inside(x, y) {
  const round = (value, most) => Math.round(Math.min(Math.max(value, 0), most) * 10) / 10;
  return { x: round(x, frameW), y: round(y, frameH) };
}

let drag = null;
function onDown(event) {
  if (event.button !== 0) return;
  const id = Number(event.target.closest(".point")?.dataset.id);
  drag = { id, from: [event.clientX, event.clientY], at: place(event), middle, moved: false, pointer: event.pointerId };
  if (id) {
    const point = points.find((one) => one.id === id);
    drag.grip = [point.x - drag.at.x, point.y - drag.at.y];
    select(id);
    stage.setPointerCapture(event.pointerId);
    event.preventDefault();
  } else if (zoom > 1) stage.setPointerCapture(event.pointerId);
}

function onMove(event) {
  if (!drag || event.pointerId !== drag.pointer) return;
  const [dx, dy] = [event.clientX - drag.from[0], event.clientY - drag.from[1]];
  drag.moved ||= Math.hypot(dx, dy) > CLICK_PX;
  if (!drag.moved) return;
  if (drag.id) {
    const at = place(event);
    Object.assign(points.find((one) => one.id === drag.id), inside(at.x + drag.grip[0], at.y + drag.grip[1]));
    drawPoints();
  } else if (zoom > 1) {
    middle = [drag.middle[0] - dx * unit(), drag.middle[1] - dy * unit()];
    showZoom();
  }
}

function onUp(event) {
  if (!drag || event.pointerId !== drag.pointer) return;
  const { id, moved } = drag;
  drag = null;
  if (id && moved) return changed();
  if (id) return select(id, { focus: event.pointerType === "mouse" });
  if (moved) return;
  if (points.length >= MOST_POINTS) return announce(t("survey_most", { n: MOST_POINTS }));
  const point = { id: nextId++, lonlat: "", chainage: "", offset: "", side: "right", by: mode, ...place(event) };
  points.push(point);
  drawList();
  select(point.id, { focus: event.pointerType === "mouse" });
  changed();
}

function onKey(event) {
  const point = points.find((one) => one.id === Number(event.target.closest(".point")?.dataset.id));
  if (!point) return;
  const step = (event.shiftKey ? 10 : 1) / zoom;
  const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
  if (by) {
    Object.assign(point, inside(point.x + by[0], point.y + by[1]));
    selected = point.id;
    changed();
  } else if (event.key === "Delete" || event.key === "Backspace") remove(point.id);
  else if (event.key === "Enter" || event.key === " ") select(point.id, { focus: true });
  else return;
  event.preventDefault();
}

if (stage) {
  document.getElementById("zoom-in").addEventListener("click", () => zoomBy(1));
  document.getElementById("zoom-out").addEventListener("click", () => zoomBy(-1));
  addEventListener("resize", draw);
}
if (mayClick) {
  stage.addEventListener("pointerdown", onDown);
  stage.addEventListener("pointermove", onMove);
  stage.addEventListener("pointerup", onUp);
  stage.addEventListener("pointercancel", () => (drag = null));
  stage.addEventListener("keydown", onKey);
}

list.addEventListener("input", ({ target }) => {
  const point = points.find(({ id }) => id === Number(target.closest(".point-row").dataset.id));
  point[target.name] = target.value;
  point.by = target.name === "lonlat" ? "lonlat" : "chainage";
  changed();
});
list.addEventListener("focusin", ({ target }) => {
  const id = Number(target.closest(".point-row")?.dataset.id);
  if (id && id !== selected) select(id);
});
list.addEventListener("click", ({ target }) => {
  const id = Number(target.closest(".point-row")?.dataset.id);
  if (target.closest(".point-delete")) remove(id);
  else if (target.closest(".point-number")) select(id);
});
for (const radio of document.querySelectorAll("[name=mode]")) {
  radio.checked = radio.value === mode;
  radio.addEventListener("change", () => {
    mode = radio.value;
    drawList();
  });
}
sigma.disabled = !mayClick;
sigma.addEventListener("input", changed);

// ---------------------------------------------------------------- keeping
function problem(id, text) {
  const box = document.getElementById(id);
  box.textContent = text;
  box.hidden = !text;
}

document.getElementById("save-form")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const reason = document.getElementById("reason");
  reason.setCustomValidity(reason.value.trim().length < 3 ? t("survey_reason_needed") : "");
  if (!reason.reportValidity() || !good) return;
  saveButton.disabled = true;
  problem("save-problem", "");
  const { ok, told, detail } = await ask(api, "PUT", { ...body(), reason: reason.value, seen });
  if (!ok) {
    saveButton.disabled = !good;
    return problem("save-problem", detail);
  }
  seen = told.number;
  reason.value = "";
  problem("saved", t("survey_saved", { n: told.number, version: told.calibration_version }));
});
document.getElementById("reason")?.addEventListener("input", ({ target }) => target.setCustomValidity(""));

document.getElementById("copy")?.addEventListener("click", async () => {
  const told = document.getElementById("copied");
  try {
    await navigator.clipboard.writeText(document.getElementById("yaml").textContent);
    told.textContent = t("survey_copied");
  } catch {
    getSelection().selectAllChildren(document.getElementById("yaml")); // plain HTTP has no clipboard
    told.textContent = t("survey_copy_by_hand");
  }
});

document.getElementById("file")?.addEventListener("change", async ({ target }) => {
  if (!target.files.length) return;
  problem("upload-problem", "");
  const form = new FormData();
  form.append("file", target.files[0]);
  try {
    const answer = await fetch(`${api}/picture`, { method: "POST", body: form });
    if (answer.ok) return location.reload();
    problem("upload-problem", (await answer.json().catch(() => ({}))).detail ?? t("network"));
  } catch {
    problem("upload-problem", t("network"));
  }
  target.value = "";
});

drawList();
draw();
if (data.trial) show(data.trial);
// a survey that was shown is no new one: there is nothing to save yet
if (saveButton) saveButton.disabled = true;
