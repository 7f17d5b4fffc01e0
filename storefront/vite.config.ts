/// <reference types="vitest/config" />
import { defineConfig } from "vite";

// Calls, pictures and keys come from the edge.
const EDGE = process.env.EDGE_URL ?? "http://localhost:8080";

export default defineConfig(({ mode }) => ({
  plugins: [
    {
      // `npm run dev:fake` shows the shop without a backend, as the tests see it.
      name: "fake-shop",
      transformIndexHtml: {
        order: "pre",
        handler: (html: string) => (mode === "fake" ? html.replace("/src/main.tsx", "/test/fake/main.tsx") : html),
      },
    },
  ],
  build: {
    target: "es2022",
    // The content security policy allows files only: nothing is put inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      "^/(cartwright|grpc)\\.": EDGE,
      "/media/": EDGE,
    },
  },
  test: {
    environment: "happy-dom",
    include: ["test/**/*.test.{ts,tsx}"],
    restoreMocks: true,
    testTimeout: 60_000,
  },
}));
