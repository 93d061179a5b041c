// The lab inside a page of another origin, under a strict policy and a sandbox.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { DIST, lineAt } from "./lab.mjs";
import { LAB_POLICY, serve } from "./serve.mjs";

let browser;
let lab;
let host;

before(async () => {
  lab = await serve({ folder: DIST, policy: LAB_POLICY });
  const page = (body) => `<!doctype html><html lang="en"><title>host</title><body>${body}</body></html>`;
  const element = (attributes) =>
    page(`<script src="${lab.origin}/frostline-lab.js" defer></script><frostline-lab ${attributes}></frostline-lab>`);
  host = await serve({
    pages: {
      "/element": element('freeze="24" size="s" lang="ko" theme="dark"'),
      "/train": element('view="train" freeze="24" imgsz="128" batch="8" device="cpu" lang="en"'),
      "/plain": page(`<iframe title="lab" sandbox="allow-scripts allow-same-origin" src="${lab.origin}/embed.html?freeze=5" width="800" height="600"></iframe>`),
    },
    // Nothing of its own runs; only the lab's script and frame are let in.
    policy: `default-src 'none'; script-src ${lab.origin}; frame-src ${lab.origin}; base-uri 'none'`,
  });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  lab?.close();
  host?.close();
});

async function open(path) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 800 } });
  const page = await context.newPage();
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  await page.addInitScript(() => {
    window.heard = [];
    for (const type of ["frostline:ready", "frostline:plan", "frostline:epoch", "frostline:done"]) {
      window.addEventListener(type, ({ detail }) => window.heard.push({ type, ...detail }));
    }
  });
  await page.goto(host.origin + path);
  await page.frameLocator("iframe").locator("#frost-line").waitFor({ timeout: 60_000 });
  const frame = page.frames().find((frame) => frame.url().startsWith(lab.origin));
  return { page, frame, context, errors };
}

test("the element shows the lab, as high as its content, and tells what is frozen", async () => {
  const { page, frame, context, errors } = await open("/element");
  await lineAt(frame, 24);
  assert.equal(await frame.locator("html").getAttribute("lang"), "ko");
  assert.equal(await frame.locator(".page-header").count(), 0);
  await page.waitForFunction(() => window.heard.some(({ type }) => type === "frostline:ready"));
  await page.waitForFunction(() => window.heard.some(({ freeze }) => freeze === "24"));
  const plan = await page.evaluate(() => window.heard.find(({ type }) => type === "frostline:plan"));
  assert.deepEqual(plan, { type: "frostline:plan", freeze: "24", size: "s", frozenParameters: 7006144, trainableParameters: 229245 });
  await page.waitForFunction(() => {
    const height = document.querySelector("iframe").offsetHeight;
    return height > 1000 && height < 6000;
  });
  const overflow = await frame.evaluate(() => document.documentElement.scrollHeight - innerHeight);
  assert.ok(overflow <= 1, `${overflow} px do not fit`);
  assert.deepEqual(errors, []);
  await context.close();
});

test("attributes change the lab without loading it again", async () => {
  const { page, frame, context, errors } = await open("/element");
  await page.waitForFunction(() => window.heard.some(({ type }) => type === "frostline:ready"));
  await page.evaluate(() => {
    const lab = document.querySelector("frostline-lab");
    lab.setAttribute("freeze", "10");
    lab.setAttribute("lang", "en");
  });
  await lineAt(frame, 10);
  assert.equal(await frame.locator("#summary").textContent(), "Modules 0–9 are frozen, 10–24 learn.");
  await page.waitForFunction(() => window.heard.at(-1).freeze === "10");
  assert.deepEqual(errors, []);
  await context.close();
});

test("messages from anybody but the named host are not heard", async () => {
  // Without a host in the address nobody is listened to.
  const { page, frame, context } = await open("/plain");
  await page.evaluate(() => {
    document.querySelector("iframe").contentWindow.postMessage({ type: "frostline:set", freeze: "24" }, "*");
  });
  // Nor is the frame itself, even where the address names the host.
  await frame.evaluate(() => postMessage({ type: "frostline:set", freeze: "24" }, "*"));
  await page.waitForTimeout(500);
  await lineAt(frame, 5);
  await context.close();
});

test("the element hears only its own frame", async () => {
  const { page, context } = await open("/element");
  await page.waitForFunction(() => window.heard.some(({ type }) => type === "frostline:ready"));
  const before = await page.evaluate(() => window.heard.length);
  await page.evaluate(() => postMessage({ type: "frostline:plan", freeze: "forged" }, "*"));
  await page.waitForTimeout(300);
  assert.equal(await page.evaluate(() => window.heard.length), before);
  await context.close();
});

test("the address of the embedded page stays", async () => {
  const { frame, context } = await open("/plain");
  await frame.locator("#freeze").fill("3");
  await lineAt(frame, 3);
  await frame.waitForTimeout(600);
  assert.ok(frame.url().endsWith("embed.html?freeze=5"));
  await context.close();
});

test("an embedded lab trains, and tells the page around it how it goes", async () => {
  const { page, frame, context, errors } = await open("/train");
  await page.waitForFunction(() => window.heard.some(({ type, view }) => type === "frostline:ready" && view === "train"));
  await frame.locator("#take-shipped").click();
  await frame.locator("#epochs").fill("2");
  await frame.locator("#train-start").click({ timeout: 60_000 });
  await page.waitForFunction(() => window.heard.some(({ type }) => type === "frostline:done"), null, { timeout: 120_000 });
  const heard = await page.evaluate(() => window.heard.filter(({ type }) => /epoch|done/.test(type)));
  const epochs = heard.filter(({ type }) => type === "frostline:epoch");
  assert.deepEqual(epochs.map(({ epoch }) => epoch), [0, 1]);
  for (const { loss, map50 } of epochs) assert.ok(loss > 0 && map50 >= 0 && map50 <= 1);
  const done = heard.find(({ type }) => type === "frostline:done");
  assert.deepEqual([done.epochs, done.stopped, done.frozenHolds], [2, false, true]);
  assert.deepEqual(errors, []);
  await context.close();
});
