// Steps and guidance scale of each stage, as a table of fields.

import { h } from "./dom.js";

const COLUMNS = { steps: "Steps", guidance_scale: "Guidance scale" };

// stages: those of a model; placeholder(stage, parameter): what holds where a field is empty.
export function parameterTable(stages, placeholder) {
  return h("table", { class: "parameters" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Stage"), ...Object.values(COLUMNS).map((title) => h("th", { scope: "col" }, title)))),
    h("tbody", {}, ...stages.map((stage) =>
      h("tr", { "data-stage": stage.name },
        h("th", { scope: "row" }, stage.title),
        h("td", {}, field("steps", stage, stage.min_steps, stage.max_steps, "1", placeholder)),
        h("td", {}, field("guidance_scale", stage, stage.min_guidance_scale, stage.max_guidance_scale, "any", placeholder)),
      ))),
  );
}

function field(parameter, stage, min, max, step, placeholder) {
  return h("input", {
    type: "number", name: `${parameter}.${stage.name}`, min, max, step,
    placeholder: placeholder(stage, parameter), "aria-label": `${COLUMNS[parameter]} of ${stage.title}`,
  });
}

const NUMBERS = ["seed", "best_of", "draft"];

// The body of a request: what is filled in, `steps.<stage>` as {steps: {<stage>: …}}.
export function bodyOf(form) {
  const body = {};
  for (const [name, value] of new FormData(form)) {
    const [parameter, stage] = name.split(".");
    if (value === "") continue;
    if (stage) body[parameter] = { ...body[parameter], [stage]: Number(value) };
    else body[name] = NUMBERS.includes(name) ? Number(value) : value;
  }
  return body;
}
