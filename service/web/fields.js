// What is wrong with a form, in words beside the field that it is about.

import { h } from "./dom.js";
import { capitalise } from "./words.js";

const MESSAGE = "field-error";
const ID = "wrong-";

// Shows [field name, message] pairs; those of no field of the form come in its own line of errors.
export function showErrors(form, errors) {
  clearErrors(form);
  const general = [];
  for (const [name, message] of errors) {
    const field = form.elements[name];
    if (field?.closest) complainAt(field, message);
    else general.push(message);
  }
  const line = form.querySelector(".form-error");
  line.textContent = general.map(capitalise).join(" ");
  line.hidden = general.length === 0;
  form.querySelector("[aria-invalid]")?.focus();
}

export function clearErrors(form) {
  form.querySelector(".form-error").hidden = true;
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    describe(field, (ids) => ids.filter((id) => !id.startsWith(ID)));
  }
  for (const message of form.querySelectorAll(`.${MESSAGE}`)) message.remove();
}

function complainAt(field, message) {
  const id = `${ID}${field.form.id || field.form.dataset.id}-${field.name}`;
  field.closest("details")?.setAttribute("open", "");
  field.setAttribute("aria-invalid", "true");
  describe(field, (ids) => [...ids, id]);
  const text = h("span", { id, class: MESSAGE, role: "alert" }, capitalise(message));
  (field.closest("label") ?? field).after(text);
}

function describe(field, change) {
  const ids = change((field.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean));
  if (ids.length) field.setAttribute("aria-describedby", ids.join(" "));
  else field.removeAttribute("aria-describedby");
}

// What the browser can tell before anything is sent: [field name, message] pairs.
export function faultsOf(form) {
  const faults = [];
  for (const field of form.elements) {
    const { validity } = field;
    if (!field.name || field.disabled || !validity) continue;
    if (validity.valueMissing || (field.required && !field.value.trim())) faults.push([field.name, "Must not be empty."]);
    else if (validity.rangeOverflow || validity.rangeUnderflow || validity.badInput || validity.stepMismatch) {
      faults.push([field.name, `A${field.step === "1" ? " whole" : ""} number from ${field.min} to ${field.max}, please.`]);
    }
  }
  return faults;
}

// The gateway's refusal as [field name, message] pairs, without the names that only programs use.
export function refusalsOf(error) {
  if (!error.errors?.length) return [[null, error.message]];
  return error.errors.map(({ field, detail }) => [field, detail.startsWith(field) ? detail.slice(field.length).replace(/^[:\s]+/, "") : detail]);
}
