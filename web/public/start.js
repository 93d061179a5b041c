// Starts the page. A file of its own, so that a content security policy needs no inline scripts.

// The Freeze view has a small program of its own, so that it is there at once; every other view is in the studio.
const view = new URLSearchParams(location.search).get("view");
const name = ["data", "train", "detect", "race", "xray"].includes(view) ? "studio" : "app";
const program = fetch(new URL(`${name}_bg.wasm`, import.meta.url));

import(`./${name}.js`)
  .then(({ default: init }) => init({ module_or_path: program }))
  .catch((error) => {
    const loading = document.getElementById("loading");
    if (loading) {
      loading.textContent = `Frostline could not start: ${error.message ?? error}. A recent browser with WebAssembly is needed. · 시작하지 못했습니다. WebAssembly를 지원하는 최신 브라우저가 필요합니다.`;
    }
  });

// The whole lab is kept for the next visit, with or without a network: not inside other sites, nor where data is dear.
const kept = "serviceWorker" in navigator && !("embed" in document.documentElement.dataset) && !navigator.connection?.saveData;
if (kept) {
  const keep = () => navigator.serviceWorker.register("offline-worker.js").catch(() => {});
  if (document.readyState === "complete") keep();
  else window.addEventListener("load", keep);
}
