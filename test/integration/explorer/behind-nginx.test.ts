/** Proves behind a real nginx that no request, however it is written, is answered with the development key. */
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { startNginx, type Nginx } from "../../support/nginx";
import { developmentKey, startWorld, type World } from "../../support/world";

let world: World;
let nginx: Nginx;
/** Where requests are sent: to the gateway itself, and to each nginx. */
let ports: Record<string, number>;

beforeAll(async () => {
  world = await startWorld();
  const { origin } = world.gateways[0]!;
  const pass = `proxy_pass ${origin};`;
  nginx = await startNginx([
    // As Debian's nginx does it by itself: the gateway sees its own address as Host, and a loopback peer.
    pass,
    `${pass} proxy_set_header Host localhost;`,
    `${pass} proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;`,
    `${pass} proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For ""; proxy_set_header Origin "";`,
  ]);
  const names = ["default proxy_pass", "Host localhost", "X-Forwarded-For", "the client's Host"];
  ports = Object.fromEntries(names.map((name, index) => [name, nginx.ports[index]!]));
  ports["no proxy"] = Number(new URL(origin).port);
});
afterAll(async () => {
  await nginx[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

/** Sends a request as it is written here, and reads the whole answer. */
async function send(port: number, target: string, headers: readonly string[]): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(
    [`GET ${target} HTTP/1.1`, ...headers, "accept: text/html", "connection: close", "", ""].join("\r\n"),
  );
  let answer = "";
  socket.setEncoding("utf8").on("data", (text: string) => (answer += text));
  await once(socket, "close");
  return answer;
}

const pages = ["/explorer", "/explorer/settings.json", "/graphql", "/status", "/status/data", "/"];
const senders: readonly (readonly string[])[] = [
  ["host: gateway.example"],
  ["host: localhost"],
  ["host: 127.0.0.1:4000"],
  ["host: [::1]:4000", "sec-fetch-site: none", "sec-fetch-dest: document"],
  ["host: localhost", "x-forwarded-for: 127.0.0.1"],
  ["host: localhost", "x-forwarded-host: localhost", "forwarded: for=127.0.0.1;host=localhost"],
  ["host: localhost", "x-real-ip: 127.0.0.1", "origin: http://localhost"],
];

describe.each(["no proxy", "default proxy_pass", "Host localhost", "X-Forwarded-For", "the client's Host"])(
  "through %s",
  (way) => {
    it.each(senders.map((headers) => ({ title: headers.join(", "), headers })))(
      "no page that is asked for with $title has the key in it",
      async ({ headers }) => {
        const answers = await Promise.all(pages.map((page) => send(ports[way]!, page, headers)));
        // They are the pages, not refusals that could hold nothing.
        expect(answers.filter((answer) => answer.startsWith("HTTP/1.1 200 "))).toHaveLength(4);
        for (const answer of answers) expect(answer).not.toContain(developmentKey);
      },
    );

    it("nor one that is asked for by its whole URI", async () => {
      for (const host of ["localhost", "127.0.0.1:4000", "gateway.example"]) {
        for (const page of ["/explorer/settings.json", "/graphql"]) {
          const answer = await send(ports[way]!, `http://${host}${page}`, ["host: gateway.example"]);
          expect(answer).toMatch(/^HTTP\/1\.1 \d{3} /);
          expect(answer).not.toContain(developmentKey);
        }
      }
    });
  },
);
