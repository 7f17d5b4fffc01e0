// Says changes aloud to those who cannot see them.
import { useNews } from "../state/context";
import { useObservable } from "../state/observable";

export function News() {
  return (
    <div className="hidden" aria-live="polite" role="status">
      {useObservable(useNews())}
    </div>
  );
}
