// Maps by Leaflet, vectors only: no tiles, nothing from outside. Where Leaflet is missing, a note says so.
import { t } from "./live.js";

const html = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
const SPACING_PX = 110;
const ARROW_PX = 6;
const LEVELS = ["I", "II", "III", "IV"];

export function nameOf(text) {
  return text?.[html] || text?.en || "";
}

function textNode(text) {
  const span = document.createElement("span");
  span.textContent = text;
  return span;
}

export function note(element, text) {
  const p = document.createElement("p");
  p.className = "map-note";
  p.textContent = text;
  element.replaceChildren(p);
}

export function create(element) {
  if (!window.L) {
    note(element, t("map_missing"));
    return null;
  }
  element.replaceChildren();
  const map = L.map(element, { attributionControl: false, zoomControl: false, maxZoom: 22, minZoom: 3, zoomSnap: 0.25 });
  L.control.zoom({ position: "bottomleft", zoomInTitle: t("map_zoom_in"), zoomOutTitle: t("map_zoom_out") }).addTo(map);
  L.control.scale({ imperial: false, position: "bottomright" }).addTo(map);
  ["grid", "bands", "hcas", "pipelines", "cameras", "alerts"].forEach((name, i) => {
    map.createPane(name).classList.add(`pane-${name}`, `pane-order-${i}`);
  });
  const grid = L.layerGroup().addTo(map);
  map.on("moveend zoomend", () => drawGrid(map, grid));
  return map;
}

const STEPS = [1, 2, 5];
function drawGrid(map, layer) {
  layer.clearLayers();
  const bounds = map.getBounds().pad(0.2);
  const rough = (bounds.getEast() - bounds.getWest()) / 9;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (STEPS.find((s) => s * power >= rough) ?? 10);
  if (!Number.isFinite(step) || step <= 0) return;
  const add = (a, b) => L.polyline([a, b], { pane: "grid", className: "grid-line", interactive: false }).addTo(layer);
  for (let x = Math.floor(bounds.getWest() / step) * step; x < bounds.getEast(); x += step) add([bounds.getSouth(), x], [bounds.getNorth(), x]);
  for (let y = Math.floor(bounds.getSouth() / step) * step; y < bounds.getNorth(); y += step) add([y, bounds.getWest()], [y, bounds.getEast()]);
}

const latLngs = (feature) => feature.geometry.coordinates.map(([lon, lat]) => [lat, lon]);

function drawArrows(map, lines, layer) {
  layer.clearLayers();
  for (const line of lines) {
    const points = line.map((at) => map.project(at));
    let next = SPACING_PX / 2;
    let walked = 0;
    for (let i = 1; i < points.length; i++) {
      const [a, b] = [points[i - 1], points[i]];
      const length = a.distanceTo(b);
      const along = b.subtract(a).divideBy(length || 1);
      const across = L.point(-along.y, along.x);
      for (; next <= walked + length; next += SPACING_PX) {
        const tip = a.add(along.multiplyBy(next - walked));
        const tail = tip.subtract(along.multiplyBy(ARROW_PX));
        const arrow = [tail.add(across.multiplyBy(ARROW_PX * 0.7)), tip, tail.subtract(across.multiplyBy(ARROW_PX * 0.7))];
        L.polyline(arrow.map((p) => map.unproject(p)), { pane: "pipelines", className: "arrow", interactive: false }).addTo(layer);
      }
      walked += length;
      if (layer.getLayers().length > 400) return;
    }
  }
}

export function drawLines(map, features, { detail = false } = {}) {
  const group = L.featureGroup().addTo(map);
  const lines = [];
  for (const feature of features) {
    const { kind, name, grade, band_m: band } = feature.properties;
    if (kind === "band") {
      L.geoJSON(feature, { pane: "bands", style: { className: `band band-${band}` } })
        .bindTooltip(textNode(t("map_band", { n: band })), { sticky: true })
        .addTo(group);
    } else if (kind === "hca" && !detail) {
      L.polyline(latLngs(feature), { pane: "hcas", className: `hca hca-${grade}` })
        .bindTooltip(textNode(t("map_hca", { grade, name: nameOf(name) })), { sticky: true })
        .addTo(group);
    } else if (kind === "pipeline") {
      lines.push(latLngs(feature));
      L.polyline(latLngs(feature), { pane: "pipelines", className: "pipeline" })
        .bindTooltip(textNode(nameOf(name)), { sticky: true })
        .addTo(group);
      if (!detail) {
        const label = L.tooltip({ permanent: true, direction: "top", className: "line-name", interactive: false });
        label.setLatLng(latLngs(feature)[0]).setContent(textNode(nameOf(name))).addTo(group);
      }
    } else if (kind === "sigma") {
      const n = feature.properties.accuracy_m.toFixed(1);
      L.geoJSON(feature, { pane: "alerts", style: { className: "sigma" } }).bindTooltip(textNode(t("map_sigma", { n }))).addTo(group);
    }
  }
  const arrows = L.layerGroup().addTo(group);
  map.on("zoomend", () => map.hasLayer(arrows) && drawArrows(map, lines, arrows));
  map.whenReady(() => drawArrows(map, lines, arrows));
  return group;
}

function badge(className, text) {
  const box = document.createElement("span");
  box.className = className;
  box.textContent = text;
  return box;
}

export function cameraMarker(feature, stateText) {
  const { name, watching = true, surveyed, id } = feature.properties;
  const [lon, lat] = feature.geometry.coordinates;
  const icon = L.divIcon({ className: "marker-holder", html: badge(`marker-camera ${watching ? "is-watching" : "is-blind"}`, ""), iconSize: [18, 18] });
  let text = stateText ? t("map_camera", { name: nameOf(name), state: stateText }) : nameOf(name);
  if (surveyed === false) text += ` (${t("map_unsurveyed")})`;
  return L.marker([lat, lon], { pane: "cameras", icon, alt: text, title: "", keyboard: true, riseOnHover: true, id }).bindTooltip(textNode(text));
}

// the worse stand above the others
function levelMarker(feature, shown, text, options = {}) {
  const { level } = feature.properties;
  const [lon, lat] = feature.geometry.coordinates;
  const icon = L.divIcon({ className: "marker-holder", html: badge(`marker-alert level-${level}`, shown), iconSize: [58, 26], iconAnchor: [29, 34] });
  const zIndexOffset = 1000 - 100 * LEVELS.indexOf(level);
  return L.marker([lat, lon], { pane: "alerts", icon, alt: text, keyboard: true, riseOnHover: true, zIndexOffset, ...options }).bindTooltip(textNode(text));
}

function alertMarker(feature, onOpen) {
  const { level, number, title, placed_by: placedBy } = feature.properties;
  let text = t("map_alert", { level, number, title: nameOf(title) });
  if (placedBy !== "fix") text += ` (${t("map_placed_by_camera")})`;
  return levelMarker(feature, `${level} · ${number}`, text).on("click keypress", (event) => {
    if (event.type === "click" || event.originalEvent?.key === "Enter") onOpen(feature.properties);
  });
}

export function placeMarker(feature) {
  const [lon, lat] = feature.geometry.coordinates;
  return L.circleMarker([lat, lon], { pane: "alerts", radius: 4, className: `place level-fill-${feature.properties.level}` }).bindTooltip(textNode(t("map_place")));
}

// ---------------------------------------------------------------- alerts that would cover each other
const NEAR_PX = 34;
const MOST_LISTED = 12;

// one marker each, or one for all that stand within a thumb's breadth at this zoom; the worst stand on top
export function alertMarkers(map, features, onOpen) {
  const groups = [];
  for (const feature of [...features].sort((a, b) => LEVELS.indexOf(a.properties.level) - LEVELS.indexOf(b.properties.level))) {
    const [lon, lat] = feature.geometry.coordinates;
    const at = map.project([lat, lon]);
    const near = groups.find((group) => group.at.distanceTo(at) < NEAR_PX);
    if (near) near.features.push(feature);
    else groups.push({ at, features: [feature] });
  }
  return groups.map(({ features: of }) => (of.length === 1 ? alertMarker(of[0], onOpen) : groupMarker(of)));
}

function groupMarker(features) {
  const { level } = features[0].properties;
  const text = t("map_alerts", { n: features.length, level });
  const alertIds = features.map((feature) => feature.properties.alert_id);
  const list = document.createElement("ul");
  list.className = "map-list";
  for (const { properties: alert } of features.slice(0, MOST_LISTED)) {
    const link = document.createElement("a");
    link.href = `/alerts/${alert.alert_id}`;
    link.textContent = t("map_alert", { level: alert.level, number: alert.number, title: nameOf(alert.title) });
    const line = document.createElement("li");
    line.append(link);
    list.append(line);
  }
  if (features.length > MOST_LISTED) {
    const line = document.createElement("li");
    line.textContent = t("map_more", { n: features.length - MOST_LISTED });
    list.append(line);
  }
  return levelMarker(features[0], `${level} × ${features.length}`, text, { alertIds }).bindPopup(list, { className: "map-popup", maxWidth: 320, maxHeight: 260, autoPan: false });
}
