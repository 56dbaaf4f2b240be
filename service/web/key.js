// The dialog that asks for an API key.

import { apiKey } from "./api.js";
import { $ } from "./dom.js";

export function installKeyDialog(onSaved) {
  const dialog = $("key-dialog");
  $("key-button").addEventListener("click", askForKey);
  dialog.addEventListener("close", () => {
    if (dialog.returnValue !== "save") return;
    apiKey.set($("key").value.trim());
    onSaved();
  });
}

export function askForKey() {
  $("key").value = apiKey.get();
  if (!$("key-dialog").open) $("key-dialog").showModal();
}
