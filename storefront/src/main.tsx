// Opens the shop against the edge that served this page.
import { dialEdge, openShop } from "./api/shop";
import { open } from "./open";

open(openShop(dialEdge, sessionStorage));
