import { defineConfig } from 'vite'

// The server embeds dist and serves index.html at /, login.html at /login,
// setup.html at /setup and everything else under /assets/, possibly below a path
// prefix: hence relative addresses. Nothing is inlined, so that the pages live
// under a policy of default-src 'self'. public/.keep puts back dist/.keep,
// without which an unbuilt embed would not compile.
export default defineConfig({
  base: './',
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
    rolldownOptions: { input: ['index.html', 'login.html', 'setup.html'] },
  },
})
