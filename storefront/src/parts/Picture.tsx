// The picture of a product; a still life where there is none.
import { useState } from "react";
import { stillLife, type Vessel } from "./still-life";

type Props = {
  /** The image's name, such as `products/1/images/2`; empty where there is none. */
  image: string;
  /** What a still life is drawn from. */
  seed: string;
  /** What it shows; empty where the words beside it say so. */
  alt?: string;
};

export function Picture({ image, seed, alt = "" }: Props) {
  const [broken, setBroken] = useState("");
  if (image && image !== broken) {
    return <img className="picture" src={`/media/${image}`} alt={alt} loading="lazy" onError={() => setBroken(image)} />;
  }
  return <Drawing seed={seed} alt={alt} />;
}

function Drawing({ seed, alt }: { seed: string; alt: string }) {
  const { wall, table, horizon, sun, vessels } = stillLife(seed);
  const foot = horizon + 34;
  return (
    <svg className="picture" viewBox="0 0 400 400" role={alt ? "img" : undefined} aria-label={alt || undefined} aria-hidden={alt ? undefined : true}>
      <rect width="400" height="400" fill={wall} />
      <circle cx={sun.x} cy={sun.y} r={sun.r} fill={sun.fill} />
      <rect y={horizon} width="400" height={400 - horizon} fill={table} />
      {vessels.map((vessel, index) => (
        <g key={index}>
          <ellipse cx={vessel.x + 16} cy={foot + index * 9} rx={vessel.width * 0.62} ry="7" fill="#1d1b18" opacity="0.13" />
          <path d={outline(vessel, foot + index * 9)} fill={vessel.fill} />
          <path d={shade(vessel, foot + index * 9)} fill="#1d1b18" opacity="0.12" />
        </g>
      ))}
    </svg>
  );
}

/** The outline, standing on `y`. */
function outline(vessel: Vessel, y: number): string {
  return half(vessel, y, -1) + half(vessel, y, 1);
}

/** The side away from the light. */
function shade(vessel: Vessel, y: number): string {
  return half(vessel, y, 1);
}

/** One half from the middle out: `side` is -1 for left and 1 for right. */
function half({ shape, x, width, height }: Vessel, y: number, side: 1 | -1): string {
  const w = (width / 2) * side;
  const top = y - height;
  switch (shape) {
    case "bottle":
      return `M${x} ${top}h${w * 0.36}v${height * 0.34}c0 ${height * 0.14} ${w * 0.64} ${height * 0.1} ${w * 0.64} ${height * 0.3}V${y - 8}q0 8 ${-w * 0.2} 8H${x}Z`;
    case "jar":
      return `M${x} ${top}h${w * 0.62}v${height * 0.12}q${w * 0.38} ${height * 0.1} ${w * 0.38} ${height * 0.42}q0 ${height * 0.46} ${-w * 0.44} ${height * 0.46}H${x}Z`;
    case "bowl":
      return `M${x} ${top}h${w}q0 ${height} ${-w * 0.7} ${height}H${x}Z`;
    case "sphere":
      return `M${x} ${top}C${x + w * 1.33} ${top} ${x + w * 1.33} ${y} ${x} ${y}Z`;
    case "arch":
      return `M${x} ${top}C${x + w * 0.7} ${top} ${x + w} ${top + height * 0.2} ${x + w} ${top + height * 0.4}V${y}H${x}Z`;
    case "cup":
      return `M${x} ${top}h${w * 0.86}l${-w * 0.14} ${height * 0.86}q${-w * 0.02} ${height * 0.14} ${-w * 0.2} ${height * 0.14}H${x}Z`;
  }
}
