// Headless Chromium of the distribution, quiet: nothing in it calls home.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** The browser's program: $FROSTLINE_CHROMIUM, or where distributions put it. */
export function program() {
  return process.env.FROSTLINE_CHROMIUM ?? PLACES.find((place) => existsSync(place));
}

/** Starts it, with flags of one's own. */
export async function launch(flags = []) {
  return chromium.launch({
    executablePath: program(),
    args: [
      "--headless=new",
      "--no-sandbox",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-default-apps",
      "--disable-domain-reliability",
      "--disable-sync",
      "--no-default-browser-check",
      "--no-first-run",
      "--force-color-profile=srgb",
      ...flags,
    ],
  });
}
