// What a visitor loads before the first view answers.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { DIST } from "./lab.mjs";

/** Budget of the page's program in bytes, compressed by brotli. */
const PROGRAM = 350_000;
/** That of the program with all views, which loads when another view than the first is opened. */
const STUDIO = 420_000;
/** That of the engine's, which loads while the page is looked at. */
const ENGINE = 3_000_000;

test("the page's program is within its budget", async () => {
  let program = 0;
  for (const name of ["app_bg.wasm", "app.js", "colours.css", "style.css", "picture.css", "sections.css", "data.css", "train.css", "detect.css", "index.html", "start.js", "frostline-lab.js"]) {
    const body = await readFile(join(DIST, name));
    const small = brotliCompressSync(body).length;
    console.log(`| \`${name}\` | ${body.length} | ${gzipSync(body).length} | ${small} |`);
    if (name.startsWith("app")) program += small;
  }
  assert.ok(program <= PROGRAM, `${program} bytes`);
});

test("the program of all views is within its budget", async () => {
  let program = 0;
  for (const name of ["studio_bg.wasm", "studio.js"]) {
    const body = await readFile(join(DIST, name));
    const small = brotliCompressSync(body).length;
    console.log(`| \`${name}\` | ${body.length} | ${gzipSync(body).length} | ${small} |`);
    program += small;
  }
  assert.ok(program <= STUDIO, `${program} bytes`);
});

test("the engine's program is within its budget", async () => {
  let program = 0;
  for (const name of ["engine_bg.wasm", "engine.js", "engine-worker.js"]) {
    const body = await readFile(join(DIST, name));
    // A host takes the highest quality, once; that takes twice as long and makes it a little smaller still.
    const params = { [constants.BROTLI_PARAM_QUALITY]: 10, [constants.BROTLI_PARAM_LGWIN]: 24 };
    const small = brotliCompressSync(body, { params }).length;
    console.log(`| \`${name}\` | ${body.length} | ${gzipSync(body).length} | ${small} |`);
    program += small;
  }
  assert.ok(program <= ENGINE, `${program} bytes`);
});
