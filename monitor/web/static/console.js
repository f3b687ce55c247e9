// The console: the live list (laid out by the server) and the map (drawn here from /api/v1/map).
import { announce, connect, now, refreshSoon, t } from "./live.js";
import { alertMarkers, cameraMarker, create, drawLines, note } from "./map.js";

const element = document.getElementById("map");
const title = document.title;
const map = create(element);
let drawn = null;
let markers = null;
let alertLayer = null;
let alerts = [];

function stateTexts() {
  return new Map([...document.querySelectorAll("#camera-list .camera")].map((li) => [li.id.slice("camera-".length), li.dataset.stateText]));
}

async function drawMap() {
  if (!map) return;
  try {
    const answer = await fetch("/api/v1/map");
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const { features } = await answer.json();
    if (!drawn) {
      // Leaflet wants a view before anything is drawn
      const all = L.geoJSON({ type: "FeatureCollection", features }, { interactive: false, pointToLayer: (_, at) => L.circleMarker(at) });
      map.fitBounds(all.getBounds().isValid() ? all.getBounds() : [[-60, -170], [70, 170]], { padding: [48, 40], animate: false });
      drawn = drawLines(map, features);
      markers = L.layerGroup().addTo(map);
      alertLayer = L.layerGroup().addTo(map);
      map.on("zoomend", drawAlerts);
    }
    const states = stateTexts();
    const focused = document.activeElement?.getAttribute?.("alt") ?? document.activeElement?.getAttribute?.("aria-label");
    markers.clearLayers();
    for (const feature of features) {
      if (feature.properties.kind === "camera") markers.addLayer(cameraMarker(feature, states.get(feature.properties.id)));
    }
    alerts = features.filter((feature) => feature.properties.kind === "alert");
    drawAlerts();
    if (focused) [...element.querySelectorAll("[aria-label], [alt]")].find((e) => (e.getAttribute("alt") ?? e.getAttribute("aria-label")) === focused)?.focus({ preventScroll: true });
  } catch (error) {
    console.warn("map failed", error);
    if (!drawn) note(element, t("map_failed"));
  }
}

// drawn anew only where something changed; a list that was open is opened again, and keeps the focus
let drawnAlerts = "";
let openList = null;
function drawAlerts() {
  const asked = JSON.stringify([map.getZoom(), alerts]);
  if (asked === drawnAlerts) return;
  drawnAlerts = asked;
  const wasOpen = openList;
  const focused = document.activeElement?.closest?.(".map-list a")?.getAttribute("href");
  alertLayer.clearLayers();
  for (const marker of alertMarkers(map, alerts, ({ alert_id: id }) => location.assign(`/alerts/${id}`))) {
    alertLayer.addLayer(marker);
    marker.on("popupopen", () => (openList = marker.options.alertIds));
    marker.on("popupclose", () => (openList = null));
    if (!wasOpen?.some((id) => marker.options.alertIds?.includes(id))) continue;
    marker.openPopup();
    // the old list is still fading away, so look in the new one
    if (focused) marker.getPopup().getElement().querySelector(`a[href="${focused}"]`)?.focus({ preventScroll: true });
  }
}

function rows() {
  return [...document.querySelectorAll("#alert-list .alerts:not(.alerts-closed) .alert-row")];
}

// of a list that goes on on another page, whatever moved up from there is no news
const NEWS_MS = 120000;
function isNews(row) {
  if (!document.querySelector("#alert-list .pages")) return true;
  return now() - Date.parse(row.querySelector("time")?.dateTime) < NEWS_MS;
}

// level I that is not on this page: a narrowed list or a further page says it, too
function elsewhere() {
  const line = document.getElementById("elsewhere");
  return { line, n: Number(line?.dataset.n ?? 0), newest: Number(line?.dataset.newest ?? 0) };
}

let away = elsewhere();
let known = new Set(rows().map((row) => row.dataset.alert));
const marked = new Map();

function afterRefresh() {
  const fresh = rows().filter((row) => !known.has(row.dataset.alert) && isNews(row));
  known = new Set(rows().map((row) => row.dataset.alert));
  for (const row of fresh) marked.set(row.dataset.alert, now() + 20000);
  for (const row of rows()) row.classList.toggle("is-new", (marked.get(row.dataset.alert) ?? 0) > now());
  const before = away;
  away = elsewhere();
  const more = away.n > before.n || (away.n > 0 && away.newest > before.newest);
  if (more) marked.set("elsewhere", now() + 20000);
  away.line?.classList.toggle("is-new", (marked.get("elsewhere") ?? 0) > now());
  const said = [...(more ? [away.line.querySelector(".elsewhere-said").textContent] : []), ...fresh.map((row) => row.dataset.say)];
  if (said.length) announce(said.join(". "));
  showCount();
  drawMap();
}

function showCount() {
  const running = Number(document.getElementById("count-running")?.textContent || known.size);
  document.title = running ? `(${running}) ${title}` : title;
}

showCount();
drawMap();
connect(["alert", "camera"], () => refreshSoon(afterRefresh));
