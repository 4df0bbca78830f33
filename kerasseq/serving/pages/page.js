"use strict";
// A form for each verb, made from the OpenAPI document of the server.

function add(parent, name, text = "") {
  const element = parent.appendChild(document.createElement(name));
  element.textContent = text;
  return element;
}

// The types that a value may have, without null.
function kinds(schema) {
  return (schema.anyOf || [schema]).filter((each) => each.type !== "null");
}

function field(form, name, schema, required) {
  const label = add(form, "label", name);
  add(label, "small", schema.description || "");
  const [kind] = kinds(schema);
  const files = kind.items && kind.items.contentEncoding === "base64";
  let input;
  if (kind.type === "array" || required) {
    input = add(label, files ? "input" : "textarea");
    if (files) Object.assign(input, { type: "file", multiple: true });
    else input.rows = kind.type === "array" && required ? 4 : 2;
    if (!files && kind.type === "array") {
      const texts = [].concat((kind.items || {}).type || []).includes("string");
      input.placeholder = texts ? "one text a line, or a JSON list" : "a JSON list";
    }
  } else if (kind.enum) {
    input = add(label, "select");
    for (const value of ["", ...kind.enum]) add(input, "option", value);
  } else {
    input = add(label, "input");
    input.type = { boolean: "checkbox", integer: "number", number: "number" }[kind.type] || "text";
    if (kind.type === "number") input.step = "any";
    if (schema.default !== undefined && schema.default !== null) input.placeholder = schema.default;
  }
  input.name = name;
  return () => value(input, kind, required);
}

// The value of an input as JSON; undefined for one that is left empty.
async function value(input, kind, required) {
  if (input.type === "checkbox") return input.checked || undefined;
  if (input.type === "file") return Promise.all([...input.files].map(base64));
  if (input.value === "" && !(required && kind.type === "string")) return undefined;
  if (kind.type === "integer" || kind.type === "number") return Number(input.value);
  if (kind.type !== "array") return input.value;
  if (/^\s*[[{]/.test(input.value)) {
    const list = JSON.parse(input.value);
    return Array.isArray(list) ? list : [list];
  }
  return input.value.split("\n").filter((line) => line.trim());
}

async function base64(file) {
  const reader = new FileReader();
  await new Promise((done) => {
    reader.onload = done;
    reader.readAsDataURL(file);
  });
  return reader.result.replace(/^.*,/, "");
}

function show(output, answer) {
  output.textContent = "";
  if (answer.error) {
    add(output, "span", answer.error).className = "error";
  } else if (Array.isArray(answer.rows) && answer.rows.length && typeof answer.rows[0] === "object") {
    const table = add(output, "table");
    const names = Object.keys(answer.rows[0]);
    const head = add(table, "tr");
    for (const name of names) add(head, "th", name);
    for (const row of answer.rows) {
      const line = add(table, "tr");
      for (const name of names) add(line, "td", text(row[name]));
    }
  } else {
    output.textContent = answer.text !== undefined ? answer.text : JSON.stringify(answer, null, 2);
  }
}

function text(value) {
  if (value === null) return "";
  if (typeof value === "number" && !Number.isInteger(value)) return value.toPrecision(4);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function addVerb(path, route) {
  const section = document.getElementById("verb").content.cloneNode(true).firstElementChild;
  document.querySelector("main").append(section);
  section.id = route.operationId;
  section.querySelector("h2").textContent = route.operationId;
  section.querySelector("p").textContent = route.summary;
  const form = section.querySelector("form");
  const schema = route.requestBody.content["application/json"].schema;
  const fields = {};
  const more = document.createElement("details");
  for (const [name, each] of Object.entries(schema.properties || {})) {
    const required = (schema.required || []).includes(name);
    fields[name] = field(required ? form : more, name, each, required);
  }
  if (more.firstChild) {
    more.prepend(document.createElement("summary"));
    more.firstChild.textContent = "options";
    form.append(more);
  }
  add(form, "button", route.operationId);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const output = section.querySelector("output");
    output.textContent = "…";
    try {
      const body = {};
      for (const [name, read] of Object.entries(fields)) body[name] = await read();
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
      show(output, await answer.json());
    } catch (error) {
      show(output, { error: String(error) });
    }
  });
}

async function main() {
  const api = await (await fetch("openapi.json")).json();
  document.title = api.info.title;
  document.querySelector("h1").textContent = api.info.title;
  document.getElementById("scores").textContent = api.info.description;
  for (const [path, routes] of Object.entries(api.paths)) {
    if (routes.post) addVerb(path.slice(1), routes.post);
  }
}

main();
