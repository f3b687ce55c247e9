// The officer's list: new dispatches appear by themselves.
import { announce, connect, refreshSoon } from "./live.js";

const rows = () => [...document.querySelectorAll(".field-row")];
let known = new Set(rows().map((row) => row.dataset.alert));

connect(["dispatch"], () =>
  refreshSoon(() => {
    const fresh = rows().filter((row) => !known.has(row.dataset.alert));
    known = new Set(rows().map((row) => row.dataset.alert));
    if (fresh.length) {
      announce(fresh.map((row) => row.dataset.say).join(". "));
      navigator.vibrate?.(300);
    }
  }),
);
