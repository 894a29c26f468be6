/** The way to the stream: HTTP for what is asked, a WebSocket for what changes, and HTTP again where there is none. */

const FAST_MS = 150; // between two looks for a preview, without a WebSocket
const SLOW_MS = 1000; // between two looks at the figures, and before a lost stream is tried again

/** The token of this run: from the address, where it is taken out of sight, or from a visit before in this tab. */
export function token() {
  const given = /[#&]token=([\w-]+)/.exec(location.hash);
  if (given) {
    keep(given[1]);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("token") ?? "";
}

export function keep(token) {
  sessionStorage.setItem("token", token);
}

/** What the stream said no to; `status` 401 is a wrong token, 0 that nobody answers. */
export class Refusal extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

/** Ask; the answer as a value, a blob for pictures, or null for nothing. */
export async function ask(method, path, body, headers = {}) {
  let answer;
  const blob = body instanceof Blob;
  try {
    answer = await fetch(path, {
      method,
      headers: { Authorization: `Bearer ${token()}`, ...(body === undefined || blob ? {} : { "Content-Type": "application/json" }), ...headers },
      body: body === undefined || blob ? body : JSON.stringify(body),
      cache: "no-store",
    });
  } catch {
    throw new Refusal(0, "The stream has ended, or cannot be reached. This page goes on trying.");
  }
  if (answer.status === 204) return null;
  const picture = answer.headers.get("Content-Type") === "image/jpeg";
  const told = await (picture ? answer.blob() : answer.json()).catch(() => ({ error: `status ${answer.status}` }));
  if (!answer.ok) throw new Refusal(answer.status, told.error);
  return picture ? { picture: told, number: Number(answer.headers.get("X-Frame")) } : told;
}

/**
 * Stay in touch until the page is left.
 * @param on.status called with every state, on.preview with every picture (a blob), on.lost with a Refusal.
 * @returns watch(on): whether previews are wanted.
 */
export function follow(on) {
  let socket = null;
  let wanted = false;

  const say = () => socket?.readyState === WebSocket.OPEN && socket.send(JSON.stringify({ preview: wanted }));

  function open() {
    const address = new URL("api/socket", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    let opened = false;
    socket = new WebSocket(address, ["livematte", `token.${token()}`]);
    socket.binaryType = "blob";
    socket.onopen = () => ((opened = true), say());
    socket.onmessage = ({ data }) => (typeof data === "string" ? told(JSON.parse(data)) : on.preview(data));
    socket.onclose = () => {
      socket = null;
      if (opened) look(); // it tells why
    };
  }

  const told = (message) => message.status && on.status(message.status);

  /** The figures by HTTP, as long as no WebSocket brings them. */
  async function look() {
    for (let round = 0; !socket || socket.readyState !== WebSocket.OPEN; round++) {
      try {
        on.status(await ask("GET", "api/status"));
        if (!socket && round % 10 === 0) open(); // now and then: the stream may have been started again
      } catch (refusal) {
        on.lost(refusal);
        if (refusal.status === 401) return;
      }
      await wait(SLOW_MS);
    }
  }

  /** Previews by HTTP, in the same case. */
  async function pictures() {
    for (let known = 0; ; await wait(FAST_MS)) {
      if (!wanted || socket?.readyState === WebSocket.OPEN) continue;
      const shot = await ask("GET", `api/preview.jpg?after=${known}`).catch(() => null);
      if (shot && wanted) {
        known = shot.number;
        on.preview(shot.picture);
      } else if (!shot) {
        known = 0;
        await wait(SLOW_MS);
      }
    }
  }

  look();
  pictures();
  return {
    watch(on) {
      wanted = on;
      say();
    },
    again: look,
  };
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
