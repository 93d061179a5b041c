// The engine in its worker, asked as the page asks it; and the native program, to compare with.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** The weights that come with the program. */
export const WEIGHTS = join(ROOT, "native/weights/yolov5n-source.safetensors");
/** The target world. */
export const TARGET = join(ROOT, "data/target");

/** The native program: $FROSTLINE_PROGRAM, or where cargo puts it. */
export const PROGRAM = process.env.FROSTLINE_PROGRAM ?? join(ROOT, "target/release/frostline");

/** Runs the native program; what it prints. */
export function native(...flags) {
  if (!existsSync(PROGRAM)) {
    throw new Error(`${PROGRAM} is not there. Build it: cargo build --release -p frostline-cli -p frostline`);
  }
  return execFileSync(PROGRAM, flags.map(String), { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** A folder that is gone after the test. */
export async function folder(context) {
  const path = await mkdtemp(join(tmpdir(), "frostline-e2e-"));
  context.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** The rows of a csv file, by column. */
export async function csv(path) {
  const [head, ...rows] = (await readFile(path, "utf8")).trim().split("\n");
  const names = head.split(",").map((name) => name.trim());
  return rows.map((row) => Object.fromEntries(row.split(",").map((value, column) => [names[column], Number(value)])));
}

/** The classes of the target world. */
export const CLASSES = ["owl", "whale", "tractor", "carrot"];

/** The first pictures of a split of the target world, with their boxes. */
export async function pictures(split, count = Infinity) {
  const names = (await readdir(join(TARGET, "images", split))).sort().slice(0, count);
  return Promise.all(
    names.map(async (name) => {
      const label = join(TARGET, "labels", split, `${basename(name, ".jpg")}.txt`);
      const lines = (await readFile(label, "utf8")).trim().split("\n").filter(Boolean);
      const boxes = lines.map((line) => {
        const [number, ...sides] = line.split(/\s+/).map(Number);
        return [number, sides];
      });
      return { name, split, boxes, file: await readFile(join(TARGET, "images", split, name)) };
    }),
  );
}

/** An engine in a page of its own; the page needs nothing but the origin. */
export class Engine {
  static async open(browser, origin) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const errors = [];
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("response", (response) => response.status() >= 400 && errors.push(`${response.status()} ${response.url()}`));
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(`${origin}/blank`);
    await page.evaluate(async () => {
      window.events = [];
      window.waiting = new Map();
      window.next = 1;
      const ends = (body) => {
        const [kind] = Object.keys(typeof body === "string" ? { [body]: 0 } : body);
        return !["features", "step", "epoch"].includes(kind);
      };
      const base64 = (buffer) => {
        let text = "";
        const bytes = new Uint8Array(buffer);
        for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
        return btoa(text);
      };
      window.worker = new Worker("engine-worker.js", { type: "module" });
      const loaded = new Promise((done, fail) => {
        window.worker.onerror = (event) => fail(new Error(event.message ?? "the worker did not start"));
        window.waiting.set(0, { done: ({ body }) => (body === "fine" ? done() : fail(new Error(JSON.stringify(body)))) });
      });
      window.worker.onmessage = ({ data }) => {
        const letter = JSON.parse(data.text);
        letter.bytes = data.bytes.map((buffer) => buffer.byteLength);
        letter.at = performance.now();
        const started = "started" in Object(letter.body);
        if (letter.body !== "fine" && (started || !ends(letter.body) || letter.id === 0)) window.events.push(letter);
        if (letter.body.epoch && data.bytes.length) window.snapshot = base64(data.bytes[0]);
        const waits = window.waiting.get(letter.id);
        if (!waits || !ends(letter.body) || (started && waits.runs)) return;
        window.waiting.delete(letter.id);
        if (waits.wantsBytes) letter.bytes = data.bytes.map(base64);
        waits.done(letter);
      };
      await loaded;
      window.send = (body, files, wantsBytes) => {
        const id = window.next++;
        const buffers = files.map((file) => Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0)).buffer);
        const runs = body === "resume" || "train" in Object(body);
        const answer = new Promise((done) => window.waiting.set(id, { done, wantsBytes, runs }));
        window.worker.postMessage({ text: JSON.stringify({ id, body }), bytes: buffers }, buffers);
        return answer;
      };
    });
    return Object.assign(new Engine(), { page, context, errors });
  }

  /** Asks; the answer's body. A refusal is an error unless it is wanted. */
  async ask(body, files = [], { refused = false } = {}) {
    const letter = await this.page.evaluate(([body, files]) => window.send(body, files, false), [body, base64(files)]);
    return settle(letter, refused).body;
  }

  /** Asks; the answer's bytes as well. */
  async askForBytes(body, files = []) {
    const letter = await this.page.evaluate(([body, files]) => window.send(body, files, true), [body, base64(files)]);
    settle(letter, false);
    return { body: letter.body, bytes: letter.bytes.map((text) => Buffer.from(text, "base64")) };
  }

  /** Leaves behind what the engine has told so far. */
  forget() {
    return this.page.evaluate(() => void (window.events = []));
  }

  /** What the engine has told on the way so far. */
  events() {
    return this.page.evaluate(() => window.events);
  }

  /** The newest snapshot of a run. */
  async snapshot() {
    return Buffer.from(await this.page.evaluate(() => window.snapshot), "base64");
  }

  /** Weights and pictures of the target world. */
  async load(train, val) {
    await this.ask({ weights: { name: "yolov5n-source.safetensors" } }, [await readFile(WEIGHTS)]);
    const all = [...train, ...val];
    const told = all.map(({ name, split, boxes }) => ({ name: `${split}/${name}`, split, boxes }));
    return this.ask({ data: { classes: CLASSES, pictures: told } }, all.map(({ file }) => file));
  }

  async close() {
    await this.context.close();
  }
}

function base64(files) {
  return files.map((file) => file.toString("base64"));
}

function settle(letter, refused) {
  const failed = letter.body.failed;
  if (failed && !refused) throw new Error(`${failed.place}: found ${failed.found}, expected ${failed.expected}`);
  return letter;
}
