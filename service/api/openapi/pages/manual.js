"use strict";

const make = (name, text, className) => {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
};

const resolve = (file, schema) =>
  schema && schema.$ref ? resolve(file, schema.$ref.slice(2).split("/").reduce((at, key) => at[key], file)) : schema || {};

const typeOf = (file, schema) => {
  if (schema.$ref) return typeOf(file, resolve(file, schema));
  const choices = schema.oneOf || schema.anyOf;
  if (choices) return choices.map((choice) => typeOf(file, choice)).join(" | ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") return `${typeOf(file, schema.items || {})}[]`;
  return [].concat(schema.type || "any").join(" | ") + (schema.format ? ` (${schema.format})` : "");
};

const describe = (schema) =>
  schema.description || ((schema.oneOf || schema.anyOf || []).map((choice) => choice.description).find(Boolean) ?? "");

const rowsOf = (entries) => {
  const table = make("table");
  for (const [name, kind, text] of entries) {
    const row = make("tr");
    row.append(make("th", name), make("td", kind, "dim"), make("td", text));
    table.append(row);
  }
  return table;
};

const fieldsOf = (file, schema) => {
  const shape = resolve(file, schema);
  return rowsOf(Object.entries(shape.properties || {}).map(([name, field]) => [
    name + ((shape.required || []).includes(name) ? " *" : ""), typeOf(file, field), describe(field),
  ]));
};

const sectionOf = (file, path, method, call) => {
  const section = make("section");
  section.id = call.operationId;
  const head = make("h2");
  head.append(make("span", method, "method"), make("span", path, "path"));
  section.append(head, make("p", [call.summary, call.description].filter(Boolean).join(". ")));
  const parameters = (call.parameters || []).map((one) => [`${one.name} (${one.in})`, typeOf(file, one.schema || {}), one.description || ""]);
  if (parameters.length) section.append(make("h3", "Parameters"), rowsOf(parameters));
  const body = call.requestBody && call.requestBody.content["application/json"];
  if (body) section.append(make("h3", "Body"), fieldsOf(file, body.schema));
  section.append(make("h3", "Answers"));
  for (const [status, answer] of Object.entries(call.responses)) {
    section.append(rowsOf([[status, Object.keys(answer.content || {}).join(", "), answer.description || ""]]));
    const good = Number(status) < 300 && answer.content && answer.content["application/json"];
    if (good) section.append(fieldsOf(file, good.schema));
  }
  return section;
};

const draw = (file) => {
  document.getElementById("title").textContent = `${file.info.title} ${file.info.version}`;
  document.getElementById("about").textContent = file.info.description;
  for (const [path, calls] of Object.entries(file.paths)) {
    for (const [method, call] of Object.entries(calls)) {
      const link = make("a", call.summary);
      link.href = `#${call.operationId}`;
      document.getElementById("contents").append(link);
      document.getElementById("calls").append(sectionOf(file, path, method, call));
    }
  }
};

fetch("/schema/openapi.json").then((answer) => answer.json()).then(draw);
