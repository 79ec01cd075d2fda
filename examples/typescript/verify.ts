// Verifies a phone number: requests a code, checks what is typed until it is right or no guess is left, and shows how
// the verification ended. `gateway.d.ts` is made from the gateway's OpenAPI file: see README.md.
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import createClient from "openapi-fetch";
import type { components, paths } from "./gateway.js";

type Problem = components["schemas"]["Problem"];

const gateway = createClient<paths>({
  baseUrl: process.env.GATEWAY_URL ?? "http://127.0.0.1:8080",
  headers: { Authorization: `Bearer ${process.env.GATEWAY_KEY}` },
});

// What to tell the user. A `type` that this call cannot answer, or a field that its problem does not have, would not
// compile.
function explain(problem: Problem): string {
  switch (problem.type) {
    case "urn:verify-gateway:problem:limited":
    case "urn:verify-gateway:problem:unavailable":
      return `Please try again in ${problem.retry_after} seconds.`;
    case "urn:verify-gateway:problem:invalid":
      return `Please correct ${problem.fields?.join(" and ") ?? "the request"}: ${problem.detail}`;
    case "urn:verify-gateway:problem:closed":
      return `This code is no longer valid (${problem.verification_status}). Request a new one.`;
    default:
      return problem.title;
  }
}

async function main(phoneNumber: string): Promise<void> {
  const requested = await gateway.POST("/v1/verifications", {
    // The user's address as your server sees it, and one key for each tap on the button, however often you retry.
    body: { phone_number: phoneNumber, ip_address: "203.0.113.9" },
    params: { header: { "Idempotency-Key": randomUUID() } },
  });
  if (requested.error) return console.log(explain(requested.error));
  console.log(requested.data.message);

  const params = { path: { verification_id: requested.data.id } };
  for await (const code of createInterface({ input: process.stdin })) {
    const checked = await gateway.POST("/v1/verifications/{verification_id}/verify", { params, body: { code } });
    if (checked.error) console.log(explain(checked.error));
    else if (checked.data.verified) break;
    else console.log(`Not right: ${checked.data.attempts_remaining} attempts left.`);
    if (checked.data?.status === "locked") break;
  }
  const read = await gateway.GET("/v1/verifications/{verification_id}", { params });
  console.log(read.error ? explain(read.error) : read.data.status);
}

await main(process.argv[2] ?? "+13125550142");
