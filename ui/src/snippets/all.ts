import { browser } from './browser'
import { curl } from './curl'
import { laravel } from './laravel'
import { go, node, php, python } from './sdks'
import type { Snippet } from './snippet'

/** Every snippet in the order of its tab. */
export const snippets: readonly Snippet[] = [curl, laravel, node, go, python, php, browser]
