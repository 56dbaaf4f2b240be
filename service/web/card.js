// One video: its stages side by side, each a progress bar until its clip is there, and what can be done with it.

import { request } from "./api.js";
import { compare } from "./compare.js";
import { h, optionsOfStages, setOptions } from "./dom.js";

const WORDS = {
  queued: "waiting",
  in_progress: "under way",
  completed: "completed",
  failed: "failed",
  cancelled: "cancelled",
};
const ADVICE = {
  stage_failed: "Retry runs the failed stage again; if it fails once more, change the parameters or ask the operator.",
  retries_exhausted: "The stage failed several times. Retry later, or ask the operator to look at its worker.",
  worker_lost: "Its worker vanished again and again, often for lack of memory. Ask the operator, or choose fewer steps or a smaller size.",
  artifact_lost: "A stored clip is gone. Retry makes it anew.",
};

export const isActive = (video) => video.status === "queued" || video.status === "in_progress";

export class Card {
  // actions: {changed(video), created(video), removed(id)}
  constructor(video, actions, { open = false } = {}) {
    this.actions = actions;
    this.open = open;
    this.element = h("article", { class: "card", "data-id": video.id, tabindex: "-1" });
    this.update(video);
  }

  update(video) {
    this.video = video;
    if (this.appearance === appearanceOf(video, this.open)) {
      this.refreshProgress();
      return;
    }
    this.appearance = appearanceOf(video, this.open);
    this.clips = new Map([...this.element.querySelectorAll("video")].map((clip) => [clip.dataset.name, clip]));
    const focused = this.element.contains(document.activeElement) ? document.activeElement.textContent : null;
    this.element.replaceChildren(
      ...[this.header(), this.open ? this.panes() : null, this.open ? this.drafts() : null, this.failure(), this.warnings(), this.buttons()].filter(Boolean),
    );
    if (focused) this.focusButton(focused);
    this.refreshProgress();
  }

  // Whoever uses the keyboard stays on the button they were on, or, where it is gone, on the card.
  focusButton(text) {
    const buttons = [...this.element.querySelectorAll(".actions button, .actions a")];
    (buttons.find(({ textContent }) => textContent === text) ?? this.element).focus({ preventScroll: true });
  }

  // An event of the video's stream: progress is drawn at once, anything else is looked up.
  // A stream that lags reports progress that is over.
  async handleEvent(type, data) {
    if (type === "stage.progress") {
      const stage = this.video.stages.find(({ name }) => name === data.stage);
      if (stage.status === "completed" || !isActive(this.video)) return;
      Object.assign(stage, { step: data.step, steps: data.steps, status: "in_progress" });
      this.refreshProgress();
    } else {
      await this.refetch();
    }
  }

  async refetch() {
    this.actions.changed(await request("GET", `/v1/videos/${this.video.id}`));
  }

  toggle(open = !this.open) {
    this.open = open;
    this.update(this.video);
  }

  header() {
    const { video } = this;
    const created = new Date(video.created_at * 1000).toLocaleString();
    return h("header", {},
      this.open ? null : this.thumbnail(),
      h("div", { class: "about" },
        h("h3", {}, video.prompt),
        h("p", { class: "muted" }, `${video.model} · ${video.size.replace("x", " × ")} · seed ${video.seed} · ${created}`),
      ),
      h("span", { class: `status ${video.status}`, role: "status" }, isDraft(video) ? "draft" : WORDS[video.status]),
    );
  }

  thumbnail() {
    const clips = this.video.stages.filter(({ preview_url }) => preview_url);
    const url = clips.at(-1)?.preview_url;
    return h("button", { type: "button", class: "thumbnail", "aria-label": "Show the stages", onclick: () => this.toggle(true) },
      url ? this.clip("thumbnail", url) : h("span", { class: "placeholder" }));
  }

  panes() {
    const { video } = this;
    return h("div", { class: "panes" }, ...video.stages.map((stage, index) => this.pane(stage, index === video.stages.length - 1)));
  }

  pane(stage, last) {
    const figure = h("figure", { "data-stage": stage.name, class: last ? "pane last" : "pane" },
      h("div", { class: "screen" }, stage.preview_url ? this.clip(stage.name, stage.preview_url, last) : this.bar(stage)),
      h("figcaption", {}, h("strong", {}, stage.title), h("span", { class: "muted state" })),
    );
    return figure;
  }

  bar(stage) {
    return h("div", { class: "waiting" }, h("progress", { max: 100, "aria-label": `Progress of ${stage.title}` }));
  }

  // A clip that is on the page already goes on playing.
  clip(role, url, controls = false) {
    const name = `${role} ${pathOf(url)}`;
    const existing = this.clips.get(name);
    if (existing) return existing;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const clip = h("video", { src: url, "data-name": name, loop: true, playsinline: true, controls: controls || still, preload: "auto" });
    clip.muted = true; // the attribute alone does not let it start by itself
    clip.autoplay = !still;
    clip.addEventListener("error", () => this.renew(clip), { once: true });
    return clip;
  }

  // A presigned URL holds for a while only: take a new one, once.
  async renew(clip) {
    const path = pathOf(clip.src);
    await this.refetch().catch(() => {});
    const urls = [...this.video.stages, ...this.video.drafts].map(({ preview_url }) => preview_url);
    const url = urls.find((url) => url && pathOf(url) === path);
    if (url) clip.src = url;
  }

  drafts() {
    const { video } = this;
    if (video.drafts.length === 0) return null;
    const goesOn = isDraft(video) && video.stages[1]?.status === "pending";
    return h("fieldset", { class: "drafts" },
      h("legend", {}, goesOn ? `Choose one of ${video.drafts.length} drafts` : `${video.drafts.length} drafts, the chosen one went on`),
      ...video.drafts.map((draft) =>
        h("label", { class: draft.chosen ? "draft chosen" : "draft" },
          this.clip(`draft ${draft.index}`, draft.preview_url),
          h("span", {},
            goesOn ? h("input", { type: "radio", name: `draft-${video.id}`, value: draft.index, checked: draft.chosen }) : null,
            ` seed ${draft.seed} · score ${draft.score.toFixed(3)}`),
          goesOn || draft.chosen || isActive(video) ? null
            : h("button", { type: "button", onclick: () => this.make({ from_stage: video.stages[1].name, draft: draft.index }) }, "Go on with this one"),
        )),
    );
  }

  warnings() {
    const { warnings } = this.video;
    if (!warnings?.length) return null;
    return h("p", { class: "muted", role: "note" }, warnings.join(" "));
  }

  failure() {
    const { error } = this.video;
    if (!error) return null;
    return h("p", { class: "error", role: "alert" }, `${error.message}. ${ADVICE[error.code] ?? ""}`);
  }

  buttons() {
    const { video } = this;
    const clips = video.stages.filter(({ preview_url }) => preview_url);
    const row = h("div", { class: "actions" });
    const button = (text, act, kind = "") => row.append(h("button", { type: "button", class: kind, onclick: () => this.act(act) }, text));
    if (isDraft(video)) button("Continue", () => this.continue(), "primary");
    if (isActive(video)) button("Cancel", async () => this.actions.changed(await request("POST", `/v1/videos/${video.id}/cancel`)));
    if (video.status === "failed" || video.status === "cancelled") button("Retry", () => this.retry());
    if (video.url) row.append(h("a", { class: "button", href: video.url, download: `${video.id}.mp4` }, "Download"));
    if (clips.length > 1) button("Compare", () => compare(clips));
    if (!isActive(video)) button("Remix", () => this.remix());
    button(this.open ? "Hide stages" : "Show stages", () => this.toggle(), "quiet");
    button("Delete", () => this.remove(), "quiet");
    row.append(h("p", { class: "error", role: "alert", hidden: true }));
    return row;
  }

  async act(action) {
    const message = this.element.querySelector(".actions .error");
    message.hidden = true;
    try {
      await action();
    } catch (error) {
      message.textContent = error.message;
      message.hidden = false;
    }
  }

  async continue() {
    const chosen = this.element.querySelector(".drafts input:checked");
    const body = chosen ? { draft: Number(chosen.value) } : {};
    this.actions.changed(await request("POST", `/v1/videos/${this.video.id}/continue`, body));
  }

  async make(changes) {
    this.actions.created(await request("POST", `/v1/videos/${this.video.id}/remix`, changes));
  }

  // A new video that reuses the clips that are there.
  async retry() {
    const first = this.video.stages.find(({ status }) => status !== "completed");
    await this.make({ from_stage: first.name });
  }

  async remove() {
    if (!confirm(`Delete the video "${this.video.prompt}" and all its files?`)) return;
    await request("DELETE", `/v1/videos/${this.video.id}`);
    this.actions.removed(this.video.id);
  }

  remix() {
    const open = this.element.querySelector("form.remix");
    if (open) return open.remove();
    const { video } = this;
    const form = h("form", { class: "remix", "aria-label": "Remix" },
      h("label", { class: "wide" }, "Prompt ", h("textarea", { name: "prompt", rows: 2, required: true }, video.prompt)),
      h("label", {}, "From stage ", h("select", { name: "from_stage" })),
      h("label", {}, "Seed ", h("input", { name: "seed", inputmode: "numeric", pattern: "[0-9]*", placeholder: video.seed })),
      h("button", { type: "submit", class: "primary" }, "Make remix"),
    );
    const able = video.stages.filter((_, index) => video.stages.slice(0, index).every(({ status }) => status === "completed"));
    setOptions(form.elements.from_stage, optionsOfStages(able), video.stages[0].name);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const { prompt, from_stage, seed } = Object.fromEntries(new FormData(form));
      this.act(() => this.make({ prompt, from_stage, ...(seed ? { seed: Number(seed) } : {}) }));
    });
    this.element.append(form);
    form.elements.prompt.focus();
  }

  refreshProgress() {
    for (const stage of this.open ? this.video.stages : []) {
      const figure = this.element.querySelector(`[data-stage="${stage.name}"]`);
      const bar = figure.querySelector("progress");
      if (bar) bar.value = (100 * stage.step) / stage.steps;
      figure.querySelector(".state").textContent = stateOf(stage);
    }
  }
}

function stateOf(stage) {
  if (stage.reused) return "reused";
  if (stage.status === "completed") return stage.seconds == null ? "done" : `${stage.seconds.toFixed(1)} s`;
  if (stage.status === "in_progress") return stage.step ? `step ${stage.step} of ${stage.steps}` : "starting";
  if (stage.status === "queued") return stage.attempts ? "waiting to try again" : "in the queue";
  return { pending: "waits for the stage before", failed: "failed", cancelled: "cancelled" }[stage.status];
}

export const isDraft = (video) => video.status === "completed" && video.stages.some(({ status }) => status === "pending");

const pathOf = (url) => url.split("?")[0];

// What decides how a card looks; while it stays the same only progress is redrawn.
function appearanceOf(video, open) {
  const stages = video.stages.map((stage) => [stage.preview_url && pathOf(stage.preview_url), stage.status === "completed"]);
  const drafts = video.drafts.map((draft) => draft.chosen);
  return JSON.stringify([open, video.status, video.error, stages, drafts]);
}
