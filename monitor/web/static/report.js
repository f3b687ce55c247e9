// The form of a report: a click on the map, or the phone's own position, becomes longitude and latitude.
import { t } from "./live.js";
import { cameraMarker, create, drawLines, note } from "./map.js";

const lon = document.getElementById("lon");
const lat = document.getElementById("lat");
const element = document.getElementById("report-map");
const map = element ? create(element) : null;
let pin = null;

function show() {
  const at = [Number(lat.value), Number(lon.value)];
  const usable = lat.value.trim() && lon.value.trim() && at.every(Number.isFinite) && Math.abs(at[0]) <= 90 && Math.abs(at[1]) <= 180;
  if (!map) return null;
  if (!usable) {
    pin?.remove();
    pin = null;
    return null;
  }
  if (!pin) {
    const dot = document.createElement("span");
    dot.className = "report-pin";
    pin = L.marker(at, { pane: "alerts", icon: L.divIcon({ className: "marker-holder", html: dot, iconSize: [20, 20] }), keyboard: false, alt: t("report_pin") }).addTo(map);
  }
  pin.setLatLng(at);
  return at;
}

function put(longitude, latitude) {
  lon.value = longitude.toFixed(6);
  lat.value = latitude.toFixed(6);
  return show();
}

async function drawMap() {
  try {
    const answer = await fetch("/api/v1/map");
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const { features } = await answer.json();
    const all = L.geoJSON({ type: "FeatureCollection", features }, { interactive: false, pointToLayer: (_, at) => L.circleMarker(at) });
    map.fitBounds(all.getBounds().isValid() ? all.getBounds() : [[-60, -170], [70, 170]], { padding: [24, 24], animate: false });
    drawLines(map, features);
    for (const feature of features) if (feature.properties.kind === "camera") cameraMarker(feature).addTo(map);
    map.on("click", (event) => {
      const at = event.latlng.wrap();
      put(at.lng, at.lat);
    });
    const at = show();
    if (at) map.setView(at, 16, { animate: false });
    element.dataset.ready = "yes";
  } catch (error) {
    console.warn("map failed", error);
    note(element, t("map_failed"));
  }
}

if (map) drawMap();
for (const input of [lon, lat]) input.addEventListener("change", show);

const here = document.getElementById("here");
const says = document.getElementById("here-says");
if (navigator.geolocation && window.isSecureContext) {
  here.hidden = false;
  here.addEventListener("click", () => {
    says.textContent = t("report_locating");
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        const at = put(coords.longitude, coords.latitude);
        if (at) map.setView(at, 16, { animate: false });
        says.textContent = t("report_located", { n: Math.round(coords.accuracy) });
      },
      () => {
        says.textContent = t("report_no_position");
      },
      { enableHighAccuracy: true, timeout: 15000, maximumAge: 30000 },
    );
  });
}
