// Keeps the page of a running backtest up to date. Without it the page says how to: load it again.
"use strict";

const AGAIN = 2000; // milliseconds

async function renew() {
  const reply = await fetch(location.pathname);
  const page = new DOMParser().parseFromString(await reply.text(), "text/html");
  document.querySelector("main").replaceWith(page.querySelector("main"));
  look();
}

function look() {
  if (document.querySelector("progress")) setTimeout(() => renew().catch(look), AGAIN);
}

look();
