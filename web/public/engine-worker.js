// Starts the engine in a worker. The page holds its questions back until it hears that the engine is there.
import init from "./engine.js";

const say = (body) => self.postMessage({ text: JSON.stringify({ id: 0, body }), bytes: [] });

init({ module_or_path: new URL("engine_bg.wasm", import.meta.url) }).then(
  () => say("fine"),
  (error) =>
    say({
      failed: {
        place: "engine_bg.wasm",
        found: String(error?.message ?? error),
        expected: "a browser with WebAssembly SIMD",
        next: "Load the page again, or take a recent browser",
      },
    }),
);
