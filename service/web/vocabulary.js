// The words that a preset knows: found in a prompt, exchanged for others of the same attribute, put in by a click.
//
// A vocabulary is {attribute: [word, …]}; words may be phrases. It is empty for presets that take any words.

const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

// The places of known words in a text: {start, end, word, attributes}; longer phrases before words within them.
export function findWords(text, vocabulary) {
  const attributesOf = new Map();
  for (const [attribute, words] of Object.entries(vocabulary)) {
    for (const word of words) attributesOf.set(word.toLowerCase(), [...(attributesOf.get(word.toLowerCase()) ?? []), attribute]);
  }
  if (attributesOf.size === 0) return [];
  const longestFirst = [...attributesOf.keys()].sort((a, b) => b.length - a.length).map(escape);
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(?:${longestFirst.join("|")})(?![\\p{L}\\p{N}])`, "giu");
  return [...text.matchAll(pattern)].map((match) => ({
    start: match.index,
    end: match.index + match[0].length,
    word: match[0].toLowerCase(),
    attributes: attributesOf.get(match[0].toLowerCase()),
  }));
}

// The same sentence about other things: some of its words exchanged, at least one; equal words stay equal, others differ.
export function vary(text, vocabulary, random = Math.random) {
  const places = findWords(text, vocabulary);
  const choices = new Map(places.map(({ word, attributes }) => [word, choicesOf(attributes, vocabulary)]));
  const able = shuffle([...choices.keys()].filter((word) => choices.get(word).length > 1), random);
  const changed = able.slice(0, Math.max(1, Math.ceil(able.length * (0.4 + 0.6 * random()))));
  const taken = new Set([...choices.keys()]);
  const exchange = new Map();
  for (const word of changed) {
    const others = choices.get(word).filter((other) => !taken.has(other.toLowerCase()));
    if (others.length === 0) continue;
    const other = others[Math.floor(random() * others.length)];
    taken.add(other.toLowerCase());
    exchange.set(word, other);
  }
  let result = text;
  for (const { start, end, word } of places.toReversed()) {
    if (exchange.has(word)) result = replaceAt(result, start, end, exchange.get(word));
  }
  return result;
}

// A word that stands for several attributes is exchanged for one that does so too.
function choicesOf(attributes, vocabulary) {
  const [first, ...rest] = attributes.map((attribute) => vocabulary[attribute]);
  return first.filter((word) => rest.every((words) => words.includes(word)));
}

function shuffle(list, random) {
  return list.map((item) => [random(), item]).sort(([a], [b]) => a - b).map(([, item]) => item);
}

// Puts a word in place of the prompt's word of that attribute, the nearest to the caret; else where the caret is.
// Returns {text, caret}, the caret behind the word.
export function useWord(text, caret, attribute, word, vocabulary) {
  const places = findWords(text, vocabulary).filter(({ attributes }) => attributes.includes(attribute));
  const distance = ({ start, end }) => (caret < start ? start - caret : Math.max(0, caret - end));
  const [nearest] = places.sort((a, b) => distance(a) - distance(b));
  if (nearest) {
    const changed = replaceAt(text, nearest.start, nearest.end, word);
    return { text: changed, caret: nearest.end + changed.length - text.length };
  }
  const before = text.slice(0, caret).trimEnd();
  const after = text.slice(caret).trimStart();
  const start = [before, word].filter(Boolean).join(" ");
  return { text: [start, after].filter(Boolean).join(" "), caret: start.length };
}

// "a red ball" becomes "an orange ball".
function replaceAt(text, start, end, word) {
  const before = text.slice(0, start).replace(/\b(a)n?(\s+)$/i, (_, a, space) => `${a}${/^[aeiou]/i.test(word) ? "n" : ""}${space}`);
  return before + word + text.slice(end);
}
