/**
 * The page at /docs: lists the calls of the OpenAPI document and tries them. It loads nothing from
 * elsewhere, and puts what it shows into the page as text, never as markup.
 */
export const docsHtml = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>HStream: the REST API</title>
<link rel="stylesheet" href="/docs/page.css">
</head>
<body>
<h1>HStream: the REST API</h1>
<p>Made from <a href="/openapi.json">the OpenAPI document</a>. Open a call to try it against this server.</p>
<label id="token" hidden>Token, kept in this page only <input type="password" autocomplete="off"></label>
<main id="calls"></main>
<script src="/docs/page.js"></script>
</body>
</html>
`;

export const docsCss = `body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
h2 { margin-top: 2rem; }
details { border: 1px solid #ccc; border-radius: 4px; margin: .4rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; }
summary code { font-weight: 600; }
label { display: block; margin: .5rem 0; }
input, textarea, select { font: 14px ui-monospace, monospace; width: 100%; box-sizing: border-box; }
textarea { height: 8rem; }
pre { background: #f4f4f4; padding: .6rem; overflow: auto; max-height: 24rem; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #1b1b1b; } pre { background: #2a2a2a; } a { color: #8cf; } }
`;

export const docsScript = `"use strict";
const element = (name, text, attributes = {}) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};
const exampleOf = (schema) => {
  if (schema === undefined) return "";
  if (schema.example !== undefined) return schema.example;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.anyOf !== undefined) return exampleOf(schema.anyOf[0]);
  if (schema.type === "object") {
    const entries = Object.entries(schema.properties ?? {});
    return Object.fromEntries(entries.map(([name, part]) => [name, exampleOf(part)]));
  }
  if (schema.type === "array") return [exampleOf(schema.items)];
  if (schema.type === "integer" || schema.type === "number") return 1;
  return "";
};
const show = (path, method, operation) => {
  const box = element("details");
  const summary = element("summary");
  summary.append(element("code", method.toUpperCase() + " " + path), " " + operation.summary);
  box.append(summary);
  if (operation.description) box.append(element("p", operation.description));
  const fields = (operation.parameters ?? []).map((parameter) => {
    const label = element("label", parameter.name + " (" + parameter.in + ") " + (parameter.description ?? ""));
    const input = element("input", undefined, { placeholder: String(parameter.schema.example ?? "") });
    label.append(input);
    box.append(label);
    return { parameter, input };
  });
  let body;
  let type;
  const content = operation.requestBody?.content;
  if (content !== undefined) {
    const label = element("label", "body");
    type = element("select");
    for (const name of Object.keys(content)) type.append(element("option", name));
    body = element("textarea");
    body.value = JSON.stringify(exampleOf(Object.values(content)[0].schema), null, 2);
    label.append(type, body);
    box.append(label);
  }
  const go = element("button", "Try it");
  const stop = element("button", "Stop");
  const answer = element("pre", "");
  let abort;
  stop.onclick = () => abort?.abort();
  go.onclick = async () => {
    abort?.abort();
    abort = new AbortController();
    let url = path;
    const query = new URLSearchParams();
    const headers = {};
    for (const { parameter, input } of fields) {
      if (parameter.in === "path") url = url.replace("{" + parameter.name + "}", encodeURIComponent(input.value));
      else if (input.value === "") continue;
      else if (parameter.in === "query") query.set(parameter.name, input.value);
      else headers[parameter.name] = input.value;
    }
    if (query.size > 0) url += "?" + query;
    const token = document.querySelector("#token input").value;
    if (token !== "") headers.authorization = "Bearer " + token;
    if (body !== undefined) headers["content-type"] = type.value;
    try {
      const options = { method: method.toUpperCase(), headers, body: body?.value, signal: abort.signal };
      const response = await fetch(url, options);
      answer.textContent = response.status + " " + response.statusText + "\\n\\n";
      const decoder = new TextDecoder();
      for (const reader = response.body.getReader(); ; ) {
        const { done, value } = await reader.read();
        if (done) break;
        answer.textContent = (answer.textContent + decoder.decode(value, { stream: true })).slice(-100000);
      }
    } catch (error) {
      answer.textContent += String(error);
    }
  };
  box.append(go, stop, answer);
  return box;
};
fetch("/openapi.json").then((response) => response.json()).then(({ paths, components }) => {
  document.getElementById("token").hidden = components.securitySchemes === undefined;
  const groups = new Map();
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const group = operation.tags[0];
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(show(path, method, operation));
    }
  }
  for (const [name, boxes] of groups) document.getElementById("calls").append(element("h2", name), ...boxes);
});
`;

/** Only what the page itself consists of may run, be shown or be asked. */
export const docsPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
