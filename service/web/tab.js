// The tab's title and icon: how far the videos under way are, and that one is done while nobody looked.

import { isActive } from "./words.js";

const SIZE = 64;
const link = document.querySelector("link[rel=icon]");
const ICON = link.href;
const TITLE = document.title;
let unseen = null;
let shown = null;

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) unseen = null;
});

// Remembers an end until somebody looks.
export function noteEnd(video) {
  if (document.hidden) unseen = video.status === "completed" ? "✓ Done" : "✗ Failed";
}

export function showInTab(videos) {
  const active = videos.filter(isActive);
  const share = active.reduce((sum, { progress }) => sum + progress, 0) / (active.length || 1);
  const count = active.length > 1 ? `${active.length} videos ` : "";
  const state = active.length ? `${count}${Math.round(share)} %` : unseen;
  if (state === shown) return;
  shown = state;
  document.title = state ? `${state} · ${TITLE}` : TITLE;
  link.type = active.length || unseen ? "image/png" : "image/svg+xml";
  link.href = active.length ? ring(share / 100, "#5db8d8") : unseen ? ring(1, unseen.startsWith("✓") ? "#2e9e6b" : "#d0453b") : ICON;
}

function ring(share, colour) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIZE;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#15324a";
  pen.beginPath();
  pen.roundRect(0, 0, SIZE, SIZE, 14);
  pen.fill();
  pen.lineWidth = 10;
  for (const [end, style] of [[1, "#34546d"], [share, colour]]) {
    pen.strokeStyle = style;
    pen.beginPath();
    pen.arc(SIZE / 2, SIZE / 2, 19, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * end);
    pen.stroke();
  }
  return canvas.toDataURL();
}
