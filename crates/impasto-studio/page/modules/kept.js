// What this browser keeps so that a reload loses nothing: choices that were not sent, in the tab's own storage, and drawings that
// were not, in IndexedDB. Where either is refused (a private window), the page works without.

export function recall(name, otherwise) {
  try {
    return JSON.parse(sessionStorage.getItem(`impasto.${name}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function keep(name, value) {
  try {
    if (value === null) sessionStorage.removeItem(`impasto.${name}`);
    else sessionStorage.setItem(`impasto.${name}`, JSON.stringify(value));
  } catch {
    // Then it is kept as long as the page.
  }
}

let opened;
function drawings() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open('impasto', 1);
    request.onupgradeneeded = () => request.result.createObjectStore('drawings');
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

async function within(mode, act) {
  try {
    const database = await drawings();
    return await new Promise((resolve, reject) => {
      const request = act(database.transaction('drawings', mode).objectStore('drawings'));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  } catch {
    return undefined;
  }
}

export const keepDrawing = (key, blob) => within('readwrite', (store) => store.put(blob, key));
export const recallDrawing = (key) => within('readonly', (store) => store.get(key));
export const forgetDrawing = (key) => within('readwrite', (store) => store.delete(key));
