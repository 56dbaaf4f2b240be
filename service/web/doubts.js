// What the preset will not understand of the prompt, said below it while somebody types.

import { ApiError, request, retryMs } from "./api.js";
import { $, debounce, h } from "./dom.js";
import { capitalise } from "./words.js";

const PAUSE_MS = 400;
let asked = null;

export function installDoubts(form) {
  const check = () => checkPrompt(form.elements.model.value, $("prompt").value);
  const checkSoon = debounce(check, PAUSE_MS);
  form.addEventListener("input", checkSoon);
  check();
}

async function checkPrompt(model, prompt) {
  const question = JSON.stringify([model, prompt]);
  if (question === asked) return;
  asked = question;
  try {
    const warnings = prompt.trim() ? (await request("POST", "/v1/prompts/check", { model, prompt })).warnings : [];
    if (question === asked) showDoubts(warnings);
  } catch (error) {
    if (question !== asked) return;
    asked = null; // the next key asks again
    if (error instanceof ApiError && error.status === 429) setTimeout(() => asked ?? checkPrompt(model, $("prompt").value), retryMs(error, PAUSE_MS));
  }
}

function showDoubts(warnings) {
  $("doubts").replaceChildren(...warnings.map((warning) => h("p", {}, withoutField(warning))));
}

// "prompt: it does not know …" as a sentence.
export const withoutField = (warning) => capitalise(warning.replace(/^(negative_)?prompt: /, (_, negative) => (negative ? "What it should not show: " : "")));
