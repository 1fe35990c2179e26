/** Bodies that come again are not parsed again, and mean what they meant. */
import { expect, it } from "@jest/globals";
import fc from "fast-check";
import { KnownBodies } from "../../../src/server/known-bodies";

const parse = (bytes: Buffer) => JSON.parse(bytes.toString()) as Record<string, unknown>;

it("gives what parsing gives, in whatever order bodies come", () => {
  const body = fc.record({ query: fc.string(), variables: fc.dictionary(fc.string(), fc.jsonValue()) });
  const bodies = fc.array(body, { minLength: 1, maxLength: 20 });
  const order = fc.array(fc.nat(), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(bodies, order, (all, indices) => {
      const known = new KnownBodies();
      for (const index of indices) {
        const text = JSON.stringify(all[index % all.length]);
        expect(JSON.stringify(known.valueOf(Buffer.from(text), parse))).toBe(text);
      }
    }),
  );
});

it("parses what comes all the time once, also when others come in between", () => {
  const known = new KnownBodies();
  const parsed: string[] = [];
  const ask = (text: string) =>
    known.valueOf(Buffer.from(text), (bytes) => {
      parsed.push(String(bytes));
      return parse(bytes);
    });
  const often = '{"query":"{often}"}';
  for (let round = 0; round < 1_000; round++) {
    ask(often);
    ask(`{"query":"{once}","variables":{"id":${1_000 + round}}}`);
  }
  expect(parsed.filter((text) => text === often).length).toBeLessThan(20);
  expect(parsed.filter((text) => text !== often)).toHaveLength(1_000);
});

it("tells bodies of one length apart, and keeps what it gives to many from being changed", () => {
  const known = new KnownBodies();
  const ask = (id: string) => known.valueOf(Buffer.from(`{"variables":{"id":["${id}"]}}`), parse);
  for (let round = 0; round < 20; round++) {
    for (const id of ["a", "b", "c"]) expect(ask(id)).toEqual({ variables: { id: [id] } });
  }
  const { variables } = ask("a") as { variables: { id: string[] } };
  expect(() => variables.id.push("more")).toThrow(TypeError);
});

it("remembers neither what is wrong nor what is large, and minds no depth", () => {
  const known = new KnownBodies();
  let parsed = 0;
  const ask = (text: string) =>
    known.valueOf(Buffer.from(text), (bytes) => {
      parsed++;
      return parse(bytes);
    });
  const large = JSON.stringify({ query: "x".repeat(1_100) });
  for (let round = 0; round < 20; round++) {
    expect(() => ask("{")).toThrow(SyntaxError);
    ask(large);
  }
  expect(parsed).toBe(40);
  const deep = `{"variables":${"[".repeat(500)}${"]".repeat(500)}}`;
  for (let round = 0; round < 20; round++) expect(ask(deep)).toHaveProperty("variables");
  expect(parsed).toBeLessThan(60);
});
