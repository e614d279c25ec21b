import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin } from 'vite'

const client = (file: string) => fileURLToPath(new URL(`../clients/js/${file}`, import.meta.url))

// The service worker is the package's own file, as users get it.
const serviceWorker: Plugin = {
  name: 'service-worker',
  generateBundle() {
    this.emitFile({ type: 'asset', fileName: 'sw.js', source: readFileSync(client('sw.js')) })
  },
}

// The server embeds dist and serves index.html at /, login.html at /login,
// setup.html at /setup, app.html at every path of the application, sw.js at /sw.js and
// everything else under /assets/, possibly below a path prefix: hence relative
// addresses.
// Nothing is inlined, so that the pages live under a policy of default-src 'self'.
// public/.keep puts back dist/.keep, without which an unbuilt embed would not
// compile.
export default defineConfig({
  base: './',
  plugins: [serviceWorker],
  resolve: {
    // The pages are built on the package as users get it, from its sources.
    alias: [
      { find: /^belfry-client$/, replacement: client('src/index.ts') },
      { find: /^belfry-client\/react$/, replacement: client('src/react/index.ts') },
      { find: /^belfry-client\/dashboard$/, replacement: client('src/dashboard/index.ts') },
      { find: /^belfry-client\/bell\.css$/, replacement: client('bell.css') },
    ],
    dedupe: ['react', 'react-dom', 'pusher-js'],
  },
  server: { fs: { allow: ['..'] } },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
    rolldownOptions: {
      input: ['index.html', 'login.html', 'setup.html', 'app.html'],
      // "use client" speaks to other kinds of servers.
      onLog: (level, log, report) => {
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') report(level, log)
      },
    },
  },
})
