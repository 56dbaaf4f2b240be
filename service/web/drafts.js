// Several drafts of a video's first stage: one is chosen to go on.

import { h } from "./dom.js";
import { isActive, isDraft } from "./words.js";

// goOnWith(index) makes a new video from a draft that was not chosen.
export function draftsOf(video, clips, goOnWith) {
  const paused = isDraft(video);
  if (video.drafts.length === 0) return paused ? pauseNote(video) : null;
  const choosing = paused && video.stages[1]?.status === "pending";
  const best = Math.max(...video.drafts.map(({ score }) => score));
  return h("fieldset", { class: "drafts" },
    h("legend", {}, choosing ? `Choose one of ${video.drafts.length} drafts` : `${video.drafts.length} drafts`),
    h("p", { class: "muted" }, explanation(video, choosing)),
    h("div", { class: "draft-list" }, ...video.drafts.map((draft) => draftOf(draft, { video, clips, choosing, best, goOnWith }))),
  );
}

function explanation(video, choosing) {
  const score = "The score is the preset's own estimate of how well a draft fits the prompt: higher is better.";
  if (choosing) return `${score} Nothing more is made until you press Continue.`;
  return isActive(video) ? score : `${score} The chosen one went on; the others can still do so as a new video.`;
}

function pauseNote(video) {
  const last = video.stages.findLast(({ status }) => status === "completed");
  return h("p", { class: "note" }, `This is a draft: it stopped after ${last.title}, as asked. Nothing more is made until you press Continue.`);
}

function draftOf(draft, { video, clips, choosing, best, goOnWith }) {
  const score = h("span", { class: "score" }, `Score ${draft.score.toFixed(3)}`, draft.score === best ? h("span", { class: "best" }, "best") : null);
  const seed = h("span", { class: "muted" }, `seed ${draft.seed}`);
  const clip = draft.preview_url ? clips.get(`draft ${draft.index}`, draft.preview_url) : h("div", { class: "blank" });
  if (choosing) {
    const choice = h("input", { type: "radio", name: `draft-${video.id}`, value: draft.index, checked: draft.chosen });
    return h("label", { class: "draft" }, clip, h("span", { class: "check" }, choice, score), seed);
  }
  const another = draft.chosen || isActive(video) ? null
    : h("button", { type: "button", class: "small", onclick: () => goOnWith(draft.index) }, "Go on with this one", h("span", { class: "unseen" }, `, draft ${draft.index + 1}`));
  return h("div", { class: draft.chosen ? "draft chosen" : "draft" }, clip, h("span", { class: "check" }, score, draft.chosen ? h("span", { class: "best" }, "chosen") : null), seed, another);
}
