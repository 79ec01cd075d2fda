"use strict";

// The viewer's dark colours hang on a class of the page, not on what the browser prefers.
const dark = matchMedia("(prefers-color-scheme: dark)");
const followBrowser = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followBrowser);
followBrowser();

SwaggerUIBundle({
  url: "/schema/openapi.json",
  dom_id: "#manual",
  deepLinking: true,
  defaultModelExpandDepth: 3,
  validatorUrl: null,
});
