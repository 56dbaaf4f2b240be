// The page: the form, the videos, and what keeps them up to date.

import { installAlerts } from "./alerts.js";
import { ApiError, Unreachable, request, retryMs } from "./api.js";
import { installComposer } from "./composer.js";
import { showBanner } from "./dom.js";
import { Gallery } from "./gallery.js";
import { askForKey, installKeyDialog } from "./key.js";

const RETRY_MS = 4000;

function complain(error) {
  if (error instanceof Unreachable) showBanner("The gateway cannot be reached. This page goes on by itself as soon as it can.");
  else if (error instanceof ApiError && error.status === 401) {
    showBanner("This gateway asks for an API key.");
    askForKey();
  } else if (error.name !== "AbortError") showBanner(error.message);
}

async function start() {
  let models;
  try {
    models = (await request("GET", "/v1/models")).data;
  } catch (error) {
    complain(error);
    if (!(error instanceof ApiError && error.status === 401)) setTimeout(start, retryMs(error, RETRY_MS));
    return;
  }
  showBanner("");
  const gallery = new Gallery(models, complain);
  installComposer(models, gallery.actions.created);
  const openLinked = () => /^#video_\w+$/.test(location.hash) && gallery.open(location.hash.slice(1)).catch(complain);
  await gallery.reload({ openFirst: true }).catch(complain);
  await openLinked();
  window.addEventListener("hashchange", openLinked);
  setTimeout(() => gallery.keepFresh(), RETRY_MS);
}

installKeyDialog(() => location.reload());
installAlerts();
start();
