// The unmodified OpenAI SDK for Node drives a stack: node openai_client.mjs URL PROMPT FILE

import { writeFile } from "node:fs/promises";
import OpenAI from "openai";

const [url, prompt, file] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "unused", maxRetries: 0 });
const created = await client.videos.create({
  prompt,
  model: "shapes",
  size: "128x80",
  seconds: "3.625",
  seed: 7,
  steps: { keyframes: 2, interpolation: 1 },
  metadata: { who: "node" },
  stop_after: "interpolation",
});
let video = created;
while (video.status === "queued" || video.status === "in_progress") {
  await new Promise((resolve) => setTimeout(resolve, 100));
  video = await client.videos.retrieve(video.id);
}
const content = await client.videos.downloadContent(video.id);
await writeFile(file, Buffer.from(await content.arrayBuffer()));
const remix = await client.videos.remix(video.id, { prompt: "a blue square" });
const listed = [];
for await (const { id } of client.videos.list({ limit: 1 })) listed.push(id);
const deleted = await client.videos.delete(remix.id);
const refused = await client.videos.create({ prompt, model: "sora-2" }).catch(({ status, param }) => ({ status, param }));
console.log(JSON.stringify({ created, video, remix, listed, deleted, refused }));
