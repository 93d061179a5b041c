// Keeps the lab for visits without a network: every file of this build, under this build's version.
importScripts("offline-files.js");

const PREFIX = `frostline ${self.registration.scope} `;
const CACHE = PREFIX + self.VERSION;

self.addEventListener("install", (event) => {
  const files = self.FILES.map((file) => new Request(file, { cache: "reload" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(files)));
});

// A new build takes over when no page of the old one is open any more: programs of two builds never meet.
self.addEventListener("activate", (event) => {
  const old = async () => {
    for (const name of await caches.keys()) if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(old());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(self.registration.scope)) return;
  const kept = async () => {
    const url = new URL(request.url);
    if (url.pathname.endsWith("/")) url.pathname += "index.html";
    const cache = await caches.open(CACHE);
    return (await cache.match(url, { ignoreSearch: true, ignoreVary: true })) ?? fetch(request);
  };
  event.respondWith(kept());
});
