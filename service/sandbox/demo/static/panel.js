// The sandbox's own part of the page: what the gateway decided, the phones, and ways to play. No product has any of it.
const $ = (id) => document.getElementById(id);
let watched = null;
let settled = "";

function add(parent, tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  parent.append(element);
  return element;
}

async function post(path, content) {
  const response = await fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content),
  });
  return response.ok ? response.json() : null;
}

function judge(seen) {
  const sends = seen.sends.filter((send) => send.decision);
  if (!seen.deliver) return ["", "A decoy: the shop asked for a verification that never sends."];
  if (!sends.length) return ["", "Being decided …"];
  const last = sends[sends.length - 1];
  const rules = last.decision.findings.filter((one) => one.mode === "enforce").map((one) => one.rule);
  if (!last.decision.allow) return ["bad", "Suppressed by " + rules.join(", ") + ": no code went out."];
  if (["due", "begun"].includes(last.state)) return ["good", "Allowed: a code is being sent by " + last.channel + "."];
  if (last.state === "sent") return ["good", "Allowed: a code went out by " + (last.decision.by || last.channel) + "."];
  return ["bad", "Allowed, but not sent: " + ((seen.errors || {})[last.error] || last.state) + "."];
}

const EVENTS = {
  "delivery sent": "passed on to the carrier", "delivery delivered": "delivered to the phone",
  "delivery failed": "not delivered", "delivery unconfirmed": "delivery not confirmed",
};

function name(word) {
  return String(word).replaceAll("_", " ");
}

function listFacts(seen) {
  const decided = seen.sends.map((send) => send.decision).filter(Boolean).pop();
  const facts = decided ? decided.facts : {};
  const number = facts.number || {}, device = facts.device || {}, event = device.event || {};
  return {
    Number: [seen.number, number.country, number.kind && name(number.kind), number.valid === false ? "not in the numbering plan" : ""],
    "Device event": [device.state && name(device.state)],
    Bot: [event.bot && name(event.bot)],
    "Suspect score": [event.suspect_score],
    "What the agent noticed": seen.marks === null ? [] : [seen.marks.join("; ") || "nothing unusual"],
    Policy: [decided && decided.policy_version],
  };
}

function paint(seen) {
  const [kind, text] = judge(seen);
  if ($("verdict").textContent !== text) $("verdict").textContent = text;
  $("verdict").className = "note" + (kind ? " " + kind : "");
  const state = JSON.stringify(seen);
  if (state === settled) return;
  settled = state;
  $("details").hidden = false;
  $("console").href = seen.console;
  $("rules").replaceChildren();
  for (const one of seen.sends.flatMap((send) => (send.decision ? send.decision.findings : []))) {
    const item = add($("rules"), "li", one.rule + ": " + one.detail);
    add(item, "small", (seen.means || {})[one.rule] || "");
    add(item, "small", one.mode === "enforce" ? "enforced: it suppresses the send" : one.mode + ": noted, and nothing more");
  }
  if (!$("rules").children.length) add($("rules"), "li", "None.");
  $("seen").replaceChildren();
  for (const [name, values] of Object.entries(listFacts(seen))) {
    const told = values.filter((value) => value !== undefined && value !== null && value !== "");
    if (!told.length) continue;
    add($("seen"), "dt", name);
    add($("seen"), "dd", told.join(", "));
  }
  $("events").replaceChildren();
  // The records of a send that never was are those of a real one, down to its delivery: here they would mislead.
  const silent = new Set(seen.sends.filter((send) => !seen.deliver || (send.decision && !send.decision.allow)).map((send) => send.ordinal));
  for (const event of seen.events.filter((one) => !(silent.has(one.send) && one.what.startsWith("delivery")))) {
    const item = add($("events"), "li", EVENTS[event.what] || name(event.what));
    add(item, "small", new Date(event.at).toLocaleTimeString("en", { hour12: false }));
  }
}

async function look() {
  if (document.hidden || !watched) return;
  const asked = watched;
  const seen = await post("/demo/decided", { id: asked.id, event_id: asked.event_id }).catch(() => null);
  if (seen && watched && watched.id === asked.id) paint(seen);
}

function clear(text) {
  watched = null;
  settled = "";
  $("verdict").textContent = text;
  $("verdict").className = "note";
  $("details").hidden = true;
}

// What stands here must never be about an earlier verification than the page's.
document.addEventListener("asking", () => clear("Asking the gateway …"));
document.addEventListener("refused", () => clear("Nothing was decided: the shop's request was refused."));
document.addEventListener("verification", (event) => {
  if (!watched || watched.id !== event.detail.id) clear("Being decided …");
  watched = event.detail;
  const { status, attempts_remaining, message } = event.detail;
  $("told").textContent = JSON.stringify({ status, attempts_remaining, message });
  look();
});

// --- the phones ---

// Those of the number that the page is about stand out: a code of another number is of no use.
const nouns = JSON.parse(document.body.dataset.nouns);
let shown = "";

function describe(message) {
  const item = document.createElement("li");
  add(item, "small", message.phone_number + " · " + (nouns[message.channel] || message.channel));
  if (watched && watched.phone_number === message.phone_number) item.className = "mine";
  item.append(message.caller ? "Missed call from " + message.caller + ", code " : "Your code is ");
  add(item, "b", message.code);
  return item;
}

async function receive() {
  if (document.hidden) return;
  let messages;
  try { messages = await (await fetch("/inbox.json")).json(); } catch (_) { return; }
  const received = messages.filter((one) => one.state === "received").slice(0, 5);
  const key = received.map((one) => one.id).join() + (watched ? watched.phone_number : "");
  if (key === shown) return;
  shown = key;
  $("no-messages").hidden = received.length > 0;
  $("messages").replaceChildren(...received.map(describe));
}

// --- ways to play ---

$("numbers").addEventListener("click", (event) => {
  const number = event.target.dataset.number;
  if (!number) return;
  $("phone").value = number;
  $("phone").dispatchEvent(new Event("input", { bubbles: true }));
  $("phone").focus();
});

$("other-device").addEventListener("click", () => {
  sessionStorage.setItem("device", Math.random().toString(36).slice(2));
  $("other-device").textContent = "You are another device now. Again?";
});

setInterval(look, 1000);
setInterval(receive, 1000);
receive();
