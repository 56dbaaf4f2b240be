// What is to be seen of an open video: a large screen, and its stages as a strip below.

import { h, prefersStill } from "./dom.js";
import { estimateOf, isActive, sizeOf, stateOf } from "./words.js";

export class StageView {
  constructor(clips) {
    this.clips = clips;
    this.chosen = null; // the stage that somebody wants to look at; else the last one that has a clip
    this.preview = null; // {stage, image}: the estimate of a stage that runs
  }

  // The elements of a video; `redraw` is called when another stage is looked at.
  elements(video, redraw) {
    return [this.screen(video), isActive(video) ? this.progress() : null, video.stages.length > 1 ? this.strip(video, redraw) : null].filter(Boolean);
  }

  shownStage(video) {
    const withClip = video.stages.filter(({ preview_url }) => preview_url);
    return withClip.find(({ name }) => name === this.chosen) ?? withClip.at(-1) ?? null;
  }

  screen(video) {
    const stage = this.shownStage(video);
    const last = stage === video.stages.at(-1);
    const still = this.previewOf(video);
    const content = still
      ? h("div", { class: "preview" }, this.drawn(still, video))
      : stage
        ? this.clips.get(stage.name, stage.preview_url, { controls: !isActive(video) || prefersStill(), label: `${stage.title}: ${video.prompt}` })
        : h("div", { class: "blank" });
    const screen = h("div", { class: last && !still ? "screen" : "screen coarse" }, content);
    const [width, height] = video.size.split("x");
    screen.style.aspectRatio = `${width} / ${height}`;
    return screen;
  }

  progress() {
    return h("div", { class: "under-way" },
      h("span", { class: "doing" }), h("span", { class: "left muted" }),
      h("progress", { max: 100, "aria-label": "Progress of the video" }));
  }

  strip(video, redraw) {
    const shown = this.previewOf(video) ? null : this.shownStage(video);
    const strip = h("ol", { class: "strip", "aria-label": "Stages" }, ...video.stages.map((stage) => this.pane(video, stage, stage === shown, redraw)));
    strip.style.setProperty("--stages", video.stages.length);
    return strip;
  }

  pane(video, stage, shown, redraw) {
    const [width, height] = video.size.split("x");
    const small = h("span", { class: stage === video.stages.at(-1) ? "small-screen" : "small-screen coarse" },
      stage.preview_url ? this.clips.get(`strip ${stage.name}`, stage.preview_url)
        : h("progress", { max: 100, "aria-label": `Progress of ${stage.title}` }));
    small.style.aspectRatio = `${width} / ${height}`;
    const caption = [h("strong", {}, stage.title), h("span", { class: "state" })];
    return h("li", { class: shown ? "pane shown" : "pane", "data-stage": stage.name },
      stage.preview_url
        ? h("button", { type: "button", "aria-pressed": String(shown), title: "Look at this stage", onclick: () => this.choose(stage.name, redraw) }, small, ...caption)
        : h("div", {}, small, ...caption));
  }

  choose(name, redraw) {
    this.chosen = name;
    redraw();
  }

  previewOf(video) {
    const running = this.preview && video.stages.find(({ name, status }) => name === this.preview.stage && status === "in_progress");
    return running && isActive(video) && !this.chosen ? this.preview.image : null;
  }

  // Shows a stage's estimate once it is decoded, so that nothing flickers. Whoever wants no motion sees its first frame.
  async showPreview(element, video, { stage, image }) {
    const picture = new Image();
    picture.src = image;
    await picture.decode();
    const first = this.preview === null || this.preview.stage !== stage;
    this.preview = { stage, image: picture };
    const place = element.querySelector(".preview");
    if (first || !place) return true;
    place.replaceChildren(this.drawn(picture, video));
    return false;
  }

  drawn(picture, video) {
    const name = `The clip so far: ${video.prompt}`;
    if (!prefersStill()) {
      picture.alt = name;
      return picture;
    }
    const canvas = h("canvas", { width: picture.naturalWidth, height: picture.naturalHeight, role: "img", "aria-label": name });
    canvas.getContext("2d").drawImage(picture, 0, 0);
    return canvas;
  }

  refresh(element, video) {
    for (const stage of video.stages) {
      const pane = element.querySelector(`[data-stage="${stage.name}"]`);
      if (!pane) continue;
      const bar = pane.querySelector("progress");
      if (bar) bar.value = (100 * stage.step) / stage.steps;
      pane.querySelector(".state").textContent = stateOf(stage);
    }
    if (!isActive(video)) return;
    const current = currentStage(video);
    element.querySelector(".doing").textContent = current ? `${current.title}: ${stateOf(current)}` : "";
    element.querySelector(".left").textContent = estimateOf(video);
    element.querySelector(".under-way progress").value = progressOf(video);
  }
}

export const currentStage = ({ stages }) => stages.find(({ status }) => status === "in_progress" || status === "queued") ?? null;

// Percent of all steps, by what the events have told since.
export function progressOf({ stages }) {
  const [done, all] = stages.reduce(([done, all], { status, step, steps }) => [done + (status === "completed" ? steps : step), all + steps], [0, 0]);
  return (100 * done) / all;
}

export const factsOf = (video) => [video.model, sizeOf(video.size), `seed ${video.seed}`].map(unbroken);

const unbroken = (text) => text.replaceAll(" ", "\u00a0");
