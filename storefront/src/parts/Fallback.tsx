// Shown instead of a page that broke: a fault in one page must not take the shop away.
import { Component, type ReactNode } from "react";
import { Notice } from "./Notice";

export class Fallback extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError() {
    return { broken: true };
  }

  override render() {
    if (!this.state.broken) return this.props.children;
    return (
      <div className="page narrow">
        <Notice
          tone="bad"
          title="This page could not be shown."
          action={
            <button type="button" className="button small" onClick={() => location.reload()}>
              Load it again
            </button>
          }
        />
      </div>
    );
  }
}
