// The frame of a page: its title, also in the tab, and where reading begins after coming here.
import { type ReactNode, useEffect, useRef } from "react";

type Props = { title: string; heading?: ReactNode; lead?: ReactNode; narrow?: boolean; children?: ReactNode };

export function Page({ title, heading, lead, narrow, children }: Props) {
  return (
    <div className={narrow ? "page narrow" : "page"}>
      <Heading title={title}>{heading}</Heading>
      {lead && <p className="lead">{lead}</p>}
      {children}
    </div>
  );
}

/** The heading of a page, for pages that place it themselves. */
export function Heading({ title, children }: { title: string; children?: ReactNode }) {
  const here = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = title === "Cartwright" ? title : `${title} · Cartwright`;
  }, [title]);
  useEffect(() => {
    // Not on the first page of a visit, where the browser begins at the top by itself.
    if (visited) here.current?.focus({ preventScroll: true });
    visited = true;
  }, []);
  return (
    <h1 ref={here} tabIndex={-1}>
      {children ?? title}
    </h1>
  );
}

let visited = false;
