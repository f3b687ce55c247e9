// One thing that waits on this phone goes to the centre: {ok}, {refused: why} or {waits}, the latter with {fault: why} if
// the centre made a mistake over it. Photos go in pieces, so that a
// link that breaks in the middle costs one piece.
import { bytesOf } from "./pictures.js";
import { t } from "./live.js";

const PIECE_BYTES = 256 * 1024;
const LATE_MS = 60000;
// a link that is so slow counts as none; a piece of a photo may take longer than a step
const STEP_WITHIN_MS = 45000;
const PIECE_WITHIN_MS = 120000;
const WHOLE_WITHIN_MS = 600000;
// the centre, or what is before it, has no time or no room: that passes
const PASSES = [502, 503, 504, 507];

const patience = (ms) => (AbortSignal.timeout ? { signal: AbortSignal.timeout(ms) } : {});

// no link: nothing else need be tried; 'ended': the session; 'here': only this one can't be taken now
async function told(answer) {
  if (answer.ok) return { ok: true, body: await answer.json().catch(() => ({})) };
  if (answer.status === 401) return { waits: true, ended: true };
  const problem = await answer.json().catch(() => ({}));
  if (answer.status >= 500 && !PASSES.includes(answer.status)) return { waits: true, here: true, fault: problem.detail ?? t("network") };
  if (answer.status === 429 || answer.status === 408 || answer.status >= 500) return { waits: true, here: answer.status !== 429 };
  return { refused: problem.detail ?? t("network") };
}

async function sendStep(entry) {
  const late = Date.now() - entry.put > LATE_MS && "note" in entry.body;
  const time = new Date(entry.put).toLocaleTimeString();
  const body = late ? { ...entry.body, note: `${entry.body.note} [${t("outbox_late", { time })}]`.trim() } : entry.body;
  const headers = { "Content-Type": "application/json", "Idempotency-Key": entry.key };
  try {
    return await told(await fetch(entry.url, { method: "POST", headers, body: JSON.stringify(body), ...patience(STEP_WITHIN_MS) }));
  } catch {
    return { waits: true };
  }
}

// ---------------------------------------------------------------- photos
function aboutOf(entry) {
  const about = { taken_at: entry.taken_at, ...(entry.lon == null ? {} : { lon: entry.lon, lat: entry.lat }) };
  return Object.entries(about);
}

// without a hash of its own a photo goes in one piece; the centre's hash is its idempotency
async function sendWhole(entry, bytes) {
  const form = new FormData();
  for (const [name, value] of aboutOf(entry)) form.append(name, value);
  form.append("file", new Blob([bytes], { type: entry.type }), "photo");
  return told(await fetch(`/api/v1/alerts/${entry.alert}/photos`, { method: "POST", body: form, ...patience(WHOLE_WITHIN_MS) }));
}

async function sendPieces(entry, bytes, tell) {
  const url = `/api/v1/alerts/${entry.alert}/photos/${entry.sha256}?${new URLSearchParams(aboutOf(entry))}`;
  const total = bytes.byteLength;
  const put = (range, body) => fetch(url, { method: "PUT", headers: { "Content-Type": "application/octet-stream", "Content-Range": range }, body, ...patience(PIECE_WITHIN_MS) });
  // where an earlier try broke off
  let answer = await put(`bytes */${total}`);
  let anew = false;
  for (let turns = 0; turns < 2 * (3 + total / PIECE_BYTES); turns += 1) {
    const offset = Number(answer.headers.get("Upload-Offset"));
    const goesOn = (answer.status === 202 || answer.status === 409) && answer.headers.has("Upload-Offset") && offset < total;
    // a power cut damaged what the centre had of it, which is thrown away by now: once more from the beginning (offset 0)
    const again = !goesOn && !anew && answer.status === 422 && (await kindOf(answer)) === "other_hash";
    if (!goesOn && !again) return settled(answer);
    anew ||= again;
    tell(entry.key, offset / total);
    const end = Math.min(offset + PIECE_BYTES, total);
    answer = await put(`bytes ${offset}-${end - 1}/${total}`, bytes.slice(offset, end));
  }
  return answer.ok ? settled(answer) : { waits: true };
}

// the phone lets go of a photo only once the centre says that it is stored
async function settled(answer) {
  // another page of this phone, or a request that is about to die, has this photo under way
  if (answer.status === 409 && !answer.headers.has("Upload-Offset") && (await kindOf(answer)) === "upload_taken_over") return { waits: true };
  const result = await told(answer);
  return result.ok && !result.body.stored ? { waits: true, here: true } : result;
}

async function kindOf(answer) {
  const problem = await answer.clone().json().catch(() => ({}));
  return (problem.type ?? "").split(":").pop();
}

async function sendPhoto(entry, tell) {
  let bytes;
  try {
    bytes = await bytesOf(entry.key);
  } catch {
    if (!entry.fleeting) return { waits: true, here: true };
  }
  if (!bytes) return { refused: t("photo_gone") };
  try {
    return entry.sha256 ? await sendPieces(entry, bytes, tell) : await sendWhole(entry, bytes);
  } catch {
    return { waits: true };
  }
}

export function send(entry, tell) {
  return entry.kind === "photo" ? sendPhoto(entry, tell) : sendStep(entry);
}
