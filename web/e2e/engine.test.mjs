// The engine: what it computes on the CPU, against the native program on the same pictures, weights and seed.
import assert from "node:assert/strict";
import { readFile, writeFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { CLASSES, Engine, TARGET, WEIGHTS, csv, folder, native, pictures } from "./engine.mjs";
import { DIST } from "./lab.mjs";
import { LAB_POLICY, serve } from "./serve.mjs";

/** As far as one processor's rounding may lead from another's. */
const LOSS = 1e-3;
const BOX_PX = 2e-2;
/** What 30 epochs of the target world may take on two cores. */
const SECONDS = 60;
const MAP = 0.03;

const settings = { freeze: "24", epochs: 30, imgsz: 320, batch: 8, seed: 0 };
const blank = "<!doctype html><html lang='en'><link rel='icon' href='/icon.svg'><title>blank</title></html>";
let browser;
let server;
let engine;

before(async () => {
  server = await serve({ folder: DIST, pages: { "/blank": blank }, policy: LAB_POLICY });
  browser = await launch();
  engine = await Engine.open(browser, server.origin);
  const { ready } = await engine.ask({ start: { device: "cpu" } });
  assert.equal(ready.gpu, false);
});
after(async () => {
  await engine?.close();
  await browser?.close();
  server?.close();
});

/** A data set of the first pictures of the target world in a folder. */
async function dataSet(to, train, val) {
  for (const [split, all] of [["train", train], ["val", val]]) {
    await mkdir(join(to, "images", split), { recursive: true });
    await mkdir(join(to, "labels", split), { recursive: true });
    for (const { name, file, boxes } of all) {
      await writeFile(join(to, "images", split, name), file);
      const lines = boxes.map(([number, sides]) => [number, ...sides].join(" "));
      await writeFile(join(to, "labels", split, name.replace(".jpg", ".txt")), lines.join("\n"));
    }
  }
  const yaml = join(to, "data.yaml");
  await writeFile(yaml, `path: .\ntrain: images/train\nval: images/val\nnames: [${CLASSES.join(", ")}]\n`);
  return yaml;
}

function near(found, wanted, relative, what) {
  const off = Math.abs(found - wanted) / Math.max(Math.abs(wanted), 1e-9);
  assert.ok(off <= relative, `${what}: found ${found}, wanted ${wanted}`);
}

test("without weights or pictures the engine says what it needs", async () => {
  const { failed } = await engine.ask({ train: settings }, [], { refused: true });
  assert.equal(failed.place, "the weights");
  const nonsense = await engine.ask({ weights: { name: "a.pt" } }, [Buffer.from("<html>")], { refused: true });
  assert.equal(nonsense.failed.place, "a.pt");
  assert.equal(nonsense.failed.found, "a web page");
  const unknown = await engine.ask({ dance: 3 }, [], { refused: true });
  assert.equal(unknown.failed.place, "a message to the engine");
});

test("a picture that is none is named, the rest is taken", async () => {
  const [whole] = await pictures("train", 1);
  const broken = { ...whole, name: "broken.jpg", file: whole.file.subarray(0, 100) };
  const { data } = await engine.load([whole, broken], await pictures("val", 1));
  assert.deepEqual([data.train, data.val], [1, 1]);
  assert.match(data.refused[0].place, /broken\.jpg/);
});

test("the steps of a run are the native program's", async (context) => {
  const [train, val] = [await pictures("train", 4), await pictures("val", 1)];
  const to = await folder(context);
  const yaml = await dataSet(to, train, val);
  await engine.load(train, val);
  // One batch an epoch, so that the native program tells every step.
  for (const freeze of ["24", "10"]) {
    const run = { freeze, epochs: 3, imgsz: 128, batch: 4, seed: 5 };
    native(
      ...["train", "--weights", WEIGHTS, "--data", yaml, "--freeze", freeze, "--epochs", 3, "--imgsz", 128],
      ...["--cache-features", "auto"],
      ...["--batch-size", 4, "--seed", 5, "--device", "cpu", "--noplots", "--project", to, "--name", `f${freeze}`],
    );
    const wanted = await csv(join(to, `f${freeze}`, "results.csv"));
    const { checked } = await engine.ask({ check: { steps: { settings: run, steps: 3 } } });
    assert.equal(wanted.length, 3);
    checked.steps.forEach((losses, step) => {
      ["train/box_loss", "train/obj_loss", "train/cls_loss"].forEach((column, part) => {
        near(losses[part], wanted[step][column], LOSS, `freeze ${freeze}, step ${step}, ${column}`);
      });
    });
  }
});

test("boxes are found where the native program finds them", async (context) => {
  const [{ name, file }] = await pictures("val", 1);
  const to = await folder(context);
  await engine.ask({ weights: { name: "source" } }, [await readFile(WEIGHTS)]);
  native(
    ...["detect", "--weights", WEIGHTS, "--source", join(TARGET, "images/val", name), "--imgsz", 320, "--conf-thres", 0.01],
    ...["--iou-thres", 0.45, "--device", "cpu", "--save-txt", "--save-conf", "--nosave", "--project", to, "--name", "d"],
  );
  const text = await readFile(join(to, "d/labels", name.replace(".jpg", ".txt")), "utf8");
  const wanted = text.trim().split("\n").map((line) => line.split(" ").map(Number));
  const ask = { picture: "file", imgsz: 320, conf: 0.01, iou: 0.45, which: "before" };
  const { detected } = await engine.ask({ detect: ask }, [file]);
  assert.equal(detected.boxes.length, wanted.length);
  assert.ok(wanted.length > 0);
  detected.boxes.forEach(({ xyxy, confidence, class: number }, at) => {
    const [label, cx, cy, w, h, sure] = wanted[at];
    assert.equal(number, label);
    assert.ok(Math.abs(confidence - sure) < 1e-4);
    [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2].forEach((side, corner) => {
      assert.ok(Math.abs(side * 320 - xyxy[corner]) < BOX_PX, `box ${at}: ${xyxy} and ${wanted[at]}`);
    });
  });
});

test("a module's activations come as pictures", async () => {
  const [{ file }] = await pictures("val", 1);
  const ask = { picture: "file", imgsz: 320, module: 4, which: "before" };
  const { body, bytes } = await engine.askForBytes({ xray: ask }, [file]);
  const { planes, width, height } = body.xray;
  assert.deepEqual([planes, width, height], [64, 40, 40]);
  assert.equal(bytes[0].length, planes * width * height * 4);
  assert.ok(new Set(bytes[0]).size > 50);
  const detect = await engine.ask({ xray: { ...ask, module: 24 } }, [file], { refused: true });
  assert.match(detect.failed.expected, /before Detect/);
});

test("30 epochs of the target world reach what the native program reaches, in time, and travel", async (context) => {
  const to = await folder(context);
  const flags = ["--data", join(TARGET, "target.yaml"), "--imgsz", 320, "--batch-size", 8, "--device", "cpu", "--project", to];
  native("train", "--weights", WEIGHTS, "--freeze", 24, "--epochs", 30, "--cache-features", "auto", "--seed", 0, "--noplots", "--name", "t", ...flags);
  const wanted = Math.max(...(await csv(join(to, "t/results.csv"))).map((row) => row["metrics/mAP_0.5"]));
  await engine.load(await pictures("train"), await pictures("val"));
  const { started } = await engine.ask({ forecast: settings });
  assert.deepEqual([started.optimizer, started.views, started.steps], ["Adam", 1, 8]);
  const began = performance.now();
  const { done } = await engine.ask({ train: settings });
  const seconds = (performance.now() - began) / 1e3;
  context.diagnostic(`${seconds.toFixed(1)} s, of these ${done.seconds.toFixed(1)} s computing; mAP50 ${done.best.map50.toFixed(3)}, native ${wanted}`);
  assert.ok(seconds < SECONDS, `${seconds} s`);
  assert.equal(done.epochs, 30);
  assert.ok(Math.abs(done.best.map50 - wanted) < MAP, `mAP50 ${done.best.map50}, native ${wanted}`);
  assert.ok(done.receipts.every(({ holds }) => holds) && done.receipts[0].parameters > 100);

  const events = await engine.events();
  const epochs = events.map(({ body }) => body.epoch).filter(Boolean);
  assert.equal(epochs.length, 30);
  const loss = ({ losses }) => losses.reduce((sum, part) => sum + part);
  context.diagnostic(`losses ${epochs[0].losses} to ${epochs[29].losses}`);
  assert.ok(loss(epochs[29]) < loss(epochs[0]) / 2, "what is minimised falls");
  assert.ok(epochs.every(({ drift }) => drift.every(([, far]) => far === 0)), "frozen statistics stay");
  const gradients = events.flatMap(({ body }) => body.step?.gradients ?? []);
  assert.ok(gradients.length > 0 && gradients.every(([module, norm]) => module === 24 && norm > 0));

  const { bytes } = await engine.askForBytes("export");
  const file = join(to, "browser.safetensors");
  await writeFile(file, bytes[0]);
  native("val", "--weights", file, "--name", "v", ...flags);
  const metrics = JSON.parse(await readFile(join(to, "v/metrics.json"), "utf8"));
  assert.ok(Math.abs(metrics.map50 - done.best.map50) < 2e-3, `native val ${metrics.map50}, the engine ${done.best.map50}`);
  // As ONNX it is the same network, which the program takes too.
  const graph = await engine.askForBytes({ onnx: { imgsz: 320 } }, [bytes[0]]);
  const written = join(to, "browser.onnx");
  await writeFile(written, graph.bytes[0]);
  native("val", "--weights", written, "--name", "o", ...flags);
  const same = JSON.parse(await readFile(join(to, "o/metrics.json"), "utf8"));
  assert.ok(Math.abs(same.map50 - metrics.map50) < 1e-3, `as ONNX ${same.map50}`);
  const [{ file: picture }] = await pictures("val", 1);
  const ask = { picture: "file", imgsz: 320, conf: 0.25, iou: 0.45, which: "after" };
  const { detected } = await engine.ask({ detect: ask }, [picture]);
  assert.deepEqual(detected.classes, CLASSES);
  assert.ok(detected.boxes.length > 0);
});

test("features that memory may not hold lie in the browser's file system and teach the same", async () => {
  await engine.load(await pictures("train", 8), await pictures("val", 4));
  const learn = async (feature_mib) => {
    await engine.ask({ start: { device: "cpu", feature_mib } });
    await engine.forget();
    const done = engine.ask({ train: { ...settings, imgsz: 128, batch: 4 } });
    await engine.page.waitForFunction(() => window.events.some(({ body }) => body.epoch));
    await engine.ask("pause");
    const bytes = await engine.page.evaluate(async () => {
      const folder = await navigator.storage.getDirectory();
      return (await (await folder.getFileHandle("frostline-features")).getFile()).size;
    });
    await engine.ask("go");
    await done;
    const epochs = (await engine.events()).map(({ body }) => body.epoch).filter(Boolean);
    return { bytes, losses: epochs.map(({ losses }) => losses) };
  };
  const [memory, file] = [await learn(512), await learn(0)];
  assert.equal(memory.bytes, 0);
  // Modules 17, 20 and 23 at 128 px in half precision: 64×16×16, 128×8×8, 256×4×4, of eight pictures.
  assert.ok(file.bytes >= 8 * 2 * (64 * 256 + 128 * 64 + 256 * 16), `${file.bytes} bytes`);
  assert.equal(file.losses.length, 30);
  assert.deepEqual(file.losses, memory.losses);
});

test("a run is held, answers meanwhile, goes on, is stopped, and goes on from its snapshot elsewhere", async () => {
  const [train, val] = [await pictures("train", 8), await pictures("val", 4)];
  await engine.load(train, val);
  await engine.forget();
  const run = { ...settings, imgsz: 128, batch: 2 };
  const done = engine.ask({ train: run });
  await engine.page.waitForFunction(() => window.events.at(-1)?.body.epoch?.epoch >= 1);
  assert.equal(await engine.ask("pause"), "fine");
  const held = (await engine.events()).length;
  const ask = { picture: "file", imgsz: 128, conf: 0.25, iou: 0.45, which: "after" };
  await engine.ask({ detect: ask }, [val[0].file]);
  assert.equal((await engine.events()).length, held);
  assert.equal(await engine.ask("go"), "fine");
  await engine.page.waitForFunction((held) => window.events.length > held, held);
  assert.equal(await engine.ask("stop"), "fine");
  const { done: stopped } = await done;
  assert.ok(stopped.stopped && stopped.epochs >= 2 && stopped.epochs < 30);
  const nobody = await engine.ask("pause", [], { refused: true });
  assert.equal(nobody.failed.place, "the run");

  const snapshot = await engine.snapshot();
  const other = await Engine.open(browser, server.origin);
  await other.ask({ start: { device: "cpu" } });
  await other.load(train, val);
  const again = other.ask("resume", [snapshot]);
  await other.page.waitForFunction(() => window.events.some(({ body }) => body.started));
  const [first] = await other.events();
  assert.ok(first.body.started.from_epoch >= 1);
  const end = await again;
  assert.equal(end.done.epochs, 30);
  assert.deepEqual(other.errors, []);
  await other.close();
});

test("after all this nothing was written to the console", () => assert.deepEqual(engine.errors, []));
