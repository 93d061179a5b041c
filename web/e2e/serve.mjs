// Static files on a port of this machine, with the headers that a careful host sends.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";

const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".zip": "application/zip",
};

/** The strictest policy under which the lab works. */
export const LAB_POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'";

/**
 * Serves a folder, or pages given as text by path, under a base path.
 * @returns {Promise<{origin: string, close: () => void}>}
 */
export async function serve({ folder, pages = {}, base = "/", policy }) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const headers = policy ? { "content-security-policy": policy } : {};
    try {
      if (pathname in pages) {
        response.writeHead(200, { ...headers, "content-type": TYPES[".html"] }).end(pages[pathname]);
        return;
      }
      if (!folder || !pathname.startsWith(base)) throw new Error("not here");
      const path = normalize(pathname.slice(base.length)) || "index.html";
      if (path.startsWith("..")) throw new Error("outside");
      const name = path === "." || path.endsWith("/") ? join(path, "index.html") : path;
      const body = await readFile(join(folder, name));
      response.writeHead(200, { ...headers, "content-type": TYPES[extname(name)] ?? "application/octet-stream" }).end(body);
    } catch {
      response.writeHead(404, headers).end();
    }
  });
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { origin: `http://127.0.0.1:${server.address().port}`, close };
}
