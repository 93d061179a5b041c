// <frostline-lab view="train" freeze="10" size="n" lang="ko" theme="dark"></frostline-lab>
//
// Puts the lab into a page, in an iframe of the place that this script comes from. The iframe is as high as its content.
// Events: frostline:ready (detail: view), frostline:plan (freeze, size, frozenParameters, trainableParameters), frostline:epoch and
// frostline:done (docs/embedding.md).
// Attributes may change at any time; the lab follows without loading again.

// A classic script, since a module of another origin would need CORS headers from the host of the lab.
{
  const BASE = new URL(".", document.currentScript.src);
  const SETTINGS = ["view", "freeze", "size", "classes", "imgsz", "batch", "lang", "theme", "device"];
  const FORWARDED = new Set(["frostline:ready", "frostline:plan", "frostline:epoch", "frostline:done"]);
  // Enough for the program to run, to copy its command and to hand over files; not to navigate the page around it.
  const SANDBOX = "allow-scripts allow-same-origin allow-popups allow-downloads";
  const ALLOWED = "camera; clipboard-write";
  const FIRST_HEIGHT = 900;
  const LARGEST_HEIGHT = 20000;

  class FrostlineLab extends HTMLElement {
    static observedAttributes = [...SETTINGS, "title"];

    #frame = null;
    #ready = false;
    #listen = (event) => this.#receive(event);

    connectedCallback() {
      const address = new URL("embed.html", BASE);
      for (const name of SETTINGS) {
        if (this.hasAttribute(name)) address.searchParams.set(name, this.getAttribute(name));
      }
      if (location.origin !== "null") address.searchParams.set("host", location.origin);

      const frame = document.createElement("iframe");
      frame.src = address.href;
      frame.title = this.getAttribute("title") || "Frostline";
      frame.loading = "lazy";
      frame.setAttribute("sandbox", SANDBOX);
      frame.setAttribute("allow", ALLOWED);
      frame.style.cssText = `display: block; width: 100%; border: 0; height: ${FIRST_HEIGHT}px`;
      if (!this.style.display) this.style.display = "block";
      this.#frame = frame;
      this.replaceChildren(frame);
      window.addEventListener("message", this.#listen);
    }

    disconnectedCallback() {
      window.removeEventListener("message", this.#listen);
      this.#frame?.remove();
      this.#frame = null;
      this.#ready = false;
    }

    attributeChangedCallback(name, before, now) {
      if (before === now || !this.#frame) return;
      if (name === "title") this.#frame.title = now || "Frostline";
      else if (this.#ready && now !== null) this.#send({ [name]: now });
    }

    #send(settings) {
      this.#frame.contentWindow?.postMessage({ type: "frostline:set", ...settings }, BASE.origin);
    }

    #receive(event) {
      if (!this.#frame || event.source !== this.#frame.contentWindow || event.origin !== BASE.origin) return;
      const { type, ...detail } = event.data ?? {};
      if (type === "frostline:height" && Number.isFinite(detail.height)) {
        this.#frame.style.height = `${Math.min(Math.max(Math.ceil(detail.height), 100), LARGEST_HEIGHT)}px`;
      }
      if (type === "frostline:ready") this.#ready = true;
      if (FORWARDED.has(type)) {
        this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
      }
    }
  }

  customElements.define("frostline-lab", FrostlineLab);
}
