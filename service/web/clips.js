// Clips of a card. One that is on the page already goes on playing when the card is drawn anew.

import { h, prefersStill } from "./dom.js";

export const pathOf = (url) => url.split("?")[0];

export class Clips {
  // renew(path): finds a new URL for a stored clip; a presigned one holds for a while only.
  constructor(renew) {
    this.renew = renew;
    this.byName = new Map();
  }

  // Keeps the clips of `element` for its next drawing.
  keep(element) {
    this.byName = new Map([...element.querySelectorAll("video")].map((clip) => [clip.dataset.name, clip]));
  }

  // play: "always", or "hover" for one that plays while somebody points at what holds it.
  get(role, url, { controls = false, play = "always", label = null } = {}) {
    const name = `${role} ${pathOf(url)}`;
    const existing = this.byName.get(name);
    if (existing) {
      existing.controls = controls;
      return existing;
    }
    const still = prefersStill();
    const clip = h("video", {
      src: url, "data-name": name, loop: true, playsinline: true, controls, preload: "auto",
      tabindex: controls ? null : "-1", "aria-label": label, "aria-hidden": label ? null : "true",
    });
    clip.muted = true; // the attribute alone does not let it start by itself
    clip.autoplay = play === "always" && !still;
    clip.addEventListener("error", async () => {
      const fresh = await this.renew(pathOf(clip.src)).catch(() => null);
      if (fresh) clip.src = fresh;
    }, { once: true });
    return clip;
  }
}

// Lets the clip in `element` play while somebody points at it or has the focus in it.
export function playOnHover(element) {
  const clip = () => element.querySelector("video");
  const start = () => prefersStill() || clip()?.play().catch(() => {});
  const stop = () => clip()?.pause();
  for (const type of ["pointerenter", "focusin"]) element.addEventListener(type, start);
  for (const type of ["pointerleave", "focusout"]) element.addEventListener(type, stop);
}
