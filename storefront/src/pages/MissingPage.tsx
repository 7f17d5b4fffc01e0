// Where nothing is.
import { Page } from "../parts/Page";
import { Link } from "../router/Link";

export function MissingPage({ what = "page" }: { what?: string }) {
  return (
    <Page title={`No such ${what}`} narrow lead="It may have moved, or it was never here.">
      <Link to="/" className="button">
        To the shop
      </Link>
    </Page>
  );
}
