// Questions to the server; in an exported page, to what it holds.

const page = Math.random().toString(36).slice(2);
const open = new Map();

export class Refused extends Error {}

export function recorded() {
  const held = document.getElementById("recorded");
  return held === null ? null : JSON.parse(held.textContent);
}

const held = recorded();

export function isRecorded() {
  return held !== null;
}

// Of one slot only the last question is answered; the ones before give null.
export async function ask(path, question, slot) {
  if (held !== null) return answerOf(path, question);
  if (slot && open.has(slot)) open.get(slot).abort();
  const control = new AbortController();
  if (slot) open.set(slot, control);
  try {
    const options = { signal: control.signal };
    if (question !== undefined) {
      options.method = "POST";
      options.headers = { "Content-Type": "application/json" };
      options.body = JSON.stringify(slot ? { ...question, slot: `${page}-${slot}` } : question);
    }
    const response = await fetch(path, options);
    const answer = await response.json();
    if (response.status === 409) return null;
    if (!response.ok) throw new Refused(answer.error);
    return answer;
  } catch (error) {
    if (error.name === "AbortError") return null;
    throw error instanceof Refused ? error : new Refused("the server does not answer: is seqlab explore still running?");
  } finally {
    if (slot && open.get(slot) === control) open.delete(slot);
  }
}

function answerOf(path, question) {
  const kept = held.answers.find((each) => each.path === path && matches(each.question, question));
  if (kept === undefined) throw new Refused("this page holds no answer to that: seqlab explore computes it");
  if (path !== "/api/look" || "tree" in kept.answer) return kept.answer;
  return { ...kept.answer, tree: answerOf(path, { ...question, chosen: 0 }).tree };
}

function matches(one, other) {
  return Object.entries(one || {}).every(([name, value]) => JSON.stringify(other[name]) === JSON.stringify(value));
}
