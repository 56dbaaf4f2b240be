// The form that asks for a changed copy of a video. It makes other pictures unless somebody keeps the seed.

import { h, optionsOfStages, setOptions } from "./dom.js";
import { clearErrors, faultsOf, refusalsOf, showErrors } from "./fields.js";
import { bodyOf, parameterTable } from "./parameters.js";

// model: the video's, or undefined where it is offered no more. make(body) resolves when the remix is there.
export function remixForm(video, model, make, close) {
  const form = h("form", { class: "remix", "aria-label": `Remix of ${video.prompt}`, novalidate: true, "data-id": video.id },
    h("label", { class: "wide" }, "Prompt ", h("textarea", { name: "prompt", rows: 2, required: true, maxlength: model?.max_prompt_chars }, video.prompt)),
    h("label", {}, "From stage ", h("select", { name: "from_stage" })),
    h("label", {}, "Seed ", h("input", { name: "seed", type: "number", min: 0, max: model?.max_seed, step: "1", placeholder: "a new one" })),
    h("button", { type: "button", class: "keep-seed", onclick: () => (form.elements.seed.value = video.seed) }, `Keep seed ${video.seed}`),
    model ? h("details", {}, h("summary", {}, "Steps and guidance"), parameterTable(model.stages, () => "as before")) : null,
    h("p", { class: "form-error error", role: "alert", hidden: true }),
    h("div", { class: "fields end" },
      h("button", { type: "button", class: "quiet", onclick: close }, "Cancel"),
      h("button", { type: "submit", class: "primary" }, "Make remix")),
  );
  const able = video.stages.filter((_, index) => video.stages.slice(0, index).every(({ status }) => status === "completed"));
  const { from_stage: from } = form.elements;
  setOptions(from, optionsOfStages(able), video.stages[0].name);
  from.addEventListener("change", () => offerStagesFrom(form, video, from.value));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const faults = faultsOf(form);
    if (faults.length) return showErrors(form, faults);
    clearErrors(form);
    try {
      await make({ seed: freshSeed(model), ...bodyOf(form) });
    } catch (error) {
      showErrors(form, refusalsOf(error));
    }
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  return form;
}

// Stages whose clips are reused take no parameters.
function offerStagesFrom(form, video, first) {
  const names = video.stages.map(({ name }) => name);
  for (const row of form.querySelectorAll("tr[data-stage]")) {
    row.hidden = names.indexOf(row.dataset.stage) < names.indexOf(first);
    for (const field of row.querySelectorAll("input")) field.disabled = row.hidden;
  }
}

// Unless told, the gateway takes the source's seed.
function freshSeed(model) {
  const [number] = crypto.getRandomValues(new Uint32Array(1));
  return number % ((model?.max_seed ?? 2 ** 32 - 1) + 1);
}
