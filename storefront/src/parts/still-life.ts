// What a still life shows: vessels on a table, arranged by chance that is the same for the same SKU.

export type Vessel = { shape: "bottle" | "bowl" | "jar" | "sphere" | "arch" | "cup"; x: number; width: number; height: number; fill: string };
export type StillLife = { wall: string; table: string; horizon: number; sun: { x: number; y: number; r: number; fill: string }; vessels: Vessel[] };

/** Wall, table, sun, then the vessels' colours. */
const PALETTES: readonly (readonly string[])[] = [
  ["#e9dfd0", "#d3c2aa", "#f5efe4", "#a65f3e", "#3f5f58", "#c99b5f", "#7c8a83"],
  ["#dbe3dd", "#b8c6bb", "#f1f4ee", "#2f5d50", "#c98a5b", "#8aa397", "#e6d3ae"],
  ["#ecdcd3", "#d8b9a8", "#f8efe8", "#8c4a3c", "#d98f6c", "#5b6b73", "#eac7a4"],
  ["#dde2ea", "#b9c3d1", "#f3f5f8", "#3e5470", "#c7a17a", "#8496ad", "#e3d9c8"],
  ["#e8e2d3", "#c9bf9f", "#f7f3e6", "#6c6a3b", "#b5764a", "#a3a173", "#ded0a0"],
  ["#e6dbe0", "#c8b2bc", "#f6eff2", "#6d4356", "#c58c6d", "#9b7f8d", "#e5cdb9"],
];
const SHAPES = ["bottle", "bowl", "jar", "sphere", "arch", "cup"] as const;

export function stillLife(seed: string): StillLife {
  const next = chance(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)]!;
  const between = (least: number, most: number): number => Math.round(least + next() * (most - least));
  const [wall, table, light, ...colours] = pick(PALETTES) as [string, string, string, ...string[]];
  const count = between(2, 4);
  const first = Math.floor(next() * colours.length);
  const step = 268 / count;
  const vessels = Array.from({ length: count }, (_, index): Vessel => {
    const shape = pick(SHAPES);
    const width = between(66, 100) * (shape === "bowl" ? 1.35 : 1);
    const tall = shape === "bottle" || shape === "arch";
    const height = shape === "sphere" ? width : shape === "bowl" ? width * 0.5 : between(tall ? 150 : 88, tall ? 215 : 136);
    const x = 66 + step * (index + 0.5) + between(-12, 12);
    return { shape, x, width, height, fill: colours[(first + index) % colours.length]! };
  });
  // The tall ones stand behind.
  vessels.sort((one, other) => other.height - one.height);
  const sun = { x: between(90, 310), y: between(80, 150), r: between(44, 78), fill: light };
  return { wall, table, horizon: between(268, 292), sun, vessels };
}

/** Numbers from 0 to 1 that follow from the seed (FNV-1a, then mulberry32). */
function chance(seed: string): () => number {
  let state = 0x811c9dc5;
  for (const char of seed) state = Math.imul(state ^ char.codePointAt(0)!, 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
