// Photos that wait on this phone, each with a small preview: kept in the browser's own database, since they are far too
// large for what keeps the steps (outbox.js). A photo is there whole or not at all, also after a crash.
const NAME = "hcawatch-photos";
// so much is kept at most, and a rest of the phone's room is left to others
const MOST_PHOTOS = 80;
const MOST_BYTES = 400e6;
const LEAVE_BYTES = 20e6;
const THUMB_PX = 184;
// where the browser keeps nothing (a private window): while the page is open
const fleeting = new Map();

function opened() {
  return new Promise((resolve, reject) => {
    if (!window.indexedDB) return reject(new Error("no database"));
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore("about", { keyPath: "key" });
      asked.result.createObjectStore("bytes");
    };
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
    asked.onblocked = () => reject(new Error("blocked"));
  });
}

// what `work` asks for in one transaction; done only once the phone has written it
async function transact(mode, work) {
  const database = await opened();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(["about", "bytes"], mode);
      const asked = work(transaction.objectStore("about"), transaction.objectStore("bytes"));
      transaction.oncomplete = () => resolve(asked?.result);
      transaction.onabort = () => reject(transaction.error ?? new Error("aborted"));
      transaction.onerror = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

// ---------------------------------------------------------------- what a photo is
async function thumbOf(file) {
  try {
    const bitmap = await createImageBitmap(file, { resizeWidth: THUMB_PX, resizeQuality: "medium" });
    const canvas = document.createElement("canvas");
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.7));
    return await blob.arrayBuffer();
  } catch {
    return null; // no picture that this browser draws: whether it is taken, the centre says
  }
}

// "" where the page came without TLS: the centre computes it then
async function sha256Of(bytes) {
  if (!crypto.subtle) return "";
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// ---------------------------------------------------------------- kept
// whether one more of `bytes` has room; else how many there are and how much they take
async function room(bytes) {
  const there = await list();
  const taken = there.reduce((sum, one) => sum + one.size, 0);
  let most = MOST_BYTES;
  try {
    const { quota, usage } = await navigator.storage.estimate();
    most = Math.min(most, taken + Math.max(0, quota - usage - LEAVE_BYTES));
  } catch {
    // an old browser does not say
  }
  return { fits: there.length < MOST_PHOTOS && taken + bytes <= most, n: there.length, mb: Math.ceil(taken / 1e6) };
}

// {about} of what is kept now; {full: {n, mb}} if there is no room; `about.fleeting` if only this page has it
export async function keepPhoto(key, file, about) {
  const bytes = await file.arrayBuffer();
  const found = { ...about, key, size: bytes.byteLength, type: file.type, sha256: await sha256Of(bytes), thumb: await thumbOf(file) };
  try {
    const { fits, n, mb } = await room(bytes.byteLength);
    if (!fits) return { full: { n, mb } };
    await transact("readwrite", (abouts, all) => {
      all.put(bytes, key);
      abouts.put(found);
    });
    // asked for, not insisted on: the browser then does not clear it when the phone gets full
    navigator.storage?.persist?.().catch(() => {});
    return { about: found };
  } catch (error) {
    if (error?.name === "QuotaExceededError") return { full: { n: (await list()).length, mb: 0 } };
    const kept = { ...found, fleeting: true };
    fleeting.set(key, { about: kept, bytes });
    return { about: kept };
  }
}

// all photos without their bytes, in the order in which they were taken
export async function list() {
  let kept = [];
  try {
    kept = await transact("readonly", (abouts) => abouts.getAll());
  } catch {
    // no database here
  }
  return [...kept, ...[...fleeting.values()].map((one) => one.about)].sort((a, b) => a.put - b.put);
}

// the photo's bytes, or undefined if the phone has them no more
export async function bytesOf(key) {
  if (fleeting.has(key)) return fleeting.get(key).bytes;
  return transact("readonly", (_, all) => all.get(key));
}

export async function dropPhotos(keys) {
  for (const key of keys) fleeting.delete(key);
  if (!keys.length) return;
  await transact("readwrite", (abouts, all) => {
    for (const key of keys) {
      abouts.delete(key);
      all.delete(key);
    }
  }).catch(() => {});
}
