/**
 * The path under which the server's pages lie, with a slash at its end: "/", or
 * what a proxy put in front. Built modules lie in assets/ below it.
 */
export const base = import.meta.env.PROD
  ? new URL(/* @vite-ignore */ '../', import.meta.url).pathname
  : '/'
