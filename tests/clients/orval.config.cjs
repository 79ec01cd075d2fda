// Orval has no options for these on its command line; everything else is as it comes.
const input = "./openapi.json";
module.exports = {
  fetch: { input, output: { target: "./orval/fetch.ts", client: "fetch" } },
  zod: { input, output: { target: "./orval/zod.ts", client: "zod" } },
};
