// The shop's page: name and number, the code, the end. It calls the shop's backend, and knows no gateway and no key.
const $ = (id) => document.getElementById(id);
const body = document.body.dataset;
const nouns = { ...JSON.parse(body.nouns), flashcall: "missed call" }; // "flash call" is a word of the trade
const KEPT = "sign-up"; // in this tab: a reload goes on with the same step
const TYPED = "typed"; // so is what was typed: phones drop pages in the background, while people look for the code
const RESEND_AFTER = 30; // seconds, where the gateway offers no other channel to wait for
const ENDS = {
  verified: ["good", "✓", "Welcome!", "your number is verified, and your account is ready."],
  locked: ["bad", "✕", "Too many wrong codes", "To protect you, this code can no longer be used. Start again for a new one."],
  expired: ["bad", "✕", "The code has expired", "Codes are good for a few minutes. Start again for a new one."],
  canceled: ["bad", "✕", "Canceled", "This sign-up was canceled."],
};
let current = null;
let busy = false; // a new code or another way has been asked for, and not been answered
let ahead = 0; // by how many milliseconds this device's clock is ahead of the shop's

// --- the agent: Fingerprint's own, of either version, or the sandbox's ---

const agent = import(body.agent).then((loaded) => body.api === "v3" ? loaded.load({ region: body.region }) : loaded.start(body.region ? { region: body.region } : {}));
agent.catch(() => {});

async function makeEvent() {
  // A new one for each submit, and none from a cache. Without the agent the form is sent all the same: an ad blocker is
  // no crime, and what a missing event means is the gateway's to decide.
  try {
    const made = await (await agent).get({ device: sessionStorage.getItem("device") || undefined });
    return made.event_id || made.requestId || null;
  } catch (_) {
    return null;
  }
}

// --- the backend ---

async function call(path, content) {
  try {
    const response = await fetch("/demo/" + path, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content),
    });
    const now = Date.parse(response.headers.get("Date"));
    if (now) ahead = Date.now() - now;
    return { ok: response.ok, status: response.status, body: await response.json() };
  } catch (_) {
    return { ok: false, status: 0, body: {} };
  }
}

function explain(answer) {
  return answer.body.text || "We cannot be reached at the moment. Please try again.";
}

// --- what is shown ---

function show(step) {
  for (const name of ["step-number", "step-code", "step-end"]) $(name).hidden = name !== step;
  document.title = $(step).querySelector("h1").textContent + " · Corner Shop";
}

function say(text, kind, wrong) {
  $("code-note").textContent = text;
  $("code-note").className = "note" + (kind ? " " + kind : "");
  if (wrong) $("code").setAttribute("aria-invalid", "true"); else $("code").removeAttribute("aria-invalid");
}

function tellTime(seconds) {
  const left = Math.max(0, Math.ceil(seconds));
  return left < 90 ? left + " seconds" : Math.ceil(left / 60) + " minutes";
}

function keep(changes) {
  current = Object.assign({}, current, changes);
  sessionStorage.setItem(KEPT, JSON.stringify(current));
  document.dispatchEvent(new CustomEvent("verification", { detail: current }));
  if (ENDS[current.status]) end(current.status); else openCode();
}

function forget() {
  current = null;
  sessionStorage.removeItem(KEPT);
}

function end(status) {
  const [kind, mark, title, text] = ENDS[status];
  $("end-mark").className = "tick " + kind;
  $("end-mark").textContent = mark;
  $("end-title").textContent = title;
  $("end-name").textContent = status === "verified" ? current.form.name : "";
  $("end-text").textContent = status === "verified" ? ", " + text : text;
  show("step-end");
  $("end-title").focus();
}

function openCode() {
  const hint = current.channel === "flashcall" ? " Do not pick up: the code is the last digits of the number that calls you." : "";
  $("sent-to").textContent = "If " + current.phone_number + " can receive a " + nouns[current.channel] + ", one is on its way." + hint;
  show("step-code");
  tick();
}

function tick() {
  if (!current || ENDS[current.status]) return;
  const until = (time) => (Date.parse(time) - Date.now() + ahead) / 1000;
  if (until(current.expires_at) <= 0) return keep({ status: "expired" });
  const left = current.attempts_remaining;
  $("expiry").textContent = "Good for another " + tellTime(until(current.expires_at)) + ". " + left + (left === 1 ? " attempt left." : " attempts left.");
  const resend = until(current.resend_at);
  $("resend").disabled = busy || resend > 0;
  $("resend").textContent = "Send a new code" + (resend > 0 ? " in " + Math.ceil(resend) + " s" : "");
  const offer = current.fallback;
  $("fallback").hidden = !offer;
  if (!offer) return;
  const wait = until(offer.available_at);
  const words = offer.channel === "call" ? "Call me instead" : "Try a " + nouns[offer.channel] + " instead";
  $("fallback").disabled = busy || wait > 0;
  $("fallback").textContent = words + (wait > 0 ? " in " + Math.ceil(wait) + " s" : "");
}

// --- what people do ---

async function request(form) {
  document.dispatchEvent(new CustomEvent("asking"));
  const event_id = await makeEvent();
  const answer = await call("request", { ...form, event_id, registered: !$("unregistered").checked });
  if (answer.ok) {
    const later = new Date(Date.parse(answer.body.created_at) + RESEND_AFTER * 1000).toISOString();
    const resend_at = answer.body.fallback ? answer.body.fallback.available_at : later;
    current = null;
    keep({ ...answer.body, form, event_id, resend_at, channel: form.channel });
  } else {
    // What came before is still good: the panel goes on with that.
    document.dispatchEvent(new CustomEvent(current ? "verification" : "refused", { detail: current }));
  }
  return answer;
}

const PROBLEMS = { name: "name-problem", phone: "number-problem" };

function refuse(field, text) {
  $("form-problem").textContent = field ? "" : text;
  for (const [id, place] of Object.entries(PROBLEMS)) {
    $(place).textContent = id === field ? text : "";
    if (id === field) $(id).setAttribute("aria-invalid", "true"); else $(id).removeAttribute("aria-invalid");
  }
  $(field || "send").focus();
}

function readForm() {
  return { name: $("name").value.trim(), country: $("country").value, phone_number: $("phone").value.trim(), channel: $("channel").value };
}

function keepTyped() {
  sessionStorage.setItem(TYPED, JSON.stringify(readForm()));
}

function restoreTyped() {
  const typed = JSON.parse(sessionStorage.getItem(TYPED) || "null");
  if (!typed) return;
  for (const [id, name] of [["name", "name"], ["country", "country"], ["phone", "phone_number"], ["channel", "channel"]]) $(id).value = typed[name];
}

function nameButton() {
  const channel = $("channel").value;
  $("send").textContent = channel === "sms" ? "Send code via SMS" : "Send code by " + nouns[channel];
}

$("channel").addEventListener("change", nameButton);
$("number-form").addEventListener("input", keepTyped);

$("number-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = readForm();
  if (!form.name) return refuse("name", "Please tell us your name.");
  if (!form.phone_number) return refuse("phone", "Please type your phone number.");
  refuse("", "");
  $("send").disabled = true;
  $("send").textContent = "Sending…";
  const answer = await request(form);
  $("send").disabled = false;
  nameButton();
  if (!answer.ok) return refuse(answer.body.field === "phone_number" ? "phone" : "", explain(answer));
  $("code").value = "";
  say("");
  $("code").focus();
});

$("code-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const asked = current;
  if (!asked || $("check").disabled) return;
  $("check").disabled = true;
  say("Checking…");
  const answer = await call("verify", { id: asked.id, code: $("code").value });
  $("check").disabled = false;
  if (!current || current.id !== asked.id) return;
  if (answer.ok && !answer.body.verified) say("That is not the code. Please look again.", "bad", true);
  if (!answer.ok) say(explain(answer), "bad", answer.body.field === "code");
  if (answer.ok) keep(answer.body); else if (answer.body.ended) keep({ status: answer.body.ended });
  if (current) { $("code").focus(); $("code").select(); }
});

$("code").addEventListener("paste", (event) => {
  // People copy the whole message. Its first run of digits is the code, however it is grouped.
  const found = /\p{Nd}(?:[ \-]?\p{Nd}){3,14}/u.exec(event.clipboardData.getData("text"));
  if (!found) return;
  event.preventDefault();
  $("code").value = found[0].replace(/[ \-]/g, "");
  $("code-form").requestSubmit();
});

$("resend").addEventListener("click", () => ask(async () => {
  const answer = await request(current.form);
  if (answer.ok) $("code").value = "";
  say(answer.ok ? "If this number can receive codes, a new one is on its way. The earlier one is void." : explain(answer), answer.ok ? "" : "bad");
}));

$("fallback").addEventListener("click", () => ask(async () => {
  const asked = current;
  const channel = asked.fallback.channel;
  const answer = await call("fallback", { id: asked.id });
  if (!current || current.id !== asked.id) return;
  if (answer.ok) {
    keep({ ...answer.body, channel });
    say("If this number can receive a " + nouns[channel] + ", one is on its way. Any code that reaches you is good.");
  } else if (answer.body.ended) {
    keep({ status: answer.body.ended });
  } else {
    say(explain(answer), "bad");
  }
}));

async function ask(what) {
  // One at a time, whatever the countdowns say meanwhile.
  if (busy) return;
  busy = true;
  say("One moment …");
  tick();
  await what();
  busy = false;
  if (!current || ENDS[current.status]) return;
  tick();
  $("code").focus();
}

function restart() {
  if (busy) return;
  forget();
  refuse("", "");
  say("");
  show("step-number");
  $("phone").focus();
}
$("again").addEventListener("click", restart);
$("restart").addEventListener("click", restart);

async function resume() {
  current = JSON.parse(sessionStorage.getItem(KEPT) || "null");
  if (!current) return;
  keep({});
  if (ENDS[current.status]) return;
  $("code").focus();
  const asked = current;
  const answer = await call("status", { id: asked.id });
  if (!current || current.id !== asked.id) return;
  if (answer.ok) return keep(answer.body);
  // Away for a moment is no reason to lose the step; unknown is.
  if (answer.status === 404) restart(); else say(explain(answer), "bad");
}

function nameCountries() {
  const names = new Intl.DisplayNames(["en"], { type: "region" });
  const choices = [...$("country").options].map((option) => [names.of(option.value), option]);
  for (const [name, option] of choices) option.textContent = name + " " + option.textContent.split(" ")[1];
  const chosen = $("country").value;
  $("country").append(...choices.sort((a, b) => a[0].localeCompare(b[0])).map((choice) => choice[1]));
  $("country").value = chosen;
}

function nameChannels() {
  for (const option of $("channel").options) option.textContent = nouns[option.value][0].toUpperCase() + nouns[option.value].slice(1);
}

nameCountries();
nameChannels();
restoreTyped();
nameButton();
setInterval(tick, 500);
resume();
