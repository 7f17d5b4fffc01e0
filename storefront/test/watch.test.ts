import { Code, ConnectError } from "@connectrpc/connect";
import { expect, it } from "vitest";
import { follow, type Link } from "../src/api/watch";

it("a stream that breaks is opened again, and ends when all is said", async () => {
  let opened = 0;
  const told: number[] = [];
  const links: Link[] = [];
  await follow<number>({
    open: async function* () {
      opened += 1;
      yield opened;
      if (opened < 3) throw new ConnectError("broken", Code.Unavailable);
    },
    told: (message) => (told.push(message), message === 3),
    link: (link) => links.push(link),
    signal: new AbortController().signal,
    pauseMs: 1,
  });
  expect(told).toEqual([1, 2, 3]);
  expect(links.at(-1)).toBe("ended");
  expect(links).toContain("waiting");
});

it("a stream refused for good is not asked for again", async () => {
  let opened = 0;
  await follow({
    open: () => {
      opened += 1;
      throw new ConnectError("none", Code.NotFound);
    },
    told: () => {},
    signal: new AbortController().signal,
    pauseMs: 1,
  });
  expect(opened).toBe(1);
});

it("nobody is told anything after leaving", async () => {
  const leaving = new AbortController();
  const told: number[] = [];
  await follow<number>({
    open: async function* () {
      yield 1;
      leaving.abort();
      yield 2;
    },
    told: (message) => void told.push(message),
    signal: leaving.signal,
    pauseMs: 1,
  });
  expect(told).toEqual([1]);
});
