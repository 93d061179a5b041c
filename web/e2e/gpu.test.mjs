// The engine on WebGPU: Chromium's software adapter, which is slow and right.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { Engine, pictures } from "./engine.mjs";
import { DIST } from "./lab.mjs";
import { LAB_POLICY, serve } from "./serve.mjs";

/** As far as one processor's rounding may lead from another's. */
const LOSS = 1e-3;
const BOX_PX = 2e-2;
const KERNEL = 1e-3;

const run = { freeze: "24", epochs: 3, imgsz: 64, batch: 2, seed: 5 };
let browser;
let server;
let engine;
let train;
let val;

before(async () => {
  const blank = "<!doctype html><html lang='en'><link rel='icon' href='/icon.svg'><title>blank</title></html>";
  server = await serve({ folder: DIST, pages: { "/blank": blank }, policy: LAB_POLICY });
  browser = await launch(["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]);
  engine = await Engine.open(browser, server.origin);
  [train, val] = [await pictures("train", 2), await pictures("val", 1)];
  await engine.load(train, val);
});
after(async () => {
  await engine?.close();
  await browser?.close();
  server?.close();
});

const detect = { picture: "file", imgsz: 64, conf: 0.01, iou: 0.45, which: "before" };

/** What both devices are asked. */
async function asked() {
  const { detected } = await engine.ask({ detect }, [val[0].file]);
  const { checked } = await engine.ask({ check: { steps: { settings: run, steps: 3 } } });
  return { boxes: detected.boxes, steps: checked.steps };
}

test("auto leaves a software adapter alone, and says so", async () => {
  const { ready } = await engine.ask({ start: { device: "auto" } });
  assert.equal(ready.gpu, false);
  assert.match(ready.why, /the CPU is faster than .*swiftshader/i);
});

test("the GPU finds the boxes of the CPU and takes its steps", async (context) => {
  await engine.ask({ start: { device: "cpu" } });
  const wanted = await asked();
  const { ready } = await engine.ask({ start: { device: "gpu" } });
  assert.ok(ready.gpu, ready.why);
  const began = performance.now();
  const found = await asked();
  context.diagnostic(`${ready.name}: ${((performance.now() - began) / 1e3).toFixed(1)} s`);
  assert.ok(wanted.boxes.length > 0);
  assert.equal(found.boxes.length, wanted.boxes.length);
  found.boxes.forEach(({ xyxy, class: number }, at) => {
    assert.equal(number, wanted.boxes[at].class);
    xyxy.forEach((side, corner) => assert.ok(Math.abs(side - wanted.boxes[at].xyxy[corner]) < BOX_PX));
  });
  found.steps.flat().forEach((loss, at) => {
    const other = wanted.steps.flat()[at];
    assert.ok(Math.abs(loss / other - 1) < LOSS, `loss ${at}: ${loss} on the GPU, ${other} on the CPU`);
  });
});

test("every kernel agrees with its twin", async () => {
  const { checked } = await engine.ask({ check: "kernels" });
  assert.ok(checked.kernels.length > 20);
  for (const [what, off] of checked.kernels) assert.ok(off <= KERNEL, `${what}: ${off}`);
});

test("a GPU that goes away is told, and the run goes on with the CPU", async () => {
  const done = engine.ask({ train: run });
  await engine.page.waitForFunction(() => window.events.some(({ body }) => body.started));
  await engine.ask({ check: "lose" });
  const end = await done;
  assert.equal(end.done.epochs, 3);
  const { lost } = (await engine.events()).map(({ body }) => body).find((body) => body.lost);
  assert.equal(lost.now.gpu, false);
  assert.match(lost.now.why, /lost/);
});
