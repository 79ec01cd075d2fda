// What a user of each generator writes first: the request of README.md, and a switch on what may come back instead.
// A test puts that request in, generates the clients beside this file, and compiles it with tsc --strict.
import createClient from "openapi-fetch";
import { requestVerification as requestByHeyApi } from "./heyapi";
import { client } from "./heyapi/client.gen";
import { requestVerification as requestByOrval } from "./orval/fetch";
import { requestVerificationBody } from "./orval/zod";
import type { components, paths } from "./gateway";

const url = "http://127.0.0.1:8080";

export async function byOpenapiFetch(): Promise<number | string | undefined> {
  const gateway = createClient<paths>({ baseUrl: url });
  const { data, error, response } = await gateway.POST("/v1/verifications", { body: README_REQUEST });
  if (data) return data.attempts_remaining;
  switch (error.type) {
    case "urn:verify-gateway:problem:limited":
      return error.retry_after;
    case "urn:verify-gateway:problem:invalid":
      return error.fields?.join();
    // @ts-expect-error: a request cannot answer that.
    case "urn:verify-gateway:problem:closed":
      return undefined;
    // @ts-expect-error: there is no such type.
    case "urn:verify-gateway:problem:limitted":
      return undefined;
    case "urn:verify-gateway:problem:malformed":
      // @ts-expect-error: waiting does not help with that.
      return error.retry_after;
  }
  return response.status;
}

export function tellAnyProblem(problem: components["schemas"]["Problem"]): string {
  switch (problem.type) {
    case "urn:verify-gateway:problem:closed":
      // @ts-expect-error: what is pending has not ended.
      return problem.verification_status === "pending" ? "" : problem.verification_status;
    case "urn:verify-gateway:problem:too-early":
      return `${problem.retry_after} ${problem.status === 409}`;
    default:
      return problem.title;
  }
}

type Limited = paths["/v1/verifications"]["post"]["responses"][429];

export function readHeaders(reply: Limited["headers"]): [number, string] {
  return [reply["Retry-After"], reply["X-Request-Id"]];
}

export async function byHeyApi(): Promise<number | string | undefined> {
  client.setConfig({ baseUrl: url, auth: "KEY" });
  const { data, error } = await requestByHeyApi({ body: README_REQUEST });
  if (data) return data.fallback?.channel;
  switch (error.type) {
    case "urn:verify-gateway:problem:unavailable":
      return error.retry_after;
    // @ts-expect-error: there is no such type.
    case "urn:verify-gateway:problem:limitted":
      return undefined;
  }
  return error.title;
}

export async function byOrval(): Promise<number | string | undefined> {
  const reply = await requestByOrval(requestVerificationBody.parse(README_REQUEST));
  if (reply.status === 202) return reply.data.id;
  switch (reply.data.type) {
    case "urn:verify-gateway:problem:limited":
      return reply.data.retry_after;
    // @ts-expect-error: there is no such type.
    case "urn:verify-gateway:problem:limitted":
      return undefined;
  }
  return reply.data.title;
}
