// What the modules use of a browser: elements by their id, requests, and the timers of these.

/** Elements that come into being when they are asked for. */
export function page() {
  const elements = new Map();
  globalThis.document = {
    baseURI: "http://board:3737/",
    documentElement: { dataset: {} },
    getElementById(id) {
      if (!elements.has(id)) elements.set(id, { textContent: "", dataset: {}, hidden: false });
      return elements.get(id);
    },
    querySelectorAll: () => [],
  };
  return (id) => document.getElementById(id);
}

/** A response of the server. */
export function response(status, body, headers = {}) {
  const json = typeof body === "object";
  return {
    status,
    ok: status >= 200 && status < 300,
    headers: new Headers({ "Content-Type": json ? "application/json" : "text/html", ...headers }),
    json: async () => body,
  };
}

/** Answers requests by `answer(url, options)`, which may throw; gives the list of the addresses asked for. */
export function server(answer) {
  const asked = [];
  globalThis.fetch = async (url, options) => {
    asked.push(String(url));
    return answer(String(url), options);
  };
  return asked;
}
