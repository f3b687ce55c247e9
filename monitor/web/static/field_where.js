// Where the officer is, as far as the phone says it, and how far that is from the alert.
import { t } from "./live.js";

const EARTH_M = 6371008.8;
let place = null;

// {lon, lat}, or null while nobody knows
export const here = () => place;

function metresBetween(a, b) {
  const rad = Math.PI / 180;
  const h = Math.sin(((b.lat - a.lat) * rad) / 2) ** 2 + Math.cos(a.lat * rad) * Math.cos(b.lat * rad) * Math.sin(((b.lon - a.lon) * rad) / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.sqrt(h));
}

export function showDistance() {
  const box = document.getElementById("distance");
  if (!box || !place) return;
  const m = metresBetween(place, { lon: Number(box.dataset.lon), lat: Number(box.dataset.lat) });
  const d = m < 1000 ? t("distance_m", { n: Math.round(m) }) : t("distance_km", { n: (m / 1000).toFixed(1) });
  document.getElementById("distance-text").textContent = t("distance", { d });
}

if (window.isSecureContext && navigator.geolocation) {
  navigator.geolocation.watchPosition(
    ({ coords }) => {
      place = { lon: coords.longitude, lat: coords.latitude };
      showDistance();
    },
    () => {
      place = null;
    },
    { enableHighAccuracy: true, maximumAge: 15000 },
  );
}
