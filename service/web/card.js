// One video: a line while it waits, a large screen with its stages while it runs or is looked at, else a tile.

import { request } from "./api.js";
import { Clips, pathOf, playOnHover } from "./clips.js";
import { compare } from "./compare.js";
import { announce, h } from "./dom.js";
import { withoutField } from "./doubts.js";
import { draftsOf } from "./drafts.js";
import { remixForm } from "./remix.js";
import { StageView, currentStage, factsOf, progressOf } from "./stage_view.js";
import { ADVICE, estimateOf, isActive, isDraft, isUnderWay, isWaiting, shortly, stateOf, statusOf, timeOf } from "./words.js";

export class Card {
  // actions: {changed(video), created(video), removed(id), mayOpen(), modelOf(name)}
  constructor(video, actions, { open = false } = {}) {
    this.actions = actions;
    this.open = open;
    this.pinned = false; // somebody uses it, and only they close it
    this.element = h("article", { "data-id": video.id, "aria-label": video.prompt, tabindex: "-1" });
    this.clips = new Clips((path) => this.renew(path));
    this.view = new StageView(this.clips);
    this.update(video);
  }

  update(video) {
    const before = this.video;
    this.video = video;
    if (before) this.noteChange(before);
    if (this.appearance !== this.appearanceNow()) this.draw();
    this.refreshProgress();
  }

  // One that begins is shown large, unless another one that is under way already is.
  noteChange(before) {
    if (isWaiting(before) && isUnderWay(this.video) && this.actions.mayOpen()) this.open = true;
    if (before.status === this.video.status) return;
    announce(`${this.video.prompt}: ${statusOf(this.video)}`);
  }

  form() {
    if (isWaiting(this.video)) return "line";
    if (this.open) return "large";
    return this.video.status === "completed" ? "tile" : "line";
  }

  draw() {
    this.appearance = this.appearanceNow();
    this.clips.keep(this.element);
    const focused = this.element.contains(document.activeElement) ? document.activeElement.textContent : null;
    const remix = this.element.querySelector("form.remix");
    const form = this.form();
    this.element.className = `card ${form}`;
    this.element.replaceChildren(...{ line: () => this.line(), large: () => this.large(), tile: () => this.tile() }[form]());
    if (remix && form === "large") this.element.append(remix);
    if (focused !== null && !this.element.contains(document.activeElement)) this.focusButton(focused);
  }

  // Whoever uses the keyboard stays on the button they were on, or, where it is gone, on the card.
  focusButton(text) {
    const buttons = [...this.element.querySelectorAll("button, a")];
    (buttons.find(({ textContent }) => textContent === text) ?? this.element).focus({ preventScroll: true });
  }

  // What decides how a card looks; while it stays the same only progress is redrawn.
  appearanceNow() {
    const { stages, drafts, status, error } = this.video;
    const clips = stages.map((stage) => [stage.preview_url && pathOf(stage.preview_url), stage.status === "completed"]);
    const preview = this.view.previewOf(this.video) ? this.view.preview.stage : null;
    return JSON.stringify([this.form(), this.view.chosen, preview, status, error, clips, drafts.map(({ chosen }) => chosen)]);
  }

  // An event of the video's stream: progress and previews are drawn at once, anything else is looked up.
  // A stream that lags reports progress that is over.
  async handleEvent(type, data) {
    const stage = this.video.stages.find(({ name }) => name === data.stage);
    const over = !isActive(this.video) || stage?.status === "completed";
    if (type === "stage.progress") {
      if (over) return;
      Object.assign(stage, { step: data.step, steps: data.steps, status: "in_progress" });
      this.update(this.video);
    } else if (type === "preview") {
      if (over || this.form() !== "large") return;
      if (await this.view.showPreview(this.element, this.video, data)) this.update(this.video);
    } else {
      await this.refetch();
    }
  }

  async refetch() {
    this.actions.changed(await request("GET", `/v1/videos/${this.video.id}`));
  }

  async renew(path) {
    await this.refetch();
    const urls = [...this.video.stages, ...this.video.drafts].map(({ preview_url }) => preview_url);
    return urls.find((url) => url && pathOf(url) === path);
  }

  toggle(open) {
    this.open = open;
    this.update(this.video);
  }

  pin(open) {
    this.pinned = open;
    this.toggle(open);
  }

  line() {
    const { video } = this;
    const title = isWaiting(video) ? h("h3", {}, video.prompt) : this.title();
    return [
      h("span", { class: `dot ${video.status}`, "aria-hidden": "true" }),
      title,
      h("span", { class: `status ${isDraft(video) ? "paused" : video.status}` }, statusOf(video)),
      h("span", { class: "facts" }, video.error ? this.failureText() : ""),
      this.buttons({ short: true }),
      this.errorLine(),
    ];
  }

  title() {
    return h("h3", {}, h("button", { type: "button", class: "title", "aria-expanded": String(this.open), onclick: () => this.pin(!this.open) }, this.video.prompt));
  }

  tile() {
    const { video } = this;
    const url = video.stages.findLast(({ preview_url }) => preview_url)?.preview_url;
    const screen = h("div", { class: isDraft(video) ? "screen coarse" : "screen" }, url ? this.clips.get("tile", url, { play: "hover" }) : null);
    const [width, height] = video.size.split("x");
    screen.style.aspectRatio = `${width} / ${height}`;
    playOnHover(this.element);
    return [screen, this.title(), h("p", { class: "muted" }, [isDraft(video) ? "draft" : null, ...factsOf(video).slice(1)].filter(Boolean).join(" · "))];
  }

  large() {
    const { video } = this;
    const stage = this.view.elements(video, () => this.pin(true));
    return [
      h("div", { class: "stage" }, ...stage),
      h("div", { class: "about" },
        h("span", { class: `status ${isDraft(video) ? "paused" : video.status}` }, statusOf(video)),
        h("h3", {}, video.prompt),
        h("p", { class: "muted" }, [...factsOf(video), timeOf(video.created_at).replaceAll(" ", "\u00a0")].join(" · ")),
        this.origin(),
        this.failure(),
        this.warnings(),
        this.buttons(),
        this.errorLine(),
      ),
      draftsOf(video, this.clips, (draft) => this.act(() => this.make({ from_stage: video.stages[1].name, draft }))),
    ].filter(Boolean);
  }

  origin() {
    const { remixed_from_video_id: source } = this.video;
    return source ? h("p", { class: "muted" }, h("a", { href: `#${source}` }, "Remix of another video")) : null;
  }

  warnings() {
    const { warnings } = this.video;
    return warnings?.length ? h("ul", { class: "doubts", "aria-label": "About the prompt" }, ...warnings.map((warning) => h("li", {}, withoutField(warning)))) : null;
  }

  failureText() {
    const { error } = this.video;
    return `${error.message}. ${ADVICE[error.code] ?? ""}`;
  }

  failure() {
    return this.video.error ? h("p", { class: "error" }, this.failureText()) : null;
  }

  errorLine() {
    return h("p", { class: "error action-error", role: "alert", hidden: true });
  }

  buttons({ short = false } = {}) {
    const { video } = this;
    const clips = video.stages.filter(({ preview_url }) => preview_url);
    const row = h("div", { class: "actions" });
    const button = (text, act, kind = "") =>
      row.append(h("button", { type: "button", class: kind, onclick: () => this.act(act) }, text, short ? h("span", { class: "unseen" }, ` ${video.prompt}`) : null));
    if (isDraft(video)) button("Continue", () => this.continue(), "primary");
    if (video.url && !short) row.append(h("a", { class: isDraft(video) ? "button" : "button primary", href: video.url, download: `${video.id}.mp4` }, "Download"));
    if (isActive(video)) button("Cancel", async () => this.actions.changed(await request("POST", `/v1/videos/${video.id}/cancel`)), short ? "small" : "");
    if (video.status === "failed" || video.status === "cancelled") button("Retry", () => this.retry(), short ? "small" : "");
    if (short) {
      if (!isActive(video)) button("Delete", () => this.remove(), "quiet small");
      return row;
    }
    if (!isActive(video)) button("Remix", () => this.remix());
    if (clips.length > 1) button("Compare", () => compare(clips));
    button("Close", () => this.pin(false), "quiet small");
    button("Delete", () => this.remove(), "quiet small");
    return row;
  }

  async act(action) {
    this.pinned = this.open;
    const message = this.element.querySelector(".action-error");
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
    const close = () => {
      this.element.querySelector("form.remix")?.remove();
      this.focusButton("Remix");
    };
    if (this.element.querySelector("form.remix")) return close();
    const make = async (body) => {
      await this.make(body);
      this.element.querySelector("form.remix")?.remove();
    };
    const form = remixForm(this.video, this.actions.modelOf(this.video.model), make, close);
    this.element.append(form);
    form.elements.prompt.focus();
  }

  refreshProgress() {
    const { video } = this;
    const form = this.form();
    if (form === "large") this.view.refresh(this.element, video);
    if (form !== "line" || !isActive(video)) return;
    const current = currentStage(video);
    const doing = isUnderWay(video) && current ? `${current.title}: ${stateOf(current)}` : null;
    const facts = [doing, estimateOf(video)].filter(Boolean).join(" · ");
    const short = doing ? `${Math.round(progressOf(video))} %` : shortly(estimateOf(video));
    this.element.querySelector(".facts").replaceChildren(h("span", { class: "long" }, facts), h("span", { class: "short" }, short));
    this.element.style.setProperty("--progress", `${progressOf(video)}%`);
  }
}
