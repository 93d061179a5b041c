// Makes the sprites: SVG, 512 px, cropped to its ink, longest side 128 px, palette PNG.
// See ATTRIBUTION.md for the packages and the command.
import { mkdirSync, readFileSync } from "node:fs";
import { Resvg } from "@resvg/resvg-js";
import sharp from "sharp";

const styles = { fluent: "fluent-emoji-flat", noto: "noto", twemoji: "twemoji" };
// Class name: icon name.
const icons = {
  cat: "cat-face", panda: "panda", frog: "frog", penguin: "penguin", crab: "crab", butterfly: "butterfly",
  ladybug: "lady-beetle", elephant: "elephant", car: "automobile", bus: "bus", helicopter: "helicopter",
  sailboat: "sailboat", rocket: "rocket", apple: "red-apple", banana: "banana", watermelon: "watermelon",
  pineapple: "pineapple", mushroom: "mushroom", "soccer-ball": "soccer-ball", "alarm-clock": "alarm-clock",
  umbrella: "umbrella", guitar: "guitar", cactus: "cactus", sunflower: "sunflower",
  owl: "owl", whale: "spouting-whale", tractor: "tractor", carrot: "carrot",
};

const out = process.argv[2] ?? ".";
for (const [style, set] of Object.entries(styles)) {
  const data = JSON.parse(readFileSync(`node_modules/@iconify-json/${set}/icons.json`, "utf8"));
  mkdirSync(`${out}/${style}`, { recursive: true });
  for (const [name, id] of Object.entries(icons)) {
    const icon = data.icons[id];
    const width = icon.width ?? data.width ?? 16;
    const height = icon.height ?? data.height ?? 16;
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
      viewBox="${icon.left ?? 0} ${icon.top ?? 0} ${width} ${height}">${icon.body}</svg>`;
    const large = new Resvg(svg, { fitTo: { mode: "width", value: 512 } }).render().asPng();
    const ink = await sharp(large).trim({ background: "#00000000", threshold: 8 }).png().toBuffer();
    await sharp(ink)
      .resize(128, 128, { fit: "inside", kernel: "lanczos3" })
      .png({ palette: true, colours: 96, quality: 90, effort: 10, compressionLevel: 9, dither: 0 })
      .toFile(`${out}/${style}/${name}.png`);
  }
}
